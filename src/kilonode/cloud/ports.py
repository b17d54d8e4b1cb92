"""The port that a cloud answers on: is it free, which one is, and the sockets on which several processes share it.

A `SharedPort` belongs to the supervisor and is bound, never listening: the process that is given it listens when it can
answer, so connections are refused while nobody can, as with any server that is down (decision 0103). The kernel deals
new connections out to all sockets of the port on which somebody listens.
"""

import contextlib
import errno
import secrets
import socket
from typing import Final

from kilonode.base.errors import InputError

BACKLOG: Final = 4096
FREE_PORTS: Final = (20_000, 32_000)
"""Below the ports that Linux hands out by itself: one of those could be another's before the cloud binds it."""
FREE_PORTS_TRIED: Final = 50


class SharedPort:
    """One of the sockets on a port, for one process after the other."""

    def __init__(self, host: str, port: int) -> None:
        """Raises InputError when it cannot be bound."""
        self._address = (host, port)
        self._socket = _bound(host, port)

    @property
    def descriptor(self) -> int:
        """What a process inherits."""
        return self._socket.fileno()

    def renew(self) -> None:
        """Take another socket: who waits at the old one, which nobody answers any more, is reset."""
        old, self._socket = self._socket, _bound(*self._address)
        old.close()

    def close(self) -> None:
        """Let go of the port."""
        self._socket.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on a port that is nobody else's. Raises InputError."""
    listener = socket.socket(_family(host), socket.SOCK_STREAM)
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


def inherited(descriptor: int) -> socket.socket:
    """The socket of a `SharedPort` in the process that was given it, ready to listen."""
    listener = socket.socket(fileno=descriptor)
    # Only now: bound without it, the port is kept from other clouds also while nobody listens on it. Connections that
    # are accepted have it too, so that those that linger do not keep the next cloud from the port.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setblocking(False)
    return listener


def _bound(host: str, port: int) -> socket.socket:
    bound = socket.socket(_family(host), socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise _cannot_listen(host, port, error) from error
    return bound


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


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
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            address = connection.laddr
            if connection.status == psutil.CONN_LISTEN and address and address.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return ""
