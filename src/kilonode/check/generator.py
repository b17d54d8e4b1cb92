"""Was the generator the bottleneck? Judged from its own health, recorded each second, and from how late it started.

A run whose generator could not do what it was asked to says nothing about the cloud: its verdict is *unknown*. Short
blips must not flip a verdict, so every rule wants its condition to last: at least `FEWEST_BAD_SECONDS` and
`BAD_SHARE` of the load. What stays below that becomes a note. The thresholds and their reasons stand in docs/check.md.
Simulated runs have no generator to judge.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from kilonode.base.outcomes import Outcome
from kilonode.base.units import format_seconds
from kilonode.check.buckets import Buckets, buckets_between, drawn
from kilonode.check.facts import RunFacts, WorkloadFacts
from kilonode.check.operations import Operations, OperationTable
from kilonode.check.results import GeneratorResults, Line, Reason, SourceState, Verdict
from kilonode.check.statistics import Booleans, Floats, rank_of
from kilonode.history.columns import Samples
from kilonode.history.records import OpKind

FEWEST_BAD_SECONDS: Final = 3
BAD_SHARE: Final = 0.1
BUSY_CPU_FRACTION: Final = 0.9
CPU_WINDOW_SAMPLES: Final = 5
"""Processor use is taken as a mean over so many samples, a second apart."""
LAG_WHEN_BUSY_S: Final = 0.01
"""With a busy processor, a loop that lags this much delays what it measures."""
LAG_S: Final = 0.1
"""A loop that lags this much delays what it measures, whatever the reason."""
LATE_S: Final = 0.02
LATE_SHARE: Final = 0.25
"""Iterations are late when the p99 of a second's lateness exceeds `LATE_S` and this share of the latency's p99.
Lateness counts against the cloud, never for it, so what is shorter than anything said about a control plane, and than a
time slice that the operating system gives to somebody else, makes no verdict unknown; it is shown all the same."""
SILENT_S: Final = 3.5
"""Health is recorded each second: a longer gap means that the process did not run."""
WAITED_SHARE: Final = 0.01
"""Of the requests, for a free connection: the client's own limit then bounds what the cloud is asked."""
OPEN_FILES_SHARE: Final = 0.95
OPEN_FILES_NOTE_SHARE: Final = 0.8
MOST_LINE_POINTS: Final = 600
REPETITIONS: Final = {
    "requests_resent": "a reused connection had been closed by the server before a byte of the answer came",
    "tokens_refused": "the service refused the token, and a new one was fetched",
}
GENERATOR: Final = "generator"
SHOWN_METRICS: Final = (
    "cpu_fraction", "loop_lag_s_max", "lateness_s_p99", "lateness_s_max", "open_files", "memory_bytes", "active_vus",
    "dropped",
)  # fmt: skip


@dataclass(slots=True)
class _Findings:
    reasons: list[Reason] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def judge(self, bad_s: float, load_s: float, text: str, *, harmful: bool = True) -> None:
        """A reason when it lasted and did harm, a note when it was a blip, nothing when it never was."""
        if harmful and bad_s >= max(FEWEST_BAD_SECONDS, BAD_SHARE * load_s):
            self.reasons.append(Reason(verdict=Verdict.UNKNOWN, about="generator", text=text))
        elif bad_s > 0:
            self.notes.append(f"{text} Too little to change the verdict.")


