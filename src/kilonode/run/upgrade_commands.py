"""Running one command of an upgrade: as a list of arguments, in a session of its own, ended when it takes too long.

Its words are kept short: the last line of them says why it failed. No shell reads anything.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from typing import Final

from kilonode.base.errors import FaultError, trim

MOST_WORDS_BYTES: Final = 65_536


async def run_command(arguments: Sequence[str], timeout_s: float) -> None:
    """Run it to its end. Raises FaultError when it cannot be run, fails, or takes too long."""
    try:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise FaultError("a command cannot be run", where=arguments[0], got=error.strerror or str(error)) from error
    words = b""
    try:
        async with asyncio.timeout(timeout_s):
            while process.stdout is not None and (part := await process.stdout.read(MOST_WORDS_BYTES)):
                words = (words + part)[-MOST_WORDS_BYTES:]
            await process.wait()
    except TimeoutError:
        raise FaultError(f"a command did not end within {timeout_s:g} s", where=" ".join(arguments)) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode:
        lines = words.decode(errors="replace").strip().splitlines()
        said = trim(lines[-1]) if lines else ""
        raise FaultError(f"a command ended with {process.returncode}", where=" ".join(arguments), got=said)
