"""The disruptions of a run that was killed, of which its history has no Op: told by the journal of undo in its folder.

A fault's Op is recorded when it has ended, so that of one that was in effect when the run was killed is not there. The
history stays what was recorded; these Ops are derived whenever it is read, so they also say what has become of the
fault since: `kilonode fault heal` and `kilonode cleanup` write that into the journal of undo.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND
from kilonode.base.errors import InputError
from kilonode.base.outcomes import Outcome
from kilonode.base.units import format_seconds
from kilonode.faults.journal import journals
from kilonode.faults.retelling import Ending, Told, retell
from kilonode.history.archive import Supplement, no_supplement
from kilonode.history.reading import read_journal
from kilonode.history.records import STILL_IN_EFFECT, Op, OpKind
from kilonode.run.disruption_ops import disruption_op, felt_ns, op_of
from kilonode.run.folder import LAST_STATES, RunFolder
from kilonode.run.recording import CONDUCTOR_JOURNAL

NOT_HEALED: Final = f"{STILL_IN_EFFECT}; nobody has healed it: kilonode fault heal"
HEALED_SOMETIME: Final = f"{STILL_IN_EFFECT}; healed after the machine had been started anew, so it is not known when"
MAYBE: Final = "the run was killed while it was injected: it may have taken effect"


def untold_disruptions(folder: RunFolder) -> Supplement:
    """What the journals of a run lack; nothing of one that came to its end. Raises InputError for a broken journal."""
    if folder.record().state in LAST_STATES or not folder.faults_folder.is_dir():
        return no_supplement
    told = [each for record in journals(folder.faults_folder) for each in retell(record.path)]
    if not told:
        return no_supplement
    try:
        conductor = read_journal(folder.journal_folder / CONDUCTOR_JOURNAL)
    except InputError:
        return no_supplement  # without a history there is nothing to add to
    zero_ns = conductor.zero_ns
    if zero_ns is None:
        return no_supplement  # the journal is damaged where it names the start of the load
    recorded = [op for op in conductor.ops() if op.kind == OpKind.DISRUPTION]
    own = [_since(each, zero_ns) for each in told]

    def supplement(last_ns: int) -> Sequence[Op]:
        return [_op(each, max(last_ns, each.planned_ns)) for each in _without(own, recorded)]

    return supplement


def _without(told: Sequence[Told], recorded: Sequence[Op]) -> list[Told]:
    """Those that are not recorded: of one disruption the same may be done twice, so each Op takes the nearest."""
    left = list(told)
    for op in recorded:
        same = [
            each
            for each in left
            if (each.name, each.number, each.fault.sentence) == (op.workload, op.iteration, op.step)
        ]
        if same:
            left.remove(min(same, key=lambda each: abs(each.fault.due_ns - op.due_ns)))
    return left


def _since(told: Told, zero_ns: int) -> Told:
    """The same, counted from the run's zero."""
    fault = told.fault
    instants_ns = {name: getattr(fault, name) for name in ("told_ns", "took_effect_ns", "healed_ns")}
    fault = msgspec.structs.replace(
        fault,
        due_ns=fault.due_ns - zero_ns,
        **{name: None if at_ns is None else at_ns - zero_ns for name, at_ns in instants_ns.items()},
    )
    return msgspec.structs.replace(told, planned_ns=told.planned_ns - zero_ns, fault=fault)


def _op(told: Told, last_ns: int) -> Op:
    """`last_ns`: the last instant of which the history knows anything: until then it was in effect for certain."""
    fault = told.fault
    outcome, finished_ns = Outcome.WRONG_STATE, last_ns
    if fault.took_effect_ns is None:
        if told.ending is Ending.ITS_OWN and fault.healed_ns is not None:
            return op_of(told.name, told.number, fault, last_ns)
        left = "" if told.ending is not Ending.NOT_HEALED else "; nobody has healed what was done: kilonode fault heal"
        at_ns, outcome, why = told.planned_ns, Outcome.DROPPED, f"{MAYBE}{left}"
        return disruption_op(told.name, told.number, fault.sentence, fault.due_ns, at_ns, at_ns, outcome, why)
    if told.ending is Ending.ITS_OWN:
        return op_of(told.name, told.number, fault, last_ns)
    if told.ending is Ending.NOT_HEALED:
        why = NOT_HEALED
    elif fault.healed_ns is None:
        why = HEALED_SOMETIME
    else:
        outcome, finished_ns = Outcome.CANCELLED, fault.healed_ns
        later = format_seconds(max(0, finished_ns - last_ns) / NANOSECONDS_PER_SECOND)
        why = f"{STILL_IN_EFFECT}; healed {later} after the last that is known of the run"
    began_ns = felt_ns(fault, fault.took_effect_ns)
    return disruption_op(
        told.name, told.number, fault.sentence, fault.due_ns, began_ns, max(began_ns, finished_ns), outcome, why
    )
