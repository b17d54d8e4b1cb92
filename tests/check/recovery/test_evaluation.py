"""Recovery from a history: which operations and disruptions belong together, criteria, repeats, what is not known."""

import numpy as np
import pytest

from kilonode.base.outcomes import Outcome
from kilonode.check.evaluation import evaluate
from kilonode.check.facts import RunFacts, WorkloadFacts
from kilonode.check.metrics import Unit
from kilonode.check.recovery.durations import lasted
from kilonode.check.recovery.records import Measure, RecoveryGroup
from kilonode.check.recovery.repeats import mean_of
from kilonode.check.recovery.resampling import mean_interval, ratio_interval
from kilonode.check.results import Results, Verdict
from kilonode.history.records import Op, OpKind
from tests.check.histories import closed_workload, history, ns, op, open_workload, rules, run


def disruption(sentence: str, at: float, until: float, *, planned: float | None = None) -> Op:
    due = at if planned is None else planned
    return Op(OpKind.DISRUPTION.value, "", sentence, 0, ns(due), ns(at), ns(until), Outcome.OK.value)


def outage(name: str, *spans: tuple[float, float], rate: float = 10.0, seconds: float = 60.0) -> list[Op]:
    """Evenly due iterations of 20 to 22 ms, refused in these spans."""
    ops = []
    for number in range(round(rate * seconds)):
        due = number / rate
        lost = any(start <= due < end for start, end in spans)
        took = 0.001 if lost else 0.02 + 0.001 * (number % 3)
        ops.append(op(name, number=number, due=due, took=took, outcome=Outcome.REFUSED if lost else Outcome.OK))
    return ops


def probe(name: str = "mix", end: float = 60.0) -> WorkloadFacts:
    return open_workload(name, end=end)


def only_group(results: Results) -> RecoveryGroup:
    assert results.recovery is not None
    (group,) = results.recovery.groups
    return group


def measured(group: RecoveryGroup, figure: str) -> Measure:
    return next(one.measure for one in group.repeated if one.figure == figure)


def test_disruptions_at_the_same_time_are_named_for_they_cannot_be_told_apart() -> None:
    disruptions = [
        disruption("freeze api for 5s", 10.0, 15.0),
        disruption("kill one scheduler", 12.0, 12.0),
        disruption("restart fleet", 15.0, 15.0),
        disruption("kill api", 40.0, 40.0),
    ]
    found = evaluate(
        history([*outage("mix", (11.0, 14.0)), *disruptions]),
        run(probe(), criteria=rules("unavailable < 5s after kill one scheduler")),
    )
    assert found.recovery is not None
    assert {group.disruption: group.episodes[0].meanwhile for group in found.recovery.groups} == {
        "freeze api for 5s": ("kill one scheduler",),
        "kill one scheduler": ("freeze api for 5s",),
        "restart fleet": (),
        "kill api": (),
    }
    assert found.criteria[0].note.endswith("; 1 other disruption at the same time")


def test_what_was_lost_before_the_effect_was_seen_is_the_doing_of_the_disruption_too() -> None:
    late = disruption("disconnect management network on node a for 5s", 22.0, 27.0, planned=20.0)
    found = evaluate(history([*outage("mix", (20.5, 26.0)), late]), run(probe()))
    group = only_group(found)
    assert sum(group.episodes[0].lost.values()) == 55
    assert {spread.part: spread.lost for spread in group.episodes[0].spreads} == {"before": 0, "during": 55, "after": 0}
    unavailable = measured(group, "unavailable")
    assert unavailable.value == pytest.approx(5.5, abs=0.1)
    assert (unavailable.low or 0.0) <= 5.5 <= (unavailable.high or 0.0)


@pytest.mark.parametrize(
    ("criterion", "verdict"),
    [
        ("unavailable < 3s", Verdict.UNKNOWN),  # it lasted 2 to 4 s
        ("unavailable < 4.1s", Verdict.VALID),
        ("unavailable < 2s", Verdict.INVALID),
        ("unavailable > 3s", Verdict.UNKNOWN),
        ("unavailable > 1s", Verdict.VALID),
        ("longest_gap < 100s", Verdict.VALID),
    ],
)
def test_what_lies_between_two_looks_is_not_known(criterion: str, verdict: Verdict) -> None:
    ops = [*outage("mix", (20.0, 23.0), rate=1.0), disruption("kill api", 19.5, 19.5)]
    (found,) = evaluate(history(ops), run(probe(), criteria=rules(criterion))).criteria
    assert found.verdict is verdict, found
    assert ("a probe at a higher rate would tell" in found.note) is (verdict is Verdict.UNKNOWN)


