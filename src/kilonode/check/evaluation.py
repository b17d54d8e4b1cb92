"""A history and what is known about its run in; all numbers and the verdict out. Pure: no clock, no I/O.

The verdict is the worst of: every criterion; the state of the generator; the history itself (torn or whole); and
whether each workload did what it was asked to. Every reason why it is not *valid* is given, the worst first.
"""

import math

import msgspec
import numpy as np

from kilonode.base.outcomes import Outcome
from kilonode.base.units import format_seconds
from kilonode.check.buckets import MOST_POINTS, buckets_between, usual_width_s
from kilonode.check.circumstances import Disturbance
from kilonode.check.consistency import ConsistencyResults, Evidence, check_consistency
from kilonode.check.costs import evaluate_costs
from kilonode.check.criteria import CriterionRule
from kilonode.check.deaths import Death, list_deaths
from kilonode.check.disruptions import reasons_of_disruptions
from kilonode.check.distribution import curve, heat, histogram
from kilonode.check.facts import RunFacts, WorkloadFacts, asked_between
from kilonode.check.failures import group_failures
from kilonode.check.generator import judge_generator, lateness_p99_s
from kilonode.check.judgement import Measured, judge, measure, worst
from kilonode.check.latency import summarise_step
from kilonode.check.metrics import CONSISTENCY_METRICS, ITERATION_METRICS, RECOVERY_METRICS, UPGRADE_METRICS
from kilonode.check.operations import OperationTable
from kilonode.check.phases import StepTree
from kilonode.check.recovery.evaluation import evaluate_recovery
from kilonode.check.recovery.judging import measure_recovery
from kilonode.check.recovery.records import RecoveryResults
from kilonode.check.results import CriterionResult, Reason, Results, Verdict, WorkloadResults
from kilonode.check.series import flow, latency_over_time
from kilonode.check.stages import list_disruptions, summarise_stages
from kilonode.check.upgrades.evaluation import evaluate_upgrades
from kilonode.check.upgrades.judging import measure_upgrades
from kilonode.check.upgrades.records import UpgradeResults
from kilonode.history.columns import History
from kilonode.history.records import STILL_IN_EFFECT, OpKind

DROPPED_SHARE = 0.01
"""More of an open workload's iterations than this dropped means that the asked load was not applied."""
MISSING_SHARE = 0.01
MISSING_STANDARD_DEVIATIONS = 5
_WORKLOADS_AT_FULL_DETAIL = 8
_MOST_DEATHS = 5


def evaluate(
    history: History, facts: RunFacts, evidence: Evidence | None = None, control: History | None = None
) -> Results:
    """All numbers and the verdict of a run.

    `evidence` None: nobody wanted to know what there is after it. `control` is the history of the same load without
    disruptions, which recovery is measured against; None: what came before the disruptions stands for it.
    """
    table = OperationTable(history.columns)
    finish_s = _last_s(history)
    start_s = float(history.columns.started_ns.min() / 1e9) if len(history.columns) else 0.0
    windows = {workload.name: _window(workload, table, facts, history) for workload in facts.workloads}
    load_end_s = max((end_s for _, end_s in windows.values()), default=0.0)
    most_points = _most_points(len(facts.workloads))
    workloads = tuple(
        _evaluate_workload(workload, table, windows[workload.name], load_end_s, most_points)
        for workload in facts.workloads
    )
    disruptions = list_disruptions(table)
    met = [Disturbance(one.target or one.name, one.start_s, one.finish_s) for one in disruptions if one.happened]
    consistency = check_consistency(evidence, met) if evidence is not None else None
    deaths = list_deaths(table, met)
    undisturbed = OperationTable(control.columns) if control is not None else None
    recovery = evaluate_recovery(table, facts, windows, undisturbed)
    upgrades = evaluate_upgrades(table, facts, windows, consistency, undisturbed)
    criteria = tuple(_judge_rule(rule, table, facts, windows, consistency, recovery, upgrades) for rule in facts.rules)
    generator, generator_reasons = judge_generator(history.samples, table, facts, load_end_s)
    reasons = [
        *_reasons_of_criteria(criteria),
        *generator_reasons,
        *_reasons_of_history(history),
        *reasons_of_disruptions(table, facts),
        *_reasons_of_consistency(consistency, facts),
        *_reasons_of_upgrades(upgrades, facts),
        *_reasons_of_deaths(deaths),
        *(reason for workload in workloads for reason in _reasons_of_workload(workload, facts)),
    ]
    order = list(Verdict)
    reasons.sort(key=lambda reason: -order.index(reason.verdict))
    return Results(
        verdict=worst([reason.verdict for reason in reasons]),
        reasons=tuple(reasons),
        criteria=criteria,
        workloads=workloads,
        generator=generator,
        stages=summarise_stages(table),
        disruptions=disruptions,
        abortion=facts.abortion,
        torn=history.torn,
        lost_at_most_s=history.lost_at_most_s,
        operations=len(history.columns),
        start_s=min(0.0, start_s),
        load_end_s=load_end_s,
        finish_s=max(finish_s, load_end_s),
        simulated=facts.simulated,
        services=evaluate_costs(history.samples, table, facts, load_end_s),
        consistency=consistency,
        recovery=recovery,
        upgrades=upgrades,
        deaths=deaths,
    )


