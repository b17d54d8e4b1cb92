"""Whether there was always somebody to serve: accessible, by those who asked; rolling, by who was seen to serve.

Pure. `accessible` looks at probes where there are any, because they ask by a schedule over connections of their own;
else at all workloads of an open model. A closed model stops asking while nobody answers, and shows nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from kilonode.base.units import format_seconds
from kilonode.check.recovery.samples import probes_of
from kilonode.check.upgrades.records import Assertion, Held
from kilonode.check.upgrades.seen import Seen, Served, Stretch, length_s, merged, role_of, shared

WINDOW_S: Final = 1.0
FEWEST_ASKED: Final = 3
"""So many requests are due in a window, or it is longer: one that is lost by itself is no outage."""
UNSEEN_GAP_S: Final = 0.1
"""Who serves is looked at so often: a gap that is shorter may be none."""


def accessible(seen: Sequence[Seen], stretch: Stretch) -> Assertion:
    """In every second of the upgrade and after it, somebody who asked was answered well."""
    watchers = [one for one in seen if one.facts.endpoint] or [one for one in seen if one.facts.open_model]
    if not watchers:
        return _said("accessible", Held.UNKNOWN, "nobody asked by a schedule: add a probe")
    asked = 0
    silent_s, unasked_s, watched_s = 0.0, 0.0, 0.0
    silent: list[str] = []
    for one in watchers:
        end_s = min(stretch.observed_s, one.facts.end_s)
        probes = probes_of(one.iterations).due_between(stretch.start_s, end_s)
        width_s = max(WINDOW_S, FEWEST_ASKED * probes.spacing_s())
        windows = max(1, int((end_s - stretch.start_s) // width_s))
        # The last one takes what is left over, so that none is too short to say anything.
        place = np.minimum(((probes.due_s - stretch.start_s) // width_s).astype(np.int64), windows - 1)
        due = np.bincount(place, minlength=windows)
        good = np.bincount(place[~probes.lost], minlength=windows)
        asked += len(probes)
        watched_s += windows * width_s
        quiet = np.flatnonzero((due > 0) & (good == 0))
        silent_s += len(quiet) * width_s
        unasked_s += int((due == 0).sum()) * width_s
        silent += [f"{one.facts.name} at {stretch.start_s + number * width_s:.1f} s" for number in quiet.tolist()]
    evidence = {"watched_s": watched_s, "unanswered_s": silent_s, "unasked_s": unasked_s, "requests": float(asked)}
    whom = ", ".join(one.facts.name for one in watchers)
    if silent:
        text = f"{format_seconds(silent_s)} without a single good answer: {_first(silent)}"
        return _said("accessible", Held.FAILED, text, evidence)
    if unasked_s or not asked:
        return _said("accessible", Held.UNKNOWN, f"in {format_seconds(unasked_s)} of it nobody asked", evidence)
    text = f"{whom}: good answers in every window of {format_seconds(WINDOW_S)} or {FEWEST_ASKED} of {asked:,} requests"
    return _said("accessible", Held.HELD, text, evidence)


def rolling(served: Sequence[Served], stretch: Stretch) -> Assertion:
    """In every role, old and new served at the same time, and somebody always did."""
    if not served:
        return _said("rolling", Held.UNKNOWN, "nobody saw which version served when")
    evidence: dict[str, float] = {}
    wrong: list[str] = []
    together: list[str] = []
    for role in sorted({role_of(one.what) for one in served}):
        own = [one for one in served if role_of(one.what) == role]
        old = [(one.start_s, one.finish_s) for one in own if not one.new]
        new = [(one.start_s, one.finish_s) for one in own if one.new]
        both_s = length_s(shared(old, new))
        gaps = _gaps(merged([*old, *new]), stretch.start_s, stretch.finish_s)
        none_s = sum(finish - start for start, finish in gaps)
        evidence |= {f"{role}_together_s": both_s, f"{role}_none_s": none_s}
        if none_s:
            wrong.append(f"{role}: nobody served for {format_seconds(none_s)}")
        if not new:
            wrong.append(f"{role}: the new version never served")
        elif not both_s:
            wrong.append(f"{role}: old and new never served at the same time")
        together.append(f"{role} {format_seconds(both_s)}")
    if wrong:
        return _said("rolling", Held.FAILED, "; ".join(wrong), evidence)
    return _said("rolling", Held.HELD, f"old and new served together: {', '.join(together)}; never none", evidence)


def _gaps(covered: Sequence[tuple[float, float]], start_s: float, finish_s: float) -> list[tuple[float, float]]:
    """The time between two instants that is not covered, as far as it could be seen."""
    edges = [start_s, *(edge for span in covered for edge in span), finish_s]
    pairs = list(zip(edges[::2], edges[1::2], strict=True))
    return [(start, finish) for start, finish in pairs if finish - start > UNSEEN_GAP_S]


def _first(several: Sequence[str]) -> str:
    more = f" and {len(several) - 3} more" if len(several) > 3 else ""
    return ", ".join(several[:3]) + more


def _said(name: str, held: Held, text: str, evidence: Mapping[str, float] | None = None) -> Assertion:
    return Assertion(name=name, held=held, text=text, evidence=dict(evidence or {}))