def test_a_run_without_disruptions_has_no_recovery_and_its_criteria_are_unknown() -> None:
    results = evaluate(history(outage("mix")), run(probe(), criteria=rules("unavailable < 2s")))
    assert results.recovery is None
    (criterion,) = results.criteria
    assert (criterion.verdict, criterion.note) == (Verdict.UNKNOWN, "nothing was disrupted")


def test_durations_count_from_the_effect_and_not_from_the_plan() -> None:
    ops = [*outage("mix", (20.0, 25.0)), disruption("kill it", 20.0, 25.0, planned=17.0)]
    group = only_group(evaluate(history(ops), run(probe())))
    assert measured(group, "recovery_time").value == pytest.approx(5.0, abs=0.1)
    assert measured(group, "unavailable").value == pytest.approx(5.0, abs=0.1)
    (episode,) = group.episodes
    assert (episode.planned_s, episode.effect_s, episode.healed_s) == (17.0, 20.0, 25.0)
    assert episode.lost == {"refused": 50}
    assert episode.control.samples == 170


@pytest.mark.parametrize(
    ("criterion", "verdict"),
    [
        ("unavailable < 2s", Verdict.INVALID),
        ("unavailable < 6s", Verdict.VALID),
        ("mix recovery_time < 30s", Verdict.VALID),
        ("recovery_time < 3s after Kill  it", Verdict.INVALID),
        ("recovery_time < 3s after something else", Verdict.UNKNOWN),
        ("time_to_detect < 1s", Verdict.VALID),
        ("degradation < 1.5x", Verdict.VALID),
    ],
)
def test_criteria_about_recovery_are_judged(criterion: str, verdict: Verdict) -> None:
    ops = [*outage("mix", (20.0, 25.0)), disruption("kill it", 20.0, 25.0)]
    results = evaluate(history(ops), run(probe(), criteria=rules(criterion)))
    assert results.criteria[0].verdict is verdict
    assert (results.criteria[0].unit is Unit.RATIO) == criterion.startswith("degradation")


def test_what_is_not_over_is_unknown_unless_the_bound_is_passed_already() -> None:
    ops = [*outage("mix", (20.0, 99.0)), disruption("kill it", 20.0, 60.0)]
    facts = run(probe(), criteria=rules("recovery_time < 50s", "recovery_time < 30s"))
    results = evaluate(history(ops), facts)
    assert [criterion.verdict for criterion in results.criteria] == [Verdict.UNKNOWN, Verdict.INVALID]
    assert all(criterion.at_least for criterion in results.criteria)


def test_every_episode_has_to_hold_and_the_worst_is_shown() -> None:
    spans = ((20.0, 21.0), (40.0, 44.0))
    ops = [*outage("mix", *spans), *(disruption("kill it", start, end) for start, end in spans)]
    results = evaluate(history(ops), run(probe(), criteria=rules("unavailable < 2s")))
    assert results.criteria[0].verdict is Verdict.INVALID
    assert results.criteria[0].measured == pytest.approx(4.0, abs=0.1)
    group = only_group(results)
    assert [episode.number for episode in group.episodes] == [0, 1]
    assert measured(group, "unavailable").value == pytest.approx(2.5, abs=0.1)


def test_what_follows_a_disruption_is_its_doing_until_the_next_begins() -> None:
    ops = [*outage("mix", (40.0, 44.0)), disruption("a", 20.0, 22.0), disruption("b", 40.0, 44.0)]
    results = evaluate(history(ops), run(probe()))
    assert results.recovery is not None
    first, second = results.recovery.groups
    assert measured(first, "unavailable").value == 0 and measured(first, "recovery_time").value == 0
    assert measured(second, "unavailable").value == pytest.approx(4.0, abs=0.1)


