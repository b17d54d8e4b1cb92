"""From histories to calibrations: what polling hides is neither invented nor lost."""

import numpy as np
import pytest

from kilonode.base.outcomes import Outcome
from kilonode.check.calibration import Calibration, FittedStage, calibrate
from kilonode.check.polling import PollGap, answer_times
from kilonode.check.step_meanings import operation_of, wait_of
from kilonode.history.records import Op
from tests.check.histories import history, op

GAP = PollGap(0.05, 0.05, 2.0)
PHASES = ("scheduling", "networking", "block_device_mapping", "spawning")


def poll(end_s: float, answer_s: float) -> tuple[float, float]:
    """When a client that polls sees something that is so from `end_s` on, and how sharply: as the client does it."""
    at_s, unseen_s = 0.0, 0.0
    while True:
        sent_s, at_s = at_s, at_s + answer_s
        if at_s >= end_s:
            return at_s, at_s - unseen_s
        unseen_s = sent_s
        at_s += max(GAP.least_s, min(GAP.most_s, GAP.fraction * at_s))


def boots(count: int, answer_s: float = 0.01, *, see_phases: bool = True) -> list[Op]:
    """Boots of two phases, 0.4 s and 1 s, log-normal, with accepted requests of 0.1 s."""
    generator = np.random.default_rng(1)
    ops = []
    for number in range(count):
        due = float(number)
        first, second = np.array([0.4, 1.0]) * np.exp(0.3 * generator.standard_normal(2))
        took, sharp = poll(first + second, answer_s)
        ops.append(op("boots", "boot.accepted", number=number, due=due - 0.1, took=0.1))
        ops.append(op("boots", "boot.active", number=number, due=due, took=took, resolution=sharp))
        ops.append(op("boots", number=number, due=due - 0.1, took=took + 0.1))
        seen, blur = poll(first, answer_s)
        if see_phases and seen < took:
            ops.append(op("boots", "boot.active.scheduling", number=number, due=due, took=seen, resolution=blur))
            rest = {"number": number, "due": due + seen, "took": took - seen, "resolution": sharp}
            ops.append(op("boots", "boot.active.spawning", **rest))  # type: ignore[arg-type]
    return ops


def calibrated(ops: list[Op]) -> Calibration:
    return calibrate(history(ops), 0.0, GAP)


def stage_of(calibration: Calibration, name: str) -> FittedStage:
    return next(stage for stage in calibration.stages if stage.stage == name)


def median_of(stage: FittedStage) -> float:
    assert stage.fitted is not None
    return float(stage.fitted.quantile(np.array([0.5]))[0])


def test_phases_are_stages_and_what_was_never_seen_has_no_time_of_its_own() -> None:
    found = calibrated(boots(300))
    assert median_of(stage_of(found, "schedule")) == pytest.approx(0.4, rel=0.08)
    assert median_of(stage_of(found, "spawn")) == pytest.approx(1.0, rel=0.06)
    for name in ("plug", "attach"):
        assert stage_of(found, name).fitted is None
        assert "counted there" in stage_of(found, name).note
    (check,) = found.sums
    assert check.fitted == pytest.approx(check.measured, rel=0.05)


def test_a_boot_without_phases_is_one_stage() -> None:
    found = calibrated(boots(300, see_phases=False))
    assert median_of(stage_of(found, "spawn")) == pytest.approx(1.45, rel=0.06)
    assert stage_of(found, "schedule").fitted is None


@pytest.mark.parametrize("answer_s", [0.0005, 0.03, 0.2])
def test_how_long_polls_were_answered_is_told_by_the_gaps_between_them(answer_s: float) -> None:
    ends = np.linspace(0.01, 60, 400)
    seen = np.array([poll(float(end), answer_s) for end in ends])
    found = answer_times(seen[:, 0], seen[:, 1], GAP)
    assert len(found) >= 390  # one or two polls look the same where a pause would fit into the only one
    assert found == pytest.approx(answer_s, rel=1e-6, abs=1e-9)


def test_requests_lose_the_overhead_and_boots_that_failed_give_odds() -> None:
    failed = [
        op("boots", "boot.active", number=1000 + n, due=1.0, took=0.5, outcome=Outcome.WRONG_STATE, error="ERROR: full")
        for n in range(20)
    ]
    found = calibrate(history([*boots(180), *failed]), 0.02, GAP)
    create = next(one for one in found.operations if one.operation == "compute.create_server")
    assert create.fitted is not None
    assert create.fitted.parameters["value"] == pytest.approx(0.08, rel=0.01)
    failing = stage_of(found, "spawn").failing
    assert failing is not None
    assert (failing.failed, failing.finished, failing.message) == (20, 200, "full")


def test_too_few_samples_are_said_and_not_fitted() -> None:
    found = calibrated(boots(10))
    assert all(stage.fitted is None for stage in found.stages)
    assert "at least 20" in stage_of(found, "spawn").note


def test_steps_are_known_wherever_a_scenario_nests_them_and_others_are_left() -> None:
    assert operation_of("pair.boot.accepted") == "compute.create_server"
    wait = wait_of("pair.boot.active")
    assert wait is not None
    assert wait[1].phases == PHASES
    assert operation_of("accepted") is None
    assert calibrated([*boots(30), op("boots", "think", number=1)]).unused == ("boots.think",)
