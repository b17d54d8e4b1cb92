"""One process that the supervisor started: what it said, what it is told, and how it is ended.

The words are those of `kilonode.cloud.cues`. It knows nothing of why a process is started or ended.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Self

from kilonode.base.processes import ProcessIdentity, identify, start_child
from kilonode.cloud.commands import ProcessCommand
from kilonode.cloud.cues import PORT_VARIABLE, PREPARED, READY, WORDS_VARIABLE
from kilonode.cloud.ports import SharedPort

_WORDS_AT_ONCE_BYTES = 4096
_log = logging.getLogger(__name__)


class Child:
    """A process that was started. Make one with `start`."""

    def __init__(self, process: asyncio.subprocess.Process, words: int, on_ready: Callable[["Child"], None]) -> None:
        self.pid = process.pid
        self.identity: ProcessIdentity | None = identify(process.pid)
        self._process = process
        self._on_ready = on_ready
        self._prepared = asyncio.Event()
        self._ready = asyncio.Event()
        self._words = words
        self._ended = asyncio.create_task(process.wait(), name=f"wait-{process.pid}")
        asyncio.get_running_loop().add_reader(words, self._hear)

    @classmethod
    async def start(
        cls, command: ProcessCommand, log: Path, port: SharedPort | None, on_ready: Callable[["Child"], None]
    ) -> Self:
        """Start it. `on_ready` is called when it says that it does its work."""
        reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        descriptors = [writing] if port is None else [writing, port.descriptor]
        variables = {**command.environment, WORDS_VARIABLE: str(writing)}
        if port is not None:
            variables[PORT_VARIABLE] = str(port.descriptor)
        try:
            process = await start_child(command.arguments, log, variables, descriptors)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        return cls(process, reading, on_ready)

    @property
    def is_ready(self) -> bool:
        """Whether it said that it does its work."""
        return self._ready.is_set()

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self._ended.done()

    @property
    def status(self) -> int:
        """How it ended: its exit status, or minus the number of the signal that killed it."""
        return self._process.returncode or 0

    async def ended(self) -> None:
        """Wait until it is gone."""
        await asyncio.shield(self._ended)

    async def said(self, word: str) -> bool:
        """Wait until it said `prepared` or `ready`; False when it ended before."""
        saying = asyncio.create_task((self._prepared if word == PREPARED else self._ready).wait())
        try:
            await asyncio.wait([saying, self._ended], return_when=asyncio.FIRST_COMPLETED)
            return saying.done()
        finally:
            saying.cancel()

    def tell(self, word: str) -> None:
        """Say a word to it; nothing when it is gone."""
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(f"{word}\n".encode())

    async def end(self, timeout_s: float, word: str = "") -> None:
        """Have it end, by a word to it or else by SIGTERM; kill it when it has not ended in time."""
        if word:
            self.tell(word)
        else:
            self._send(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.ended(), timeout_s)
        except TimeoutError:
            _log.warning("pid %d did not end by itself", self.pid)
            await self.kill()

    async def kill(self) -> None:
        """End it for certain."""
        self._send(signal.SIGKILL)
        await self._ended

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _hear(self) -> None:
        data = os.read(self._words, _WORDS_AT_ONCE_BYTES)
        if not data:
            asyncio.get_running_loop().remove_reader(self._words)
            os.close(self._words)
            return
        heard: Collection[str] = data.decode(errors="replace").split()
        if PREPARED in heard:
            self._prepared.set()
        if READY in heard and not self.is_ready:
            self._ready.set()
            self._on_ready(self)
