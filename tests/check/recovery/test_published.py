"""The published method by hand-made samples: its steps, its constants and its defects as they are."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kilonode.check.recovery.published import Repeat, clusters, published_figures, repeat_figures


def repeat(duration_s: list[float], failed: list[int] = [], disrupted_s: float | None = 30.0) -> Repeat:  # noqa: B006
    marks = np.zeros(len(duration_s), dtype=np.bool_)
    marks[failed] = True
    return Repeat(np.arange(len(duration_s), dtype=np.float64), np.array(duration_s), marks, disrupted_s)


def marks(text: str) -> list[tuple[int, int]]:
    return clusters(np.array([character == "x" for character in text]), least_width=0)


def test_up_to_six_good_ones_are_inside_a_cluster_and_seven_end_it() -> None:
    assert marks(".x......x........") == [(1, 8)]
    assert marks(".x.......x........") == [(1, 1), (9, 9)]


def test_a_failure_at_index_zero_and_a_short_burst_at_the_end_are_lost_as_published() -> None:
    assert marks("x..........") == []
    assert marks("..........xx") == []
    assert marks("..........xxxx") == [(10, 13)]


def test_downtime_reaches_half_way_to_the_neighbours() -> None:
    (area,) = repeat_figures(repeat([0.1, 0.2] * 30, [40, 41, 42])).failures  # type: ignore[union-attr]
    assert (area.start_s, area.end_s, area.duration.value, area.duration.uncertainty) == (39.5, 42.5, 3.0, 1.0)


def test_slow_stretches_are_found_behind_the_disruption() -> None:
    durations = [0.1, 0.11] * 20 + [1.0] * 30 + [0.1, 0.11] * 20
    figures = repeat_figures(repeat(durations))
    assert figures is not None
    (area,) = figures.degradations
    assert 30 <= area.start_s <= 40 and 70 <= area.end_s <= 80
    assert area.degradation_ratio is not None and area.degradation_ratio.value > 5


def test_repeats_without_failures_are_left_out_of_the_mean_as_published() -> None:
    good, bad = repeat([0.1, 0.2] * 30), repeat([0.1, 0.2] * 30, [40, 41, 42])
    together, alone = published_figures([good, bad, good]).downtime_s, published_figures([bad]).downtime_s
    assert together is not None and together == alone


def test_no_sample_before_the_disruption_is_no_figure() -> None:
    assert repeat_figures(repeat([0.1] * 60, disrupted_s=5.0)) is None
    figures = published_figures([repeat([0.1] * 60, disrupted_s=5.0)])
    assert figures.without_baseline == 1 and figures.downtime_s is None


@given(
    st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=120),
    st.none() | st.floats(0, 120),
)
def test_any_samples_give_figures_or_none_and_never_fail(samples: list[tuple[float, bool]], at: float | None) -> None:
    failed = [place for place, (_, lost) in enumerate(samples) if lost]
    figures = published_figures([repeat([took for took, _ in samples], failed, at)])
    for estimate in (figures.downtime_s, figures.time_to_recover_s):
        assert estimate is None or (estimate.value >= 0 and np.isfinite(estimate.uncertainty))
