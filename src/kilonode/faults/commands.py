"""Running a command to its end, for those who understand what it says: nothing is left of one that is given up.

Its end is that of itself alone: what it leaves running in the background may keep its output, and is not waited for.
Ctrl-C is not heard by it. What its exit code means is not known here.
"""

import asyncio
import contextlib
import os
import signal
import tempfile
from asyncio.subprocess import Process
from collections.abc import Coroutine, Mapping, Sequence
from typing import IO, Any, Final

from kilonode.base.errors import FaultError

MOST_BYTES: Final = 2**24
"""Of what a command says; of more the end is kept."""


async def run_to_its_end(
    command: Sequence[str], *, timeout_s: float, words: str = "", environment: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Exit code, what was said, what was complained of. Cancelled, it ends the command.

    `words` are for its standard input, which is empty without; `environment` is its whole environment, None: as ours.
    Raises FaultError when it cannot be run, TimeoutError when it does not end in time.
    """
    # Files, not pipes: of one that is read the end comes with that of all who have it, and to write into one whose
    # reader has ended already is an error on some loops.
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as said,
        tempfile.TemporaryFile() as complained,
    ):
        given.write(words.encode())
        given.seek(0)
        try:
            process = await _started(
                asyncio.create_subprocess_exec(
                    *command,
                    env=environment,
                    stdin=given if words else asyncio.subprocess.DEVNULL,
                    stdout=said,
                    stderr=complained,
                    start_new_session=True,  # Ctrl-C is for us alone
                )
            )
        except OSError as error:
            raise FaultError(f"{command[0]} cannot be run", got=error.strerror or str(error)) from error
        try:
            async with asyncio.timeout(timeout_s):
                code = await process.wait()
        except BaseException:
            _kill(process)
            await process.wait()
            raise
        return code, _text(said), _text(complained)


async def _started(starting: Coroutine[Any, Any, Process]) -> Process:
    """The process; cancelled meanwhile, it is ended as soon as it is there: it may be at work before we are told."""
    task = asyncio.ensure_future(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_kill_started)
        with contextlib.suppress(OSError):  # it could not be started
            await (await asyncio.shield(task)).wait()
        raise


def _kill_started(task: asyncio.Future[Process]) -> None:
    if not task.cancelled() and task.exception() is None:
        _kill(task.result())


def _kill(process: Process) -> None:
    """With all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _text(file: IO[bytes]) -> str:
    file.seek(max(0, file.seek(0, os.SEEK_END) - MOST_BYTES))
    return file.read().decode(errors="replace")
