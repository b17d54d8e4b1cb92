"""Work of the image service that goes on after its request was answered: reading from the web, which takes its time."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

from kilonode.cloud.context import Cloud

AT_ONCE: Final = 8

_log = logging.getLogger(__name__)


class Background:
    """The work of one process. One per view: `cloud.part(Background)`. What it has not ended when the process dies is
    taken up by its next life (`resuming`).
    """

    def __init__(self, cloud: Cloud) -> None:
        self._clock = cloud.clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(AT_ONCE)

    def start(self, work: Coroutine[Any, Any, None], *, after_s: float = 0.0) -> None:
        """Do it as soon as there is room, but not before `after_s` have passed."""
        task = asyncio.create_task(self._do(work, after_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do(self, work: Coroutine[Any, Any, None], after_s: float) -> None:
        try:
            if after_s:
                await self._clock.sleep(after_s)
            async with self._room:
                await work
        except Exception:
            _log.exception("work of the image service failed")
        finally:
            work.close()