def judge_generator(
    samples: Samples, table: OperationTable, facts: RunFacts, load_end_s: float
) -> tuple[GeneratorResults, list[Reason]]:
    """The generator's state, and the reasons it gives not to trust the run."""
    findings = _Findings()
    sources = [name for name in samples.source_names if name.startswith(GENERATOR)]
    if not facts.simulated:
        for source in sources:
            _judge_process(samples, source, load_end_s, findings)
            _judge_waiting(samples, source, table, load_end_s, findings)
            _note_repetitions(samples, source, findings)
        for workload in facts.workloads:
            if workload.open_model:
                _judge_lateness(workload, table.of(OpKind.ITERATION, workload.name), load_end_s, findings)
    _judge_exhaustion(table, findings)
    for death in facts.dead_workers:
        findings.reasons.append(Reason(verdict=Verdict.UNKNOWN, about="generator", text=_sentence(death)))
    results = GeneratorResults(
        trusted=not findings.reasons,
        watched=bool(sources),
        cpu_fraction_max_sustained=_highest(
            [_moving_mean(_during(samples, source, "cpu_fraction", load_end_s)[1]) for source in sources]
        ),
        loop_lag_s_max=_highest([_during(samples, source, "loop_lag_s_max", load_end_s)[1] for source in sources]),
        lateness_s_p99=_lateness_p99_s(table, facts),
        open_files_share_max=_highest([_open_files_share(samples, source, load_end_s)[1] for source in sources]),
        memory_bytes_max=_together(samples, sources, "memory_bytes"),
        notes=tuple(findings.notes),
        sources=tuple(_state(samples, source) for source in sources),
    )
    return results, findings.reasons


def lateness_p99_s(iterations: Operations) -> float | None:
    """The p99 of how late iterations started, without those dropped; None without any."""
    lateness_s = np.sort(iterations.where(~iterations.ended([Outcome.DROPPED])).lateness_s)
    return float(lateness_s[rank_of(len(lateness_s), 99.0) - 1]) if len(lateness_s) else None


def _judge_process(samples: Samples, source: str, load_end_s: float, findings: _Findings) -> None:
    at_s, cpu = _during(samples, source, "cpu_fraction", load_end_s)
    lag_at_s, lag_s = _during(samples, source, "loop_lag_s_max", load_end_s)
    busy_s = _busy_while_lagging(at_s, cpu, lag_at_s, lag_s)
    findings.judge(
        busy_s,
        load_end_s,
        f"{source} was at its processor's limit (over {BUSY_CPU_FRACTION:.0%} of a core) and its event loop lagged for "
        f"{format_seconds(busy_s)} of the load: it measured itself. More workers or a smaller load would help.",
    )
    lagging_s = float(np.count_nonzero(lag_s >= LAG_S))
    if not busy_s:
        findings.judge(
            lagging_s,
            load_end_s,
            f"The event loop of {source} lagged by up to {format_seconds(float(lag_s.max(initial=0.0)))}, more than "
            f"{format_seconds(LAG_S)} in {lagging_s:.0f} seconds: something else kept it from running.",
        )
    silent_s = _silence_s(at_s, load_end_s)
    findings.judge(
        silent_s, load_end_s, f"{source} said nothing about its health for {format_seconds(silent_s)} of the load."
    )
    _, share = _open_files_share(samples, source, load_end_s)
    scarce = float(np.count_nonzero(share >= OPEN_FILES_SHARE))
    highest = float(share.max(initial=0.0))
    if scarce >= FEWEST_BAD_SECONDS:
        text = f"{source} had {highest:.0%} of the file descriptors open that it may have: connections may have failed"
        findings.reasons.append(
            Reason(verdict=Verdict.UNKNOWN, about="generator", text=f"{text} for want of them. Raise the limit.")
        )
    elif highest >= OPEN_FILES_NOTE_SHARE:
        findings.notes.append(f"{source} had {highest:.0%} of the file descriptors open that it may have.")


def _judge_waiting(
    samples: Samples, source: str, table: OperationTable, load_end_s: float, findings: _Findings
) -> None:
    """Whether requests queued for a free connection inside the client: then the client held back the load."""
    _, waited = _during(samples, source, "requests_waited", load_end_s)
    more = np.diff(waited, prepend=0.0)
    waiting_s, total = float(np.count_nonzero(more > 0)), float(more.sum())
    asked = len(table.of_kind(OpKind.STEP)) or len(table.of_kind(OpKind.ITERATION))
    findings.judge(
        waiting_s,
        load_end_s,
        f"{total:.0f} requests of {source} waited for a free connection, in {waiting_s:.0f} seconds: its own limit of "
        "connections to one host held back the load. More workers or fewer virtual users would help.",
        harmful=total >= WAITED_SHARE * asked,
    )


