"""Whole runs on virtual time whose cloud is upgraded under the load: what is asserted of it, and what becomes of it."""

from pathlib import Path

import pytest

from kilonode.base.errors import InputError
from kilonode.check.results import Verdict
from kilonode.check.upgrades.records import Held, Upgrade
from kilonode.cli.disruption_checks import describe_foreseen, foresee
from kilonode.run.reading import read_text
from tests.simulated.runs import Run, do_run

TEXT = """
name: upgraded
cloud: {emulated: {nodes: 10, stages: instant, roles: {api: 2}}}
workloads:
  probe: {probe: {endpoint: compute, path: /servers, rate: 20/s, duration: 40s}}
  boots:
    scenario: compute.boot_and_delete
    args: {flavor: m1.tiny, image: cirros}
    load: {model: constant-arrival-rate, rate: 2/s, duration: 40s}
disruptions:
  - at: 15s
    upgrade: {to: {label: B}, steps: [replace: [api]], pause: 10s}
criteria: [upgrade accessible, upgrade rolling, upgrade zero_downtime, upgrade zero_impact]
"""
SLOW = "extends: instant\nservices:\n  compute.list_servers: {base: 30ms}\n"
BAD = "extends: instant\nservices:\n  compute.list_servers: {failure: {odds: 0.2}}\n"


def upgrade_in(run: Run) -> Upgrade:
    assert run.results.upgrades is not None
    (upgrade,) = run.results.upgrades.upgrades
    return upgrade


def held(upgrade: Upgrade) -> dict[str, Held]:
    return {one.name: one.held for one in upgrade.assertions}


def set_upgrade(text: str) -> tuple[str]:
    return (f"disruptions=[{{at: 15s, upgrade: {text}}}]",)


def test_a_version_that_is_as_good_is_not_noticed(tmp_path: Path) -> None:
    run = do_run(TEXT, tmp_path)
    assert run.results.verdict is Verdict.VALID, run.results.reasons
    upgrade = upgrade_in(run)
    assert [(one.what, one.action) for one in upgrade.steps] == [
        (name, action) for name in ("api-1", "api-2") for action in ("replace", "verify")
    ]
    assert set(held(upgrade).values()) == {Held.HELD}
    assert run.left == 0


def test_a_slower_version_is_an_impact_and_no_downtime(tmp_path: Path) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW)
    sets = set_upgrade("{to: {label: B, stages: slow.yaml}, steps: [replace: [api]]}")
    upgrade = upgrade_in(do_run(TEXT, tmp_path, sets=sets))
    assert held(upgrade)["zero_impact"] is Held.FAILED
    assert held(upgrade)["zero_downtime"] is Held.HELD
    assert held(upgrade)["accessible"] is Held.HELD


def test_a_bad_version_is_seen_in_its_first_process_and_taken_back(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(BAD)
    watch = "watch: {for: 5s, criteria: [probe error_rate == 0%]}"
    sets = set_upgrade(f"{{to: {{label: B, stages: bad.yaml}}, steps: [replace: [api]], {watch}}}")
    run = do_run(TEXT, tmp_path, sets=sets)
    upgrade = upgrade_in(run)
    assert run.results.verdict is Verdict.INVALID
    assert upgrade.error == "probe error_rate == 0% does not hold; taken back"
    assert [(one.what, one.action) for one in upgrade.steps] == [
        ("api-1", "replace"), ("api-1", "verify"), ("api-1", "verify"), ("api-1", "undo")
    ]  # fmt: skip
    assert held(upgrade)["zero_downtime"] is Held.FAILED
    errors = run.workload("probe").errors
    assert max(error.last_at_s for error in errors) < upgrade.finish_s + 0.1


def test_a_bad_version_that_nobody_watches_stays_and_is_told_by_the_assertion(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(BAD)
    sets = set_upgrade("{to: {label: B, stages: bad.yaml}, steps: [replace: [api]], pause: 5s}")
    run = do_run(TEXT, tmp_path, sets=sets)
    assert upgrade_in(run).outcome == "ok"
    assert run.results.verdict is Verdict.INVALID
    failed = [one.criterion for one in run.results.criteria if one.verdict is Verdict.INVALID]
    assert failed == ["upgrade zero_downtime"]


def test_a_profile_that_is_wrong_fails_the_upgrade_and_not_the_cloud(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("extends: instant\nservices:\n  compute.lst_servers: {base: 30ms}\n")
    sets = set_upgrade("{to: {label: B, stages: wrong.yaml}, steps: [replace: [api]]}")
    run = do_run(TEXT, tmp_path, sets=sets)
    assert upgrade_in(run).outcome == "wrong_state"
    assert run.step("probe").failed == 0


async def test_what_would_be_replaced_is_known_before_there_is_a_cloud(tmp_path: Path) -> None:
    experiment = read_text(TEXT, tmp_path / "experiment.yaml", ()).points[0].experiment
    lines = list(describe_foreseen(experiment, await foresee(experiment)))
    assert lines[:2] == ["15.0 s: upgrade api to B", "   replace api-1, api-2, one after the other"]
    sets = set_upgrade("{steps: [replace: [database]]}")
    wrong = read_text(TEXT, tmp_path / "experiment.yaml", sets).points[0].experiment
    with pytest.raises(InputError, match=r"disruptions\[0\]: the cloud has no process 'database'"):
        await foresee(wrong)
