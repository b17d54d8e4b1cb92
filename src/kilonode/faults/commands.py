"""Running a command to its end, for those who understand what it says: nothing is left of one that is given up.

Ctrl-C is not heard by it. What its exit code means is not known here.
"""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Mapping, Sequence

from kilonode.base.errors import FaultError


async def run_to_its_end(
    command: Sequence[str], *, timeout_s: float, words: str = "", environment: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Exit code, what was said, what was complained of. Cancelled, it ends the command.

    `words` are for its standard input, which is empty without; `environment` is its whole environment, None: as ours.
    Raises FaultError when it cannot be run, TimeoutError when it does not end in time.
    """
    # A file, not a pipe: to write into that of a command which has ended already is an error on some loops.
    with tempfile.TemporaryFile() as given:
        given.write(words.encode())
        given.seek(0)
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=environment,
                stdin=given if words else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us alone
            )
        except OSError as error:
            raise FaultError(f"{command[0]} cannot be run", got=error.strerror or str(error)) from error
    try:
        said, complained = await asyncio.wait_for(process.communicate(), timeout_s)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it has started keeps the pipes open
        await process.communicate()
        raise
    return process.returncode or 0, said.decode(errors="replace"), complained.decode(errors="replace")
