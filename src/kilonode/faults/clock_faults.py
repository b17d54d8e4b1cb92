"""What can be done to the wall clock of one process of an emulated cloud, which looks at a folder for what it is told.

The steps, their injection and their healing, for the driver that knows the cloud's processes (`members`). The machine's
own clock and monotonic time stay as they are. A skew has taken effect when the process says that it goes by it; several
at once add up.
"""

from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.clock_skews import CLOCKS_FOLDER, SKEW_SUFFIX, SKEWS_FOLDER, ClockSeen, ClockSkew
from kilonode.base.encoding import decode_json, encode_json
from kilonode.base.errors import FaultError, InputError
from kilonode.base.files import PRIVATE, write_atomically
from kilonode.base.processes import is_alive
from kilonode.faults import detached
from kilonode.faults.amounts import write_signed_duration
from kilonode.faults.driver import Capability, Effect, Found, State, Step, recall, remember
from kilonode.faults.model import Fault
from kilonode.faults.printing import print_fault
from kilonode.faults.watching import see

SOON_S: Final = 10.0
"""How long a process may take to look."""


class ClockMemory(msgspec.Struct, frozen=True):
    """What is kept of a step."""

    folder: str
    """The cloud's."""
    skew: ClockSkew


def plan_step(driver: str, fault: Fault, found: Found, folder: Path) -> Step:
    """The step for one process of the cloud in `folder`."""
    if found.identity is None:
        raise InputError(f"{found.name} does not run", where=print_fault(fault))
    offset_s = fault.skew_s or 0.0
    memory = ClockMemory(str(folder), ClockSkew(detached.new_token(), found.name, offset_s))
    also = f" ({', '.join(found.groups)})" if len(found.groups) > 1 else ""
    words = f"the wall clock of {found.name}{also} is put {write_signed_duration(offset_s)} off"
    return Step(driver, fault.action, found.name, words, f"the clock of {found.name} is right again", remember(memory))


async def inject(step: Step, clock: Clock) -> Effect:
    """Tell the process, and see it say so. Raises FaultError."""
    memory = recall(step, ClockMemory)
    file = _file(memory)
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        write_atomically(file, encode_json(memory.skew), PRIVATE)
    except OSError as error:
        raise FaultError("the clock cannot be told", where=str(file), got=str(error)) from error
    return await _see(step, memory, clock, there=True)


async def heal(step: Step, clock: Clock) -> Effect:
    """Tell it no more, and see it say so; a process that is gone took its clock with it. Raises FaultError."""
    memory = recall(step, ClockMemory)
    try:
        _file(memory).unlink(missing_ok=True)
    except OSError as error:
        raise FaultError("the clock cannot be set right", where=str(_file(memory)), got=str(error)) from error
    return await _see(step, memory, clock, there=False)


def capabilities(driver: str) -> tuple[Capability, ...]:
    """It always works: the cloud is ours."""
    return (Capability(driver, "clock skew", State.WORKS, "of the processes of emulated clouds"),)


async def _see(step: Step, memory: ClockMemory, clock: Clock, *, there: bool) -> Effect:
    seen = _seen(memory)

    def so() -> bool:
        nonlocal seen
        seen = _seen(memory)
        return not there if seen is None else (memory.skew.token in seen.tokens) is there

    effect = await see(f"the clock of {step.name} is {'off' if there else 'right'}", so, clock, SOON_S)
    if seen is None:
        return msgspec.structs.replace(effect, words=f"{step.name} is gone, and its clock with it")
    by = f"{write_signed_duration(seen.offset_s)} off" if seen.offset_s else "right"
    return msgspec.structs.replace(effect, words=f"{step.name} (pid {seen.identity.pid}) says that its clock is {by}")


def _file(memory: ClockMemory) -> Path:
    return Path(memory.folder, SKEWS_FOLDER, f"{memory.skew.token}{SKEW_SUFFIX}")


def _seen(memory: ClockMemory) -> ClockSeen | None:
    """What the process goes by; None: it is gone, or never looked."""
    try:
        seen = decode_json(Path(memory.folder, CLOCKS_FOLDER, memory.skew.process).read_bytes(), ClockSeen)
    except (OSError, msgspec.DecodeError):
        return None
    return seen if is_alive(seen.identity) else None
