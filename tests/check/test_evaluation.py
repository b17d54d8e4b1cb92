from pathlib import Path

import msgspec
import pytest

from kilonode.base.encoding import decode_json, encode_json_for_people
from kilonode.base.outcomes import Outcome
from kilonode.check.evaluation import evaluate
from kilonode.check.facts import Abortion, RunFacts
from kilonode.check.results import Results, Verdict
from kilonode.history.columns import History
from kilonode.history.records import OpKind
from tests.check.histories import (
    closed_workload,
    health,
    history,
    op,
    open_workload,
    rules,
    run,
    steady,
)
from tests.run.golden import check_golden

GOLDEN = Path(__file__).parent / "golden"


def small() -> tuple[History, RunFacts]:
    """Setup, 100 list calls of which some go wrong, four boots with parts, a disruption, cleanup, a generator."""
    ops = [op("projects", "create", number=n, due=-3 + n, took=0.5, kind=OpKind.SETUP) for n in range(2)]
    for number in range(100):
        outcome, error, late, took = Outcome.OK, "", 0.001, 0.010 + 0.001 * number
        if number in (30, 31):
            outcome, error, took = Outcome.HTTP_5XX, f"503 from backend-{number}", 0.002
        elif number == 50:
            outcome, error, took = Outcome.TIMEOUT, "no answer within 5 s", 5.0
        elif number == 99:
            outcome, late, took = Outcome.DROPPED, 0.0, 0.0
        ops.append(op(number=number, due=number / 10, late=late, took=took, outcome=outcome, error=error))
    for number in range(4):
        due = 2.0 * number
        ops.append(op("boots", number=number, due=due, took=1.9))
        ops.append(op("boots", "boot", number=number, due=due, took=1.5, resolution=0.05))
        ops.append(op("boots", "boot.accepted", number=number, due=due, took=0.1))
        ops.append(op("boots", "boot.active", number=number, due=due + 0.1, took=1.4, resolution=0.05))
        ops.append(op("boots", "delete", number=number, due=due + 1.5, took=0.4))
    ops.append(op("boots", number=4, due=8.0, took=4.0, outcome=Outcome.CANCELLED))
    ops.append(op("kill one scheduler", "api-1", due=3.0, took=2.0, kind=OpKind.DISRUPTION))
    ops.append(op("projects", "delete", due=13.0, took=0.2, kind=OpKind.CLEANUP, outcome=Outcome.HTTP_4XX, error="no"))
    samples = [*health("cpu_fraction", [0.2] * 10), *health("loop_lag_s_max", [0.001] * 10)]
    facts = run(
        open_workload(),
        closed_workload(),
        criteria=rules("mix p(90) < 1s", "mix error_rate < 1%", "boots.boot p(99) < 5s", "mix throughput > 9/s"),
    )
    return history(ops, samples), facts


def test_the_results_of_a_small_history_are_those_of_the_golden_file() -> None:
    check_golden(GOLDEN / "small.json", encode_json_for_people(evaluate(*small())).decode())


def test_results_are_json_as_they_stand() -> None:
    results = evaluate(*small())
    assert decode_json(encode_json_for_people(results), Results) == results


def test_the_numbers_of_a_small_history_are_those_counted_by_hand() -> None:
    results = evaluate(*small())
    mix, boots = results.workloads
    whole = mix.steps[0]
    assert whole.outcomes == {"ok": 96, "timeout": 1, "http_5xx": 2, "dropped": 1}
    assert (whole.finished, whole.failed, mix.due, mix.dropped) == (99, 3, 100, 1)
    assert whole.error_rate == pytest.approx(3 / 99)
    # The last two finish at 9.908 and before; all 96 good ones end within the ten seconds.
    assert whole.throughput_per_s == pytest.approx(9.6)
    median = next(one for one in whole.latency.percentiles if one.percent == 50)
    # 97 samples; the 49th of the exact ones is number 51, for 30, 31 and 50 are none: 61 ms and 1 ms late.
    assert median.value_s == pytest.approx(0.062)
    assert not median.at_least
    assert next(one for one in whole.latency.percentiles if one.percent == 99).value_s is None
    assert whole.latency.max_s == pytest.approx(5.001)
    assert whole.latency.open_ended
    assert [step.step for step in boots.steps] == ["", "boot", "boot.accepted", "boot.active", "delete"]
    assert boots.steps[1].resolution is not None
    assert boots.steps[1].resolution.max_s == pytest.approx(0.05)
    assert [phases.step for phases in boots.phases] == ["", "boot"]
    assert [part.step for part in boots.phases[1].parts] == ["boot.accepted", "boot.active"]
    assert boots.phases[1].parts[1].mean_share == pytest.approx(1.4 / 1.5)
    assert [(stage.part, stage.stage, stage.count, stage.failed) for stage in results.stages] == [
        ("setup", "projects", 2, 0),
        ("cleanup", "projects", 1, 1),
    ]
    assert [(one.name, one.target, one.start_s, one.finish_s) for one in results.disruptions] == [
        ("kill one scheduler", "api-1", 3.0, 5.0)
    ]


def test_the_worst_verdict_wins_and_every_reason_is_given() -> None:
    results = evaluate(*small())
    assert [one.verdict for one in results.criteria] == ["valid", "invalid", "unknown", "valid"]
    assert results.verdict is Verdict.INVALID
    assert [reason.verdict for reason in results.reasons] == ["invalid", "unknown"]
    assert "p(99) needs 100 samples, there are 4" in results.reasons[1].text


def test_a_run_without_criteria_is_valid_when_nothing_speaks_against_it() -> None:
    assert evaluate(history(steady()), run()).verdict is Verdict.VALID