def _judge_exhaustion(table: OperationTable, findings: _Findings) -> None:
    """Whether the generator's machine could not connect. Once is enough: a limit was reached, and what was asked next
    was not asked of the cloud; there is no small amount of that, and one setting mends it.
    """
    of_kinds = (table.of_kind(OpKind.ITERATION), table.of_kind(OpKind.STEP))
    exhausted = next((found for one in of_kinds if len(found := one.with_outcome(Outcome.EXHAUSTED))), None)
    if exhausted is None:
        return
    codes, counts = np.unique(exhausted.error, return_counts=True)
    message = exhausted.error_names[int(codes[counts.argmax()])]
    text = (
        f"{len(exhausted):,} operations never reached the cloud, because the generator's machine was at its limits; "
        f"most often: {message}. Raise the limit (ulimit -n, net.ipv4.ip_local_port_range) or lower the load."
    )
    findings.reasons.append(Reason(verdict=Verdict.UNKNOWN, about="generator", text=text))


def _note_repetitions(samples: Samples, source: str, findings: _Findings) -> None:
    """Say what was sent twice: its latency holds both times, and the history shows one operation."""
    for metric, text in REPETITIONS.items():
        count = float(samples.of(source, metric)[1].max(initial=0.0))
        if count:
            findings.notes.append(f"{source} sent {count:.0f} requests a second time: {text}.")


def _judge_lateness(workload: WorkloadFacts, iterations: Operations, load_end_s: float, findings: _Findings) -> None:
    """Whether iterations of an open model were started so late that their latency is the generator's own."""
    started = iterations.where(~iterations.ended([Outcome.DROPPED]))
    latency = started.sorted_latency()
    if len(latency) == 0:
        return
    latency_p99_s = latency.at_rank(rank_of(len(latency), 99.0))
    limit_s = max(LATE_S, LATE_SHARE * latency_p99_s)
    buckets = buckets_between(workload.start_s, min(workload.end_s, load_end_s), 1.0)
    late = _p99_of_each(buckets, started.due_s, started.lateness_s) > limit_s
    highest_s = float(started.lateness_s.max(initial=0.0))
    late_s = float(np.count_nonzero(late))
    all_late_p99_s = lateness_p99_s(iterations) or 0.0
    findings.judge(
        late_s,
        buckets.count * 1.0,
        f"Iterations of {workload.name} started late in {late_s:.0f} of {buckets.count} seconds, by up to "
        f"{format_seconds(highest_s)}: p99 {format_seconds(all_late_p99_s)} over the load, beside a latency of p99 "
        f"{format_seconds(latency_p99_s)}.",
        harmful=all_late_p99_s > limit_s,
    )


def _p99_of_each(buckets: Buckets, at_s: Floats, values_s: Floats) -> Floats:
    bucket = buckets.of(at_s)
    ordered = values_s[np.lexsort((values_s, bucket))]
    count = np.bincount(bucket, minlength=buckets.count)
    first = np.concatenate(([0], np.cumsum(count)[:-1]))
    ranks = np.array([rank_of(int(some), 99.0) for some in count.tolist()], dtype=np.int64)
    found = np.zeros(buckets.count)
    some = count > 0
    found[some] = ordered[(first + ranks - 1)[some]]
    return found


