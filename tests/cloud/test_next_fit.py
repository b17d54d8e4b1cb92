"""The next-fit scheduler: what it names will do, it goes round, and it gives up only when nothing will."""

from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.randomness import Randomness
from kilonode.cloud.next_fit import NextFit
from kilonode.cloud.resources import NodeUsage, Resources
from kilonode.cloud.scheduling import Request
from tests.cloud.test_scheduler import REQUESTS, Model, make_nodes

LABELS = (frozenset({"gold", "fast"}), frozenset({"fast"}), frozenset[str]())


def filled(count: int, seed: int = 1) -> tuple[NextFit, Model]:
    scheduler, nodes = NextFit(Randomness(seed, "ties")), make_nodes(count)
    for number, node in enumerate(nodes):
        scheduler.put_node(node, NodeUsage(), alive=True, labels=LABELS[number % len(LABELS)])
    return scheduler, Model(nodes)


@given(st.integers(0, 20), st.lists(REQUESTS, max_size=60))
def test_the_choice_will_do_and_there_is_one_whenever_any_node_will(count: int, requests: list[Request]) -> None:
    scheduler, model = filled(count)
    assert len(scheduler) == count
    for request in requests:
        choice = scheduler.choose(request)
        fitting = [name for name in model.nodes if model.fits(name, request)]
        assert (choice in fitting) if fitting else (choice is None)
        if choice is not None:
            scheduler.take(choice, request.amount)
            model.free[choice] -= request.amount


def test_equal_servers_go_to_one_node_after_the_other() -> None:
    scheduler, _ = filled(5)
    choices = []
    for _ in range(10):
        choice = scheduler.choose(Request(Resources(1, 1, 1)))
        assert choice is not None
        scheduler.take(choice, Resources(1, 1, 1))
        choices.append(choice)
    assert choices[:5] == choices[5:]
    assert len(set(choices)) == 5


def test_schedulers_begin_in_different_places() -> None:
    assert len({filled(10, seed)[0].choose(Request(Resources(1, 1, 1))) for seed in range(20)}) > 3


def test_labels_are_needed_and_refused() -> None:
    scheduler, _ = filled(6)
    gold = Request(Resources(1, 1, 1), need=(frozenset({"gold"}), frozenset({"fast", "cheap"})))
    assert {scheduler.choose(gold) for _ in range(6)} == {"compute-0001", "compute-0004"}
    slow = Request(Resources(1, 1, 1), refuse=frozenset({"fast"}))
    assert {scheduler.choose(slow) for _ in range(6)} == {"compute-0003", "compute-0006"}
    assert scheduler.choose(Request(Resources(1, 1, 1), need=(frozenset(),))) is None


def test_soft_wishes_are_followed_while_they_can_be() -> None:
    scheduler, _ = filled(3)
    near = Request(Resources(1, 1, 1), pull=(("compute-0001", 0.5), ("compute-0002", 1.0)))
    assert scheduler.choose(near) == "compute-0002"
    scheduler.remove_node("compute-0002")
    assert scheduler.choose(near) == "compute-0001"
    apart = Request(Resources(1, 1, 1), pull=(("compute-0001", -1.0),))
    assert scheduler.choose(apart) == "compute-0003"
    scheduler.remove_node("compute-0003")
    assert scheduler.choose(apart) == "compute-0001"


def test_usage_is_corrected_by_the_documents() -> None:
    scheduler, _ = filled(1)
    scheduler.put_usage("compute-0001", NodeUsage(Resources(8, 800, 80), 1))
    assert scheduler.choose(Request(Resources(1, 1, 1))) is None
    scheduler.put_usage("compute-0001", NodeUsage())
    assert scheduler.choose(Request(Resources(1, 1, 1))) == "compute-0001"
    scheduler.put_usage("unknown", NodeUsage())
