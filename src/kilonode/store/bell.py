"""How processes that share a file tell each other that they have written to it: empty unix datagrams.

Each process listens on a socket of its own in a folder beside the file; `ring` sends one datagram to every other
socket there. A datagram carries nothing: the log in the file says what happened. Sending never waits: a full socket
means that its owner has a wake-up coming anyway, and the socket of a process that died is removed. A lost datagram
costs delay, not correctness: listeners also look by themselves from time to time.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

SETTLED_NS: Final = 1_000_000_000
"""A folder listing is trusted while the folder is unchanged and its last change was this long before the listing."""
DATAGRAMS_AT_ONCE: Final = 64
_KIND: Final = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC


class Bell:
    """One process's socket in `folder`, and the way to ring all others."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        # Addresses go through the folder's descriptor: a unix socket's path may have no more than 107 bytes.
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._socket = socket.socket(socket.AF_UNIX, _KIND)
        self._socket.bind(self._address(self._name))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._others: dict[str, socket.socket] = {}
        """To each other listener, by its name. Connected: a path looked up for each ring costs four times as much."""
        self._listed_ns = 0
        self._folder_ns = -1

    def listen(self, on_ring: Callable[[], None]) -> None:
        """Have `on_ring` called on the running event loop after any other process rang, once for many rings."""

        def drain() -> None:
            with contextlib.suppress(BlockingIOError):
                for _ in range(DATAGRAMS_AT_ONCE):
                    self._socket.recv(1)
            on_ring()

        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), drain)

    def ring(self) -> None:
        """Wake every other listener. Never waits, never fails."""
        dead = []
        for name, other in self._listeners().items():
            try:
                other.send(b"")
            except ConnectionError:
                dead.append(name)
            except OSError:
                pass  # its buffer is full of rings it has yet to hear
        for name in dead:
            self._others.pop(name).close()
            self._remove(name)

    def close(self) -> None:
        """Stop listening."""
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        for other in self._others.values():
            other.close()
        with contextlib.suppress(OSError):
            os.unlink(self._name, dir_fd=self._folder)
        os.close(self._folder)

    def _listeners(self) -> dict[str, socket.socket]:
        changed_ns = os.fstat(self._folder).st_mtime_ns
        settled = self._listed_ns - self._folder_ns > SETTLED_NS
        # A socket made in the same tick of the file system's clock as our listing would not change the time we see.
        if changed_ns != self._folder_ns or not settled:
            self._folder_ns = changed_ns
            self._listed_ns = time.time_ns()
            there = set(os.listdir(self._folder)) - {self._name}  # noqa: PTH208
            for name in self._others.keys() - there:
                self._others.pop(name).close()
            for name in there - self._others.keys():
                self._connect(name)
        return self._others

    def _connect(self, name: str) -> None:
        try:
            other = socket.socket(socket.AF_UNIX, _KIND)
        except OSError:
            self._folder_ns = -1  # no descriptor is free: look again at the next ring
            return
        try:
            other.connect(self._address(name))
        except OSError as error:
            other.close()
            if isinstance(error, ConnectionRefusedError):
                self._remove(name)
        else:
            self._others[name] = other

    def _remove(self, name: str) -> None:
        """Remove what a listener that died has left."""
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=self._folder)

    def _address(self, name: str) -> str:
        return f"/proc/self/fd/{self._folder}/{name}"
