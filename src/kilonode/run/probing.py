"""Probes of an experiment file as what they are: workloads of the scenario `probe` under an open load model.

`probe: {endpoint: compute, rate: 10/s}` is short for a scenario, its arguments and a load that lasts as long as the
other workloads. It is spread out before anything else looks at workloads, so nothing else knows of it; a resolved
experiment has the long form.
"""

from collections.abc import Iterator
from typing import Final

from kilonode.base.errors import Problem
from kilonode.base.units import Duration
from kilonode.base.validation import INVALID, Validator, join
from kilonode.base.yaml_nodes import Entry, Mapping, Node, Place, Scalar, from_plain
from kilonode.load.models import LoadModel
from kilonode.run.experiment import Probe
from kilonode.run.facts import lasts_s
from kilonode.run.rules import read_quietly
from kilonode.scenarios.probe import PROBE

_MADE: Final = ("scenario", "args", "load", "imported")
_UNKNOWN: Final = Probe(endpoint="http://unknown", duration=Duration(1))
"""Stands for a probe that is wrong, which has been said."""


def spread_probes(root: Mapping) -> tuple[Mapping, list[Problem]]:
    """The tree with each `probe:` spread out, and every problem with one."""
    workloads = root.get("workloads")
    if not isinstance(workloads, Mapping):
        return root, []
    problems: list[Problem] = []
    end_s = max((_end_s(entry.value) for entry in workloads.entries), default=0.0)
    entries = tuple(_spread(entry, end_s, problems) for entry in workloads.entries)
    spread = Mapping(entries, workloads.place)
    return Mapping(
        tuple(Entry(one.key, one.place, spread) if one.key == "workloads" else one for one in root.entries), root.place
    ), problems


def _spread(entry: Entry, end_s: float, problems: list[Problem]) -> Entry:
    probe = _probe_of(entry.value)
    if probe is None or not isinstance(entry.value, Mapping):
        return entry
    path = f"workloads.{entry.key}"
    for other in entry.value.entries:
        if other.key in _MADE:
            hint = "what, how often and how long stands in probe:"
            problems.append(other.place.problem(f"a probe has no {other.key}", path=join(path, other.key), hint=hint))
    validator = Validator()
    value = validator.read(probe, Probe, join(path, "probe"))
    problems += validator.problems
    start_s = float(read_quietly(entry.value.get("start"), Duration) or 0.0)
    if value is INVALID:
        value = _UNKNOWN
    elif value.duration is None and end_s <= start_s:
        expected = "duration:, or another workload that lasts longer"
        problems.append(probe.place.problem("how long does it probe?", path=join(path, "probe"), expected=expected))
        value = _UNKNOWN
    made = _made(value, end_s - start_s, probe.place)
    kept = tuple(other for other in entry.value.entries if other.key not in (*_MADE, "probe"))
    return Entry(entry.key, entry.place, Mapping((*made, *kept), entry.value.place))


def _made(probe: Probe, rest_s: float, place: Place) -> Iterator[Entry]:
    arguments = {"endpoint": probe.endpoint, "path": probe.path, "connections": probe.connections}
    arguments |= {"timeout": str(probe.timeout)} | ({"region": probe.region} if probe.region else {})
    duration = Duration(rest_s) if probe.duration is None else probe.duration
    load = {"model": "constant-arrival-rate", "rate": str(probe.rate), "duration": str(duration)}
    for key, value in (("scenario", PROBE), ("args", arguments), ("load", load)):
        yield Entry(key, place, from_plain(value, place))


def _probe_of(workload: Node) -> Node | None:
    node = workload.get("probe") if isinstance(workload, Mapping) else None
    return None if isinstance(node, Scalar) and node.value is None else node


def _end_s(workload: Node) -> float:
    """When a workload that is no probe ends, after the start of the load; zero where that cannot be known."""
    if not isinstance(workload, Mapping):
        return 0.0
    load = read_quietly(workload.get("load"), LoadModel)
    start_s = float(read_quietly(workload.get("start"), Duration) or 0.0)
    return start_s + lasts_s(load) if load is not None else 0.0
