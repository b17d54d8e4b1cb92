"""How what became of a fault is an Op of the history.

*Due* when it was planned for, *started* when it had taken effect, *finished* when it was healed, or with *started*
where it leaves nothing to heal. What takes its time, such as a restart, is felt before it is done: there *started* is
when it was begun, and *finished* at the earliest when it was seen done. Outcomes: `ok`; `cancelled`: healed before its
time, since the load was over, or by others after the run was killed; `wrong_state`: not healed, or nobody knows when,
and *finished* is when it is known to have been in effect last; `dropped`: it did not happen, and the error says why.
Instants are of the clock, in nanoseconds.
"""

from typing import Final

from kilonode.base.clock import NANOSECONDS_PER_SECOND
from kilonode.base.errors import trim
from kilonode.base.outcomes import Outcome
from kilonode.faults.injecting import Disrupted
from kilonode.faults.language import parse
from kilonode.faults.model import Action
from kilonode.history.records import Op, OpKind

ON_TIME_S: Final = 0.01
"""A fault that is healed so much before its time is up was not cut short."""
GRADUAL: Final = frozenset(
    {Action.TERMINATE, Action.RESTART, Action.REBOOT, Action.RESET, Action.POWEROFF, Action.SHUTDOWN}
)
"""What may be felt long before it is done: a service that is restarted is away before it is seen to be back."""


def felt_ns(done: Disrupted, took_effect_ns: int) -> int:
    """Since when somebody may have felt a fault that took effect at this instant."""
    gradual = parse(done.sentence).parts[0].fault.action in GRADUAL
    return done.told_ns if gradual and done.told_ns is not None else took_effect_ns


def op_of(name: str, number: int, done: Disrupted, now_ns: int) -> Op:
    """The Op of a fault of the disruption `name`, the run's `number`, that has ended by now."""
    if done.took_effect_ns is None:
        error = trim(done.error) or "it did not take effect"
        ended_ns = done.healed_ns or now_ns
        return disruption_op(name, number, done.sentence, done.due_ns, ended_ns, ended_ns, Outcome.DROPPED, error)
    began_ns = felt_ns(done, done.took_effect_ns)
    if not done.lasting:
        ended_ns = done.took_effect_ns
        return disruption_op(name, number, done.sentence, done.due_ns, began_ns, ended_ns, Outcome.OK, "")
    if done.healed_ns is None:
        error = trim(done.error)
        return disruption_op(name, number, done.sentence, done.due_ns, began_ns, now_ns, Outcome.WRONG_STATE, error)
    why = "healed before its time: the load was over" if _cut_short(done, done.took_effect_ns, done.healed_ns) else ""
    outcome = Outcome.CANCELLED if why else Outcome.OK
    return disruption_op(name, number, done.sentence, done.due_ns, began_ns, done.healed_ns, outcome, why)


def disruption_op(
    name: str,
    number: int,
    sentence: str,
    due_ns: int,
    started_ns: int,
    finished_ns: int,
    outcome: Outcome,
    error: str,
) -> Op:
    """An Op of kind disruption. Nothing starts before it is due: a timer may be early by less than a clock tells."""
    due_ns = min(due_ns, started_ns)
    kind = OpKind.DISRUPTION.value
    return Op(kind, name, sentence, number, due_ns, started_ns, finished_ns, outcome.value, error)


def _cut_short(done: Disrupted, effect_ns: int, healed_ns: int) -> bool:
    lasts = parse(done.sentence).parts[0].fault.duration
    return (
        not done.ended_by
        and lasts is not None
        and healed_ns - effect_ns < (float(lasts) - ON_TIME_S) * NANOSECONDS_PER_SECOND
    )
