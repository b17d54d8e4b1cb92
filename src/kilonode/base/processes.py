"""Processes that Kilonode starts, as the operating system knows them: who is who, is it alive, start one, end one.

A process identifier alone means little: after a crash another process may have it, so an identity also carries the
start time and the boot of the machine. Linux only (`/proc`). It knows nothing of roles or services.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock

LOOK_EVERY_S: Final = 0.02
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_STATE_FIELD: Final = 0
_START_FIELD: Final = 19
"""Places in /proc/<pid>/stat, counted after the command's name in brackets."""


class ProcessIdentity(msgspec.Struct, frozen=True):
    """One process for all time: no other ever equals it."""

    pid: int
    started_ticks: int
    """Clock ticks between the machine's boot and the start of the process."""
    boot: str
    """The identifier of that boot."""


def stat_fields(pid: int | str) -> list[str] | None:
    """What /proc/<pid>/stat says after the command's name in brackets; None: there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123 (a path would cost more than it reads)
            return file.read(2048).decode("latin-1").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def identify(pid: int) -> ProcessIdentity | None:
    """Who has this process identifier now; None when nobody has, or only the remains of one that ended."""
    fields = stat_fields(pid)
    if fields is None or fields[_STATE_FIELD] in "ZX":
        return None
    return ProcessIdentity(pid, int(fields[_START_FIELD]), this_boot())


@cache  # asked at every look at a process, and no process sees two
def this_boot() -> str:
    """The identifier of this machine's boot: within it, the monotonic clock is one axis for all processes."""
    return _BOOT.read_text().strip()


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether this very process still runs."""
    return identify(identity.pid) == identity


def is_stopped(identity: ProcessIdentity) -> bool:
    """Whether this very process runs, and a signal holds it still. One that a cgroup holds is not told from others."""
    fields = stat_fields(identity.pid)
    return fields is not None and fields[_STATE_FIELD] == "T" and int(fields[_START_FIELD]) == identity.started_ticks


def send(identity: ProcessIdentity, signal_number: signal.Signals) -> bool:
    """Send a signal to this very process; False when it is gone."""
    if not is_alive(identity):
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(identity.pid, signal_number)
        return True
    return False


async def wait_until_gone(identities: Sequence[ProcessIdentity], clock: Clock, timeout_s: float) -> bool:
    """Wait until none of these processes runs; False when some still do after `timeout_s`."""
    deadline_ns = clock.now_ns() + int(timeout_s * NANOSECONDS_PER_SECOND)
    while any(is_alive(identity) for identity in identities):
        if clock.now_ns() > deadline_ns:
            return False
        await clock.sleep(LOOK_EVERY_S)
        for identity in identities:
            reap(identity.pid)
    return True


def reap(pid: int) -> None:
    """Clear away the remains of an ended process if it was a child of ours."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def module_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of ours with this very interpreter."""
    return [sys.executable, "-m", module, *arguments]


def start_detached(command: Sequence[str], log: Path, variables: Mapping[str, str] | None = None) -> int:
    """Start a process in a session of its own, that outlives us and our terminal; its words go to `log`. Its pid.

    `variables` is its whole environment; None: as ours.
    """
    return os.posix_spawn(
        command[0],
        list(command),
        os.environ if variables is None else variables,
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )


async def start_child(
    command: Sequence[str],
    log: Path,
    variables: Mapping[str, str] | None = None,
    descriptors: Sequence[int] = (),
) -> asyncio.subprocess.Process:
    """Start a child whose words go to `log` and whose standard input ends when we do.

    `variables` are added to its environment; `descriptors` it inherits under the same numbers.
    """
    with log.open("ab") as words:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=words,
            stderr=words,
            start_new_session=True,
            env={**os.environ, **(variables or {})},
            pass_fds=descriptors,
        )
