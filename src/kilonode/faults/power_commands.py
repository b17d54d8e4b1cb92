"""Running a command that speaks to a controller of power.

It ends with whoever runs it, even if that is killed: an order that it repeats until it is answered would come after the
heal. What it says is not understood here. It gets nothing on its standard input, so it cannot ask for a password.
"""

import shutil
from collections.abc import Mapping, Sequence
from typing import Final

from kilonode.base.errors import FaultError
from kilonode.faults.commands import run_to_its_end

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
        return await run_to_its_end([*GUARD, *command], timeout_s=timeout_s, environment=environment)
    except TimeoutError as error:
        raise FaultError("the controller does not answer", where=where, got=f"nothing for {timeout_s:g} s") from error
