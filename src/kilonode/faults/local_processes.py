"""The driver for processes of this machine, by their name or pid.

A name is that of the program, or of the script that an interpreter runs, and has to be exact. A process whose ancestor
has the same name is that one's child and not found by itself. This process, those that it descends from and the first
of the machine are never found.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kilonode.base.clock import Clock
from kilonode.base.errors import InputError
from kilonode.base.processes import ProcessIdentity, identify
from kilonode.base.randomness import Randomness
from kilonode.faults import preloaded_clocks, process_faults
from kilonode.faults.driver import Capability, Effect, Found, Keep, Step
from kilonode.faults.model import Action, Fault, Kind, Target
from kilonode.faults.printing import print_fault

NAME: Final = "processes"
_INTERPRETERS: Final = ("python", "perl", "ruby", "node", "bash", "sh", "dash")
_LONGEST_COMMAND: Final = 15
"""The kernel cuts the names of commands here."""


class LocalProcesses:
    """Kills, ends, freezes and thaws processes of this machine; skews the clocks of those that can be told."""

    name = NAME

    def __init__(self, clock: Clock, proc: Path = Path("/proc")) -> None:
        self._clock = clock
        self._proc = proc

    def handles(self, fault: Fault) -> bool:
        """Faults on processes."""
        able = fault.action in process_faults.ACTIONS or fault.action is Action.SKEW
        return fault.target.kind is Kind.PROCESS and able

    async def find(self, target: Target) -> Sequence[Found]:
        """Processes by name. All there are, which is for hints, are never meant."""
        if target.nodes is not None:
            raise InputError("this driver knows no nodes: its processes are those of this machine")
        parents = {pid: parent for pid in self._pids() if (parent := self._parent(pid)) is not None}
        ours = _line(os.getpid(), parents) | {1}
        found = []
        for name in target.names:
            pids = {int(name)} if name.isdecimal() else {pid for pid in parents if name in self._names(pid)}
            pids -= ours
            heads = [pid for pid in pids if not (_line(parents.get(pid, 0), parents) & pids)]
            found += [
                Found(Kind.PROCESS, name, identity=identity, words=self._words(identity))
                for pid in sorted(heads)
                if (identity := identify(pid)) is not None
            ]
        return found

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        """A step for each process."""
        if peers:
            raise InputError("processes have no peers", where=print_fault(fault))
        if fault.action is Action.SKEW:
            hint = "services of an emulated cloud can be told, and those of a stack that was brought up with --clocks"
            return [preloaded_clocks.plan_step(NAME, fault, each, hint) for each in found]
        return [process_faults.plan_step(NAME, fault, each) for each in found]

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Send the signal, or freeze the group, and see what becomes of it."""
        if step.action is Action.SKEW:
            return await preloaded_clocks.inject(step, self._clock)
        return await process_faults.inject(step, keep, self._clock)

    async def heal(self, step: Step) -> Effect:
        """Have them go on, and their clocks be right."""
        if step.action is Action.SKEW:
            return await preloaded_clocks.heal(step, self._clock)
        return await process_faults.heal(step, self._clock)

    async def capabilities(self) -> Sequence[Capability]:
        """What can be done to processes here."""
        return process_faults.capabilities(NAME)

    def _pids(self) -> list[int]:
        return [int(path.name) for path in self._proc.iterdir() if path.name.isdecimal()]

    def _parent(self, pid: int) -> int | None:
        """None: it has ended, or is a thread of the kernel."""
        try:
            fields = (self._proc / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        parent = int(fields[1])
        return None if fields[0] in "ZX" or (2 in (pid, parent) and self._command_line(pid) == []) else parent

    def _names(self, pid: int) -> set[str]:
        try:
            names = {(self._proc / str(pid) / "comm").read_text(errors="replace").rstrip("\n")}
        except (FileNotFoundError, ProcessLookupError):
            return set()
        names = {name for name in names if len(name) < _LONGEST_COMMAND}
        words = self._command_line(pid)
        if words:
            program = Path(words[0]).name
            names.add(program)
            if len(words) > 1 and program.rstrip("0123456789.") in _INTERPRETERS and not words[1].startswith("-"):
                names.add(Path(words[1]).name)
        return names

    def _command_line(self, pid: int) -> list[str]:
        try:
            data = (self._proc / str(pid) / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return []
        return [word.decode(errors="replace") for word in data.split(b"\0") if word]

    def _words(self, identity: ProcessIdentity) -> str:
        # Its first word alone: arguments may hold secrets.
        return f"pid {identity.pid} ({' '.join(self._command_line(identity.pid)[:1])})"


def _line(pid: int, parents: dict[int, int]) -> set[int]:
    """The process and those that it descends from."""
    found = set[int]()
    while pid not in found and pid > 0:
        found.add(pid)
        pid = parents.get(pid, 0)
    return found
