"""The logs of a stack's processes, for people."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kilonode.base.errors import InputError, nearest
from kilonode.stack.folder import StackFolder
from kilonode.stack.launch import no_stack

LOOK_EVERY_S: Final = 0.5
_BYTES_PER_LINE: Final = 4_096
"""Enough for the longest lines that services write, most of the time."""


def log_names(state: Path, name: str) -> list[str]:
    """The processes that have logs, and `commands`: what was run to bring the stack up. Raises InputError."""
    folder = _folder(state, name)
    return sorted([path.stem for path in folder.logs.glob("*.log")] + ["commands"])


def read_log(state: Path, name: str, process: str, lines: int) -> list[str]:
    """The last lines of the log of a process. Raises InputError with the nearest name."""
    path = _path(state, name, process)
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - lines * _BYTES_PER_LINE))
        return stream.read().decode(errors="replace").splitlines()[-lines:]


async def follow_log(state: Path, name: str, process: str, show: Callable[[str], object]) -> None:
    """Show lines as they are written, until cancelled."""
    with _path(state, name, process).open(errors="replace") as stream:
        stream.seek(0, 2)
        while True:
            line = stream.readline()
            if line:
                show(line.rstrip("\n"))
            else:
                await asyncio.sleep(LOOK_EVERY_S)


def _path(state: Path, name: str, process: str) -> Path:
    folder = _folder(state, name)
    names = log_names(state, name)
    if process not in names:
        raise InputError(
            f"there is no log of {process!r}",
            where=str(folder.logs),
            expected=", ".join(names),
            hint=nearest(process, names),
        )
    return folder.commands_log if process == "commands" else folder.log(process)


def _folder(state: Path, name: str) -> StackFolder:
    folder = StackFolder(state, name)
    if not folder.exists:
        raise no_stack(state, name)
    return folder
