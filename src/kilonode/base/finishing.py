"""What has begun and must come to its end, whoever wants to end it meanwhile.

`asyncio.shield` lets the work go on, but not its caller wait for it: what the caller closes then is closed too early.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def finish(work: Coroutine[Any, Any, Result] | asyncio.Future[Result]) -> Result:
    """Wait for the end of `work`, however often this is cancelled; a cancel is raised afterwards, and wins."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled from (None if task.cancelled() else task.exception())
    return task.result()
