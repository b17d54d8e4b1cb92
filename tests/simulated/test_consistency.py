"""Whole runs that hold what there is after the load against what was asked for."""

from pathlib import Path

import pytest

from kilonode.check.consistency import Breach
from kilonode.check.results import Verdict
from kilonode.history.archive import query
from kilonode.history.asked import read_asked
from tests.simulated.runs import do_run

MIXED = """
name: kept
cloud: {emulated: {nodes: 20}}
setup:
  projects: 2
  networks_per_project: 1
  flavors: {small: {vcpus: 1, disk: 1GiB}, large: {vcpus: 2, memory: 128MiB, disk: 1GiB}}
workloads:
  keeps:
    scenario: compute.boot
    args: {flavor: small, image: cirros}
    load: {model: constant-arrival-rate, rate: 1/s, duration: 10s}
  resizes:
    scenario: compute.resize
    args: {flavor: small, to_flavor: large, image: cirros}
    load: {model: constant-vus, vus: 2, duration: 10s}
  volumes:
    scenario: volume.attach_and_detach_volume
    args: {flavor: small, image: cirros}
    load: {model: constant-vus, vus: 2, duration: 10s}
  subnets:
    scenario: network.create_subnet
    load: {model: constant-arrival-rate, rate: 1/s, duration: 10s}
  addresses:
    scenario: network.create_and_delete_floating_ip
    load: {model: constant-arrival-rate, rate: 1/s, duration: 10s}
drain: 1s
"""
NOOP = """
name: noop
cloud: {emulated: {nodes: 1}}
workloads: {boots: {scenario: compute.list_servers, load: {model: constant-vus, vus: 1, duration: 2s}}}
"""


@pytest.mark.parametrize(
    "wish",
    [
        "consistency: true",
        "consistency: {settle: 30s}",
        "criteria: [lost == 0, stuck == 0, duplicated == 0, leaked == 0]",
    ],
)
def test_a_cloud_that_keeps_what_it_acknowledged_is_found_to(tmp_path: Path, wish: str) -> None:
    run = do_run(MIXED + wish, tmp_path)
    consistency = run.results.consistency
    assert run.results.verdict is Verdict.VALID, run.results.reasons
    assert consistency is not None
    assert {one.breach: one.count for one in consistency.counts} == dict.fromkeys(Breach, 0)
    assert consistency.settled
    # The drain is short, so what the load left under way is uncertain, or comes to its end while the cloud settles.
    assert consistency.created >= 40
    assert consistency.there >= 20
    assert consistency.unseen == ()
    assert run.watcher.stages == ["connect", "setup", "workers", "load", "settle", "cleanup"]
    assert run.left == 0
    phases = query(run.folder.path, "select step from ops where kind = 'phase' order by started_ns")
    assert [phase for (phase,) in phases][-2:] == ["settle", "cleanup"]


def test_a_run_of_which_nobody_wants_to_know_notes_nothing_and_does_not_wait(tmp_path: Path) -> None:
    run = do_run(NOOP, tmp_path)
    assert run.results.consistency is None
    assert read_asked(run.folder.journal_folder) is None
    assert "settle" not in run.watcher.stages


def test_a_load_that_was_ended_early_is_looked_at_too(tmp_path: Path) -> None:
    run = do_run(MIXED + "consistency: true", tmp_path, interrupt_at_s=4.0)
    consistency = run.results.consistency
    assert consistency is not None
    assert consistency.settled
    assert consistency.findings == ()


def test_a_run_that_was_ended_at_once_does_not_know(tmp_path: Path) -> None:
    run = do_run(MIXED + "criteria: [lost == 0]", tmp_path, interrupt_at_s=4.0, times=2)
    assert run.results.criteria[0].verdict is Verdict.UNKNOWN


STUCK = """
name: stuck
cloud: {emulated: {nodes: 20, roles: {api: 2}}}
costs: unmeasured
workloads:
  boots:
    scenario: compute.boot
    args: {flavor: m1.tiny, image: cirros}
    load: {model: constant-arrival-rate, rate: 2/s, duration: 10s}
disruptions: [{at: 9s, fault: kill one api}]
drain: 100ms
consistency: {settle: 100ms}
criteria: [lost == 0, stuck == 0]
"""


def test_what_is_stuck_is_told_with_what_was_asked_of_it_and_the_disruption_that_met_it(tmp_path: Path) -> None:
    run = do_run(STUCK, tmp_path)
    assert run.results.verdict is Verdict.INVALID
    assert {str(one.criterion): one.verdict for one in run.results.criteria} == {
        "lost == 0": Verdict.VALID,
        "stuck == 0": Verdict.INVALID,
    }
    assert run.results.consistency is not None
    stuck = [one for one in run.results.consistency.findings if one.breach is Breach.STUCK]
    assert stuck
    told = [one.circumstance for one in stuck if one.circumstance is not None]
    assert len(told) == len(stuck)
    assert {(one.request, one.disruption) for one in told} == {("create", "kill one api")}
    assert all(0 < one.asked_s <= one.answered_s <= 10.2 for one in told)
