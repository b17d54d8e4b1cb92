"""Tests over real sockets run on both event loops: asyncio's own, and uvloop, which the generator uses."""

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest
import uvloop

TEST_TIMEOUT_S = 60.0


def on_both_loops(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Turn a coroutine test into two ordinary ones."""

    @functools.wraps(test)
    def run(event_loop: str, **fixtures: Any) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(TEST_TIMEOUT_S):
                await test(**fixtures)

        factory = uvloop.new_event_loop if event_loop == "uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(bounded())

    signature = inspect.signature(test)
    loop_parameter = inspect.Parameter("event_loop", inspect.Parameter.KEYWORD_ONLY, annotation=str)
    del run.__dict__["__wrapped__"]
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), loop_parameter], return_annotation=None
    )
    run.__annotations__ = {**getattr(test, "__annotations__", {}), "event_loop": str, "return": None}
    return cast("Callable[..., None]", pytest.mark.parametrize("event_loop", ["asyncio", "uvloop"])(run))
