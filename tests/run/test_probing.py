"""`probe:` in an experiment file: what it becomes, and what is wrong with it."""

from pathlib import Path

import pytest

from kilonode.base.errors import InputError, Problem
from kilonode.load.models import ConstantArrivalRate
from kilonode.run.experiment import Experiment
from kilonode.run.facts import workload_facts
from kilonode.run.reading import read_text

HEAD = """\
name: Probed
cloud: {emulated: {nodes: 3}}
workloads:
  load:
    scenario: compute.list_servers
    load: {model: constant-vus, vus: 1, duration: 60s}
    start: 5s
"""


def read(probes: str, head: str = HEAD) -> Experiment:
    return read_text(head + probes, Path("probes.yaml")).points[0].experiment


def refused(probes: str, head: str = HEAD) -> list[Problem]:
    with pytest.raises(InputError) as raised:
        read(probes, head)
    return list(raised.value.problems)


def test_a_probe_is_an_open_load_that_lasts_as_long_as_the_other_workloads() -> None:
    workload = read("  api: {probe: {endpoint: compute}, start: 10s}\n").workloads["api"]
    assert workload.scenario == "probe"
    assert workload.args.items() >= {"endpoint": "compute", "connections": "reused", "timeout": "5s"}.items()
    assert isinstance(workload.load, ConstantArrivalRate)
    assert (float(workload.load.rate), float(workload.load.duration)) == (10.0, 55.0)
    assert workload.probe is None


def test_everything_of_a_probe_can_be_said() -> None:
    text = "{endpoint: 'http://127.0.0.1:8000/health', rate: 30/min, connections: new, timeout: 500ms, duration: 7s}"
    workload = read(f"  api:\n    probe: {text}\n    objective: 100ms\n").workloads["api"]
    facts = workload_facts("api", workload)
    assert (facts.endpoint, facts.connections) == ("http://127.0.0.1:8000/health", "new")
    assert (facts.objective_s, facts.end_s) == (0.1, 7.0)
    assert facts.open_model


def test_the_resolved_text_of_a_probe_reads_back_as_the_same() -> None:
    (point,) = read_text(HEAD + "  api: {probe: {endpoint: compute, path: '/servers'}}\n", Path("x.yaml")).points
    assert read_text(point.text, Path("x.yaml")).points[0].experiment == point.experiment
    assert workload_facts("api", point.experiment.workloads["api"]).endpoint == "compute /servers"


def test_parameters_and_the_matrix_reach_into_probes() -> None:
    text = HEAD.replace("name: Probed\n", "name: Probed\nparameters: {rate: 3/s}\n")
    text += '  api: {probe: {endpoint: compute, rate: "${rate}"}}\n'
    text += "matrix: {workloads.api.probe.connections: [new, reused]}\n"
    points = read_text(text, Path("x.yaml")).points
    assert [point.experiment.workloads["api"].args["connections"] for point in points] == ["new", "reused"]


@pytest.mark.parametrize(
    ("probes", "path", "what"),
    [
        ("  api: {probe: {endpoint: Compute}}\n", "workloads.api.probe.endpoint", "not a good text"),
        ("  api: {probe: {}}\n", "workloads.api.probe.endpoint", "missing"),
        ("  api: {probe: {endpoint: compute, rate: 5}}\n", "workloads.api.probe.rate", "a number without a unit"),
        ("  api: {probe: {endpoint: compute, conections: new}}\n", "workloads.api.probe.conections", "unknown key"),
        ("  api: {probe: {endpoint: compute, connections: old}}\n", "workloads.api.probe.connections", "wrong type"),
        ("  api: {probe: {endpoint: compute}, scenario: noop}\n", "workloads.api.scenario", "a probe has no scenario"),
        ("  api: {probe: {endpoint: compute}, start: 65s}\n", "workloads.api.probe", "how long does it probe?"),
        ("  api: {probe: {endpoint: compute, path: servers}}\n", "workloads.api.probe.path", "not a good text"),
        ("  api: {probe: 5}\n", "workloads.api.probe", "wrong type"),
    ],
)
def test_what_is_wrong_with_a_probe_is_said_once_and_with_its_place(probes: str, path: str, what: str) -> None:
    (problem,) = refused(probes)
    assert (problem.path, problem.what) == (path, what)
    assert problem.line >= 8


def test_a_probe_of_a_service_needs_a_cloud() -> None:
    (problem,) = refused("  api: {probe: {endpoint: compute, duration: 5s}}\n", "name: Probed\nworkloads:\n")
    assert problem.path == "workloads.api.scenario" and "cloud" in problem.what