def _last_s(history: History) -> float:
    """The last that is known of the run. What outlived it may have been healed long after."""
    columns = history.columns
    outlived = [place for place, error in enumerate(columns.error_names) if error.startswith(STILL_IN_EFFECT)]
    finished_ns = columns.finished_ns[~np.isin(columns.error, outlived)]
    return float(finished_ns.max() / 1e9) if len(finished_ns) else 0.0


def _window(workload: WorkloadFacts, table: OperationTable, facts: RunFacts, history: History) -> tuple[float, float]:
    """The stretch of time that rates of a workload are taken over: its load, as far as it went."""
    end_s = workload.end_s
    iterations = table.of(OpKind.ITERATION, workload.name)
    if facts.abortion is not None:
        end_s = min(end_s, facts.abortion.at_s)
    if workload.ends_when_done and len(iterations):
        end_s = min(end_s, float(iterations.finished_s.max()))
    if history.torn and len(history.columns):
        end_s = min(end_s, _last_s(history))
    return workload.start_s, max(workload.start_s, end_s)


def _evaluate_workload(
    facts: WorkloadFacts, table: OperationTable, window: tuple[float, float], load_end_s: float, most_points: int
) -> WorkloadResults:
    start_s, end_s = window
    iterations = table.of(OpKind.ITERATION, facts.name)
    tree = StepTree(table, facts.name)
    steps = [("", iterations), *((step, tree.operations(step)) for step in tree.paths)]
    dropped = iterations.counts().get(Outcome.DROPPED, 0)
    last_s = max(end_s, float(iterations.finished_s.max(initial=end_s)))
    buckets = buckets_between(start_s, last_s, usual_width_s(max(last_s, load_end_s), most_points))
    due_buckets = buckets_between(start_s, end_s, buckets.width_s)
    errors, error_groups = group_failures(iterations)
    return WorkloadResults(
        facts=facts,
        measured_s=end_s - start_s,
        asked=_asked(facts, start_s, end_s),
        due=len(iterations),
        dropped=dropped,
        dropped_rate=dropped / len(iterations) if len(iterations) else None,
        lateness_p99_s=lateness_p99_s(iterations) if facts.open_model else None,
        steps=tuple(summarise_step(step, operations, start_s, end_s) for step, operations in steps),
        errors=errors,
        error_groups=error_groups,
        latency_over_time=latency_over_time(iterations, start_s, end_s, buckets.width_s),
        heat=heat(iterations, due_buckets),
        flow=flow(facts, iterations, buckets),
        histogram=histogram(iterations),
        curve=curve(iterations.sorted_latency(), iterations.sorted_service()),
        phases=tree.phases(due_buckets),
    )


def _judge_rule(
    rule: CriterionRule,
    table: OperationTable,
    facts: RunFacts,
    windows: dict[str, tuple[float, float]],
    consistency: ConsistencyResults | None,
    recovery: RecoveryResults | None,
    upgrades: UpgradeResults | None,
) -> CriterionResult:
    criterion = rule.criterion
    if criterion.metric in UPGRADE_METRICS:
        return judge(rule, measure_upgrades(criterion.metric, upgrades))
    if criterion.metric in RECOVERY_METRICS:
        order = list(Verdict)
        judged = [judge(rule, measured) for measured in measure_recovery(criterion, recovery)]
        return max(judged, key=lambda one: (order.index(one.verdict), one.measured or 0.0))
    if criterion.metric in CONSISTENCY_METRICS:
        return judge(rule, _measure_consistency(criterion.metric, consistency))
    if not criterion.workload:
        operations = table.of_kind(OpKind.ITERATION)
        start_s = min((start for start, _ in windows.values()), default=0.0)
        end_s = max((end for _, end in windows.values()), default=0.0)
    else:
        kind = OpKind.STEP if criterion.step else OpKind.ITERATION
        operations = table.of(kind, criterion.workload, criterion.step)
        start_s, end_s = windows.get(criterion.workload, (0.0, 0.0))
    if rule.after_s > 0:
        operations = operations.where(operations.due_s >= rule.after_s)
        start_s = max(start_s, rule.after_s)
    result = judge(rule, measure(criterion, operations, start_s, end_s))
    abortion = facts.abortion
    if abortion is not None and abortion.criterion == str(criterion):
        note = f"it ended the load at {format_seconds(abortion.at_s)}: {abortion.reason}"
        note = "; ".join(part for part in (note, result.note) if part)
        return msgspec.structs.replace(result, verdict=Verdict.INVALID, note=note)
    return result


def _reasons_of_criteria(criteria: tuple[CriterionResult, ...]) -> list[Reason]:
    words = {Verdict.INVALID: "did not hold", Verdict.UNKNOWN: "cannot be judged"}
    return [
        Reason(
            verdict=result.verdict,
            about="criterion",
            text=f"{result.criterion} {words[result.verdict]}" + (f": {result.note}." if result.note else "."),
        )
        for result in criteria
        if result.verdict is not Verdict.VALID
    ]


