"""Rules of an experiment that join several keys, or need more knowledge than a record's types.

Rules look at nodes, so that they know places, and each looks only at the part that it is about: a rule about a load
model is checked also when a criterion is wrong, and the other way round. They are a table of functions, each given the
whole tree and yielding the problems it finds.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from kilonode.base.errors import Problem
from kilonode.base.units import Size
from kilonode.load.models import LoadModel, RampingArrivalRate, RampingVus, ThinkTime
from kilonode.run.addresses import MOST_SUBNETS
from kilonode.run.experiment import Cloud, FlavorSpec, Setup
from kilonode.run.nodes import Mapping, Node, describe
from kilonode.run.validation import INVALID, Validator, join

Rule = Callable[[Mapping], Iterator[Problem]]
Record = TypeVar("Record")

_MEBIBYTE: Final = 2**20
_GIBIBYTE: Final = 2**30
NOT_YET: Final = {"disruptions": "this version of Kilonode cannot disrupt a cloud"}
"""Keys of the format that this version does not know how to follow, and why."""


def check_rules(root: Mapping) -> list[Problem]:
    """Every broken rule."""
    return [problem for rule in RULES for problem in rule(root)]


def without_keys(root: Mapping, keys: frozenset[str]) -> Mapping:
    """The mapping without these keys."""
    return Mapping(tuple(entry for entry in root.entries if entry.key not in keys), root.place)


def find(root: Node, *steps: str) -> Node | None:
    """The node at a path of keys, or None."""
    node: Node | None = root
    for step in steps:
        node = node.get(step) if isinstance(node, Mapping) else None
    return node


def read_quietly(node: Node | None, kind: type[Record] | Any) -> Any:
    """The node as a value of `kind`; None when there is none, or when it is wrong, which is said elsewhere."""
    value = Validator().read(node, kind) if node is not None else None
    return None if value is INVALID else value


def named_entries(root: Mapping, key: str) -> Iterator[tuple[str, str, Node]]:
    """Path, name and value of each entry of the mapping at a top-level key."""
    node = root.get(key)
    if isinstance(node, Mapping):
        for entry in node.entries:
            yield f"{key}.{entry.key}", entry.key, entry.value


def _known_keys_of_the_future(root: Mapping) -> Iterator[Problem]:
    for entry in root.entries:
        if entry.key in NOT_YET:
            yield entry.place.problem(NOT_YET[entry.key], path=entry.key, hint=f"leave {entry.key}: out")


def _one_cloud(root: Mapping) -> Iterator[Problem]:
    node = root.get("cloud")
    cloud = read_quietly(node, Cloud)
    if node is not None and cloud is not None and (cloud.emulated is None) == (cloud.openstack is None):
        expected = "exactly one of emulated and openstack"
        yield node.place.problem("not one cloud", path="cloud", expected=expected, got=describe(node))


def _setup_needs_a_cloud(root: Mapping) -> Iterator[Problem]:
    node = root.get("setup")
    if isinstance(node, Mapping) and node.entries and root.get("cloud") is None:
        yield node.place.problem(
            "a setup without a cloud", path="setup", hint="name a cloud: cloud: {emulated: {nodes: 10}}"
        )


def _addresses_suffice(root: Mapping) -> Iterator[Problem]:
    node = root.get("setup")
    setup = read_quietly(node, Setup)
    if node is None or setup is None:
        return
    subnets = max(1, setup.projects) * setup.networks_per_project * setup.subnets_per_network
    if subnets > MOST_SUBNETS:
        got = f"{max(1, setup.projects)} × {setup.networks_per_project} × {setup.subnets_per_network} = {subnets}"
        yield node.place.problem("too many subnets", path="setup", expected=f"at most {MOST_SUBNETS} in all", got=got)


def _flavors_have_whole_sizes(root: Mapping) -> Iterator[Problem]:
    flavors = find(root, "setup", "flavors")
    for entry in flavors.entries if isinstance(flavors, Mapping) else ():
        flavor = read_quietly(entry.value, FlavorSpec)
        if not isinstance(flavor, FlavorSpec) or not isinstance(entry.value, Mapping):
            continue
        for key, size, unit, word in (
            ("memory", flavor.memory, _MEBIBYTE, "MiB"),
            ("disk", flavor.disk, _GIBIBYTE, "GiB"),
        ):
            node = entry.value.get(key)
            if size % unit and node is not None:
                path = f"setup.flavors.{entry.key}.{key}"
                hint = f"did you mean {Size(max(1, round(size / unit)) * unit)}?"
                yield node.place.problem(
                    "not a whole size", path=path, expected=f"a whole number of {word}", got=describe(node), hint=hint
                )


def _think_times_are_ranges(root: Mapping) -> Iterator[Problem]:
    for path, _, workload in named_entries(root, "workloads"):
        node = find(workload, "load", "think_time")
        think_time = read_quietly(node, ThinkTime)
        if node is not None and isinstance(think_time, ThinkTime) and think_time.min > think_time.max:
            got = f"min {think_time.min}, max {think_time.max}"
            here = join(path, "load.think_time")
            yield node.place.problem("the longest pause is shorter than the shortest", path=here, got=got)


def _loads_make_load(root: Mapping) -> Iterator[Problem]:
    for path, _, workload in named_entries(root, "workloads"):
        node = find(workload, "load")
        load = read_quietly(node, LoadModel)
        if node is None or not isinstance(load, RampingVus | RampingArrivalRate):
            continue
        if not any(stage.over for stage in load.stages):
            here = join(path, "load.stages")
            yield node.place.problem("the load takes no time", path=here, expected="a stage with over: more than zero")
        elif not load.start and not any(stage.to for stage in load.stages):
            here = join(path, "load")
            yield node.place.problem(
                "no iteration would ever start", path=here, expected="a start or a stage above zero"
            )


RULES: Final[tuple[Rule, ...]] = (
    _known_keys_of_the_future,
    _one_cloud,
    _setup_needs_a_cloud,
    _addresses_suffice,
    _flavors_have_whole_sizes,
    _think_times_are_ranges,
    _loads_make_load,
)
