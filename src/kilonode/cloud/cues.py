"""What a supervisor and its process tell each other, one word a line.

The process writes to a pipe: `prepared` when it could begin at once, `ready` when it does its work. From its standard
input it reads `go`, which it waits for so that the one it replaces can end first, and `drain`, to let its work go. When
the input ends, its supervisor is gone. The numbers of the descriptors that it inherits are in its environment.
"""

import asyncio
import os
from typing import Final

GO: Final = "go"
DRAIN: Final = "drain"
PREPARED: Final = "prepared"
READY: Final = "ready"
WORDS_VARIABLE: Final = "KILONODE_CUES"
"""The descriptor that the process writes its words to."""
PORT_VARIABLE: Final = "KILONODE_PORT_SOCKET"
"""The descriptor of the socket that it may listen on."""


class Cues:
    """The process's side."""

    def __init__(self, words: int) -> None:
        """`words`: the descriptor to write to."""
        self.go = asyncio.Event()
        self.drain = asyncio.Event()
        self._words = words

    def hear(self, data: bytes) -> None:
        """Take in what came from the supervisor; words are short enough to come whole."""
        heard = data.decode().split()
        if GO in heard:
            self.go.set()
        if DRAIN in heard:
            self.drain.set()

    def prepared(self) -> None:
        """Say that the work could begin."""
        self._say(PREPARED)

    def ready(self) -> None:
        """Say that the work is being done."""
        self._say(READY)

    def _say(self, word: str) -> None:
        os.write(self._words, f"{word}\n".encode())
