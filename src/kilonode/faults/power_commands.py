"""Running a command that speaks to a controller of power: what it says, and no process left of one that is given up.

It ends with whoever runs it, even if that is killed: an order that it repeats until it is answered would come after the
heal. What it says is not understood here. It gets nothing on its standard input, so it cannot ask for a password.
"""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from typing import Final

from kilonode.base.errors import FaultError

GUARD: Final = ("setpriv", "--pdeathsig", "KILL")
"""Has the kernel kill it when its parent dies; the command itself is the same process."""


def lacking(program: str, package: str) -> str:
    """What is not installed of what it takes to run a program, and how to get it; empty: nothing."""
    for name, of in ((program, package), (GUARD[0], "util-linux")):
        if shutil.which(name) is None:
            return f"{name} is not installed: apt-get install {of}"
    return ""


async def run_command(
    command: Sequence[str], environment: Mapping[str, str], timeout_s: float, where: str
) -> tuple[int, str, str]:
    """Exit code, what was said, what was complained of. Raises FaultError; cancelled, it ends the command."""
    try:
        process = await asyncio.create_subprocess_exec(
            *GUARD,
            *command,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us alone
        )
    except OSError as error:
        raise FaultError(f"{command[0]} cannot be run", got=error.strerror or str(error)) from error
    try:
        said, complained = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError as error:
        raise FaultError("the controller does not answer", where=where, got=f"nothing for {timeout_s:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said.decode(errors="replace"), complained.decode(errors="replace")
