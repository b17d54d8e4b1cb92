"""Helper processes of faults: they outlive whoever injects, and are known by a token among their arguments.

The token is written down before the process is started, so it is found and ended whatever was killed in between.
Secrets have no place in arguments, and no helper needs one.
"""

import os
import secrets
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import FaultError
from kilonode.base.processes import ProcessIdentity, identify, reap, send, start_detached, wait_until_gone

_PREFIX: Final = "kilonode-"
GENTLE_S: Final = 12.0
"""How long a helper may take to end what it has begun."""
SOON_S: Final = 5.0


def new_token() -> str:
    """A name that nothing else has: `kilonode-1a2b3c4d`."""
    return _PREFIX + secrets.token_hex(4)


def start(token: str, command: Sequence[str], enter: str = "") -> Path:
    """Start a helper; `token` must be one of its arguments. Its words go to the file that is returned.

    `enter`: the network namespace to start it in.
    """
    words = words_of(token)
    words.unlink(missing_ok=True)
    command = [*(("ip", "netns", "exec", enter) if enter else ()), *command]
    start_detached([_program(command[0]), *command[1:]], words)
    return words


def words_of(token: str) -> Path:
    """Where the words of a helper are."""
    return Path(tempfile.gettempdir(), f"{token}.log")


def find(token: str) -> tuple[ProcessIdentity, ...]:
    """The processes that carry a token."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdecimal() and int(name) != os.getpid():
            try:
                arguments = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if token.encode() in arguments and (identity := identify(int(name))) is not None:
                found.append(identity)
    return tuple(found)


async def kill(token: str, clock: Clock) -> None:
    """End a helper that has nothing to end well, and all that carry its token. Raises FaultError."""
    deadline_ns = clock.now_ns() + int(SOON_S * NANOSECONDS_PER_SECOND)
    while carrying := find(token):  # also those that were just being made
        if clock.now_ns() > deadline_ns:
            raise FaultError("a helper process does not end", where=token)
        for identity in carrying:
            send(identity, signal.SIGKILL)
        await wait_until_gone(carrying, clock, SOON_S)
    words_of(token).unlink(missing_ok=True)


async def end(token: str, clock: Clock) -> int:
    """End a helper: gently, and for certain. How many processes it was. Raises FaultError."""
    carrying = find(token)
    for number, timeout_s in ((signal.SIGTERM, GENTLE_S), (signal.SIGKILL, SOON_S)):
        for identity in carrying:
            send(identity, number)
            reap(identity.pid)
        if await wait_until_gone(carrying, clock, timeout_s):
            words_of(token).unlink(missing_ok=True)
            return len(carrying)
    raise FaultError("a helper process does not end", where=token)


async def wait_for_word(token: str, word: str, clock: Clock, timeout_s: float = 30.0) -> str:
    """The line of a helper's words that begins so, without it. Raises FaultError with what it said instead."""
    words = words_of(token)
    deadline_ns = clock.now_ns() + int(timeout_s * NANOSECONDS_PER_SECOND)
    seen_alive = False
    while True:
        text = words.read_text(errors="replace") if words.exists() else ""
        for line in text.splitlines():
            if line.startswith(word):
                return line.removeprefix(word).strip()
        alive = bool(find(token))
        if (seen_alive and not alive) or clock.now_ns() > deadline_ns:
            last = text.strip().splitlines()[-1:] or ["it said nothing"]
            raise FaultError("a helper process could not begin", where=token, got=last[0][:200])
        seen_alive |= alive
        await clock.sleep(0.005)


def _program(name: str) -> str:
    """The program's path: it is started without a search."""
    import shutil

    return shutil.which(name) or name
