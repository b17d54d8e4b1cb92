"""Rules of an experiment that join several keys, or need more knowledge than a record's types.

Rules look at nodes, so that they know places, and each looks only at the part that it is about: a rule about a load
model is checked also when a criterion is wrong, and the other way round. They are a table of functions, each given the
whole tree and yielding the problems it finds.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from kilonode.base.errors import Problem
from kilonode.base.units import Duration, Size
from kilonode.base.validation import INVALID, Validator, join
from kilonode.base.yaml_nodes import Mapping, Node, Scalar, describe
from kilonode.load.models import LoadModel, RampingArrivalRate, RampingVus, ThinkTime
from kilonode.run.addresses import MOST_SUBNETS
from kilonode.run.experiment import Cloud, EmulatedCloud

Rule = Callable[[Mapping], Iterator[Problem]]
Record = TypeVar("Record")

_MEBIBYTE: Final = 2**20
_GIBIBYTE: Final = 2**30
SHORTEST_EVERY: Final = Duration(0.2)
LONGEST_EVERY: Final = Duration(60)
LONGEST_IDLE: Final = Duration(600)
CLOUDS: Final = tuple(Cloud.__struct_fields__)


def check_rules(root: Mapping) -> list[Problem]:
    """Every broken rule."""
    return [problem for rule in RULES for problem in rule(root)]


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


def _one_cloud(root: Mapping) -> Iterator[Problem]:
    node = root.get("cloud")
    if not isinstance(node, Mapping):
        return
    named = [entry.key for entry in node.entries if entry.key in CLOUDS and not _is_nothing(entry.value)]
    if len(named) != 1:
        expected = f"exactly one of {', '.join(CLOUDS[:-1])} and {CLOUDS[-1]}"
        yield node.place.problem("not one cloud", path="cloud", expected=expected, got=describe(node))


def _is_nothing(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _setup_needs_a_cloud(root: Mapping) -> Iterator[Problem]:
    node = root.get("setup")
    if isinstance(node, Mapping) and node.entries and root.get("cloud") is None:
        yield node.place.problem(
            "a setup without a cloud", path="setup", hint="name a cloud: cloud: {emulated: {nodes: 10}}"
        )


def _addresses_suffice(root: Mapping) -> Iterator[Problem]:
    node = root.get("setup")
    if node is None:
        return
    counts = [
        max(1, read_quietly(find(node, key), int) or default)
        for key, default in (("projects", 1), ("networks_per_project", 0), ("subnets_per_network", 1))
    ]
    subnets = math.prod(counts)
    if subnets > MOST_SUBNETS:
        got = " × ".join(str(count) for count in counts) + f" = {subnets}"
        yield node.place.problem("too many subnets", path="setup", expected=f"at most {MOST_SUBNETS} in all", got=got)


def _flavors_have_whole_sizes(root: Mapping) -> Iterator[Problem]:
    flavors = find(root, "setup", "flavors")
    for entry in flavors.entries if isinstance(flavors, Mapping) else ():
        for key, unit, word in (("memory", _MEBIBYTE, "MiB"), ("disk", _GIBIBYTE, "GiB")):
            node = find(entry.value, key)
            size = read_quietly(node, Size)
            if node is not None and size is not None and size % unit:
                path = f"setup.flavors.{entry.key}.{key}"
                hint = f"did you mean {Size(max(1, round(size / unit)) * unit)}?"
                expected = f"a whole number of {word}"
                yield node.place.problem(
                    "not a whole size", path=path, expected=expected, got=describe(node), hint=hint
                )


def _think_times_are_ranges(root: Mapping) -> Iterator[Problem]:
    for path, _, workload in named_entries(root, "workloads"):
        node = find(workload, "load", "think_time")
        think_time = read_quietly(node, ThinkTime)
        if node is not None and isinstance(think_time, ThinkTime) and think_time.min > think_time.max:
            got = f"min {think_time.min}, max {think_time.max}"
            here = join(path, "load.think_time")
            yield node.place.problem("the longest pause is shorter than the shortest", path=here, got=got)


def _costs_are_bounded(root: Mapping) -> Iterator[Problem]:
    bounds = (("every", SHORTEST_EVERY, LONGEST_EVERY), ("idle", Duration(0), LONGEST_IDLE))
    for key, least, most in bounds:
        node = find(root, "costs", key)
        value = read_quietly(node, Duration)
        if node is not None and value is not None and not least <= value <= most:
            words = "too often" if value < least else "too seldom" if key == "every" else "too long"
            expected = f"from {least} to {most}"
            yield node.place.problem(words, path=f"costs.{key}", expected=expected, got=describe(node))


def _services_beat_in_time(root: Mapping) -> Iterator[Problem]:
    cloud = find(root, "cloud", "emulated")
    values = read_quietly(cloud, EmulatedCloud)
    if cloud is not None and isinstance(values, EmulatedCloud) and values.heartbeat >= values.service_down_time:
        node = find(cloud, "service_down_time") or find(cloud, "heartbeat") or cloud
        yield node.place.problem(
            "services would be down between any two heartbeats",
            path="cloud.emulated.service_down_time",
            expected=f"more than the heartbeat's {values.heartbeat}",
            got=str(values.service_down_time),
        )


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
    _one_cloud,
    _setup_needs_a_cloud,
    _addresses_suffice,
    _flavors_have_whole_sizes,
    _think_times_are_ranges,
    _loads_make_load,
    _costs_are_bounded,
    _services_beat_in_time,
)
