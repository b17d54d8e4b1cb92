"""What became of each fault, as a journal of undo tells it: for those whose injector was killed before it could say so.

Nothing is assumed: a step of which the journal does not say that it took effect may have done so or not. Instants are
those of the injector's clock; what another process healed has one where it was on the same boot of the machine.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from kilonode.base.processes import is_alive
from kilonode.faults.injecting import Disrupted
from kilonode.faults.journal import Entry, Event, Occasion, read_lines


class Ending(StrEnum):
    """Who healed a fault."""

    ITS_OWN = "its own"
    """Whoever injected it, or it left nothing to heal."""
    BY_OTHERS = "by others"
    """Another process, after the injector had been killed."""
    NOT_HEALED = "not healed"


class Told(msgspec.Struct, frozen=True):
    """One fault."""

    name: str
    """Of the disruption of an experiment; may be empty."""
    number: int
    """Of the disruption of an experiment."""
    planned_ns: int
    """When its steps were written down: nothing was done before."""
    fault: Disrupted
    """`took_effect_ns` None: not known whether it did. `healed_ns` None: not healed, or not known when."""
    ending: Ending


def retell(path: Path) -> tuple[Told, ...]:
    """Every fault of a journal, in the order in which they were begun; none while its writer lives, who knows better.

    Nor any that an older Kilonode wrote, which said less.
    """
    read = read_lines(path)
    if read is None or (read[0].writer is not None and is_alive(read[0].writer)):
        return ()
    head, lines = read
    boot = "" if head.writer is None else head.writer.boot
    faults: dict[Occasion, list[int]] = {}
    for line in lines:
        if line.occasion is not None:
            faults.setdefault(line.occasion, []).append(line.number)
    return tuple(
        _told(occasion, [line for line in lines if line.number in numbers], len(numbers), boot)
        for occasion, numbers in faults.items()
    )


def _told(occasion: Occasion, lines: Sequence[Entry], steps: int, boot: str) -> Told:
    planned = [line for line in lines if line.event is Event.PLANNED]
    heals = {line.number for line in planned if line.step is not None and line.step.heals}
    effects = {line.number: line.at_ns for line in lines if line.event is Event.TOOK_EFFECT}
    # The first word of it counts: whoever heals what was healed changes nothing.
    healed = {line.number: line for line in reversed(lines) if line.event is Event.HEALED}
    whole = heals <= healed.keys()
    foreign = any(line.boot for line in healed.values())
    ending = Ending.NOT_HEALED if not whole else Ending.BY_OTHERS if foreign else Ending.ITS_OWN
    known = whole and heals and all(line.boot in ("", boot) for line in healed.values())
    begun_ns = min((line.at_ns for line in planned if line.at_ns is not None), default=occasion.due_ns)
    fault = Disrupted(
        occasion.sentence,
        occasion.due_ns,
        told_ns=begun_ns,
        took_effect_ns=_last(effects.values()) if len(effects) == steps else None,
        healed_ns=_last(line.at_ns for line in healed.values()) if known else None,
        lasting=bool(heals),
    )
    return Told(occasion.name, occasion.number, begun_ns, fault, ending)


def _last(instants_ns: Iterable[int | None]) -> int | None:
    return max((at_ns for at_ns in instants_ns if at_ns is not None), default=None)
