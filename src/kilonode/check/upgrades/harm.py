"""What an upgrade did to those who used the cloud: failures that would not have been, and operations that got slower.

Pure. Both are held against the same workloads without the upgrade: as they were before, or in a run without one.

Latencies are compared as runs are (`kilonode.check.ratios`): ratios of medians and of 95th percentiles, with intervals.
As there are several, all intervals are widened by Bonferroni's rule, so that one among them excludes the truth with a
probability of at most 5 %. Chance alone is not what matters to users: a ratio whose whole interval lies above
`NOTICEABLE` is an impact; where the interval reaches beyond `BLIND`, too little was seen to say that there is none.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

from kilonode.base.outcomes import Outcome
from kilonode.check.consistency import Breach, ConsistencyResults
from kilonode.check.latency import error_share, percentile_of
from kilonode.check.operations import Operations
from kilonode.check.ratios import difference_interval, ratio_of
from kilonode.check.results import Interval
from kilonode.check.statistics import CONFIDENCE
from kilonode.check.upgrades.records import Assertion, Held
from kilonode.check.upgrades.seen import Seen, Stretch

AVOIDABLE: Final = frozenset(
    {
        Outcome.REFUSED, Outcome.RESET, Outcome.TIMEOUT, Outcome.TLS, Outcome.PROTOCOL, Outcome.HTTP_5XX,
        Outcome.WRONG_STATE,
    }
)  # fmt: skip
"""How an operation fails for want of a service that works; other failures are answers."""
UNSEEN: Final = frozenset({Outcome.DROPPED, Outcome.CANCELLED, Outcome.EXHAUSTED})
UNDONE: Final = frozenset({Breach.LOST, Breach.STUCK, Breach.RESURRECTED, Breach.STRAYED, Breach.DUPLICATED})
"""Findings after a run that are accepted requests which were not done, or done twice."""
NOTICEABLE: Final = 1.1
BLIND: Final = 2.0
_NORMAL: Final = NormalDist()


def zero_downtime(seen: Sequence[Seen], stretch: Stretch, consistency: ConsistencyResults | None) -> Assertion:
    """No failure that was the upgrade's, and every accepted request done."""
    worse: list[str] = []
    doubtful: list[str] = []
    failed_in_all = asked = unseen = 0
    for one in seen:
        touched = _touched(one.iterations, stretch.start_s, stretch.observed_s)
        failed, before = touched.where(touched.ended(AVOIDABLE)), one.baseline.where(one.baseline.ended(AVOIDABLE))
        asked += len(touched)
        failed_in_all += len(failed)
        unseen += int(touched.ended(UNSEEN).sum())
        if not len(failed):
            continue
        words = f"{one.facts.name}: {len(failed):,} of {len(touched):,} failed ({_by_outcome(failed)})"
        if not len(before):
            worse.append(words)
            continue
        words += f", {len(before):,} of {len(one.baseline):,} without it"
        (worse if _more_often(before, one.baseline, failed, touched) else doubtful).append(words)
    undone, why_not = _undone(consistency)
    evidence = {
        "operations": float(asked),
        "failed": float(failed_in_all),
        "unseen": float(unseen),
        "not_done": None if undone is None else float(undone),
    }
    if undone:
        worse.append(f"{undone:,} accepted requests were not done, or twice")
    if worse:
        return Assertion(name="zero_downtime", held=Held.FAILED, text="; ".join(worse), evidence=evidence)
    doubts = [f"{words}: not clearly more" for words in doubtful]
    if unseen:
        doubts.append(f"{unseen:,} operations were dropped or cut off: how they would have ended is not known")
    if undone is None:
        doubts.append(f"whether every accepted request was done is not known: {why_not}")
    if not asked:
        doubts.append("nobody asked for anything")
    if doubts:
        return Assertion(name="zero_downtime", held=Held.UNKNOWN, text="; ".join(doubts), evidence=evidence)
    text = f"none of {asked:,} operations failed, and what was accepted is done"
    return Assertion(name="zero_downtime", held=Held.HELD, text=text, evidence=evidence)


