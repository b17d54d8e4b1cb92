import msgspec
import pytest

from kilonode.base.outcomes import Outcome
from kilonode.check.evaluation import evaluate
from kilonode.check.facts import RunFacts
from kilonode.check.results import Results, Verdict
from kilonode.history.records import Op, Sample
from tests.check.histories import closed_workload, health, history, op, open_workload, rules, run, steady

LONG = run(open_workload(end=60.0))


def judged(samples: list[Sample], ops: list[Op] | None = None, facts: RunFacts = LONG) -> Results:
    return evaluate(history(ops if ops is not None else steady(seconds=60), samples), facts)


def busy(seconds: int, lag_s: float = 0.05) -> list[Sample]:
    rest = 60 - seconds
    return [
        *health("cpu_fraction", [0.99] * seconds + [0.3] * rest),
        *health("loop_lag_s_max", [lag_s] * seconds + [0.001] * rest),
    ]


def test_a_healthy_generator_is_trusted() -> None:
    results = judged([*busy(0), *health("open_files", [50] * 60), *health("open_files_limit", [1024] * 60)])
    assert results.verdict is Verdict.VALID
    assert results.generator.trusted
    assert results.generator.watched
    assert results.generator.open_files_share_max == pytest.approx(50 / 1024)
    assert results.generator.cpu_fraction_max_sustained == pytest.approx(0.3)


def test_a_generator_at_its_processors_limit_that_lags_makes_the_run_unknown() -> None:
    results = judged(busy(20))
    assert results.verdict is Verdict.UNKNOWN
    assert not results.generator.trusted
    assert "generator-0 was at its processor's limit" in results.reasons[0].text


def test_a_busy_generator_that_does_not_lag_is_trusted() -> None:
    assert judged(busy(60, lag_s=0.001)).verdict is Verdict.VALID


def test_a_blip_becomes_a_note() -> None:
    results = judged(busy(5))
    assert results.verdict is Verdict.VALID
    assert "Too little" in results.generator.notes[0]


def test_a_loop_that_lags_for_long_makes_the_run_unknown_whatever_the_processor_does() -> None:
    lagging = [*health("cpu_fraction", [0.2] * 60), *health("loop_lag_s_max", [0.2] * 10 + [0.001] * 50)]
    results = judged(lagging)
    assert results.verdict is Verdict.UNKNOWN
    assert "event loop" in results.reasons[0].text


def late(seconds: int, *, late_s: float, took: float) -> list[Op]:
    """Iterations of which those of the first seconds start late."""
    return [op(number=n, due=n / 10, late=late_s if n < seconds * 10 else 0.0, took=took) for n in range(600)]


def test_iterations_that_start_late_for_long_make_the_run_unknown() -> None:
    results = judged([], late(12, late_s=0.1, took=0.05))
    assert results.verdict is Verdict.UNKNOWN
    assert "started late" in results.reasons[0].text
    assert results.workloads[0].lateness_p99_s == pytest.approx(0.1)
    assert not results.generator.watched


def test_lateness_that_is_small_beside_the_latency_is_no_harm() -> None:
    assert judged([], late(60, late_s=0.1, took=1.0)).verdict is Verdict.VALID


def test_lateness_below_some_milliseconds_is_no_harm() -> None:
    assert judged([], late(60, late_s=0.004, took=0.0001)).verdict is Verdict.VALID


def test_many_seconds_with_one_late_iteration_each_become_a_note() -> None:
    ops = [
        op(number=n, due=n / 1000, late=0.05 if n % 1000 < 11 and n < 60_000 * 0.2 else 0.0, took=0.02)
        for n in range(60_000)
    ]
    results = judged([], ops, run(open_workload(rate=1000.0, end=60.0)))
    assert results.verdict is Verdict.VALID
    assert "in 12 of 60 seconds" in results.generator.notes[0]


def test_one_late_second_becomes_a_note() -> None:
    results = judged([], late(1, late_s=0.5, took=0.01))
    assert results.verdict is Verdict.VALID
    assert "in 1 of 60 seconds" in results.generator.notes[0]


def test_dropped_iterations_are_not_late() -> None:
    ops = steady(seconds=60)
    ops[5] = op(number=5, due=0.5, late=30.0, took=0.0, outcome=Outcome.DROPPED)
    assert judged([], ops).generator.lateness_s_p99 == pytest.approx(0.0)


def test_a_closed_model_cannot_be_late() -> None:
    facts = run(closed_workload("mix", end=60.0))
    results = judged([], late(60, late_s=0.5, took=0.01), facts)
    assert results.verdict is Verdict.VALID
    assert results.workloads[0].lateness_p99_s is None


def test_a_generator_that_was_silent_for_long_makes_the_run_unknown() -> None:
    samples = [sample for sample in health("cpu_fraction", [0.2] * 60) if not 20e9 < sample.at_ns < 35e9]
    results = judged(samples)
    assert results.verdict is Verdict.UNKNOWN
    assert "said nothing about its health" in results.reasons[0].text


