from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.check.results import Verdict
from kilonode.check.scaling import CampaignResults, Scaling, Trend, evaluate_campaign
from kilonode.check.sweep import Sweep, SweepPoint

BOOT = "boots.boot latency_s_p50"
RATE = "boots throughput_per_s"


def points(facts: list[dict[str, Any]], figures: list[dict[str, float | None]]) -> list[SweepPoint]:
    return [
        SweepPoint(number=number, facts=one, verdict=Verdict.VALID, run=f"run-{number}", figures=values)
        for number, (one, values) in enumerate(zip(facts, figures, strict=True))
    ]


def over_nodes(values: dict[float, float | None], figure: str = BOOT) -> Scaling:
    facts = [{"cloud.emulated.nodes": nodes} for nodes in values]
    results = evaluate_campaign(points(facts, [{figure: value} for value in values.values()]))
    (fit,) = results.fits
    return fit


def stack(*pairs: tuple[int, int]) -> list[dict[str, Any]]:
    return [{"cloud.stack": {"nodes": nodes, "computes": computes}} for nodes, computes in pairs]


def test_an_exact_line_gives_its_slope_and_where_it_has_doubled() -> None:
    fit = over_nodes({10: 1.02, 100: 1.2, 1000: 3.0})
    assert fit.trend is Trend.WORSENS
    assert fit.slope == pytest.approx(0.002)
    assert fit.intercept == pytest.approx(1.0)
    assert fit.scale == pytest.approx(500)
    assert not fit.extrapolated
    assert fit.r_squared == pytest.approx(1)


def test_a_scale_beyond_what_was_measured_is_said_to_be_extrapolated() -> None:
    fit = over_nodes({10: 1.001, 100: 1.01, 1000: 1.1})
    assert fit.scale == pytest.approx(10_000)
    assert fit.extrapolated


def test_throughput_hurts_when_it_falls_and_has_a_halving_scale() -> None:
    fit = over_nodes({10: 99.0, 100: 90.0, 600: 40.0}, RATE)
    assert fit.trend is Trend.WORSENS
    assert fit.scale == pytest.approx(500), "100 − 0.1 x is half of 100 at 500"
    assert over_nodes({10: 40.0, 100: 90.0, 110: 96.0}, RATE).trend is Trend.IMPROVES


def test_a_cost_that_falls_improves_and_has_no_scale() -> None:
    fit = over_nodes({10: 99.0, 100: 90.0, 600: 40.0})
    assert fit.trend is Trend.IMPROVES
    assert fit.scale is None
    assert fit.scale_interval is None


