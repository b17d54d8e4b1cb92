"""Runs side by side: ratios with intervals that hold, bounds that are judged, and what cannot be known said as such."""

import numpy as np
import pytest

from kilonode.base.outcomes import Outcome
from kilonode.check.compare import ComparedRun, compare
from kilonode.check.comparison import Comparison, Direction, StepComparison
from kilonode.check.differences import list_differences
from kilonode.check.evaluation import evaluate
from kilonode.check.latency import percentile_of
from kilonode.check.ratios import ratio_of
from kilonode.check.results import Verdict
from kilonode.check.statistics import Sorted
from kilonode.history.records import Op, OpKind, Sample
from tests.check.histories import closed_workload, history, ns, op, run


def draws(count: int, seed: int, median_s: float = 1.0, sigma: float = 0.3) -> list[float]:
    return list(median_s * np.exp(sigma * np.random.default_rng(seed).standard_normal(count)))


def boots(took_s: list[float], *more: Op, resolution: float = 0.0) -> list[Op]:
    ops = list(more)
    for number, seconds in enumerate(took_s):
        due = number / 100
        ops.append(op("boots", number=number, due=due, took=seconds))
        ops.append(op("boots", "boot", number=number, due=due, took=seconds, resolution=resolution))
    return ops


def one(ops: list[Op], **more: object) -> ComparedRun:
    kept = history(ops)
    return ComparedRun("a-run", "boots", evaluate(kept, run(closed_workload())), kept, **more)  # type: ignore[arg-type]


def step_of(comparison: Comparison, path: str) -> StepComparison:
    return next(step for step in comparison.workloads[0].steps if step.step == path)


@pytest.mark.parametrize("percent", [50.0, 95.0])
def test_the_interval_of_a_ratio_holds_the_truth_at_least_as_often_as_it_says(percent: float) -> None:
    held = 0
    for trial in range(400):
        first, second = (Sorted(np.array(draws(150, 2 * trial + place))) for place in (0, 1))
        _, interval, _ = ratio_of(percentile_of(first, percent), percentile_of(second, percent))
        assert interval is not None
        assert interval.low is not None
        assert interval.high is not None
        held += interval.low <= 1 <= interval.high
    assert held >= 0.93 * 400


def test_a_run_compared_with_itself_shows_no_difference() -> None:
    same = one(boots(draws(200, 1)))
    comparison = compare([same, same], 0.15)
    assert comparison.verdict is Verdict.VALID
    assert comparison.changed == 0
    assert all(change.ratio == 1 for change in step_of(comparison, "boot").changes[0].percentiles)  # type: ignore[union-attr]


def test_a_step_that_became_a_third_slower_is_outside_a_bound_of_15_percent() -> None:
    comparison = compare([one(boots(draws(300, 1))), one(boots(draws(300, 2, median_s=1.33)))], 0.15)
    assert comparison.verdict is Verdict.INVALID
    change = step_of(comparison, "boot").changes[0]
    assert change is not None
    assert change.percentiles[0].direction is Direction.MORE
    assert "boots.boot: median of B" in " ".join(comparison.reasons)


def test_without_a_bound_nothing_is_judged() -> None:
    comparison = compare([one(boots(draws(50, 1))), one(boots(draws(50, 2)))])
    assert comparison.verdict is None
    assert comparison.reasons == ()


@pytest.mark.parametrize("count", [3, 25])
def test_too_few_samples_for_a_percentile_or_for_a_bound_make_the_verdict_unknown(count: int) -> None:
    took = [1.0 + number / 1000 for number in range(count)]
    comparison = compare([one(boots(took)), one(boots(took))], 0.15)
    if count == 3:
        assert comparison.verdict is Verdict.UNKNOWN
        assert "needs 20 samples" in " ".join(comparison.reasons)
    else:
        wide = compare([one(boots(draws(count, 1, sigma=1.0))), one(boots(draws(count, 2, sigma=1.0)))], 0.15)
        assert wide.verdict is not Verdict.VALID
        assert "wider than the bound" in " ".join(wide.reasons)


def test_operations_that_were_cut_off_below_a_percentile_make_it_unknown() -> None:
    cut = [op("boots", "boot", number=1000 + n, due=1.0, took=0.2, outcome=Outcome.CANCELLED) for n in range(5)]
    comparison = compare([one(boots(draws(100, 1))), one(boots(draws(100, 1), *cut))], 0.15)
    change = step_of(comparison, "boot").changes[0]
    assert change is not None
    assert change.percentiles[0].direction is Direction.UNKNOWN
    assert comparison.verdict is Verdict.UNKNOWN


