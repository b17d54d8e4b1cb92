"""The table of nodes against a plain search through all of them."""

from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.randomness import Randomness
from kilonode.cloud.context import CloudSettings, NodeShape
from kilonode.cloud.filter_and_weigh import FilterAndWeigh
from kilonode.cloud.resources import Node, NodeUsage, Resources, make_node
from kilonode.cloud.scheduling import Request

SHAPE = NodeShape(vcpus=4, memory_mb=800, disk_gb=80, cpu_allocation_ratio=2.0, reserved_memory_mb=0)
ZONES = ("a", "b")


def make_nodes(count: int) -> list[Node]:
    settings = CloudSettings(nodes=count, node_shape=SHAPE, zones=ZONES, name="test")
    return [make_node(settings, number, 0) for number in range(count)]


AMOUNTS = st.builds(Resources, st.integers(0, 5), st.integers(0, 500), st.integers(0, 50))
REQUESTS = st.builds(
    Request,
    AMOUNTS,
    zone=st.sampled_from(("", "a", "b", "nowhere")),
    node=st.sampled_from(("", "", "", "compute-0002", "unknown")),
    avoid=st.sampled_from(((), ("compute-0001",), ("compute-0001", "unknown"))),
    only=st.sampled_from((None, None, ("compute-0003", "compute-0004"), ())),
)
STEPS = st.lists(
    st.one_of(
        REQUESTS,
        st.tuples(st.integers(0, 69), st.sampled_from(("disable", "enable", "remove", "reset"))),
    ),
    max_size=40,
)


class Model:
    """The same in the plainest way."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = {node.name: node for node in nodes}
        self.free = {node.name: node.capacity() for node in nodes}
        self.usable = dict.fromkeys(self.nodes, True)

    def fits(self, name: str, request: Request) -> bool:
        return (
            self.usable[name]
            and request.amount.fits(self.free[name])
            and request.amount.fits(self.nodes[name].size())
            and request.zone in ("", self.nodes[name].zone)
            and request.node in ("", name)
            and name not in request.avoid
            and (request.only is None or name in request.only)
        )

    def weight(self, name: str) -> float:
        free = self.free[name]
        return (free.vcpus / 8 + free.memory_mb / 800 + free.disk_gb / 80) / 3


@given(st.integers(0, 70), STEPS, st.integers(1, 3))
def test_the_choice_fits_and_no_other_node_is_freer(
    count: int, steps: list[Request | tuple[int, str]], repeats: int
) -> None:
    nodes = make_nodes(count)
    table, model = FilterAndWeigh(Randomness(1, "ties")), Model(nodes)
    for node in nodes:
        table.put_node(node, NodeUsage(), alive=True)
    assert len(table) == count
    for step in steps:
        if isinstance(step, tuple):
            if step[0] < count:
                change(table, model, nodes[step[0]], step[1])
            continue
        for _ in range(repeats):
            choice = table.choose(step)
            fitting = [name for name in model.nodes if model.fits(name, step)]
            if choice is None:
                assert fitting == []
                break
            assert choice in fitting
            assert model.weight(choice) >= max(model.weight(name) for name in fitting) - 1e-5
            table.take(choice, step.amount)
            model.free[choice] -= step.amount


def change(table: FilterAndWeigh, model: Model, node: Node, what: str) -> None:
    usage = NodeUsage(node.capacity() - model.free[node.name], 1)
    if what == "remove":
        table.remove_node(node.name)
        model.usable[node.name] = False
    elif what == "reset":
        table.put_usage(node.name, NodeUsage())
        model.free[node.name] = node.capacity()
    else:
        table.put_node(node, usage, alive=what == "enable")
        model.usable[node.name] = what == "enable"


def test_ties_go_another_way_with_another_seed() -> None:
    choices = set()
    for seed in range(20):
        table = FilterAndWeigh(Randomness(seed, "ties"))
        for node in make_nodes(10):
            table.put_node(node, NodeUsage(), alive=True)
        choices.add(table.choose(Request(Resources(1, 1, 1))))
    assert len(choices) > 3
