"""The driver for hosts that are reached by ssh: their processes, the services of a hosts file, the hosts themselves.

A service is a unit of systemd, or processes by a pattern with the commands that start and restart them. What is killed
or ended is healed by starting it, where the file says how; a unit always can be. A step has the host's address and
login (never a secret), so it can be healed when the hosts file is gone.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import FaultError, InputError, KilonodeError
from kilonode.base.processes import ProcessIdentity
from kilonode.base.randomness import Randomness
from kilonode.faults import remote_processes, ssh
from kilonode.faults.driver import Capability, Effect, Found, Keep, State, Step, recall, remember
from kilonode.faults.hosts import HostedService, Hosts
from kilonode.faults.model import Action, Fault, Kind, Means, Target
from kilonode.faults.printing import print_fault
from kilonode.faults.reaching import HostReach, Ran, Reached, seen_on_all

NAME: Final = "hosts"
DOWN_TIMEOUT_S: Final = 300.0
"""How long a host has to go down."""
UP_TIMEOUT_S: Final = 1_200.0
"""How long a host has to come up; servers test their memory."""
LOOK_EVERY_S: Final = 0.5
SERVICE_TIMEOUT_S: Final = 120.0
ENDING: Final = frozenset({Action.KILL, Action.TERMINATE})
SIGNALS: Final = ENDING | {Action.FREEZE, Action.UNFREEZE}
STARTING: Final = frozenset({Action.START, Action.RESTART})
RESTARTED: Final = frozenset({"always", "on-failure", "on-abnormal", "on-abort"})
"""What a unit's `Restart` may be so that systemd starts it again when it was killed."""
GOING_DOWN: Final = frozenset({Action.REBOOT, Action.SHUTDOWN})
WORDS: Final = {
    Action.KILL: "SIGKILL to", Action.TERMINATE: "SIGTERM to", Action.FREEZE: "SIGSTOP to",
    Action.UNFREEZE: "SIGCONT to", Action.START: "start", Action.RESTART: "restart",
    Action.REBOOT: "reboot", Action.SHUTDOWN: "shut down",
}  # fmt: skip


class HostMemory(Reached, frozen=True, omit_defaults=True):
    """What is kept of a step."""

    head: ProcessIdentity | None = None
    """A process of the host, by the host's own pids and boot."""
    family: tuple[ProcessIdentity, ...] = ()
    """Whom a signal stopped, or is about to."""
    service: HostedService | None = None


class _Facts(msgspec.Struct, frozen=True):
    boot: str
    systemd: bool
    root: bool
    programs: tuple[str, ...] = ()
    """Of those that faults on hosts make use of."""


class _Process(msgspec.Struct, frozen=True):
    name: str
    member: remote_processes.Member
    stopped: bool


class _Processes(msgspec.Struct, frozen=True):
    boot: str
    processes: tuple[_Process, ...]


class _Unit(msgspec.Struct, frozen=True):
    boot: str
    loaded: bool
    active: str
    member: remote_processes.Member | None
    restart: str = ""


