"""The driver for hosts that are reached by ssh as machines: their processors, memory and disks are used up.

As `machine_faults` does it on this machine: stress by stress-ng where the host has it, else by the same workers of our
own, which are sent there, known by a token and end by themselves; a disk by one file in the folder that is named. What
is used is counted by the helper on the host and seen between two of its answers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import FaultError, InputError
from kilonode.base.randomness import Randomness
from kilonode.faults import detached, ssh, stress_process
from kilonode.faults.driver import Capability, Effect, Found, Keep, Step, recall, remember
from kilonode.faults.machine_faults import Used, Work, lifetime_s_of, refuse_stress, words_of_step, words_of_work
from kilonode.faults.model import Action, Fault, Kind, Resource, Stress, Target
from kilonode.faults.printing import print_fault
from kilonode.faults.reaching import HostReach, Reached, seen_on_all

NAME: Final = "hosted-machines"
WATCHED_S: Final = 1.0
STARTING_S: Final = 60.0
ENDING_S: Final = 20.0
_WORKERS: Final = Path(stress_process.__file__)


class HostedMachineMemory(Reached, frozen=True, omit_defaults=True):
    """What is kept of a step."""

    token: str
    resource: Resource | None = None
    """None: it is a disk that is filled."""
    percent: float = 100.0
    lifetime_s: int = 0
    folder: str = ""
    """Of the file that fills a disk."""


class _Machine(msgspec.Struct, frozen=True):
    processors: int
    memory_bytes: int
    available_bytes: int
    stress_ng: str
    folder: str

    def lacking_bytes(self, percent: float) -> int:
        """So much more has to be used until this percentage is."""
        return int(self.memory_bytes * percent / 100) - (self.memory_bytes - self.available_bytes)


class _Done(msgspec.Struct, frozen=True):
    processes: int
    work: Work


class _Ended(msgspec.Struct, frozen=True):
    count: int
    seen: bool


class _Disk(msgspec.Struct, frozen=True):
    usable: bool
    used: Used = Used(0, 0)

    @property
    def percent(self) -> float:
        return self.used.percent


class _Begun(msgspec.Struct, frozen=True):
    pass


class HostedMachines:
    """Stresses the hosts of one hosts file and fills their disks; heals those of any."""

    name = NAME

    def __init__(self, file: Path | None, clock: Clock) -> None:
        self._reach = HostReach(file)
        self._clock = clock
        self._machines: dict[str, _Machine] = {}
        self._disks: dict[tuple[str, str], _Disk] = {}
        """As they were last found."""

    def handles(self, fault: Fault) -> bool:
        """Where there is a hosts file: stress of nodes, full disks on nodes."""
        if self._reach.file is None:
            return False
        what = fault.action, fault.target.kind
        return what == (Action.STRESS, Kind.NODE) or what == (Action.FILL, Kind.DISK)

    async def find(self, target: Target) -> Sequence[Found]:
        """Hosts by their names; folders on them."""
        meant = self._reach.meant(target.nodes)
        if target.kind is Kind.NODE:
            looks = [self._machine(host) for host in meant]
        else:
            looks = [self._disk(host, folder) for host in meant for folder in target.names]
        return await seen_on_all(looks, surely=bool(target.nodes and target.nodes.names))

    async def _machine(self, host: str) -> list[Found]:
        self._machines[host] = await self._reach.look(host, lambda helper: helper.ask("machine", _Machine))
        return [Found(Kind.NODE, host, node=host, words=self._reach.hosts.hosts[host].address)]

    async def _disk(self, host: str, folder: str) -> list[Found]:
        disk = await self._reach.look(host, lambda helper: helper.ask("disk", _Disk, folder=folder))
        self._disks[host, folder] = disk
        return [Found(Kind.DISK, folder, node=host, words=f"{disk.percent:.0f}% used")]

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        """A step for each host, or folder of one."""
        if fault.action is Action.FILL:
            return [self._fill_step(fault, each) for each in found]
        if fault.stress is None:
            raise InputError("stress of what?", where=print_fault(fault))
        return [self._stress_step(fault, fault.stress, each) for each in found]

    def _fill_step(self, fault: Fault, found: Found) -> Step:
        where, disk = print_fault(fault), self._disks[found.node, found.name]
        if not disk.usable:
            raise InputError(
                f"not a folder of {found.node} that a file can be put in", where=where, expected="an absolute path",
                got=found.name,
            )  # fmt: skip
        percent = 100.0 if fault.fill_percent is None else fault.fill_percent
        if disk.percent >= percent:
            raise InputError("the disk is as full already", where=where, got=f"{disk.percent:.1f}% are used")
        memory = self._memory(found.node, percent=percent, folder=found.name)
        file = f"{found.name}/{memory.token}.fill"
        words = f"the disk of {found.name} on {found.node} ({disk.percent:.0f}% used now) is filled to {percent:g}%"
        return Step(NAME, fault.action, found.name, f"{words} by {file}", f"{file} is removed", remember(memory))

    def _stress_step(self, fault: Fault, stress: Stress, found: Found) -> Step:
        machine = self._machines[found.name]
        lacking_bytes = machine.lacking_bytes(stress.percent)
        refuse_stress(stress, found.name, machine.stress_ng, lacking_bytes, print_fault(fault))
        lifetime_s = lifetime_s_of(fault)
        memory = self._memory(found.name, resource=stress.resource, percent=stress.percent, lifetime_s=lifetime_s)
        words = words_of_step(stress, found.name, machine.stress_ng)
        return Step(NAME, fault.action, found.name, words, f"workers {memory.token} are ended", remember(memory))

    def _memory(
        self, host: str, *, percent: float, resource: Resource | None = None, lifetime_s: int = 0, folder: str = ""
    ) -> HostedMachineMemory:
        reached, token = self._reach.of(host), detached.new_token()
        return HostedMachineMemory(
            reached.host, reached.address, reached.login, token, resource, percent, lifetime_s, folder
        )

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Use it up, and see it used."""
        memory = recall(step, HostedMachineMemory)
        if memory.resource is None:
            return await self._reach.touch(memory, lambda helper: self._fill(helper, memory))
        resource = memory.resource
        return await self._reach.touch(memory, lambda helper: self._stress(helper, memory, resource))

    async def heal(self, step: Step) -> Effect:
        """Let it go, and see it gone."""
        memory = recall(step, HostedMachineMemory)

        async def do(helper: ssh.Helper) -> Effect:
            if memory.resource is None:
                disk = await helper.ask("empty", _Disk, folder=memory.folder, name=f"{memory.token}.fill")
                words = f"{memory.folder}/{memory.token}.fill is gone from {memory.host}: {disk.percent:.1f}% are used"
                return Effect(self._clock.now_ns(), words)
            ended = await helper.ask("end", _Ended, token=memory.token, timeout_s=ENDING_S)
            if not ended.seen:
                raise FaultError(f"workers on {memory.host} do not end", where=memory.token)
            words = f"nothing of ours uses the {memory.resource.value} of {memory.host}"
            return Effect(self._clock.now_ns(), words)

        return await self._reach.touch(memory, do)

    async def _fill(self, helper: ssh.Helper, memory: HostedMachineMemory) -> Effect:
        began_ns = self._clock.now_ns()
        name = f"{memory.token}.fill"
        disk = await helper.ask("fill", _Disk, folder=memory.folder, name=name, percent=memory.percent)
        now_ns = self._clock.now_ns()
        if disk.percent < memory.percent - 1:
            raise FaultError(
                "the disk is not as full as was asked for", where=f"{memory.host}:{memory.folder}",
                got=f"{disk.percent:.1f}%",
            )  # fmt: skip
        words = f"{disk.percent:.1f}% of the disk of {memory.folder} on {memory.host} are used"
        return Effect(now_ns, words, now_ns - began_ns)

    async def _stress(self, helper: ssh.Helper, memory: HostedMachineMemory, resource: Resource) -> Effect:
        machine = await helper.ask("machine", _Machine)
        amount: float = memory.percent / 100
        if resource is Resource.MEMORY:
            amount = machine.lacking_bytes(memory.percent)
            if amount <= 0:
                raise FaultError(f"so much memory of {memory.host} is used already")
        arguments = (memory.token, resource.value, str(amount), machine.folder, str(memory.lifetime_s))
        command = ["python3", "-I", "-c", _WORKERS.read_text(), *arguments, machine.stress_ng]
        started_ns = last_ns = self._clock.now_ns()
        await helper.ask("begin", _Begun, command=command)
        before = None
        while last_ns - started_ns < STARTING_S * NANOSECONDS_PER_SECOND:
            await self._clock.sleep(WATCHED_S)
            done = await helper.ask("work", _Done, token=memory.token)
            now_ns = self._clock.now_ns()
            watched_s = (now_ns - last_ns) / NANOSECONDS_PER_SECOND
            if resource is Resource.MEMORY:
                if done.work.held_bytes >= amount * 0.9:
                    words = f"{done.work.held_bytes / 2**20:.0f} MiB are held on {memory.host}"
                    return Effect(now_ns, words, now_ns - last_ns)
            elif before is not None and (more := done.work - before).of(resource):
                words = words_of_work(resource, more, watched_s, memory.host, machine.processors, memory.percent)
                return Effect(now_ns, words, now_ns - started_ns)
            before, last_ns = done.work if done.processes else None, now_ns
        raise FaultError(f"the {resource.value} of {memory.host} is not used", where=memory.token)

    async def capabilities(self) -> Sequence[Capability]:
        """Nothing of its own: whoever can be reached with Python can be used up, which the driver for hosts says."""
        return ()
