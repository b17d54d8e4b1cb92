"""Running one command of an upgrade: as a list of arguments, in a session of its own, ended when it takes too long.

The last line that it complains, or says, is why it failed. No shell reads anything.
"""

from collections.abc import Sequence

from kilonode.base.errors import FaultError, trim
from kilonode.faults.commands import run_to_its_end


async def run_command(arguments: Sequence[str], timeout_s: float) -> None:
    """Run it to its end. Raises FaultError when it cannot be run, fails, or takes too long."""
    try:
        code, said, complained = await run_to_its_end(arguments, timeout_s=timeout_s)
    except TimeoutError:
        raise FaultError(f"a command did not end within {timeout_s:g} s", where=" ".join(arguments)) from None
    if code:
        lines = (complained.strip() or said.strip()).splitlines()
        got = trim(lines[-1]) if lines else ""
        raise FaultError(f"a command ended with {code}", where=" ".join(arguments), got=got)
