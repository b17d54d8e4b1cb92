"""The stacks of this machine, as faults see them: which processes they have, and starting one again."""

from collections.abc import Sequence
from pathlib import Path

from kilonode.base.clock import Clock
from kilonode.base.processes import ProcessIdentity
from kilonode.faults.stack_members import StackMember
from kilonode.stack import again
from kilonode.stack.folder import StackFolder


class StacksHere:
    """The stacks under one state folder."""

    def __init__(self, state: Path, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def has(self, stack: str) -> bool:
        """Whether there is one of that name."""
        return bool(stack) and StackFolder(self._state, stack).exists

    def runs(self, stack: str) -> bool:
        """Whether anything of it runs."""
        return any(each.identity for each in again.stack_processes(self._state, stack))

    async def members(self, stack: str) -> Sequence[StackMember]:
        """See `Stacks`."""
        found = again.stack_processes(self._state, stack)
        return [StackMember(each.process, each.services, each.host, each.identity) for each in found]

    async def start(self, stack: str, name: str) -> ProcessIdentity:
        """See `Stacks`."""
        return await again.start_again(self._state, stack, name, self._clock)

    async def restart(self, stack: str, name: str) -> ProcessIdentity:
        """See `Stacks`."""
        return await again.restart(self._state, stack, name, self._clock)