def test_criteria_without_a_workload_are_about_probes_where_there_are_any() -> None:
    ops = [*outage("mix"), *outage("api", (20.0, 25.0)), disruption("kill it", 20.0, 25.0)]
    facts = probe("mix"), probe("api")
    asks = WorkloadFacts(
        name="mix", scenario="probe", load="", open_model=True, start_s=0.0, end_s=60.0, endpoint="compute",
        connections="new",
    )  # fmt: skip
    everything = evaluate(history(ops), run(*facts, criteria=rules("unavailable < 2s")))
    with_probe = evaluate(history(ops), run(asks, facts[1], criteria=rules("unavailable < 2s")))
    assert (everything.criteria[0].verdict, with_probe.criteria[0].verdict) == (Verdict.INVALID, Verdict.VALID)


def test_ten_operations_before_are_a_baseline_and_nine_are_not_unless_there_is_a_control_run() -> None:
    for at, known in ((1.0, True), (0.85, False)):
        with_outage = history([*outage("mix", (at, at + 5)), disruption("kill it", at, at + 5)])
        group = only_group(evaluate(with_outage, run(probe())))
        assert (measured(group, "recovery_time").value is not None) == known
        group = only_group(evaluate(with_outage, run(probe()), control=history(outage("mix"))))
        assert measured(group, "recovery_time").value == pytest.approx(5.0, abs=0.2)
        assert group.episodes[0].control.source == "control run"


def test_what_was_under_way_and_was_lost_counts_too() -> None:
    ops = [op("mix", number=n, due=n / 10, took=0.02) for n in range(600)]
    ops[199] = op("mix", number=199, due=19.9, took=0.5, outcome=Outcome.RESET)
    group = only_group(evaluate(history([*ops, disruption("kill it", 20.0, 21.0)]), run(probe())))
    assert group.episodes[0].lost == {"reset": 1}
    low, high = measured(group, "unavailable").low, measured(group, "unavailable").high
    assert low == 0 and high == pytest.approx(0.2)


def test_what_was_under_way_and_was_held_up_is_no_baseline() -> None:
    ops = [op("mix", number=n, due=n / 10, took=0.02) for n in range(600)]
    ops[199] = op("mix", number=199, due=19.9, took=4.1)
    for number in range(200, 240):
        ops[number] = op("mix", number=number, due=number / 10, took=24.02 - number / 10)
    (episode,) = only_group(evaluate(history([*ops, disruption("freeze it", 20.0, 24.0)]), run(probe()))).episodes
    assert episode.control.samples == 199 and episode.control.mean_s == pytest.approx(0.02)
    assert episode.recovery_time_s.value == pytest.approx(4.0, abs=0.1)
    gap = episode.longest_gap_s
    assert gap.low is not None and gap.high is not None and gap.low < 4.0 < gap.high < 4.2


def test_a_disruption_after_which_nothing_was_due_tells_nothing() -> None:
    ops = [*outage("mix", seconds=20.0), disruption("freeze api", 30.0, 35.0)]
    group = only_group(evaluate(history(ops), run(probe())))
    assert group.episodes[0].samples == 0
    assert measured(group, "unavailable").value is None


def test_latency_is_told_apart_before_during_and_after() -> None:
    ops = [*outage("mix", (30.0, 33.0)), disruption("freeze api", 30.0, 35.0)]
    before, during, after = only_group(evaluate(history(ops), run(probe()))).episodes[0].spreads
    assert (before.samples, before.lost) == (300, 0)
    assert (during.samples, during.lost) == (20, 30), "until it was healed, which was after the recovery"
    assert (after.samples, after.lost) == (250, 0)
    assert before.values_s[2] is not None


def test_dropped_and_cut_off_operations_say_nothing_and_are_counted() -> None:
    ops = outage("mix", (20.0, 25.0))
    ops[230] = op("mix", number=230, due=23.0, took=0.0, outcome=Outcome.DROPPED)
    ops[599] = op("mix", number=599, due=59.9, took=0.1, outcome=Outcome.CANCELLED)
    (episode,) = only_group(evaluate(history([*ops, disruption("kill it", 20.0, 25.0)]), run(probe()))).episodes
    assert (episode.unseen, episode.samples) == (2, 398)
    assert episode.unavailable_s.value == pytest.approx(5.0, abs=0.1)


