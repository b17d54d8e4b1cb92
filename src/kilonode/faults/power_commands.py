"""Running a command that speaks to a controller of power: what it says, and no process left of one that is given up.

What it says is not understood here. It gets nothing on its standard input, so it cannot ask for a password.
"""

import asyncio
from collections.abc import Mapping, Sequence

from kilonode.base.errors import FaultError


async def run_command(
    command: Sequence[str], environment: Mapping[str, str], timeout_s: float, where: str
) -> tuple[int, str, str]:
    """Exit code, what was said, what was complained of. Raises FaultError; cancelled, it ends the command."""
    try:
        process = await asyncio.create_subprocess_exec(
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
