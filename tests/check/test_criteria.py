import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.check.criteria import Comparison, Criterion, parse_criterion, unknown_name
from kilonode.check.metrics import (
    CONSISTENCY_METRICS,
    ITERATION_METRICS,
    METRICS,
    RECOVERY_METRICS,
    UPGRADE_METRICS,
    Unit,
)

words = st.builds(
    str.__add__, st.sampled_from(string.ascii_letters), st.text(string.ascii_letters + string.digits + "_-", max_size=8)
)


@st.composite
def criteria(draw: st.DrawFn) -> Criterion:
    metric = draw(st.sampled_from(sorted(METRICS)))
    if metric in UPGRADE_METRICS:
        return Criterion(metric, Comparison.EQUAL, 1.0)
    match METRICS[metric][0]:
        case Unit.FRACTION:
            bound = draw(st.floats(0, 1))
        case Unit.COUNT:
            bound = float(draw(st.integers(0, 10**12)))
        case _:
            bound = draw(st.floats(0, 1e12))
    workload = draw(st.just("") | words) if metric not in CONSISTENCY_METRICS else ""
    with_step = bool(workload) and metric not in ITERATION_METRICS | RECOVERY_METRICS
    disruption = draw(st.just("") | st.lists(words, min_size=1).map(" ".join)) if metric in RECOVERY_METRICS else ""
    return Criterion(
        metric=metric,
        comparison=draw(st.sampled_from(Comparison)),
        bound=bound,
        percent=draw(st.floats(0, 100, exclude_min=True, exclude_max=True)) if metric in ("p", "service_p") else 0.0,
        workload=workload,
        step=".".join(draw(st.lists(words, max_size=3))) if with_step else "",
        disruption=disruption,
    )


@given(criteria())
def test_printing_then_parsing_gives_the_same_criterion(criterion: Criterion) -> None:
    assert parse_criterion(str(criterion)) == criterion


@given(st.text(max_size=40) | st.text("abp(9)<>=. %/s0_1-", max_size=25))
def test_any_text_is_a_criterion_or_an_input_error(text: str) -> None:
    try:
        criterion = parse_criterion(text)
    except InputError as error:
        expected = error.problem.expected
    else:
        expected = str(criterion)
        assert parse_criterion(expected) == criterion
    assert expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("boots.boot p(99) < 5s", Criterion("p", Comparison.LESS, 5.0, 99.0, "boots", "boot")),
        ("api-mix error_rate < 0.1%", Criterion("error_rate", Comparison.LESS, 0.001, 0.0, "api-mix")),
        ("api-mix throughput > 190/s", Criterion("throughput", Comparison.MORE, 190.0, 0.0, "api-mix")),
        ("throughput>=30/min", Criterion("throughput", Comparison.AT_LEAST, 0.5)),
        ("p( 99.9 )<=250ms", Criterion("p", Comparison.AT_MOST, 0.25, 99.9)),
        (
            "b.boot.active service_mean < 1m30s",
            Criterion("service_mean", Comparison.LESS, 90.0, 0.0, "b", "boot.active"),
        ),
        ("dropped == 0", Criterion("dropped", Comparison.EQUAL, 0.0)),
        ("unavailable < 2s", Criterion("unavailable", Comparison.LESS, 2.0)),
        ("api degradation < 1.5x", Criterion("degradation", Comparison.LESS, 1.5, 0.0, "api")),
        (
            "recovery_time < 30s after  kill one scheduler",
            Criterion("recovery_time", Comparison.LESS, 30.0, disruption="kill one scheduler"),
        ),
        ("error_rate < 0.07", Criterion("error_rate", Comparison.LESS, 0.07)),
        ("p p(50) < 1s", Criterion("p", Comparison.LESS, 1.0, 50.0, "p")),
    ],
)
def test_criteria_as_people_write_them(text: str, expected: Criterion) -> None:
    assert parse_criterion(text) == expected


@pytest.mark.parametrize(
    ("text", "part", "hint"),
    [
        ("boots p99 < 5s", "'p99' is not a metric", "p(99)"),
        ("boots p < 5s", "p needs parentheses", ""),
        ("boots mean(9) < 5s", "mean takes no parentheses", ""),
        ("boots p(100) < 5s", "'100' is not a percentile", "max"),
        ("boots service_p(0) < 5s", "'0' is not a percentile", "service_min"),
        ("boots avg < 5s", "'avg' is not a metric", "'mean'"),
        ("boots throughputt > 5/s", "'throughputt' is not a metric", "'throughput'"),
        ("boots p(99) < 5", "'5' is not a value", "5s"),
        ("throughput > 190", "'190' is not a value", "190/s"),
        ("error_rate < 150%", "'150%' is not a value", ""),
        ("count > 1.5", "'1.5' is not a value", ""),
        ("boots p(99)", "no comparison", ""),
        ("1s < p(99) < 5s", "more than one comparison", ""),
        ("boots p(99) != 5s", "'!=' is not a comparison", ""),
        ("boots p(99) = 5s", "'=' is not a comparison", ""),
        ("boots.boot dropped < 3", "a step has no dropped", ""),
        ("", "no comparison", ""),
        ("a b c p(99) < 5s", "not a criterion", ""),
    ],
)
def test_what_is_wrong_is_named(text: str, part: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_criterion(text)
    assert part in caught.value.problem.what
    assert hint in caught.value.problem.hint
    assert caught.value.problem.expected


def test_a_name_that_the_experiment_does_not_have_is_named_with_the_nearest() -> None:
    steps = {"boot-storm": ("boot", "boot.active", "delete"), "mix": None}
    assert unknown_name(parse_criterion("boot-storm.boot p(99) < 5s"), steps) is None
    assert unknown_name(parse_criterion("mix.anything p(99) < 5s"), steps) is None
    assert unknown_name(parse_criterion("error_rate < 1%"), steps) is None
    workload = unknown_name(parse_criterion("boot-strom p(99) < 5s"), steps)
    assert workload is not None
    assert "boot-storm" in workload.hint
    step = unknown_name(parse_criterion("boot-storm.bot p(99) < 5s"), steps)
    assert step is not None
    assert "'boot'" in step.hint


@pytest.mark.parametrize(
    ("comparison", "below", "same", "above"),
    [("<", True, False, False), ("<=", True, True, False), (">", False, False, True), (">=", False, True, True),
     ("==", False, True, False)],
)  # fmt: skip
def test_comparisons_hold_on_their_side_of_the_bound(comparison: str, below: bool, same: bool, above: bool) -> None:
    assert [Comparison(comparison).holds(value, 2.0) for value in (1.0, 2.0, 3.0)] == [below, same, above]
