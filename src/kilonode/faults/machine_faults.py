"""The driver for this machine as a whole: its processors, memory and disks are used up.

The machine is the node `localhost`, or has its own name; it has to be named, because what is done to it is done to
Kilonode and everything else on it. Workers are our own, bounded, and ended by their token. A disk is filled by one file
in the folder that the sentence names, up to the percent said of its file system. Its clock is not touched: it is
everybody's, and nothing could be measured by it. Stress is stress-ng's, where that is installed.
"""

import asyncio
import math
import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import psutil

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import FaultError, InputError
from kilonode.base.processes import module_command
from kilonode.base.randomness import Randomness
from kilonode.faults import detached
from kilonode.faults.driver import Capability, Effect, Found, Keep, State, Step, recall, remember
from kilonode.faults.model import Action, Fault, Kind, Resource, Stress, Target
from kilonode.faults.printing import print_fault

NAME: Final = "machine"
LOCALHOST: Final = "localhost"
_STRESS: Final = "kilonode.faults.stress_process"
_ABLE: Final = {Action.STRESS: Kind.NODE, Action.FILL: Kind.DISK, Action.SKEW: Kind.CLOCK}
MOST_MEMORY_PERCENT: Final = 95.0
"""Of all memory: the rest stays free."""
_WATCHED_S: Final = 1.0
_WHOSE: Final = "this machine"
STRESS_NG: Final = "stress-ng"
LEEWAY_S: Final = 60
"""How long after its end a fault's workers end by themselves, if nobody has ended them."""
LONGEST_S: Final = 24 * 3600
"""How long workers live whose fault has no end of its own."""
_STARTING_S: Final = 60.0
_CLOCKS_OF_SERVICES: Final = "skew the clocks of services: skew clock of keystone by -90s for 60s"


