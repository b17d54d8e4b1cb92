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


class Bell:
    """One process's socket in `folder`, and the way to ring all others."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        # Addresses go through the folder's descriptor: a unix socket's path may have no more than 107 bytes.
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._socket.bind(self._address(self._name))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._others: list[str] = []
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
        for name in self._listeners():
            try:
                self._socket.sendto(b"", self._address(name))
            except BlockingIOError:
                pass  # its buffer is full of rings it has yet to hear
            except ConnectionRefusedError:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=self._folder)
            except OSError:
                pass  # it closed a moment ago

    def close(self) -> None:
        """Stop listening."""
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        with contextlib.suppress(OSError):
            os.unlink(self._name, dir_fd=self._folder)
        os.close(self._folder)

    def _listeners(self) -> list[str]:
        changed_ns = os.fstat(self._folder).st_mtime_ns
        settled = self._listed_ns - self._folder_ns > SETTLED_NS
        # A socket made in the same tick of the file system's clock as our listing would not change the time we see.
        if changed_ns != self._folder_ns or not settled:
            self._folder_ns = changed_ns
            self._listed_ns = time.time_ns()
            self._others = [name for name in os.listdir(self._folder) if name != self._name]  # noqa: PTH208
        return self._others

    def _address(self, name: str) -> str:
        return f"/proc/self/fd/{self._folder}/{name}"