class HostFaults:
    """Does what can be done by ssh to the hosts of one hosts file; heals what was done to any."""

    name = NAME

    def __init__(self, file: Path | None, clock: Clock) -> None:
        self._reach = HostReach(file)
        self._clock = clock
        self._restarted = set[tuple[str, str]]()
        """Services by host and name that systemd starts again, as they were last found."""

    @property
    def hosts(self) -> Hosts:
        """What the hosts file says. Raises InputError."""
        return self._reach.hosts

    def handles(self, fault: Fault) -> bool:
        """Where there is a hosts file: processes on nodes, services, and nodes that go down in good order."""
        if self._reach.file is None or fault.means is Means.CGROUP:
            return False
        kind, action = fault.target.kind, fault.action
        if kind is Kind.PROCESS:
            return action in SIGNALS and fault.target.nodes is not None
        if kind is Kind.SERVICE:
            return action in SIGNALS | STARTING
        return kind is Kind.NODE and action in GOING_DOWN

    async def find(self, target: Target) -> Sequence[Found]:
        """Hosts by their names; processes by the names of their programs; services by the hosts file."""
        meant = self._reach.meant(target.nodes)
        if target.kind is Kind.NODE:
            return [Found(Kind.NODE, name, node=name, words=self.hosts.hosts[name].address) for name in meant]
        if target.kind is Kind.PROCESS:
            per_host = [self._processes(name, target.names) for name in meant] if target.names else []
        else:
            on_hosts = {host: self._services_on(host, target.names) for host in meant}
            per_host = [self._services(host, services) for host, services in on_hosts.items() if services]
        return await seen_on_all(per_host, surely=bool(target.names))

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        """A step for each process, service or host."""
        if peers:
            raise InputError("this driver divides nothing", where=print_fault(fault))
        return [self._step(fault, each) for each in found]

    def _step(self, fault: Fault, found: Found) -> Step:
        where = print_fault(fault)
        service = self.hosts.services[found.name] if found.kind is Kind.SERVICE else None
        reached = self._reach.of(found.node)
        memory = HostMemory(reached.host, reached.address, reached.login, found.identity, service=service)
        pid = f" (pid {found.identity.pid})" if found.identity else ""
        who = f"host {found.node}" if found.kind is Kind.NODE else f"{found.name}{pid} on {found.node}"
        if fault.action in SIGNALS and found.identity is None:
            raise InputError(f"{who} does not run", where=where)
        heals = ""
        again = service is not None and fault.action is Action.KILL and (found.node, found.name) in self._restarted
        if again and fault.duration is not None:
            raise InputError(
                f"systemd starts {found.name} again by itself on {found.node}, so it is not down for {fault.duration}",
                where=where,
                hint=f"terminate {found.name} for {fault.duration}, which stops the unit, or leave the duration out",
            )
        if fault.action is Action.FREEZE:
            heals = f"SIGCONT to those that were stopped on {found.node}"
        elif fault.action in ENDING and service is not None and (service.unit or service.start) and not again:
            heals = f"start {found.name} on {found.node}"
        if fault.duration is not None and not heals:
            raise InputError(
                f"nothing can bring {who} back",
                where=where,
                hint="leave the duration out" + ("" if found.kind is Kind.NODE else ", or freeze it instead"),
            )
        if fault.action in STARTING and service is not None and not _command_for(fault.action, service):
            raise InputError(f"the hosts file does not say how to {fault.action.value} {found.name}", where=where)
        words = f"{WORDS[fault.action]} {who}" + ("; systemd starts it again" if again else "")
        return Step(NAME, fault.action, found.name, words, heals, remember(memory))

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Do it, and see what becomes of it."""
        memory = recall(step, HostMemory)
        who = f"{step.name} on {memory.host}"

        def keep_family(family: tuple[ProcessIdentity, ...]) -> None:
            keep(msgspec.structs.replace(step, memory=remember(msgspec.structs.replace(memory, family=family))))

        async def do(helper: ssh.Helper) -> Effect:
            if step.action in STARTING:
                return await self._start(helper, step.action, memory, who)
            if memory.head is None:
                raise FaultError(f"{who} does not run")
            stop = _command_for(step.action, memory.service) if memory.service else []
            if step.action is Action.TERMINATE and stop:
                return await self._stop(helper, stop, who)
            if step.action is Action.FREEZE:
                return await remote_processes.freeze(helper, memory.head, who, self._clock, keep_family)
            how = {
                Action.KILL: remote_processes.kill,
                Action.TERMINATE: remote_processes.terminate,
                Action.UNFREEZE: remote_processes.thaw_all,
            }[step.action]
            return await how(helper, memory.head, who, self._clock)

        return await (self._go_down(step, memory) if step.action in GOING_DOWN else self._reach.touch(memory, do))

    async def heal(self, step: Step) -> Effect:
        """Start what was ended; have go on what was frozen."""
        memory = recall(step, HostMemory)
        who = f"{step.name} on {memory.host}"
        if step.action is Action.FREEZE:
            return await self._reach.touch(
                memory, lambda helper: remote_processes.thaw(helper, memory.family, who, self._clock)
            )
        return await self._reach.touch(memory, lambda helper: self._start(helper, Action.START, memory, who))

    async def capabilities(self) -> Sequence[Capability]:
        """What each host of the file can do."""
        if not ssh.is_installed():
            return (Capability(NAME, "ssh", State.MISSING, f"the library is not installed: {ssh.HOW_TO_GET}"),)
        if self._reach.file is None:
            why = "the library is there; say which hosts: --hosts FILE, or KILONODE_HOSTS"
            return (Capability(NAME, "ssh", State.PARTLY, why),)
        return tuple(await asyncio.gather(*(self._capability(name) for name in self.hosts.hosts)))

    async def _capability(self, host: str) -> Capability:
        try:
            facts = await self._reach.ask(self._reach.of(host), lambda helper: helper.ask("facts", _Facts))
        except KilonodeError as error:
            return Capability(NAME, host, State.MISSING, str(error))
        lacks = [] if facts.systemd else ["no systemd: no units, no reboot"]
        lacks += [] if facts.root else ["not root: only processes of the user who logs in; see `become`"]
        lacks += [] if "nft" in facts.programs else ["no nft: it cannot be cut off"]
        lacks += [] if "stress-ng" in facts.programs else ["no stress-ng: its kernel cannot be stressed"]
        return Capability(NAME, host, State.PARTLY if lacks else State.WORKS, "; ".join(lacks))

    async def _processes(self, host: str, names: Sequence[str]) -> list[Found]:
        found = await self._reach.look(host, lambda helper: helper.ask("find", _Processes, names=list(names)))
        return [_found(Kind.PROCESS, each.name, host, each, found.boot) for each in found.processes]

    def _services_on(self, host: str, names: Sequence[str]) -> dict[str, HostedService]:
        return {
            name: service
            for name, service in self.hosts.services.items()
            if (not names or name in names) and self._reach.is_called(host, service.hosts)
        }

    async def _services(self, host: str, services: Mapping[str, HostedService]) -> list[Found]:
        async def do(helper: ssh.Helper) -> list[Found]:
            found = []
            for name, service in services.items():
                found += await self._service(helper, host, name, service)
            return found

        return await self._reach.look(host, do)

    async def _service(self, helper: ssh.Helper, host: str, name: str, service: HostedService) -> list[Found]:
        if service.unit is not None:
            unit = await helper.ask("unit", _Unit, unit=service.unit)
            if not unit.loaded:
                return []
            identity = ProcessIdentity(*unit.member, unit.boot) if unit.member else None
            self._restarted.discard((host, name))
            if unit.restart in RESTARTED:
                self._restarted.add((host, name))
            return [Found(Kind.SERVICE, name, node=host, identity=identity, words=f"{service.unit} is {unit.active}")]
        if service.process is None:
            raise InputError(f"service {name} has neither a unit nor a process", where=str(self._reach.file))
        found = await helper.ask("find", _Processes, patterns=[service.process])
        if not found.processes and service.hosts:
            return [Found(Kind.SERVICE, name, node=host, words="does not run")]
        return [_found(Kind.SERVICE, name, host, each, found.boot) for each in found.processes]

    async def _start(self, helper: ssh.Helper, action: Action, memory: HostMemory, who: str) -> Effect:
        service = memory.service
        command = _command_for(action, service) if service else []
        if service is None or not command:
            raise FaultError(f"nobody knows how to {action.value} {who}")
        began_ns = self._clock.now_ns()
        if action is Action.RESTART or not await self._runs(helper, service):
            await self._run(helper, command)
        deadline_ns = began_ns + int(SERVICE_TIMEOUT_S * NANOSECONDS_PER_SECOND)
        while not await self._runs(helper, service):
            if self._clock.now_ns() > deadline_ns:
                raise FaultError(f"{who} was started, but does not run after {SERVICE_TIMEOUT_S:g} s")
            await self._clock.sleep(LOOK_EVERY_S)
        at_ns = self._clock.now_ns()
        return Effect(at_ns, f"{who} runs", at_ns - began_ns)

    async def _stop(self, helper: ssh.Helper, command: Sequence[str], who: str) -> Effect:
        """As its host does it: what merely ended, systemd might start again."""
        began_ns = self._clock.now_ns()
        await self._run(helper, command)
        at_ns = self._clock.now_ns()
        return Effect(at_ns, f"{who} has ended", at_ns - began_ns)

    async def _runs(self, helper: ssh.Helper, service: HostedService) -> bool:
        if service.unit is not None:
            return (await helper.ask("unit", _Unit, unit=service.unit)).active == "active"
        return bool((await helper.ask("find", _Processes, patterns=[service.process])).processes)

    async def _run(self, helper: ssh.Helper, command: Sequence[str]) -> None:
        ran = await helper.ask("run", Ran, command=list(command))
        if ran.code != 0:
            raise FaultError(f"`{command[-1]}` failed", got=f"exit code {ran.code}: {ran.words.strip()[-300:]}")

    async def _go_down(self, step: Step, memory: HostMemory) -> Effect:
        """Told to go down; seen when it does not answer any more, and for a reboot, that it came back."""
        verb = "reboot" if step.action is Action.REBOOT else "poweroff"
        before = await self._reach.ask(memory, lambda helper: helper.ask("facts", _Facts))
        if not before.systemd:
            raise FaultError(f"host {memory.host} has no systemd, which could {verb} it in good order")
        # The answer may be lost with the host.
        await asyncio.gather(
            self._reach.ask(memory, lambda helper: self._run(helper, ["systemctl", verb])), return_exceptions=True
        )
        began_ns = last_ns = self._clock.now_ns()
        while await self._boot(memory) == before.boot:
            last_ns = self._clock.now_ns()
            if last_ns - began_ns > DOWN_TIMEOUT_S * NANOSECONDS_PER_SECOND:
                raise FaultError(f"host {memory.host} does not go down", got=f"it answers after {DOWN_TIMEOUT_S:g} s")
            await self._clock.sleep(LOOK_EVERY_S)
        at_ns = self._clock.now_ns()
        if step.action is Action.SHUTDOWN:
            return Effect(at_ns, f"host {memory.host} answers no more", at_ns - last_ns)
        while await self._boot(memory) in (None, before.boot):
            if self._clock.now_ns() - at_ns > UP_TIMEOUT_S * NANOSECONDS_PER_SECOND:
                raise FaultError(f"host {memory.host} went down and does not come up")
            await self._clock.sleep(LOOK_EVERY_S)
        took_s = (self._clock.now_ns() - at_ns) / NANOSECONDS_PER_SECOND
        return Effect(at_ns, f"host {memory.host} went down, and was up again {took_s:.1f} s later", at_ns - last_ns)

    async def _boot(self, memory: HostMemory) -> str | None:
        """Which boot the host runs in; None: it does not answer."""
        try:
            return (await self._reach.ask(memory, lambda helper: helper.ask("facts", _Facts))).boot
        except FaultError:
            return None


def _found(kind: Kind, name: str, host: str, process: _Process, boot: str) -> Found:
    identity = ProcessIdentity(*process.member, boot)
    return Found(kind, name, node=host, identity=identity, words=f"pid {identity.pid} on {host}")


def _command_for(action: Action, service: HostedService) -> list[str]:
    """What starts, stops or restarts a service; empty: nobody knows.

    Commands of a hosts file are its owner's own shell lines.
    """
    verb = {Action.START: "start", Action.RESTART: "restart", Action.TERMINATE: "stop"}.get(action)
    if verb is None:
        return []
    if service.unit is not None:
        return ["systemctl", verb, "--", service.unit]
    line: str | None = getattr(service, verb)
    return ["sh", "-c", line] if line else []
