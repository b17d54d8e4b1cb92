"""The processes of a stack: which run, starting one, ending them all.

Every process carries a mark in its environment, the path of its stack's folder, and leads a session of its own. What
was started is recorded, but the mark is the truth: a command that was killed between starting a process and recording
it leaves nothing that `stack down` does not find. Processes that were not started for this stack are never touched.
"""

import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.clock_file import CLOCK_VARIABLE, make_clock_file
from kilonode.base.errors import InputError
from kilonode.base.processes import ProcessIdentity, identify, is_alive, send, start_detached, wait_until_gone
from kilonode.base.usage import families
from kilonode.stack.commands import last_lines
from kilonode.stack.folder import ServiceRecord, StackFolder
from kilonode.stack.services import Service

Missing = Callable[[], Awaitable[str]]
"""Asks what is still missing, in words; nothing when what was waited for is there."""

LAST: Final = frozenset({"epmd"})
"""The broker's tools find it by its port mapper, and without it take their time to give up."""
FOUNDATIONS: Final = frozenset({"mariadb", "rabbitmq", "memcached"}) | LAST
"""What all other services use, so it ends after them."""
MARK: Final = "KILONODE_STACK"
GRACE_S: Final = 20.0
"""How long processes may take to end after they were asked to; databases write back what is in memory."""
LOOK_EVERY_S: Final = 0.2
_SESSION_FIELD: Final = 3
"""Place of the session in /proc/<pid>/stat, counted after the command's name in brackets."""


def start(folder: StackFolder, service: Service) -> ServiceRecord:
    """Start a process unless it runs already; what is known of it then."""
    known = {record.process: record for record in folder.services()}
    record = known.get(service.label)
    if record is not None and is_alive(record.identity):
        return record
    variables = service.environment() | {MARK: str(folder.path)}
    if CLOCK_VARIABLE in variables:
        make_clock_file(Path(variables[CLOCK_VARIABLE]))
    folder.make()
    log = folder.log(service.label)
    pid = start_detached(service.command, log, variables)
    identity = identify(pid)
    if identity is None:
        raise died(folder, service.label)
    record = ServiceRecord(service.name, service.label, identity, service.release)
    known[service.label] = record
    folder.write_services(tuple(known.values()))
    return record


def died(folder: StackFolder, process: str, when: str = "at once") -> InputError:
    """The error for a process that ended while it should run."""
    log = folder.log(process)
    return InputError(
        f"{process} ended {when}",
        where=str(folder.path),
        got=last_lines(log),
        hint=f"look at its log with: kilonode stack logs {process}{folder.name_option}",
    )


def processes_of(folder: StackFolder) -> tuple[ProcessIdentity, ...]:
    """Every process of the stack that runs now: recorded, in the session of one that was, or marked."""
    recorded = {record.identity.pid: record.identity for record in folder.services()}
    found: dict[int, ProcessIdentity] = {}
    mark = f"{MARK}={folder.path}".encode()
    for pid in _pids():
        identity = identify(pid)
        if identity is None or pid == os.getpid():
            continue
        leader = recorded.get(_session(pid))
        # A session whose number has gone to another leader is not ours; while any member lives, it does not.
        ours = leader is not None and identify(leader.pid) in (None, leader)
        if recorded.get(pid) == identity or ours or mark in _variables(pid):
            found[pid] = identity
    return tuple(found.values())


async def end_strays(folder: StackFolder, clock: Clock) -> None:
    """End commands that outlived the `up` that ran them: they are no service, and what they do is done again."""
    services = families({"": [record.identity for record in folder.services()]})[""]
    # Children by descent, not by session: some that the broker starts lead sessions of their own.
    await _make_end([one for one in processes_of(folder) if one not in services], clock)


async def end_all(folder: StackFolder, clock: Clock, *, at_once: bool = False) -> int:
    """End every process of the stack, those that others depend on last; how many there were.

    `at_once` leaves them no time to write anything back: for a stack whose data goes with it.
    """
    ended = 0
    for later in (FOUNDATIONS, LAST, frozenset[str]()):
        sessions = {record.identity.pid for record in folder.services() if record.name in later}
        identities = [one for one in processes_of(folder) if _session(one.pid) not in sessions]
        ended += len(identities)
        if not at_once:
            await _ask_to_end(identities, clock)
        await _make_end(identities, clock)
    folder.write_services(())
    return ended


async def until_ready(
    folder: StackFolder, records: Sequence[ServiceRecord], clock: Clock, timeout_s: float, missing: Missing
) -> None:
    """Wait until nothing is missing. Raises InputError when a process ends before, or when it takes too long."""
    deadline_ns = clock.now_ns() + int(timeout_s * NANOSECONDS_PER_SECOND)
    while missed := await missing():
        for record in records:
            if not is_alive(record.identity):
                raise died(folder, record.process)
        if clock.now_ns() > deadline_ns:
            names = ", ".join(dict.fromkeys(record.name for record in records))
            process = records[-1].process if records else ""
            raise InputError(
                f"{names} did not get ready within {timeout_s:g} s",
                where=str(folder.path),
                got=f"{missed}\n{last_lines(folder.log(process))}",
                hint="is the machine busy or short of memory? The same command again goes on from here; "
                f"the log: kilonode stack logs {process}{folder.name_option}",
            )
        await clock.sleep(LOOK_EVERY_S)


async def _ask_to_end(identities: Sequence[ProcessIdentity], clock: Clock) -> None:
    for identity in identities:
        send(identity, signal.SIGTERM)
    await wait_until_gone(identities, clock, GRACE_S)


async def _make_end(identities: Sequence[ProcessIdentity], clock: Clock) -> None:
    for identity in identities:
        send(identity, signal.SIGKILL)
    if not await wait_until_gone(identities, clock, GRACE_S):
        left = ", ".join(str(identity.pid) for identity in identities if is_alive(identity))
        raise InputError("processes of the stack cannot be ended", got=f"pid {left}", hint="are they another user's?")


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _session(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[_SESSION_FIELD])
    except (OSError, IndexError, ValueError):
        return 0


def _variables(pid: int) -> tuple[bytes, ...]:
    try:
        return tuple(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    except OSError:
        return ()
