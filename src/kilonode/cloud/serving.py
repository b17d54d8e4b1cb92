"""Serving the cloud's one application on one TCP port: uvicorn, embedded in the role's own event loop.

It binds the port (with an error for people when it is taken) and ends cleanly when its task is cancelled. It knows
nothing of what the application answers.
"""

import asyncio
import contextlib
import errno
import secrets
import socket
from collections.abc import Iterator
from typing import Any, Final

import psutil
import uvicorn

from kilonode.base.errors import InputError

BACKLOG: Final = 4096
FREE_PORTS: Final = (20_000, 32_000)
"""Below the ports that Linux hands out by itself: one of those could be another's before the api binds it."""
FREE_PORTS_TRIED: Final = 50
KEEP_ALIVE_S: Final = 75
"""As long as nginx: clients with idle pooled connections should not meet a reset."""
SHUTDOWN_TIMEOUT_S: Final = 5


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises InputError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Connections of an ended server that still linger must not keep the next one from its port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from error
    listener.setblocking(False)
    return listener


def listen_anywhere(host: str) -> socket.socket:
    """A listening socket on a free port that no program is given by chance while nobody listens on it."""
    first, after = FREE_PORTS
    for _ in range(FREE_PORTS_TRIED):
        with contextlib.suppress(InputError):
            return listen(host, first + secrets.randbelow(after - first))
    return listen(host, 0)


async def serve(application: Any, listener: socket.socket) -> None:
    """Serve an ASGI application on a listening socket until cancelled; requests under way are answered first."""
    server = _Server(
        uvicorn.Config(
            application,
            loop="none",
            http="httptools",
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
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="serve")
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the role's process decides when to end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _cannot_listen(host: str, port: int, error: OSError) -> InputError:
    if error.errno == errno.EADDRINUSE:
        user = _user_of(port)
        return InputError(
            f"port {port} is in use" + (f" by {user}" if user else ""),
            where=f"{host}:{port}",
            hint="stop that process, or choose another port with --port",
        )
    return InputError(
        "the cloud cannot listen there",
        where=f"{host}:{port}",
        expected="an address of this machine and a port the user may have",
        got=error.strerror or str(error),
    )


def _user_of(port: int) -> str:
    """Who listens on a port, as far as this user may know."""
    try:
        for connection in psutil.net_connections("tcp"):
            address = connection.laddr
            if connection.status == psutil.CONN_LISTEN and address and address.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return ""