def test_a_torn_history_is_unknown_and_says_how_much_is_missing() -> None:
    results = evaluate(history(steady(), torn=True, lost_at_most_s=1.2), run(criteria=rules("mix error_rate < 1%")))
    assert results.verdict is Verdict.UNKNOWN
    assert "1.20 s" in results.reasons[0].text
    assert results.criteria[0].verdict is Verdict.VALID


def test_a_killed_run_is_rated_over_the_time_that_its_history_has() -> None:
    results = evaluate(history(steady(seconds=5), torn=True), run(criteria=rules("mix throughput > 9/s")))
    assert results.workloads[0].measured_s == pytest.approx(5.0)
    assert results.criteria[0].verdict is Verdict.VALID


def test_a_workload_without_an_iteration_is_unknown() -> None:
    results = evaluate(history([]), run(criteria=rules("mix p(50) < 1s", "error_rate < 1%")))
    assert [one.verdict for one in results.criteria] == ["unknown", "unknown"]
    assert results.verdict is Verdict.UNKNOWN
    assert any("made no iteration" in reason.text for reason in results.reasons)


def test_a_workload_of_which_nothing_went_well_is_never_valid() -> None:
    ops = [op(number=n, due=n / 10, outcome=Outcome.REFUSED, error="refused") for n in range(100)]
    results = evaluate(history(ops), run())
    assert results.verdict is Verdict.UNKNOWN
    assert "not one iteration went well" in results.reasons[0].text


def test_iterations_that_are_missing_from_the_history_mean_that_the_asked_load_was_not_applied() -> None:
    facts = run(open_workload(rate=100.0, end=60.0))
    assert evaluate(history(steady(rate=100, seconds=60)), facts).verdict is Verdict.VALID
    half = [one for one in steady(rate=100, seconds=60) if one.iteration % 2 == 0]
    results = evaluate(history(half), facts)
    assert results.verdict is Verdict.UNKNOWN
    assert "Of about 6,000 iterations that mix was asked for, only 3,000" in results.reasons[0].text


def with_drops(share: float) -> History:
    ops = steady()
    for place in range(round(share * len(ops))):
        ops[place] = op(number=place, due=place / 10, took=0.0, outcome=Outcome.DROPPED)
    return history(ops)


def test_many_dropped_iterations_mean_that_the_asked_load_was_not_applied() -> None:
    results = evaluate(with_drops(0.05), run())
    assert results.verdict is Verdict.UNKNOWN
    assert "max_vus" in results.reasons[0].text
    assert results.workloads[0].dropped_rate == pytest.approx(0.05)


def test_a_few_dropped_iterations_are_counted_and_change_nothing() -> None:
    results = evaluate(with_drops(0.01), run())
    assert results.verdict is Verdict.VALID
    assert results.workloads[0].dropped == 1


def test_a_criterion_on_drops_says_how_many_are_right() -> None:
    results = evaluate(with_drops(0.05), run(criteria=rules("mix dropped_rate < 10%")))
    assert results.verdict is Verdict.VALID


def test_time_after_an_abortion_is_no_time_of_load() -> None:
    facts = msgspec.structs.replace(
        run(criteria=rules("mix p(50) < 1s", "mix throughput > 9/s")),
        abortion=Abortion(5.0, "p(50) was 2 s", "mix p(50) < 1s"),
    )
    results = evaluate(history(steady(seconds=5)), facts)
    assert results.workloads[0].measured_s == 5.0
    assert [one.verdict for one in results.criteria] == ["invalid", "valid"]
    assert "it ended the load at 5.00 s" in results.criteria[0].note


def test_a_load_that_ends_when_it_is_done_is_rated_until_its_last_iteration() -> None:
    workload = msgspec.structs.replace(closed_workload("mix", end=600.0), ends_when_done=True)
    results = evaluate(history(steady(seconds=5, took=0.1)), run(workload))
    assert results.workloads[0].measured_s == pytest.approx(5.0)
    assert results.workloads[0].steps[0].throughput_per_s == pytest.approx(10.0)


def test_what_finishes_after_the_load_counts_for_latency_but_not_for_throughput() -> None:
    results = evaluate(history(steady(took=1.05)), run())
    whole = results.workloads[0].steps[0]
    assert whole.latency.samples == 100
    # Those due from 8.95 s on finish after 10 s.
    assert whole.throughput_per_s == pytest.approx(9.0)


def test_the_time_before_after_is_not_judged() -> None:
    slow_start = [op(number=n, due=n / 10, took=5.0 if n < 20 else 0.1) for n in range(100)]
    bound = "mix max < 1s"
    assert evaluate(history(slow_start), run(criteria=rules(bound))).verdict is Verdict.INVALID
    results = evaluate(history(slow_start), run(criteria=rules(bound, after=2.0)))
    assert results.verdict is Verdict.VALID
    assert results.criteria[0].samples == 80
    assert "first 2 s" in results.criteria[0].note


def test_a_criterion_without_a_workload_is_about_all_iterations_together() -> None:
    facts = run(open_workload(), closed_workload("boots"), criteria=rules("count == 200", "throughput > 19/s"))
    results = evaluate(history([*steady(), *steady("boots")]), facts)
    assert [one.verdict for one in results.criteria] == ["valid", "valid"]


def test_many_workloads_share_the_points_of_one_report() -> None:
    names = [f"w{n}" for n in range(40)]
    facts = run(*[open_workload(name, end=600.0) for name in names])
    results = evaluate(history([op(name, due=1.0) for name in names]), facts)
    assert max(len(workload.flow.started_per_s) for workload in results.workloads) <= 130
