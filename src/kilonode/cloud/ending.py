"""Ending the processes of an emulated cloud, gently first, and clearing away what a crash left running.

Processes are known by identity, so a stale `processes.json` never leads to a stranger's process.
"""

import signal
from typing import Final

from kilonode.base.clock import Clock
from kilonode.base.errors import LabError
from kilonode.base.processes import ProcessIdentity, is_alive, send, wait_until_gone
from kilonode.cloud.folder import StateFolder

GENTLE_TIMEOUT_S: Final = 15.0
"""Longer than the supervisor gives its processes."""
KILL_TIMEOUT_S: Final = 5.0


async def end_cloud(folder: StateFolder, clock: Clock, supervisor: ProcessIdentity | None = None) -> int:
    """End the supervisor (the one known to run, or the one on record), then whatever of the cloud still runs.

    Returns how many processes had to be ended.
    """
    table = folder.read_processes()
    supervisor = supervisor or (table.supervisor if table else None)
    ended = 0
    if supervisor is not None and send(supervisor, signal.SIGTERM):
        ended += 1
        if not await wait_until_gone([supervisor], clock, GENTLE_TIMEOUT_S):
            send(supervisor, signal.SIGKILL)
            await wait_until_gone([supervisor], clock, KILL_TIMEOUT_S)
    table = folder.read_processes()
    left = [record.identity for record in table.processes if record.identity is not None] if table else []
    left = [identity for identity in left if is_alive(identity)]
    # Their supervisor is gone, so they are ending by themselves, unless they are frozen or stuck.
    if left and not await wait_until_gone(left, clock, KILL_TIMEOUT_S):
        for identity in left:
            send(identity, signal.SIGKILL)
        if not await wait_until_gone(left, clock, KILL_TIMEOUT_S):
            raise LabError(
                "processes of the cloud do not end",
                got=", ".join(f"pid {identity.pid}" for identity in left if is_alive(identity)),
            )
    folder.forget_processes()
    return ended + len(left)
