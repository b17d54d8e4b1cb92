"""What can be done to the wall clock of a program that is not ours, where a library was loaded before it to be told.

The steps, their injection and their healing, for the drivers that know such programs. The services of a stack that was
brought up with `--clocks` have it; so has any program whose environment names a file for it (`base.clock_file`). The
library reads the offset anew at every look at the clock, so it holds from the instant at which it is written. That a
process went by it is waited for; of one that does not look soon it is seen that it has the file mapped. Monotonic time
and waiting stay as they are.
"""

from pathlib import Path
from typing import Final

import msgspec

from kilonode.base import clock_file
from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import FaultError, InputError
from kilonode.base.processes import ProcessIdentity, is_alive
from kilonode.faults.amounts import write_signed_duration
from kilonode.faults.driver import Effect, Found, Step, recall, remember
from kilonode.faults.model import Fault
from kilonode.faults.printing import print_fault
from kilonode.faults.signalling import family_of
from kilonode.faults.watching import see

SOON_S: Final = 3.0
"""How long is waited for a program to look at its clock."""


class PreloadedMemory(msgspec.Struct, frozen=True):
    """What is kept of a step."""

    file: str
    offset_ns: int
    head: ProcessIdentity


def plan_step(driver: str, fault: Fault, found: Found, hint: str) -> Step:
    """The step for one process. `hint`: how it can be had where the library was not loaded. Raises InputError."""
    head, where = found.identity, print_fault(fault)
    if head is None:
        raise InputError(f"{found.name} does not run", where=where)
    file = clock_file.clock_file_of(head.pid)
    if file is None:
        raise InputError(f"the clock of {found.name} cannot be told: it is the machine's", where=where, hint=hint)
    if now_ns := clock_file.offset_ns_of(file):
        off = write_signed_duration(now_ns / NANOSECONDS_PER_SECOND)
        raise InputError(f"the clock of {found.name} is off already", where=where, got=off)
    offset_s = fault.skew_s or 0.0
    memory = PreloadedMemory(str(file), round(offset_s * NANOSECONDS_PER_SECOND), head)
    words = f"the wall clock of {found.name} (pid {head.pid}) is put {write_signed_duration(offset_s)} off"
    return Step(driver, fault.action, found.name, words, f"the clock of {found.name} is right again", remember(memory))


async def inject(step: Step, clock: Clock) -> Effect:
    """Tell the program, and see it go by it. Raises FaultError."""
    memory = recall(step, PreloadedMemory)
    return await _tell(step, memory, memory.offset_ns, clock)


async def heal(step: Step, clock: Clock) -> Effect:
    """Tell it that its clock is right, and see it go by that. Raises FaultError."""
    memory = recall(step, PreloadedMemory)
    if _is_gone(memory):
        return Effect(clock.now_ns(), f"{step.name} is gone, and its clock with it")
    return await _tell(step, memory, 0, clock)


def _is_gone(memory: PreloadedMemory) -> bool:
    return not Path(memory.file).exists()


async def _tell(step: Step, memory: PreloadedMemory, offset_ns: int, clock: Clock) -> Effect:
    file = Path(memory.file)
    began_ns = clock.now_ns()
    try:
        clock_file.put_off(file, offset_ns)
    except OSError as error:
        raise FaultError("the clock cannot be told", where=memory.file, got=error.strerror or str(error)) from error
    told_ns = clock.now_ns()

    def going_by_it() -> list[int]:
        # What ended left its word there, and another process may have its pid.
        there = clock_file.said_ns(file)
        return [pid for pid, said in there.items() if said == offset_ns and clock_file.clock_file_of(pid) == file]

    def so() -> bool:
        return bool(going_by_it()) or (offset_ns == 0 and not is_alive(memory.head) and not family_of(memory.head))

    off = f"{write_signed_duration(offset_ns / NANOSECONDS_PER_SECOND)} off" if offset_ns else "right"
    try:
        await see(f"a process of {step.name} says that its clock is {off}", so, clock, SOON_S)
    except FaultError:
        reading = [each.pid for each in family_of(memory.head) if clock_file.clock_file_of(each.pid) == file]
        if not reading:
            raise
        words = f"{step.name} (pid {reading[0]}) has not looked since; from its next look on its clock is {off}"
        return Effect(told_ns, words, told_ns - began_ns)
    saying = going_by_it()
    who = f"pid {', '.join(map(str, saying[:4]))}{' and more' if len(saying) > 4 else ''}"
    words = f"{step.name} ({who}) says that its clock is {off}" if saying else f"{step.name} has ended"
    return Effect(told_ns, words, told_ns - began_ns)