def _busy_while_lagging(at_s: Floats, cpu: Floats, lag_at_s: Floats, lag_s: Floats) -> float:
    """For how many seconds processor use was sustained at the limit while the loop lagged."""
    if len(at_s) < CPU_WINDOW_SAMPLES or len(lag_at_s) == 0:
        return 0.0
    busy: Booleans = np.zeros(len(at_s), dtype=np.bool_)
    for first in np.flatnonzero(_moving_mean(cpu) >= BUSY_CPU_FRACTION).tolist():
        busy[first : first + CPU_WINDOW_SAMPLES] = True
    nearest = np.clip(np.searchsorted(lag_at_s, at_s), 0, len(lag_at_s) - 1)
    return float(np.count_nonzero(busy & (lag_s[nearest] >= LAG_WHEN_BUSY_S)))


def _silence_s(at_s: Floats, load_end_s: float) -> float:
    if len(at_s) == 0:
        return 0.0
    gaps_s = np.diff(np.concatenate(([0.0], at_s, [max(load_end_s, float(at_s[-1]))])))
    return float(gaps_s[gaps_s > SILENT_S].sum())


def _open_files_share(samples: Samples, source: str, load_end_s: float) -> tuple[Floats, Floats]:
    at_s, files = _during(samples, source, "open_files", load_end_s)
    _, limit = _during(samples, source, "open_files_limit", load_end_s)
    if len(limit) == 0 or limit[-1] <= 0:
        return at_s[:0], files[:0]
    return at_s, files / limit[-1]


def _during(samples: Samples, source: str, metric: str, load_end_s: float) -> tuple[Floats, Floats]:
    """One metric of one source while the load ran."""
    at_ns, value = samples.of(source, metric)
    at_s = at_ns / 1e9
    inside = (at_s >= 0) & (at_s <= load_end_s)
    return at_s[inside], value[inside]


def _moving_mean(values: Floats) -> Floats:
    if len(values) < CPU_WINDOW_SAMPLES:
        return values[:0]
    total = np.concatenate(([0.0], np.cumsum(values)))
    return (total[CPU_WINDOW_SAMPLES:] - total[:-CPU_WINDOW_SAMPLES]) / CPU_WINDOW_SAMPLES


def _lateness_p99_s(table: OperationTable, facts: RunFacts) -> float | None:
    found = [
        lateness_p99_s(table.of(OpKind.ITERATION, workload.name)) for workload in facts.workloads if workload.open_model
    ]
    return max((value for value in found if value is not None), default=None)


def _highest(lines: list[Floats]) -> float | None:
    return max((float(line.max()) for line in lines if len(line)), default=None)


def _together(samples: Samples, sources: list[str], metric: str) -> float | None:
    """The sum over all processes of what each had at most."""
    found = [samples.of(source, metric)[1] for source in sources]
    return sum(float(line.max()) for line in found if len(line)) if any(len(line) for line in found) else None


def _state(samples: Samples, source: str) -> SourceState:
    lines = []
    chosen = samples.source == samples.source_names.index(source)
    recorded = {samples.metric_names[code] for code in np.unique(samples.metric[chosen]).tolist()}
    order = {metric: place for place, metric in enumerate(SHOWN_METRICS)}
    for metric in sorted(recorded, key=lambda name: (order.get(name, len(order)), name)):
        at_ns, value = samples.of(source, metric)
        at_s, thinned = _thin(at_ns / 1e9, value)
        lines.append(Line(metric=metric, at_s=tuple(round(at, 2) for at in at_s.tolist()), value=drawn(thinned)))
    return SourceState(source=source, lines=tuple(lines))


def _thin(at_s: Floats, value: Floats) -> tuple[Floats, Floats]:
    """At most `MOST_LINE_POINTS` points: of each stretch the highest, because peaks are what matters here."""
    together = -(-len(at_s) // MOST_LINE_POINTS)
    if together <= 1:
        return at_s, value
    starts = np.arange(0, len(at_s), together)
    return at_s[starts], np.maximum.reduceat(value, starts)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}" if text.endswith(".") else f"{text[:1].upper()}{text[1:]}."