def zero_impact(seen: Sequence[Seen], stretch: Stretch) -> Assertion:
    """Nothing became slower, during the upgrade or after it."""
    compared: list[tuple[str, float, float | None, float | None]] = []
    missing: list[str] = []
    untold: list[str] = []
    for one in seen:
        for percent, until_s, when in (
            (50.0, stretch.finish_s, "during"),
            (50.0, stretch.observed_s, "from then on"),
            (95.0, stretch.observed_s, "from then on"),
        ):
            what = f"{one.facts.name} {'median' if percent == 50 else f'p{percent:g}'} {when}"
            touched = _touched(one.iterations, stretch.start_s, until_s)
            before, after = (percentile_of(some.sorted_latency(), percent) for some in (one.baseline, touched))
            ratio, interval, _ = ratio_of(before, after)
            if percent > 50 and (interval is None or (interval.high is None and (interval.low or 0) <= NOTICEABLE)):
                untold.append(what)  # a tail takes many samples; the median is there to tell
            elif ratio is None or interval is None:
                missing.append(what)
            else:
                compared.append((what, ratio, interval.low, interval.high))
    wider = _widening(len(compared))
    widened = [(what, ratio, _widen(ratio, Interval(low=low, high=high), wider)) for what, ratio, low, high in compared]
    evidence: dict[str, float | None] = {"compared": float(len(compared))}
    evidence |= {f"{what} ratio": ratio for what, ratio, _ in widened}
    slower = [one for one in widened if one[2].low is not None and one[2].low > NOTICEABLE]
    if slower:
        text = "; ".join(_words(*one) for one in slower)
        return Assertion(name="zero_impact", held=Held.FAILED, text=text, evidence=evidence)
    blind = [one for one in widened if one[2].high is None or one[2].high > BLIND]
    if blind or missing or not compared:
        few = [*(what for what, _, _ in blind), *missing]
        text = f"too few operations to tell: {', '.join(few)}" if few else "nothing to compare"
        return Assertion(name="zero_impact", held=Held.UNKNOWN, text=text, evidence=evidence)
    most = max(widened, key=lambda one: one[1])
    text = f"none of {len(widened)} percentiles is noticeably longer; the most: {_words(*most)}"
    text += f"; too few operations for {', '.join(untold)}" if untold else ""
    return Assertion(name="zero_impact", held=Held.HELD, text=text, evidence=evidence)


def _touched(iterations: Operations, start_s: float, until_s: float) -> Operations:
    """Those that were under way at the beginning, or due until the end."""
    due_s = iterations.due_s
    return iterations.where((iterations.finished_s >= start_s) & (due_s < until_s))


def _more_often(before: Operations, baseline: Operations, failed: Operations, touched: Operations) -> bool:
    """Whether failures are a larger share than without the upgrade, beyond chance."""
    usual, usual_interval = error_share(len(baseline), len(before))
    share, interval = error_share(len(touched), len(failed))
    if usual is None or share is None or usual_interval is None or interval is None:
        return False
    low, _ = difference_interval(usual, (usual_interval.low, usual_interval.high), share, (interval.low, interval.high))
    return low is not None and low > 0


def _undone(consistency: ConsistencyResults | None) -> tuple[int | None, str]:
    """How many accepted requests were not done; None: not known, and why."""
    if consistency is None:
        return None, "nobody looked what there is after the run"
    counts = [one for one in consistency.counts if one.breach in UNDONE]
    found = sum(one.count or 0 for one in counts)
    unknown = [one.note for one in counts if one.count is None]
    if unknown and not found:
        return None, unknown[0]
    return found, ""


def _by_outcome(failed: Operations) -> str:
    return ", ".join(f"{count:,} {outcome}" for outcome, count in failed.counts().items())


def _widening(count: int) -> float:
    """How much further out the ends of intervals lie when so many of them have to be right at once."""
    tail = (1 - CONFIDENCE) / 2
    return _NORMAL.inv_cdf(1 - tail / max(1, count)) / _NORMAL.inv_cdf(1 - tail)


def _widen(ratio: float, interval: Interval, wider: float) -> Interval:
    ends = (
        None if end is None or end <= 0 else ratio * math.exp(wider * (math.log(end) - math.log(ratio)))
        for end in (interval.low, interval.high)
    )
    low, high = ends
    return Interval(low=low, high=high)


def _words(what: str, ratio: float, interval: Interval) -> str:
    low, high = ("…" if end is None else f"{end:.2f}" for end in (interval.low, interval.high))
    return f"{what} {ratio:.2f} times as long (95 %: {low} to {high})"
