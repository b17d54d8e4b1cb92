"""Rally's iterations, actions and hooks as Ops.

An iteration lasts as long as it did on the wall: what Rally measured, and what it slept meanwhile; the sleep stands in
it as the step `idle`, at its end, because Rally does not say when it was. Without instants of their own, actions are
laid one after the other, and of an iteration that failed the last one is taken to have failed. Dots in names of actions
become underscores: here a dot means that one step is inside another. A hook is a disruption that took effect when the
hook began and healed when it ended, as far as Rally can know: the fault itself came in between.
"""

import re
from collections.abc import Iterator
from typing import Final

from kilonode.base.clock import NANOSECONDS_PER_SECOND
from kilonode.base.errors import trim
from kilonode.base.outcomes import Outcome
from kilonode.history.records import Op, OpKind
from kilonode.run.facts import IDLE
from kilonode.run.importing.rally_records import RallyAction, RallyHook, RallyIteration, RallyLoad

_STATUS: Final = re.compile(r"\bHTTP (\d{3})\b")
_KINDS: Final[tuple[tuple[re.Pattern[str], Outcome], ...]] = (
    (re.compile(r"quota|overlimit|toomanyrequests", re.IGNORECASE), Outcome.QUOTA),
    (re.compile(r"errorstatus|failurestatus|invalidstatus", re.IGNORECASE), Outcome.WRONG_STATE),
    (re.compile(r"time(d)? ?out", re.IGNORECASE), Outcome.TIMEOUT),
    (re.compile(r"ssl|certificate", re.IGNORECASE), Outcome.TLS),
    (re.compile(r"connectfailure|connectionrefused|unable to establish|unreachable", re.IGNORECASE), Outcome.REFUSED),
    (re.compile(r"connectionreset|connection aborted|broken pipe|connectionerror", re.IGNORECASE), Outcome.RESET),
)
_NOT_A_WORD: Final = re.compile(r"[^A-Za-z0-9_-]+")


def ops_of_load(load: RallyLoad, workload: str, zero_s: float, first_disruption: int) -> Iterator[Op]:
    """The Ops of one load as the workload of this name; disruptions are numbered from `first_disruption`."""
    for number, iteration in enumerate(load.iterations):
        yield from _ops_of_iteration(iteration, workload, number, zero_s)
    for number, hook in enumerate(load.hooks, first_disruption):
        yield _op_of_hook(hook, number, zero_s)


def classify(kind: str, message: str) -> Outcome:
    """The outcome that an exception of this kind means; `scenario` where nothing tells."""
    status = _STATUS.search(message)
    for pattern, outcome in _KINDS[:2]:
        if pattern.search(kind):
            return outcome
    if status is not None:
        code = int(status[1])
        return Outcome.HTTP_5XX if code >= 500 else Outcome.HTTP_4XX if code >= 400 else Outcome.PROTOCOL
    text = f"{kind} {message}"
    return next((outcome for pattern, outcome in _KINDS if pattern.search(text)), Outcome.SCENARIO)


def step_name(name: str) -> str:
    """An action's name as that of a step: `nova.boot_server (2)` is `nova_boot_server_2`."""
    return _NOT_A_WORD.sub("_", name).strip("_") or "action"


def _ops_of_iteration(iteration: RallyIteration, workload: str, number: int, zero_s: float) -> Iterator[Op]:
    start_ns = _ns(iteration.started_s - zero_s)
    busy_ns, idle_ns = _ns(iteration.duration_s), _ns(iteration.idle_s)
    end_ns = start_ns + busy_ns + idle_ns
    outcome, error = Outcome.OK, ""
    if iteration.error is not None:
        kind, message = iteration.error
        outcome, error = classify(kind, message), trim(f"{kind}: {message}" if kind else message)
    yield _op(OpKind.ITERATION, workload, "", number, start_ns, end_ns, outcome, error)
    cursor_ns = start_ns
    steps = _Steps()
    unblamed = not any(action.failed for action in iteration.actions)
    for action in iteration.actions:
        from_ns, to_ns = _span(action, cursor_ns, end_ns, zero_s)
        cursor_ns = to_ns
        failed = iteration.error is not None and (action.failed or (unblamed and action is iteration.actions[-1]))
        ended, words = (outcome, error) if failed else (Outcome.OK, "")
        yield _op(OpKind.STEP, workload, steps.name(action.path), number, from_ns, to_ns, ended, words)
    if idle_ns:
        yield _op(OpKind.STEP, workload, IDLE, number, end_ns - idle_ns, end_ns, Outcome.OK, "")


def _span(action: RallyAction, cursor_ns: int, end_ns: int, zero_s: float) -> tuple[int, int]:
    from_ns = cursor_ns if action.started_s is None else _ns(action.started_s - zero_s)
    # Of an action that failed it may not be known when: it lasted until the iteration's end, at most.
    return from_ns, max(from_ns, end_ns if action.duration_s is None else from_ns + _ns(action.duration_s))


class _Steps:
    """The names of an iteration's steps: a second action with the same name gets a number."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._names: dict[tuple[str, ...], str] = {}

    def name(self, path: tuple[str, ...]) -> str:
        whole = step_name(path[-1])
        if len(path) > 1:
            whole = f"{self._names[path[:-1]]}.{whole}"
        count = self._counts[whole] = self._counts.get(whole, 0) + 1
        self._names[path] = whole if count == 1 else f"{whole}_{count}"
        return self._names[path]


def _op_of_hook(hook: RallyHook, number: int, zero_s: float) -> Op:
    start_ns, end_ns = _ns(hook.started_s - zero_s), _ns(hook.finished_s - zero_s)
    outcome = Outcome.SCENARIO if hook.error else Outcome.OK
    return _op(OpKind.DISRUPTION, hook.name, hook.action, number, start_ns, end_ns, outcome, hook.error)


def _op(
    kind: OpKind, workload: str, step: str, number: int, start_ns: int, end_ns: int, outcome: Outcome, error: str
) -> Op:
    return Op(kind.value, workload, step, number, start_ns, start_ns, end_ns, outcome.value, error)


def _ns(seconds: float) -> int:
    return round(seconds * NANOSECONDS_PER_SECOND)