class MachineMemory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a step."""

    token: str
    resource: Resource | None = None
    percent: float = 100.0
    file: str = ""
    """What a disk is filled by."""
    lifetime_s: int = 0
    """Of stress: after so long it ends by itself, whatever becomes of whoever began it."""
    program: str = ""
    """stress-ng; empty: workers of our own."""


class MachineFaults:
    """Stresses this machine and fills its disks."""

    name = NAME

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def handles(self, fault: Fault) -> bool:
        """Stress, full disks; and clocks, which it refuses with a reason."""
        return _ABLE.get(fault.action) is fault.target.kind

    async def find(self, target: Target) -> Sequence[Found]:
        """The machine, when it is named; a folder on it; its clock."""
        named = target.nodes.names if target.nodes else ()
        nodes = [name for name in (LOCALHOST, platform.node()) if name in named]
        if not nodes and target.kind is Kind.CLOCK and named:
            raise InputError(
                "the clocks of machines are left alone: nothing here could be sure to set them right",
                where=", ".join(named),
                hint=_CLOCKS_OF_SERVICES,
            )
        if not nodes:
            return [Found(target.kind, LOCALHOST)] if target == Target(target.kind) else []
        if target.kind is Kind.NODE:
            return [Found(Kind.NODE, nodes[0], tuple(nodes[1:]), nodes[0], words="this machine")]
        if target.kind is Kind.DISK and not target.names:
            raise InputError("which disk?", expected="a folder on it: fill disk /srv/data to 95% on node localhost")
        names = target.names or ("clock",)
        return [Found(target.kind, name, node=nodes[0]) for name in names]

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        """A step for each."""
        if fault.action is Action.SKEW:
            raise InputError(
                "the clock of this machine is everybody's on it, Kilonode's too: it is left alone",
                where=print_fault(fault),
                hint=_CLOCKS_OF_SERVICES,
            )
        if fault.action is Action.FILL:
            return [_fill_step(fault, each) for each in found]
        return [_stress_step(fault, each) for each in found]

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Use it up, and see it used."""
        memory = recall(step, MachineMemory)
        if memory.resource is None:
            return await self._fill(memory)
        return await self._stress(memory, memory.resource)

    async def heal(self, step: Step) -> Effect:
        """Let it go, and see it gone."""
        memory = recall(step, MachineMemory)
        if memory.resource is not None:
            await detached.kill(memory.token, self._clock)
            shutil.rmtree(Path(tempfile.gettempdir(), memory.token), ignore_errors=True)
            return Effect(self._clock.now_ns(), f"nothing of ours uses the {memory.resource.value}")
        try:
            _remove(memory)
        except OSError as error:
            raise FaultError("what fills the disk cannot be removed", where=memory.file, got=str(error)) from error
        used = _used(Path(memory.file).parent)
        return Effect(self._clock.now_ns(), f"{memory.file} is gone: {used.percent:.1f}% are used")

    async def _fill(self, memory: MachineMemory) -> Effect:
        file = Path(memory.file)
        began_ns = self._clock.now_ns()
        try:
            await asyncio.to_thread(_allocate, file, memory.percent)
        except OSError as error:
            raise FaultError(
                "the disk cannot be filled", where=memory.file, got=error.strerror or str(error)
            ) from error
        used = _used(file.parent)
        now_ns = self._clock.now_ns()
        if used.percent < memory.percent - 1:
            raise FaultError("the disk is not as full as was asked for", where=memory.file, got=f"{used.percent:.1f}%")
        return Effect(now_ns, f"{used.percent:.1f}% of the disk of {file.parent} are used", now_ns - began_ns)

    async def _stress(self, memory: MachineMemory, resource: Resource) -> Effect:
        amount = memory.percent / 100
        if resource is Resource.MEMORY:
            amount = _memory_bytes(memory.percent)
            if amount <= 0:
                raise FaultError("so much memory is used already", expected=f"less than {memory.percent:g}%")
        folder, lifetime = tempfile.gettempdir(), str(memory.lifetime_s)
        command = module_command(_STRESS, memory.token, resource.value, str(amount), folder, lifetime, memory.program)
        detached.start(memory.token, command)
        await detached.wait_for_word(memory.token, "working", self._clock, _STARTING_S)
        began_ns = self._clock.now_ns()
        if resource is Resource.MEMORY:
            held = await self._until_held(memory.token, amount)
            return Effect(
                self._clock.now_ns(),
                f"{held / 2**20:.0f} MiB are held: {psutil.virtual_memory().percent:.0f}% are used",
                self._clock.now_ns() - began_ns,
            )
        before, done, watched_s = _work_of(memory.token), Work(), 0.0
        while watched_s < _WATCHED_S or (not done.of(resource) and watched_s < _STARTING_S):
            await self._clock.sleep(_WATCHED_S)
            watched_s = (self._clock.now_ns() - began_ns) / NANOSECONDS_PER_SECOND
            done = _work_of(memory.token) - before
        if not detached.find(memory.token) or not done.of(resource):
            said = detached.words_of(memory.token).read_text(errors="replace").strip().splitlines()[-1:]
            raise FaultError(f"the {resource.value} is not used", where=memory.token, got=" ".join(said)[:200])
        processors = len(os.sched_getaffinity(0))
        words = words_of_work(resource, done, watched_s, _WHOSE, processors, memory.percent)
        return Effect(began_ns, words)

    async def _until_held(self, token: str, amount: float) -> int:
        """Wait until so many bytes are held. Raises FaultError when they are not."""
        deadline_ns = self._clock.now_ns() + int(_STARTING_S * NANOSECONDS_PER_SECOND)
        while (held := _work_of(token).held_bytes) < amount * 0.9:
            if not detached.find(token) or self._clock.now_ns() > deadline_ns:
                raise FaultError("the memory is not held", expected=f"{amount / 2**20:.0f} MiB", got=str(held))
            await self._clock.sleep(0.05)
        return held

    async def capabilities(self) -> Sequence[Capability]:
        """What can be used up."""
        return [
            _stress_capability(),
            Capability(NAME, "full disks", State.WORKS),
            Capability(
                NAME,
                "clock skew",
                State.MISSING,
                "a machine has one clock, and measuring needs it as it is; those of services can be skewed",
            ),
        ]


def words_of_work(
    resource: Resource, done: "Work", watched_s: float, whose: str, processors: int, percent: float
) -> str:
    """What was seen of stress in so many seconds, but for memory; `percent` is what was asked for."""
    if resource is Resource.DISK:
        return f"the disk of {whose} is written: {done.written_bytes / watched_s / 2**20:.0f} MiB/s"
    share = done.processor_s / processors / watched_s * 100
    if resource is not Resource.KERNEL:
        return f"{processors} processors of {whose} are used to {share:.0f}% (asked {percent:g}%)"
    inside = done.kernel_s / done.processor_s * 100
    return (
        f"the kernel of {whose} switches {done.switches / watched_s:,.0f} times a second for workers that use "
        f"{processors} processors to {share:.0f}% (asked {percent:g}%), {inside:.0f}% of that in the kernel"
    )


def words_of_step(stress: Stress, whose: str, program: str) -> str:
    """What is about to be done; without a `program`, stress-ng, by workers of our own."""
    how = "stress-ng" if program else "workers of our own"
    return f"the {stress.resource.value} of {whose} is used to {stress.percent:g}% by {how}"


def refuse_stress(stress: Stress, whose: str, program: str, lacking_bytes: int, where: str) -> None:
    """Raise InputError for what a machine cannot be stressed by.

    `program`: its stress-ng; empty: it has none. `lacking_bytes`: so much more memory would have to be used.
    """
    if stress.resource is Resource.KERNEL and not program:
        raise InputError(
            f"the kernel of {whose} cannot be stressed",
            where=where,
            expected="stress-ng on it",
            hint="apt-get install stress-ng; cpu, memory and disk need nothing",
        )
    if stress.resource is Resource.MEMORY:
        if stress.percent > MOST_MEMORY_PERCENT:
            expected = f"up to {MOST_MEMORY_PERCENT:g}%"
            raise InputError(f"{whose} would have no memory left", where=where, expected=expected)
        if lacking_bytes <= 0:
            raise InputError(f"so much memory of {whose} is used already", where=where)