def test_a_slope_that_may_be_zero_is_no_change_seen_with_a_lower_end_and_no_number() -> None:
    facts = [{"nodes": nodes} for nodes in (10, 100, 500, 1000)] * 2
    figures: list[dict[str, float | None]] = [{BOOT: value} for value in (1.0, 1.02, 0.99, 1.01, 1.01, 0.98, 1.0, 1.0)]
    repeated = [one | {"seed": place // 4} for place, one in enumerate(facts)]
    (fit,) = evaluate_campaign(points(repeated, figures)).fits
    assert (fit.points, fit.places) == (8, 4)
    assert fit.trend is Trend.NONE_SEEN
    assert fit.scale is None
    assert fit.scale_interval is not None
    assert fit.scale_interval.high is None
    assert fit.scale_interval.low is not None
    assert fit.scale_interval.low > 10_000


def test_values_that_do_not_change_at_all_have_no_scale() -> None:
    fit = over_nodes({10: 1.0, 100: 1.0, 1000: 1.0})
    assert (fit.trend, fit.slope, fit.scale, fit.scale_interval) == (Trend.NONE_SEEN, 0.0, None, None)


def test_no_lower_end_is_claimed_for_more_than_a_thousand_times_what_was_measured() -> None:
    fit = over_nodes({10: 1.0, 20: 1.0 + 1e-12, 30: 1.0})
    assert fit.trend is Trend.NONE_SEEN
    assert fit.scale_interval is not None
    assert fit.scale_interval.low == 30_000


@pytest.mark.parametrize("values", [{10: 1.0, 1000: 2.0}, {10: 1.0, 100: None, 1000: 2.0}])
def test_fewer_than_three_places_are_unknown(values: dict[float, float | None]) -> None:
    fit = over_nodes(values)
    assert (fit.trend, fit.places) == (Trend.UNKNOWN, 2)
    assert (fit.slope, fit.scale, fit.scale_interval) == (None, None, None)


def test_what_grows_from_nothing_ranks_first_and_gets_no_number() -> None:
    facts = [{"nodes": nodes} for nodes in (1, 2, 3, 4, 5)]
    figures: list[dict[str, float | None]] = [
        {
            "slow l_s": 1 + 0.1 * x,
            "steep l_s": -0.5 + x,
            "flat l_s": 1.0,
            "gone l_s": None,
        }
        for x in (1, 2, 3, 4, 5)
    ]
    results = evaluate_campaign(points(facts, figures))
    assert [fit.figure.split(" ")[0] for fit in results.fits] == ["steep", "slow", "flat", "gone"]
    assert results.fits[0].trend is Trend.WORSENS
    assert results.fits[0].scale is None
    assert results.fits[-1].trend is Trend.UNKNOWN
    (summary,) = results.summaries
    assert [results.fits[one.worst].figure.split(" ")[0] for one in summary] == ["steep", "slow", "flat"]


def test_points_that_could_not_be_judged_are_counted() -> None:
    doubtful = [
        SweepPoint(
            number=x, facts={"n": x}, verdict=Verdict.UNKNOWN if x == 2 else Verdict.VALID, figures={BOOT: x + 1.0}
        )
        for x in (1, 2, 3)
    ]
    assert evaluate_campaign(doubtful).fits[0].doubtful == 1


def test_other_axes_are_held_constant() -> None:
    facts = [{"nodes": nodes, "at_once": at_once} for nodes in (10, 100, 1000) for at_once in (1, 10, 50)]
    figures: list[dict[str, float | None]] = [{BOOT: one["at_once"] * (1 + one["nodes"] / 500)} for one in facts]
    results = evaluate_campaign(points(facts, figures))
    assert [view.axis.path for view in results.views] == ["nodes", "at_once"]
    over_nodes = sorted((fit for fit in results.fits if fit.view == 0), key=lambda fit: fit.track)
    assert [results.views[0].tracks[fit.track].held for fit in over_nodes] == [{"at_once": n} for n in (1, 10, 50)]
    assert [fit.scale for fit in over_nodes] == [pytest.approx(500)] * 3
    summary = results.summaries[0][0]
    assert (summary.worsening, summary.known) == (3, 3)


def test_mappings_are_taken_apart_and_what_moves_together_is_said() -> None:
    facts = [one | {"at_once": at_once} for at_once in (1, 10) for one in stack((10, 1), (100, 5), (1000, 20))]
    figures: list[dict[str, float | None]] = [{BOOT: 1 + one["cloud.stack"]["nodes"] / 500} for one in facts]
    results = evaluate_campaign(points(facts, figures))
    view = results.views[0]
    assert view.axis.path == "cloud.stack.nodes"
    assert [(one.path, one.ratio) for one in view.together] == [("cloud.stack.computes", None)]
    assert [track.held for track in view.tracks] == [{"at_once": 1}, {"at_once": 10}]
    assert results.fits[0].scale == pytest.approx(500)
    assert "cloud.stack.computes" not in {one.axis.path for one in results.views}, "it is said with the nodes"


def test_a_family_is_looked_at_held_and_in_fixed_ratios() -> None:
    facts = stack((10, 1), (100, 1), (1000, 1), (1, 1), (10, 10), (20, 20), (40, 40), (1000, 20))
    views = Sweep(points(facts, [{} for _ in facts])).views()
    seen = [
        (view.axis.path, view.family_held, [one.ratio for one in view.together], view.tracks[0].places)
        for view in views
    ]
    nodes, computes = "cloud.stack.nodes", "cloud.stack.computes"
    assert seen == [
        (nodes, {computes: 1}, [], (1, 10, 100, 1000)),
        (nodes, {computes: 20}, [], (20, 1000)),
        (nodes, {}, [1.0], (1, 10, 20, 40)),
        (computes, {nodes: 10}, [], (1, 10)),
        (computes, {nodes: 1000}, [], (1, 20)),
    ]


def test_values_with_units_are_numbers_and_words_are_not() -> None:
    facts = [
        {"rate": rate, "size": size, "release": release, "fast": fast}
        for rate, size, release, fast in (("10/s", "1KiB", "a", True), ("20/s", "1MiB", "b", False))
    ]
    axes = Sweep(points(facts, [{}, {}])).axes
    assert [(axis.path, axis.unit, axis.values) for axis in axes] == [
        ("rate", "/s", (10.0, 20.0)),
        ("size", "B", (1024.0, 1048576.0)),
    ]


def test_a_seed_makes_repetitions_and_no_axis() -> None:
    facts = [{"nodes": nodes, "seed": seed} for nodes in (1, 2, 3) for seed in (7, 8)]
    results = evaluate_campaign(points(facts, [{BOOT: one["nodes"] + 0.1 * (one["seed"] - 7.5)} for one in facts]))
    assert results.repeated
    assert [axis.path for axis in results.axes] == ["nodes"]
    assert results.fits[0].points == 6
    (track,) = results.views[0].tracks
    assert track.x == (1.0, 2.0, 3.0)
    assert track.y[BOOT] == pytest.approx((1.0, 2.0, 3.0)), "the mean of the repetitions is drawn"


def test_points_without_data_are_gaps() -> None:
    facts = [{"nodes": nodes} for nodes in (1, 2, 3)]
    (track,) = evaluate_campaign(points(facts, [{BOOT: 1.0}, {}, {BOOT: 2.0}])).views[0].tracks
    assert track.y[BOOT] == (1.0, None, 2.0)
    assert track.measured_at == 2


def test_a_campaign_without_numbers_to_sweep_over_has_no_fits() -> None:
    results = evaluate_campaign(points([{"release": "a"}, {"release": "b"}], [{BOOT: 1.0}, {BOOT: 2.0}]))
    assert (results.axes, results.views, results.fits) == ((), (), ())
    assert evaluate_campaign([]).points == ()


noise = st.lists(st.floats(-0.2, 0.2), min_size=9, max_size=9)


@given(noise, st.sampled_from([1e-6, 1.0, 1e9]), st.floats(-0.01, 0.01))
def test_the_ranking_and_the_trend_do_not_depend_on_the_unit(scatter: list[float], unit: float, slope: float) -> None:
    facts = [{"nodes": nodes} for nodes in (10, 20, 30, 40, 50, 60, 70, 80, 90)]
    values = [2 + slope * one["nodes"] + error for one, error in zip(facts, scatter, strict=True)]

    def judged(factor: float) -> CampaignResults:
        return evaluate_campaign(points(facts, [{BOOT: value * factor} for value in values]))

    (one,), (other,) = judged(1.0).fits, judged(unit).fits
    assert one.slope_interval is not None
    assert one.slope_interval.low is not None
    assert one.slope_interval.high is not None
    if min(abs(one.slope_interval.low), abs(one.slope_interval.high)) > 1e-9:
        assert one.trend is other.trend
        assert (one.scale is None) == (other.scale is None)
        if one.scale is not None and abs(one.slope or 0) > 1e-6:
            assert other.scale == pytest.approx(one.scale, rel=1e-4)


def test_a_flat_figure_is_called_worse_no_more_often_than_the_interval_says() -> None:
    """1,000 seeded sweeps of noise without a slope: a change is seen in 5 % of them, half of those for the worse."""
    random = np.random.default_rng(11)
    facts = [{"nodes": nodes, "seed": seed} for nodes in (10, 100, 1000) for seed in (1, 2)]
    trends = [
        evaluate_campaign(points(facts, [{BOOT: float(value)} for value in random.normal(3, 0.2, 6)])).fits[0].trend
        for _ in range(1000)
    ]
    assert trends.count(Trend.WORSENS) / 1000 == pytest.approx(0.025, abs=0.015)
    assert trends.count(Trend.NONE_SEEN) / 1000 == pytest.approx(0.95, abs=0.02)
