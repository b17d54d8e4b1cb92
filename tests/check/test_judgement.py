import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.outcomes import Outcome
from kilonode.check.criteria import CriterionRule, parse_criterion
from kilonode.check.judgement import Measured, judge, measure, worst
from kilonode.check.operations import OperationTable
from kilonode.check.results import CriterionResult, Interval, Verdict
from kilonode.history.records import Op, OpKind
from tests.check.histories import history, op


def judged(text: str, ops: list[Op]) -> CriterionResult:
    criterion = parse_criterion(text)
    operations = OperationTable(history(ops).columns).of(OpKind.ITERATION, "mix")
    return judge(CriterionRule(criterion), measure(criterion, operations, 0.0, 10.0))


def taking(*seconds: float, outcome: str = Outcome.OK) -> list[Op]:
    return [op(number=n, due=n / 100, took=took, outcome=outcome) for n, took in enumerate(seconds)]


@given(st.lists(st.sampled_from(Verdict)))
def test_the_worst_of_verdicts_is_invalid_before_unknown_before_valid(verdicts: list[Verdict]) -> None:
    expected = Verdict.VALID
    if Verdict.UNKNOWN in verdicts:
        expected = Verdict.UNKNOWN
    if Verdict.INVALID in verdicts:
        expected = Verdict.INVALID
    assert worst(verdicts) is expected


@pytest.mark.parametrize(
    ("text", "measured", "verdict"),
    [
        ("mix mean < 250ms", 0.2, "valid"),
        ("mix mean < 200ms", 0.2, "invalid"),
        ("mix mean <= 200ms", 0.2, "valid"),
        ("mix max < 1s", 0.3, "valid"),
        ("mix min >= 100ms", 0.1, "valid"),
        ("mix med == 200ms", 0.2, "valid"),
        ("mix count == 3", 3, "valid"),
        ("mix throughput > 1/s", 0.3, "invalid"),
        ("mix error_rate == 0%", 0, "valid"),
        ("mix dropped == 0", 0, "valid"),
    ],
)
def test_metrics_are_what_their_names_say(text: str, measured: float, verdict: str) -> None:
    result = judged(text, taking(0.1, 0.2, 0.3))
    assert result.measured == pytest.approx(measured)
    assert result.verdict == verdict


def test_service_time_leaves_out_how_late_the_generator_was() -> None:
    ops = [op(number=n, due=n, took=0.1, late=0.9) for n in range(3)]
    assert judged("mix mean < 1s", ops).measured == pytest.approx(1.0)
    assert judged("mix service_mean < 1s", ops).measured == pytest.approx(0.1)


@pytest.mark.parametrize("metric", ["p(50)", "mean", "min", "max", "error_rate", "throughput", "count", "dropped"])
def test_a_criterion_over_no_samples_is_unknown(metric: str) -> None:
    values = {"error_rate": "1%", "throughput": "1/s", "count": "1", "dropped": "1"}
    result = judged(f"mix {metric} < {values.get(metric, '1s')}", [])
    assert result.verdict is Verdict.UNKNOWN
    assert result.measured is None
    assert "no" in result.note


def test_a_cloud_that_answers_nothing_has_a_throughput_of_zero_not_an_unknown_one() -> None:
    result = judged("mix throughput > 1/s", taking(1.0, 1.0, outcome=Outcome.CANCELLED))
    assert (result.measured, result.verdict) == (0.0, "invalid")


def test_only_failures_leave_the_latency_unknown_and_say_why() -> None:
    result = judged("mix p(50) < 1s", taking(0.1, 0.1, outcome=Outcome.HTTP_5XX))
    assert result.verdict is Verdict.UNKNOWN
    assert result.note == "no operation went well"


def test_a_percentile_with_too_few_samples_is_unknown_and_says_how_many_it_takes() -> None:
    result = judged("mix p(99) < 1s", taking(*[0.1] * 99))
    assert (result.verdict, result.measured) == ("unknown", None)
    assert result.note == "p(99) needs 100 samples, there are 99"
    assert judged("mix p(99) < 1s", taking(*[0.1] * 100)).verdict is Verdict.VALID


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.TIMEOUT])
def test_an_operation_that_was_cut_off_decides_only_what_it_can(outcome: str) -> None:
    ops = [*taking(0.1, 0.2), op(number=9, due=1.0, took=2.0, outcome=outcome)]
    assert judged("mix max < 1s", ops).verdict is Verdict.INVALID
    assert judged("mix max < 2s", ops).verdict is Verdict.INVALID
    assert judged("mix max <= 2s", ops).verdict is Verdict.UNKNOWN
    assert judged("mix max < 3s", ops).verdict is Verdict.UNKNOWN
    assert judged("mix max > 1s", ops).verdict is Verdict.VALID
    assert judged("mix max > 3s", ops).verdict is Verdict.UNKNOWN
    assert judged("mix max == 2s", ops).verdict is Verdict.UNKNOWN
    assert judged("mix max == 1s", ops).verdict is Verdict.INVALID
    assert judged("mix max < 3s", ops).at_least
    median = judged("mix med < 1s", ops)
    assert (median.verdict, median.at_least) == ("valid", False)


def test_a_bound_within_the_interval_makes_the_result_close() -> None:
    ops = taking(*[0.1 + 0.001 * n for n in range(1000)])
    assert not judged("mix p(50) < 2s", ops).close
    assert judged("mix p(50) < 610ms", ops).close
    assert judged("mix p(50) < 590ms", ops).close
    assert judged("mix p(50) < 590ms", ops).verdict is Verdict.INVALID


def test_no_error_among_few_operations_is_valid_but_close() -> None:
    few, many = (
        judged("mix error_rate < 0.1%", taking(*[0.1] * 100)),
        judged("mix error_rate < 0.1%", taking(*[0.1] * 5000)),
    )
    assert (few.verdict, few.close) == ("valid", True)
    assert (many.verdict, many.close) == ("valid", False)


@given(st.floats(0, 10), st.floats(0, 10), st.sampled_from(["<", "<=", ">", ">="]), st.booleans(), st.floats(0, 5))
def test_a_lower_limit_never_decides_what_the_truth_could_turn_over(
    value: float, bound: float, comparison: str, at_least: bool, beyond: float
) -> None:
    criterion = parse_criterion(f"mix max {comparison} 1s")
    criterion = type(criterion)("max", criterion.comparison, bound, 0.0, "mix")
    result = judge(CriterionRule(criterion), Measured(value, 5, at_least))
    truth = criterion.comparison.holds(value + beyond if at_least else value, bound)
    if result.verdict is not Verdict.UNKNOWN:
        assert result.verdict is (Verdict.VALID if truth else Verdict.INVALID)


def test_equality_is_never_close() -> None:
    rule = CriterionRule(parse_criterion("mix med == 1s"))
    assert not judge(rule, Measured(1.0, 100, interval=Interval(low=0.5, high=1.5))).close
