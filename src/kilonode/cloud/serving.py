"""Serving the cloud's one application on one TCP port: uvicorn, embedded in the role's own event loop.

It ends cleanly when its task is cancelled, and unnoticed when it is drained: while a replacement accepts, what comes on
the old connections is answered with `Connection: close`, so that clients go on with new ones. It knows nothing of what
the application answers.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import uvicorn

from kilonode.cloud.guard import Guard
from kilonode.cloud.limits import Limits
from kilonode.cloud.ports import BACKLOG

KEEP_ALIVE_S: Final = 75
"""As long as nginx: clients with idle pooled connections should not meet a reset."""
SHUTDOWN_TIMEOUT_S: Final = 5
IDLE_WAIT_S: Final = 5.0
"""How long a drained server waits for a request on a connection that is idle, before it closes it."""
DRAIN_LIMIT_S: Final = 30.0
"""How long a drained server goes on answering what takes long."""
_LOOK_EVERY_S: Final = 0.05
_CLOSE: Final = (b"connection", b"close")


async def serve(
    application: Any,
    listener: Any,
    *,
    ready: Callable[[], None] = lambda: None,
    drain: asyncio.Event | None = None,
    limits: Limits | None = None,
) -> None:
    """Serve an ASGI application on a socket until cancelled; requests under way are answered first.

    `limits` are what clients may do. `ready` is called when it listens.
    When `drain` is set it stops accepting, and returns when nobody is left.
    """
    last_words = _LastWords(application)
    guard = Guard(limits or Limits())
    server = _Server(
        uvicorn.Config(
            last_words,
            loop="none",
            http=guard.protocol,  # type: ignore[arg-type]  # all that is asked of the class is a connection
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
            backlog=BACKLOG,
        ),
        ready,
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="serve")
    watching = asyncio.create_task(guard.watch(), name="guard")
    draining = asyncio.create_task(_drained(server, last_words, drain or asyncio.Event()), name="drain")
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise
    finally:
        draining.cancel()
        watching.cancel()


async def _drained(server: "_Server", last_words: "_LastWords", drain: asyncio.Event) -> None:
    """When told to: accept no more, answer what comes on the connections there are, and end when all are closed."""
    await drain.wait()
    loop = asyncio.get_running_loop()
    began = loop.time()
    last_words.closing = True
    server.stop_accepting()
    while server.connections:
        passed_s = loop.time() - began
        if passed_s > DRAIN_LIMIT_S or (passed_s > IDLE_WAIT_S and not server.busy):
            break
        await asyncio.sleep(_LOOK_EVERY_S)
    server.should_exit = True


class _LastWords:
    """An application whose answers end their connections when `closing`."""

    def __init__(self, application: Any) -> None:
        self.closing = False
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_last(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), _CLOSE]}
            await send(message)

        await self._application(scope, receive, send_last if self.closing else send)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the role's process decides when to end."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self.server_state.connections)

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return any(not cycle.response_complete for cycle in self._cycles())

    def stop_accepting(self) -> None:
        """Let go of the listening socket; whoever else has it goes on with it. Answers that have not begun end their
        connections; one that has begun has promised to keep it.
        """
        for server in self.servers:
            server.close()
        for cycle in self._cycles():
            if not cycle.response_started:
                cycle.keep_alive = False

    async def startup(self, sockets: Any = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._ready()

    def _cycles(self) -> list[Any]:
        """The latest request and answer of each connection."""
        cycles = (getattr(connection, "cycle", None) for connection in self.server_state.connections)
        return [cycle for cycle in cycles if cycle is not None]

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