def _measure_consistency(metric: str, consistency: ConsistencyResults | None) -> Measured:
    if consistency is None:
        return Measured(None, 0, note="nobody looked what there is after the run")
    found = next(one for one in consistency.counts if one.breach == metric)
    value = float(found.count) if found.count is not None else None
    samples, samples_of = consistency.held_against(found.breach)
    return Measured(value, samples, at_least=bool(found.note), note=found.note, samples_of=samples_of)


def _reasons_of_consistency(consistency: ConsistencyResults | None, facts: RunFacts) -> list[Reason]:
    """What was found and no criterion speaks of: a cloud that lost something is not fine because nobody asked."""
    if consistency is None:
        return []
    judged = {rule.criterion.metric for rule in facts.rules}
    return [
        Reason(
            verdict=Verdict.INVALID,
            about="consistency",
            text=f"After the run {one.count:,} resources or accounts are {one.breach}.",
        )
        for one in consistency.counts
        if one.count and one.breach not in judged
    ]


def _reasons_of_upgrades(upgrades: UpgradeResults | None, facts: RunFacts) -> list[Reason]:
    """An upgrade that failed makes a run invalid; one that the load's end cut short, or kept from beginning, unknown. A
    run that was ended early says so itself.
    """
    return [
        Reason(
            verdict=Verdict.INVALID if one.outcome == Outcome.WRONG_STATE else Verdict.UNKNOWN,
            about="upgrade",
            text=f"{one.sentence[:1].upper()}{one.sentence[1:]} did not come to its end: {one.error}.",
        )
        for one in (upgrades.upgrades if upgrades is not None else ())
        if one.outcome == Outcome.WRONG_STATE or (one.outcome != Outcome.OK and facts.abortion is None)
    ]


def _reasons_of_deaths(deaths: tuple[Death, ...]) -> list[Reason]:
    """A cloud that lost a process is not fine because nobody asked, or because users did not notice."""
    texts = [f"Process {death}, and nothing in this run was meant to end it." for death in deaths[:_MOST_DEATHS]]
    if len(deaths) > _MOST_DEATHS:
        texts.append(f"{len(deaths) - _MOST_DEATHS:,} more processes ended that nothing in this run was meant to end.")
    return [Reason(verdict=Verdict.INVALID, about="death", text=text) for text in texts]


def _reasons_of_history(history: History) -> list[Reason]:
    if not history.torn:
        return []
    text = (
        "The history is torn: a process was killed or a file is damaged, and up to "
        f"{format_seconds(history.lost_at_most_s)} of what happened is missing."
    )
    return [Reason(verdict=Verdict.UNKNOWN, about="history", text=text)]


def _reasons_of_workload(workload: WorkloadResults, facts: RunFacts) -> list[Reason]:
    name, iterations = workload.facts.name, workload.steps[0]
    judged = {rule.criterion.workload for rule in facts.rules if rule.criterion.metric in ITERATION_METRICS}
    reasons = []
    if workload.due == 0:
        reasons.append(f"{name} made no iteration.")
    elif workload.asked is not None and workload.due < workload.asked - _slack(workload.asked):
        reasons.append(
            f"Of about {workload.asked:,.0f} iterations that {name} was asked for, only {workload.due:,} are in the "
            "history: the asked load was not applied."
        )
    elif iterations.finished == 0 and workload.dropped < workload.due:
        reasons.append(f"Of {name} no iteration came to an end.")
    elif not iterations.outcomes.get(Outcome.OK, 0):
        reasons.append(f"Of {name} not one iteration went well: nothing is known about its latency.")
    if (workload.dropped_rate or 0) > DROPPED_SHARE and not judged & {name, ""}:
        reasons.append(
            f"{workload.dropped:,} of {workload.due:,} iterations of {name} were dropped because "
            f"{workload.facts.max_vus:,} (max_vus) were still running: the asked load was not applied. Raise max_vus, "
            "or say with a criterion on dropped_rate how much is right."
        )
    return [Reason(verdict=Verdict.UNKNOWN, about="workload", text=text) for text in reasons]


def _asked(facts: WorkloadFacts, start_s: float, end_s: float) -> float | None:
    return float(asked_between(facts.asked_per_s, np.array([start_s, end_s]))[0]) if facts.open_model else None


def _slack(asked: float) -> float:
    """How many iterations may be missing: chance (a Poisson schedule) and the edges of time explain so many."""
    return 1 + max(MISSING_SHARE * asked, MISSING_STANDARD_DEVIATIONS * math.sqrt(asked))


def _most_points(workloads: int) -> int:
    """How many buckets a series may have, so that the report of many workloads stays small."""
    return max(100, MOST_POINTS * _WORKLOADS_AT_FULL_DETAIL // max(workloads, _WORKLOADS_AT_FULL_DETAIL))
