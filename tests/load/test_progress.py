import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.encoding import decode_json, encode_json
from kilonode.base.outcomes import Outcome
from kilonode.history.blocks import OpBlock, block_of_flat
from kilonode.load.progress import Histogram, Progress, ProgressCounter, merge_steps

durations = st.lists(st.integers(1, 10**13), min_size=1, max_size=200)


def block(*ops: tuple[str, str, str, int, int, int, str]) -> OpBlock:
    """A block of (kind, workload, step, due, started, finished, outcome)."""
    flat: list[object] = []
    for kind, workload, step, due_ns, started_ns, finished_ns, outcome in ops:
        error = "" if outcome == "ok" else f"{outcome}!"
        flat += (kind, workload, step, 0, due_ns, started_ns, finished_ns, outcome, error, 0)
    return block_of_flat(flat)


@given(durations, st.floats(0.1, 100))
def test_a_percentile_of_a_histogram_is_at_most_one_percent_too_large(values: list[int], percent: float) -> None:
    histogram = Histogram()
    histogram.add(np.array(values, dtype=np.int64))
    exact = sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)] / 1e9
    assert exact * (1 - 1e-9) <= histogram.percentile_s(percent) <= exact * 1.01 * (1 + 1e-9)


@given(durations, durations)
def test_histograms_add_up(some: list[int], more: list[int]) -> None:
    one, other, both = Histogram(), Histogram(), Histogram()
    one.add(np.array(some, dtype=np.int64))
    other.add(np.array(more, dtype=np.int64))
    both.add(np.array(some + more, dtype=np.int64))
    one.merge(other)
    assert one == both
    assert one.count == len(some) + len(more)


def test_an_empty_histogram_has_no_percentile() -> None:
    assert math.isnan(Histogram().percentile_s(50))


def test_ops_are_counted_by_workload_step_and_outcome() -> None:
    counter = ProgressCounter()
    counter.add(
        block(
            ("iteration", "a", "", 0, 5, 1000, "ok"),
            ("step", "a", "boot", 0, 5, 900, "ok"),
            ("iteration", "a", "", 0, 0, 3000, "http_5xx"),
            ("iteration", "a", "", 0, 0, 10, "dropped"),
            ("iteration", "a", "", 0, 0, 9_000_000, "cancelled"),
            ("iteration", "b", "", 0, 0, 50, "ok"),
        )
    )
    counter.add(block(("iteration", "a", "", 0, 0, 2000, "ok")))
    steps = {(step.workload, step.step): step for step in counter.take_steps()}
    assert list(steps) == [("a", ""), ("a", "boot"), ("b", "")]
    whole = steps["a", ""]
    assert whole.outcomes == {"ok": 2, "http_5xx": 1, "dropped": 1, "cancelled": 1}
    assert (whole.latency.count, whole.service_time.count, whole.failed_latency.count) == (2, 2, 1)
    assert whole.failed_latency.percentile_s(100) == pytest.approx(3e-6, rel=0.01)  # dropped and cut off have none
    assert whole.last_error == "http_5xx!"
    assert counter.take_steps() == ()


def test_lateness_is_that_of_open_iterations_that_were_started() -> None:
    counter = ProgressCounter(["open"])
    late = [("iteration", "open", "", 0, number, 1000, "ok") for number in range(1, 201)]
    counter.add(
        block(
            *late,
            ("iteration", "open", "", 0, 999, 999, Outcome.DROPPED.value),
            ("iteration", "closed", "", 0, 999, 999, "ok"),
            ("step", "open", "first", 0, 999, 999, "ok"),
        )
    )
    lateness = counter.take_lateness()
    assert lateness.p99_s == pytest.approx(198e-9)
    assert lateness.max_s == pytest.approx(200e-9)
    assert counter.take_lateness() == (0.0, 0.0)


def test_reports_survive_the_way_between_processes_and_add_up() -> None:
    counter = ProgressCounter()
    counter.add(block(("iteration", "a", "", 0, 5, 1000, "ok"), ("iteration", "a", "", 0, 0, 3000, "reset")))
    report = Progress(worker=0, at_s=1.0, steps=counter.take_steps(), workloads=())
    again = decode_json(encode_json(report), Progress)
    assert again == report
    merged = merge_steps([report, again])["a", ""]
    assert merged.outcomes == {"ok": 2, "reset": 2}
    assert merged.latency.count == 2
    assert merged.last_error == "reset!"