def test_a_difference_below_the_polling_resolution_is_none() -> None:
    slow = boots([0.25] * 100, resolution=0.055)
    slower = boots([0.30] * 100, resolution=0.055)
    change = step_of(compare([one(slow), one(slower)], 0.15), "boot").changes[0]
    assert change is not None
    assert change.percentiles[0].verdict is Verdict.VALID
    assert change.percentiles[0].direction is Direction.SAME
    assert change.percentiles[0].note == "within the polling resolution"


def test_a_phase_that_polling_saw_by_chance_is_shown_and_not_judged() -> None:
    rare = [op("boots", "boot.attaching", number=n, due=n / 100, took=0.05, resolution=0.05) for n in range(10)]
    other = [op("boots", "boot.attaching", number=n, due=n / 100, took=0.5, resolution=0.05) for n in range(10)]
    took = draws(200, 1)
    comparison = compare([one(boots(took, *rare, resolution=0.05)), one(boots(took, *other, resolution=0.05))], 0.15)
    assert comparison.verdict is Verdict.VALID
    assert not step_of(comparison, "boot.attaching").judged
    assert "by chance" in " ".join(comparison.reasons)


def test_a_step_that_one_run_has_not_makes_the_verdict_unknown() -> None:
    extra = [op("boots", "resize", number=n, due=n / 100, took=0.5) for n in range(100)]
    took = draws(100, 1)
    comparison = compare([one(boots(took, *extra)), one(boots(took))], 0.15)
    assert comparison.verdict is Verdict.UNKNOWN
    assert "boots.resize: not in B" in comparison.reasons


def test_a_change_in_the_share_of_failures_has_an_interval_and_a_word() -> None:
    failed = [
        op("boots", "boot", number=1000 + n, due=1.0, took=0.2, outcome=Outcome.WRONG_STATE, error="no")
        for n in range(40)
    ]
    change = step_of(compare([one(boots(draws(100, 1))), one(boots(draws(100, 1), *failed))]), "boot").changes[0]
    assert change is not None
    assert change.errors.difference == pytest.approx(40 / 140)
    assert change.errors.direction is Direction.MORE


def test_a_drawn_distribution_rises_to_all_samples() -> None:
    side = step_of(compare([one(boots(draws(500, 1))), one(boots(draws(30, 1)))]), "boot").sides[0]
    assert side is not None
    seconds, shares = zip(*side.cumulative, strict=True)
    assert list(seconds) == sorted(seconds)
    assert list(shares) == sorted(shares)
    assert shares[-1] == 1
    assert len(shares) <= 200


def test_what_differs_is_listed_by_path_and_noise_is_left_out() -> None:
    before = {"cloud": {"nodes": 10, "up": True}, "list": [1, 2], "recorded_utc": "a", "same": "x", "none": None}
    after = {"cloud": {"nodes": 20, "up": False}, "list": [1], "recorded_utc": "b", "same": "x", "new": "y"}
    found = {one.path: one.values for one in list_differences("experiment", [before, after])}
    assert found == {"cloud.nodes": ("10", "20"), "cloud.up": ("yes", "no"), "list[1]": ("2", None), "new": (None, "y")}


def test_three_runs_are_each_compared_with_the_first() -> None:
    runs = [one(boots(draws(100, seed, median_s=median))) for seed, median in ((1, 1.0), (2, 2.0), (3, 0.5))]
    changes = step_of(compare(runs), "boot").changes
    directions = [change.percentiles[0].direction for change in changes if change is not None]
    assert directions == [Direction.MORE, Direction.LESS]


def test_what_services_cost_stands_side_by_side_and_what_is_not_there_is_unknown() -> None:
    phase = op("", "load", due=0.0, took=10.0, kind=OpKind.PHASE)
    samples = [
        Sample("nova-conductor", metric, ns(at_s), value)
        for at_s in range(-1, 12)
        for metric, value in (("cpu_s_total", max(at_s, 0) * 0.5), ("memory_bytes", 2e8))
    ]
    kept = history([phase, *boots(draws(50, 1))], samples)
    sampled = ComparedRun("a-run", "boots", evaluate(kept, run(closed_workload())), kept)
    figures = {(one.service, one.figure): one.values for one in compare([sampled, one(boots(draws(50, 1)))]).services}
    assert figures["nova-conductor", "memory_bytes_max"] == (2e8, None)
    first, second = figures["nova-conductor", "cpu_s_per_operation"]
    assert first == pytest.approx(5 / 50, rel=0.1)
    assert second is None
