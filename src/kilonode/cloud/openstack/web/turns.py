"""Turns: requests that met at one document go on one after the other.

A request that lost a document to another reads again and decides anew. When a hundred meet at one document and all try
again at once, each round has one winner, and most run out of tries; so those that have lost wait for each other. Only
requests of one process do: those of other processes are few. Nothing here knows what a request does.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Turns:
    """Who tries again at which document."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._waiting: dict[str, int] = {}

    @contextlib.asynccontextmanager
    async def of(self, document: str) -> AsyncIterator[None]:
        """Wait for the turn at a document, and have it while the context is open."""
        lock = self._locks.setdefault(document, asyncio.Lock())
        self._waiting[document] = self._waiting.get(document, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._waiting[document] -= 1
            if not self._waiting[document]:
                del self._waiting[document], self._locks[document]
