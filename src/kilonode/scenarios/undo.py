"""What an iteration made and would have to delete should it fail: a list, undone last first.

Undoing is best effort and bounded in time. What is left is found by the run's cleanup, which goes by names. Nothing
here knows what is undone: an action that makes something gives the coroutine function that deletes it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome

LIMIT_S: Final = 120.0
"""How long undoing everything of one iteration may take."""


@dataclass(frozen=True, slots=True)
class Undo:
    """One thing that was made."""

    noun: str
    """What it is, as a step's name: `server`."""
    identity: str
    undo: Callable[[], Awaitable[object]]


class UndoList:
    """Things made, in order."""

    __slots__ = ("_things",)

    def __init__(self) -> None:
        self._things: dict[tuple[str, str], Undo] = {}

    def __bool__(self) -> bool:
        return bool(self._things)

    def add(self, thing: Undo) -> None:
        """Remember one more."""
        self._things[thing.noun, thing.identity] = thing

    def remove(self, noun: str, identity: str) -> None:
        """Forget one; it may be forgotten already."""
        self._things.pop((noun, identity), None)

    async def run(self, step: Callable[[str], AbstractContextManager[Any]]) -> None:
        """Undo everything, each in a step called by its noun, and forget it.

        Goes on after a failure; what is not undone after `LIMIT_S` in all is given up. At the end raises OperationError
        (wrong_state) that says how many things could not be undone.
        """
        things = list(reversed(self._things.values()))
        self._things.clear()
        deadline = asyncio.get_running_loop().time() + LIMIT_S
        failed = 0
        for thing in things:
            try:
                with step(thing.noun):
                    async with asyncio.timeout_at(deadline):
                        await thing.undo()
            except (OperationError, TimeoutError):
                failed += 1
        if failed:
            raise OperationError(Outcome.WRONG_STATE, f"{failed} of {len(things)} could not be deleted")
