"""Work of the image service that goes on after its request was answered: reading from the web, which takes its time."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

from kilonode.cloud.context import Cloud

AT_ONCE: Final = 8

_log = logging.getLogger(__name__)


class Background:
    """The work of one process. One per view: `cloud.part(Background)`. What it had not ended when the process dies is
    not taken up by another: the image stays as it was, and can be imported again.
    """

    def __init__(self, cloud: Cloud) -> None:
        del cloud  # a part is made of its view, and this one reads nothing there
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(AT_ONCE)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it as soon as there is room."""
        task = asyncio.create_task(self._do(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            async with self._room:
                await work
        except Exception:
            _log.exception("work of the image service failed")
        finally:
            work.close()