def test_repeats_are_one_group_and_those_without_a_trace_count_as_zero() -> None:
    second = WorkloadFacts(
        name="mix-2", scenario="noop", load="", open_model=True, start_s=100.0, end_s=160.0, repeats="mix"
    )
    later = [op("mix-2", number=one.iteration, due=100 + one.due_ns / 1e9, took=0.02) for one in outage("mix")]
    ops = [
        *outage("mix", (20.0, 24.0)), *later, disruption("kill it", 20.0, 24.0), disruption("kill it", 120.0, 124.0)
    ]  # fmt: skip
    group = only_group(evaluate(history(ops), RunFacts(workloads=(probe(), second))))
    assert [episode.workload for episode in group.episodes] == ["mix", "mix-2"]
    assert measured(group, "unavailable").value == pytest.approx(2.0, abs=0.1)
    assert group.published.downtime_s.value == pytest.approx(4.0, abs=0.2)
    assert any("count as zero" in sentence for sentence in group.differences)


def test_a_closed_loop_says_that_a_stall_hides_its_samples() -> None:
    ops = [op("boots", number=n, due=n * 0.5, took=0.4) for n in range(120)]
    group = only_group(evaluate(history([*ops, disruption("freeze it", 20.0, 25.0)]), run(closed_workload(end=60.0))))
    assert any("closed loop" in sentence for sentence in group.differences)


def test_iterations_of_several_workers_are_taken_in_the_order_of_their_start() -> None:
    ops = [op("boots", number=(n * 7) % 120, due=n * 0.5, took=0.4, outcome=Outcome.REFUSED if n in (50, 60) else
              Outcome.OK) for n in range(120)]  # fmt: skip
    group = only_group(evaluate(history([*ops, disruption("kill it", 20.0, 25.0)]), run(closed_workload(end=60.0))))
    assert group.published.downtime_s.value == pytest.approx(1.0)


def test_simulated_ties_are_neither_slow_nor_fast() -> None:
    ops = [op("mix", number=n, due=n / 10, took=0.02) for n in range(600)]
    group = only_group(evaluate(history([*ops, disruption("nothing", 20.0, 25.0)]), run(probe())))
    assert not group.episodes[0].impaired
    assert measured(group, "degradation").value == pytest.approx(1.0)


def test_a_run_of_marks_lasts_between_its_inner_and_its_outer_ends() -> None:
    due = np.arange(10, dtype=np.float64)
    found = lasted(due, np.isin(due, [3, 4, 5, 8]), 0.0, 10.0)
    assert (found.total_low_s, found.total_s, found.total_high_s) == (2.0, 4.0, 6.0)
    assert (found.longest_low_s, found.longest_high_s, found.open_ended) == (2.0, 4.0, False)
    assert lasted(due, due < 0, 0.0, 10.0).total_high_s == 1.0
    assert lasted(due, due > 7, 0.0, 10.0).open_ended


def test_a_mean_with_a_lower_limit_in_it_is_one() -> None:
    mean = mean_of([Measure(value=2.0, low=1.9, high=2.1), Measure(value=4.0, low=4.0, at_least=True)])
    assert (mean.value, mean.at_least, mean.high) == (3.0, True, None)
    assert mean_of([Measure(value=None, note="none")]) == Measure(value=None, note="none")


def test_why_a_mean_is_a_lower_limit_is_said_in_the_words_of_what_was_measured() -> None:
    limit = Measure(value=4.0, low=4.0, at_least=True, note="some timed out: they would have taken longer")
    assert mean_of([limit]).note == limit.note
    both = mean_of([Measure(value=2.0, low=1.9, high=2.1), limit])
    assert both.note == "a lower limit in 1 of 2 repeats: some timed out: they would have taken longer"


def test_intervals_over_few_repeats_are_wide_and_contain_the_mean() -> None:
    two = mean_interval([1.0, 3.0], [(1.0, 1.0), (3.0, 3.0)])
    many = mean_interval([1.0, 3.0] * 20, [(1.0, 1.0), (3.0, 3.0)] * 20)
    assert two[0] < many[0] < 2.0 < many[1] < two[1]
    assert mean_interval([5.0], [(4.0, 7.0)]) == (4.0, 7.0)


def test_the_interval_of_a_ratio_holds_the_ratio_of_equal_samples() -> None:
    values = np.random.default_rng(1).lognormal(size=500)
    low, high = ratio_interval(values, values[::-1].copy())
    assert low < 1.0 < high
