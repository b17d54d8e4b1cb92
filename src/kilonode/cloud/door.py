"""The door of an api: requests are held back or refused before the application, as the rules in a folder say.

The folder is looked at 50 times a second and before the first request, so a process that is started anew goes by the
rules too. What it goes by is written down beside them: a rule has taken effect when all say so. Without rules a request
costs one call more. What the rules say is in `base.request_rules`; whether they are wise is not known here.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

from kilonode.base.clock import Clock
from kilonode.base.request_rules import (
    RULE_SUFFIX,
    RULES_FOLDER,
    SEEN_FOLDER,
    RequestRule,
    RequestRules,
    Seen,
    Treatment,
    refusal_body,
)
from kilonode.cloud.told import Told, write_down

LOOK_EVERY_S: Final = 0.02
RULES: Final = "rules for requests"
RESET: Final = "kilonode.reset"
"""The extension of an ASGI scope that resets its connection."""


class Door:
    """An ASGI application in front of another."""

    def __init__(self, application: Any, state: Path, process: str, region: str, clock: Clock) -> None:
        """`state` is the cloud's folder, `process` who goes by the rules there."""
        self._application = application
        self._told = Told(state / RULES_FOLDER, RULE_SUFFIX, RequestRule, RULES)
        self._seen = state / SEEN_FOLDER / process
        self._region = region
        self._clock = clock
        self._rules: RequestRules | None = None
        self._look()

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        """Let a request in, or not."""
        if self._rules is not None and scope["type"] == "http":
            raw_path = scope.get("raw_path")
            path = raw_path.decode("latin-1") if raw_path else scope["path"]
            treatment = self._rules.treat(scope["method"], path)
            if treatment is not None:
                return self._treat(treatment, scope, receive, send)
        entered: Awaitable[None] = self._application(scope, receive, send)
        return entered

    async def watch(self) -> None:
        """Follow the rules until cancelled."""
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            self._look()

    def _look(self) -> None:
        if not self._told.look():
            return
        there = self._told.records.values()
        rules = [rule for rule in there if rule.region in ("", self._region)]
        self._rules = RequestRules(rules) if rules else None
        write_down(self._seen, Seen(os.getpid(), tuple(rule.token for rule in there)), RULES)

    async def _treat(self, treatment: Treatment, scope: Any, receive: Any, send: Any) -> None:
        if treatment.delay_s:
            await self._clock.sleep(treatment.delay_s)
        if not treatment.abort:
            await self._application(scope, receive, send)
        elif treatment.status is None:
            reset: Callable[[], None] | None = scope.get("extensions", {}).get(RESET)
            if reset is None:
                raise ConnectionResetError("refused on purpose")
            reset()
            while (await receive())["type"] != "http.disconnect":
                pass
        else:
            await send({"type": "http.response.start", "status": treatment.status, "headers": _HEADERS})
            await send({"type": "http.response.body", "body": refusal_body(treatment.status)})


@contextlib.contextmanager
def watched(door: Door) -> Iterator[None]:
    """Follow the rules meanwhile."""
    watching = asyncio.create_task(door.watch(), name="door")
    try:
        yield
    finally:
        watching.cancel()


_HEADERS: Final = [(b"content-type", b"application/json")]