def test_too_few_file_descriptors_make_the_run_unknown() -> None:
    samples = [*health("open_files", [500] * 50 + [1020] * 10), *health("open_files_limit", [1024] * 60)]
    results = judged(samples)
    assert results.verdict is Verdict.UNKNOWN
    assert "file descriptors" in results.reasons[0].text


def exhausted(count: int) -> list[Op]:
    message = "no connection to 10.0.0.1:80: this process has no more file descriptors (ulimit -n)"
    return [op(number=900 + n, due=n / 10, outcome=Outcome.EXHAUSTED, error=message) for n in range(count)]


def test_one_operation_that_the_generator_had_no_descriptor_for_makes_the_run_unknown_and_is_no_error() -> None:
    facts = run(open_workload(end=60.0), criteria=rules("mix error_rate == 0%"))
    results = judged([], steady(seconds=60) + exhausted(1), facts)
    assert results.verdict is Verdict.UNKNOWN
    assert not results.generator.trusted
    assert "ulimit -n" in results.reasons[0].text
    assert "ip_local_port_range" in results.reasons[0].text
    assert results.criteria[0].verdict is Verdict.VALID, "the cloud was never asked"
    assert results.workloads[0].steps[0].failed == 0
    assert [(group.outcome, group.count) for group in results.workloads[0].errors] == [("exhausted", 1)]


def test_exhaustion_inside_a_step_is_seen_also_when_the_iteration_went_on() -> None:
    step = op("mix", "list", outcome=Outcome.EXHAUSTED, error="no more")
    assert judged([], [*steady(seconds=60), step]).verdict is Verdict.UNKNOWN


def test_requests_that_waited_long_for_a_connection_make_the_run_unknown() -> None:
    waited = health("requests_waited", [min(n, 30) for n in range(60)])
    results = judged(waited)
    assert results.verdict is Verdict.UNKNOWN
    assert "30 requests of generator-0 waited for a free connection, in 30 seconds" in results.reasons[0].text


@pytest.mark.parametrize("counts", [[0] * 20 + [50] * 40, [min(n, 5) for n in range(60)]])
def test_a_short_queue_for_connections_or_one_of_a_few_requests_is_a_note(counts: list[float]) -> None:
    results = judged(health("requests_waited", counts))
    assert results.verdict is Verdict.VALID
    assert "Too little" in results.generator.notes[0]


def test_without_a_queue_for_connections_nothing_is_said() -> None:
    assert judged(health("requests_waited", [0] * 60)).generator.notes == ()


def test_many_open_files_are_a_note() -> None:
    samples = [*health("open_files", [900] * 60), *health("open_files_limit", [1024] * 60)]
    results = judged(samples)
    assert results.verdict is Verdict.VALID
    assert "88%" in results.generator.notes[0]


def test_a_worker_that_died_makes_the_run_unknown() -> None:
    facts = msgspec.structs.replace(LONG, dead_workers=("worker 1 died (signal 9)",))
    results = judged([], facts=facts)
    assert results.verdict is Verdict.UNKNOWN
    assert results.reasons[0].text == "Worker 1 died (signal 9)."


def test_what_happens_outside_the_load_does_not_matter() -> None:
    before = health("loop_lag_s_max", [3.0] * 10, first=-20.0)
    after = health("loop_lag_s_max", [3.0] * 10, first=70.0)
    results = judged([*before, *busy(0), *after])
    assert results.verdict is Verdict.VALID
    assert results.generator.loop_lag_s_max == pytest.approx(0.001)


def test_a_simulated_run_has_no_generator_to_judge() -> None:
    facts = msgspec.structs.replace(LONG, simulated=True)
    assert judged(busy(60), late(60, late_s=0.5, took=0.01), facts).verdict is Verdict.VALID


def test_an_overloaded_generator_never_hides_a_criterion_that_did_not_hold() -> None:
    facts = run(open_workload(end=60.0), criteria=rules("mix max < 1ms"))
    results = judged(busy(30), facts=facts)
    assert results.verdict is Verdict.INVALID
    assert [reason.about for reason in results.reasons] == ["criterion", "generator"]


def test_long_series_of_health_are_thinned_by_their_peaks() -> None:
    values = [0.001] * 5000
    values[1234] = 0.7
    results = judged(health("loop_lag_s_max", values), facts=run(open_workload(end=6000.0)), ops=steady())
    line = results.generator.sources[0].lines[0]
    assert len(line.value) <= 600
    assert max(line.value) == pytest.approx(0.7)


def test_what_services_use_is_not_the_generators_health() -> None:
    results = judged(health("cpu_fraction", [1.0] * 60, source="api"))
    assert results.verdict is Verdict.VALID
    assert results.generator.sources == ()
    assert not results.generator.watched


def test_requests_that_were_sent_twice_are_noted_and_change_no_verdict() -> None:
    samples = [Sample("generator-0", "requests_resent", n * 10**9, float(min(n, 3))) for n in range(60)]
    results = judged(samples, late(0, late_s=0.0, took=0.05))
    assert results.verdict is Verdict.VALID
    assert any("sent 3 requests a second time" in note for note in results.generator.notes)
