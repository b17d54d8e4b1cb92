"""Services over restarts, with processes that are made up."""

from collections.abc import Iterable, Mapping

from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.processes import ProcessIdentity
from kilonode.base.usage import ProcessUsage
from kilonode.run.census import READINGS_PER_SEARCH, Census, Heads

BEGAN_TICKS = 1000


def process(pid: int, started_ticks: int = BEGAN_TICKS + 1) -> ProcessIdentity:
    return ProcessIdentity(pid, started_ticks, "boot")


class Machine:
    """Services with processes, each with the processor time it has used; children by their parent's identity."""

    def __init__(self) -> None:
        self.heads: dict[str, tuple[ProcessIdentity, ...]] = {}
        self.children: dict[ProcessIdentity, tuple[ProcessIdentity, ...]] = {}
        self.cpu_s: dict[ProcessIdentity, float] = {}
        self.searches = 0
        self.connections: int | None = 3

    def services(self) -> Heads:
        return self.heads

    def find(self, heads: Heads) -> Mapping[str, tuple[ProcessIdentity, ...]]:
        self.searches += 1
        return {
            name: tuple(one for head in some for one in (head, *self.children.get(head, ())) if one in self.cpu_s)
            for name, some in heads.items()
        }

    def read(self, identities: Iterable[ProcessIdentity]) -> dict[ProcessIdentity, ProcessUsage]:
        return {
            one: ProcessUsage(
                cpu_s=self.cpu_s[one], memory_bytes=100, threads=2, descriptors=9, connections=self.connections
            )
            for one in identities
            if one in self.cpu_s
        }

    def census(self) -> Census:
        return Census(self, find=self.find, read=self.read, began_ticks=BEGAN_TICKS)


def test_processor_time_counts_from_the_first_reading() -> None:
    machine = Machine()
    old = process(1, started_ticks=5)
    machine.heads, machine.cpu_s = {"api": (old,)}, {old: 500.0}
    census = machine.census()
    assert census.take()["api"]["cpu_s_total"] == 0.0
    machine.cpu_s[old] = 501.5
    assert census.take()["api"]["cpu_s_total"] == 1.5


def test_a_restart_goes_on_where_the_one_before_was_read_last() -> None:
    machine = Machine()
    first, second = process(1), process(2)
    machine.heads, machine.cpu_s = {"api": (first,)}, {first: 2.0}
    census = machine.census()
    census.take()
    machine.heads, machine.cpu_s = {"api": ()}, {}
    down = census.take()["api"]
    assert (down["cpu_s_total"], down["processes"], down["memory_bytes"]) == (2.0, 0.0, 0.0)
    machine.heads, machine.cpu_s = {"api": (second,)}, {second: 0.25}
    assert census.take()["api"]["cpu_s_total"] == 2.25


def test_children_count_and_are_looked_for_now_and_then() -> None:
    machine = Machine()
    head, worker = process(1), process(2)
    machine.heads, machine.cpu_s = {"api": (head,)}, {head: 1.0}
    census = machine.census()
    assert census.take()["api"]["processes"] == 1
    machine.children, machine.cpu_s = {head: (worker,)}, {head: 1.0, worker: 4.0}
    readings = [census.take()["api"] for _ in range(READINGS_PER_SEARCH)]
    assert readings[-1]["processes"] == 2
    assert readings[-1]["cpu_s_total"] == 5.0
    assert machine.searches == 2


def test_who_is_missing_is_looked_for_at_the_next_reading() -> None:
    machine = Machine()
    head, worker, next_worker = process(1), process(2), process(3)
    machine.heads, machine.children = {"api": (head,)}, {head: (worker,)}
    machine.cpu_s = {head: 1.0, worker: 1.0}
    census = machine.census()
    census.take()
    machine.children, machine.cpu_s = {head: (next_worker,)}, {head: 1.0, next_worker: 0.5}
    census.take()
    assert census.take()["api"]["cpu_s_total"] == 2.5
    assert machine.searches == 2


def test_what_is_not_known_is_left_out() -> None:
    machine = Machine()
    head = process(1)
    machine.heads, machine.cpu_s, machine.connections = {"mariadb": (head,)}, {head: 1.0}, None
    assert "connections" not in machine.census().take()["mariadb"]


@given(
    st.lists(st.tuples(st.sampled_from(["work", "restart", "fork", "die", "down"]), st.floats(0.0, 10.0)), max_size=30)
)
def test_processor_time_never_falls_and_never_exceeds_what_was_used(events: list[tuple[str, float]]) -> None:
    machine = Machine()
    machine.heads, machine.cpu_s = {"api": (process(0, 1),)}, {process(0, 1): 7.0}
    census = machine.census()
    census.take()
    used_s, before_s = 0.0, 0.0
    for number, (event, amount) in enumerate(events, start=1):
        head = next(iter(machine.heads["api"]), None)
        if event == "restart" or (event == "work" and head is None):
            machine.cpu_s = {process(number): amount}
            machine.heads, machine.children = {"api": (process(number),)}, {}
            used_s += amount
        elif event == "fork" and head is not None:
            machine.children[head] = (*machine.children.get(head, ()), process(number))
            machine.cpu_s[process(number)] = amount
            used_s += amount
        elif event == "die" and head is not None and machine.children.get(head):
            del machine.cpu_s[machine.children[head][0]]
            machine.children[head] = machine.children[head][1:]
        elif event == "down":
            machine.heads, machine.children, machine.cpu_s = {"api": ()}, {}, {}
        elif head is not None:
            machine.cpu_s[head] += amount
            used_s += amount
        total_s = census.take()["api"]["cpu_s_total"]
        assert before_s <= total_s <= used_s + 1e-6
        before_s = total_s
