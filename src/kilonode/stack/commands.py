"""Commands that are run to their end while a stack is brought up: their words are kept, their failure is explained."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from kilonode.base.errors import InputError

LINES_SHOWN: Final = 6
_LAST_BYTES: Final = 16_384


async def run_command(
    command: Sequence[str | Path],
    log: Path,
    *,
    timeout_s: float,
    variables: Mapping[str, str] | None = None,
    words: str = "",
    accepted: Collection[int] = (0,),
    what: str = "",
    hint: str = "",
) -> str:
    """Run a command to its end; what it printed on standard output. Everything it says is kept in `log`.

    `words` go to its standard input, which is how secrets are given. `accepted`: exit statuses that are no failure.
    Raises InputError, with the last lines it said,
    when it fails or takes longer than `timeout_s`; when this task is cancelled, the command is ended.
    """
    arguments = [str(part) for part in command]
    with log.open("ab") as stream:
        stream.write(f"\n$ {' '.join(arguments)}\n".encode())
        stream.flush()
        try:
            with _readable(words) as given:
                process = await asyncio.create_subprocess_exec(
                    *arguments,
                    stdin=given,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=stream,
                    env=dict(os.environ if variables is None else variables),
                    start_new_session=True,
                )
        except OSError as error:
            raise InputError(
                f"{what or arguments[0]} cannot be run", where=arguments[0], got=error.strerror or str(error), hint=hint
            ) from error
        try:
            async with asyncio.timeout(timeout_s):
                printed, _ = await process.communicate()
        except BaseException as error:
            await _end(process)
            if isinstance(error, TimeoutError):
                raise _failure(arguments, log, what, f"still at work after {timeout_s:g} s", hint) from error
            raise
        stream.write(printed)
    if process.returncode not in accepted:
        raise _failure(arguments, log, what, f"exit status {process.returncode}", hint)
    return printed.decode(errors="replace")


def last_lines(log: Path, count: int = LINES_SHOWN) -> str:
    """The last lines of a log, for an error message."""
    try:
        with log.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - _LAST_BYTES))
            lines = stream.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return "nothing"
    return "\n".join([line for line in lines if line.strip()][-count:]) or "nothing"


@contextlib.contextmanager
def _readable(words: str) -> Iterator[int]:
    """What a command can read words from. No pipe: to write into that of a command which has ended already is an error
    on some loops. And no file on a disk: they may be secrets.
    """
    if not words:
        yield asyncio.subprocess.DEVNULL
        return
    with os.fdopen(os.memfd_create("words"), "wb") as memory:
        memory.write(words.encode())
        memory.flush()
        memory.seek(0)
        yield memory.fileno()


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a command and everything it started: its session is its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(5.0):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _failure(arguments: Sequence[str], log: Path, what: str, why: str, hint: str) -> InputError:
    return InputError(
        what or f"{Path(arguments[0]).name} failed",
        where=" ".join(arguments[:4]),
        got=f"{why}\n{last_lines(log)}",
        hint=hint or f"all its words are in {log}",
    )
