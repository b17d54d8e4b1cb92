"""Running one command of an upgrade: as a list of arguments, in a session of its own, ended when it takes too long.

Its words are kept short: the last line of them says why it failed. No shell reads anything.
"""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Sequence
from typing import Final

from kilonode.base.errors import FaultError, trim

MOST_WORDS_BYTES: Final = 65_536


async def run_command(arguments: Sequence[str], timeout_s: float) -> None:
    """Run it to its end. Raises FaultError when it cannot be run, fails, or takes too long."""
    # A file, not a pipe: of a pipe nobody knows the end while something that the command started still has it.
    with tempfile.TemporaryFile() as said:
        try:
            process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=said,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise FaultError("a command cannot be run", where=arguments[0], got=error.strerror or str(error)) from error
        try:
            async with asyncio.timeout(timeout_s):
                await process.wait()
        except TimeoutError:
            raise FaultError(f"a command did not end within {timeout_s:g} s", where=" ".join(arguments)) from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            said.seek(max(0, said.seek(0, os.SEEK_END) - MOST_WORDS_BYTES))
            lines = said.read().decode(errors="replace").strip().splitlines()
            got = trim(lines[-1]) if lines else ""
            raise FaultError(f"a command ended with {process.returncode}", where=" ".join(arguments), got=got)