class Used(msgspec.Struct, frozen=True):
    """Of a file system, as `df` counts it."""

    used_bytes: int
    available_bytes: int

    @property
    def percent(self) -> float:
        """Of what users may have."""
        return 100 * self.used_bytes / max(1, self.used_bytes + self.available_bytes)


def _remove(memory: MachineMemory) -> None:
    Path(memory.file).unlink(missing_ok=True)


def _used(folder: Path) -> Used:
    try:
        found = os.statvfs(folder)
    except OSError as error:
        raise FaultError("the disk cannot be looked at", where=str(folder), got=error.strerror or str(error)) from error
    return Used((found.f_blocks - found.f_bfree) * found.f_frsize, found.f_bavail * found.f_frsize)


def _fill_step(fault: Fault, found: Found) -> Step:
    folder = Path(found.name)
    where = print_fault(fault)
    if not folder.is_absolute() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError("not a folder that a file can be put in", where=where, expected="an absolute path",
                         got=found.name)  # fmt: skip
    percent = 100.0 if fault.fill_percent is None else fault.fill_percent
    used = _used(folder)
    if used.percent >= percent:
        raise InputError("the disk is as full already", where=where, got=f"{used.percent:.1f}% are used")
    token = detached.new_token()
    memory = MachineMemory(token, percent=percent, file=str(folder / f"{token}.fill"))
    words = f"the disk of {folder} ({used.percent:.0f}% used now) is filled to {percent:g}% by {memory.file}"
    return Step(NAME, fault.action, found.name, words, f"{memory.file} is removed", remember(memory))


def _stress_step(fault: Fault, found: Found) -> Step:
    stress, where = fault.stress, print_fault(fault)
    if stress is None:
        raise InputError("stress of what?", where=where)
    program = shutil.which(STRESS_NG) or ""
    refuse_stress(stress, _WHOSE, program, _memory_bytes(stress.percent), where)
    memory = MachineMemory(
        detached.new_token(), stress.resource, stress.percent, lifetime_s=lifetime_s_of(fault), program=program
    )
    words = words_of_step(stress, _WHOSE, program)
    return Step(NAME, fault.action, found.name, words, f"workers {memory.token} are ended", remember(memory))


def lifetime_s_of(fault: Fault) -> int:
    """After how many seconds the workers of a fault end by themselves, whatever becomes of whoever began them."""
    return LONGEST_S if fault.duration is None else math.ceil(float(fault.duration) + LEEWAY_S)


def _memory_bytes(percent: float) -> int:
    found = psutil.virtual_memory()
    return int(found.total * percent / 100) - (found.total - found.available)


def _allocate(file: Path, percent: float) -> None:
    used = _used(file.parent)
    both = used.used_bytes + used.available_bytes
    size = min(int(both * percent / 100) - used.used_bytes, used.available_bytes)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if size > 0:
            os.posix_fallocate(descriptor, 0, size)
    finally:
        os.close(descriptor)


class Work(msgspec.Struct, frozen=True):
    """What all that carry a token have done."""

    processor_s: float = 0.0
    kernel_s: float = 0.0
    """Of that, in the kernel."""
    switches: int = 0
    written_bytes: int = 0
    held_bytes: int = 0

    def __sub__(self, before: "Work") -> "Work":
        mine, theirs = msgspec.structs.astuple(self), msgspec.structs.astuple(before)
        return Work(*(max(0, now - then) for now, then in zip(mine, theirs, strict=True)))

    def of(self, resource: Resource) -> bool:
        """Whether anything was done with it."""
        if resource is Resource.KERNEL:
            return self.kernel_s > 0 and self.switches > 0
        return self.written_bytes > 0 if resource is Resource.DISK else self.processor_s > 0


def _work_of(token: str) -> Work:
    done = Work()
    for identity in detached.find(token):
        try:
            process = psutil.Process(identity.pid)
            times, switches = process.cpu_times(), process.num_ctx_switches()
            done = Work(
                done.processor_s + times.user + times.system,
                done.kernel_s + times.system,
                done.switches + switches.voluntary + switches.involuntary,
                done.written_bytes + process.io_counters().write_bytes,
                done.held_bytes + process.memory_info().rss,
            )
        except psutil.Error:
            continue
    return done


def _stress_capability() -> Capability:
    program = shutil.which(STRESS_NG)
    if program:
        return Capability(NAME, "stress", State.WORKS, f"cpu, memory, disk and kernel by {program}")
    why = "cpu, memory and disk by workers of our own; the kernel needs stress-ng: apt-get install stress-ng"
    return Capability(NAME, "stress", State.PARTLY, why)
