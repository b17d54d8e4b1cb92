"""Opening a connection: directly, or through a proxy; and which class of failure it is when that does not work."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Final, cast

from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.heads import Origin
from kilonode.clients.proxies import Proxy
from kilonode.clients.sockets import HttpConnection

_OUR_OWN_LIMITS: Final = {
    errno.EMFILE: "this process has no more file descriptors (ulimit -n)",
    errno.ENFILE: "this machine has no more file descriptors (fs.file-max)",
    errno.EADDRNOTAVAIL: "this machine has no more local ports for that address (net.ipv4.ip_local_port_range)",
    errno.ENOBUFS: "this machine has no more memory for sockets (net.ipv4.tcp_mem)",
    errno.ENOMEM: "this machine has no more memory for sockets (net.ipv4.tcp_mem)",
}
"""Failures of the generator, which must not be taken for the cloud's."""
_MOST_TUNNEL_HEAD_BYTES: Final = 65_536

Make = Callable[[], HttpConnection]


async def dial(
    loop: asyncio.AbstractEventLoop, origin: Origin, proxy: Proxy | None, tls: ssl.SSLContext | None, make: Make
) -> HttpConnection:
    """Open a connection to `origin`. `tls` is there when the origin is https.

    Raises OperationError: refused, reset, timeout, tls, or exhausted when this machine is at its limits.
    """
    where = f"{origin.host}:{origin.port}" if proxy is None else f"the proxy {proxy.host}:{proxy.port}"
    try:
        if proxy is not None and tls is not None:
            return await _tunnel(loop, origin, proxy, tls, make)
        host, port = (proxy.host, proxy.port) if proxy is not None else (origin.host, origin.port)
        server_name = origin.host if tls is not None else None
        _, connection = await loop.create_connection(make, host, port, ssl=tls, server_hostname=server_name)
    except OSError as error:
        raise _classified(error, where) from None
    except UnicodeError:  # a host that cannot be a name: a label that is empty or too long
        raise OperationError(Outcome.REFUSED, f"{where}: the name does not resolve: it cannot be one") from None
    return connection


class _Tunnel(asyncio.Protocol):
    """Waits for the proxy's answer to CONNECT."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.answer: asyncio.Future[bytes] = loop.create_future()
        self._head = b""

    def data_received(self, data: bytes) -> None:
        self._head += data
        if self.answer.done():
            return
        if b"\r\n\r\n" in self._head:
            self.answer.set_result(self._head)
        elif len(self._head) > _MOST_TUNNEL_HEAD_BYTES:
            self.answer.set_exception(OperationError(Outcome.PROTOCOL, "the head of the proxy's answer is too large"))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_exception(
                OperationError(Outcome.RESET, "the proxy closed the connection instead of answering")
            )


async def _tunnel(
    loop: asyncio.AbstractEventLoop, origin: Origin, proxy: Proxy, tls: ssl.SSLContext, make: Make
) -> HttpConnection:
    """CONNECT through the proxy, then TLS with the origin inside."""
    transport, tunnel = await loop.create_connection(lambda: _Tunnel(loop), proxy.host, proxy.port)
    try:
        head = f"CONNECT {origin.authority} HTTP/1.1\r\nHost: {origin.authority}\r\n"
        if proxy.authorization:
            head += f"Proxy-Authorization: {proxy.authorization}\r\n"
        transport.write(f"{head}\r\n".encode("ascii"))
        answer = await tunnel.answer
        status_line = answer.partition(b"\r\n")[0].decode("latin-1")
        words = status_line.split(" ", 2)
        if not status_line.startswith("HTTP/1.") or len(words) < 2 or not words[1].isdecimal():
            raise OperationError(Outcome.PROTOCOL, "the proxy's answer is not HTTP")
        if not words[1].startswith("2"):
            raise OperationError(
                Outcome.REFUSED,
                f"the proxy {proxy.host}:{proxy.port} answered {' '.join(words[1:])} for {origin.authority}",
                status=int(words[1]),
            )
        connection = make()
        inside = await loop.start_tls(transport, connection, tls, server_hostname=origin.host)
        connection.connection_made(cast("asyncio.Transport", inside))
        return connection
    except BaseException:
        transport.abort()
        raise


def _classified(error: OSError, where: str) -> OperationError:
    text = error.strerror or str(error) or type(error).__name__
    for number, meaning in _OUR_OWN_LIMITS.items():
        # asyncio joins the failures of several addresses into one text without a number
        if error.errno == number or f"[Errno {number}]" in str(error):
            return OperationError(Outcome.EXHAUSTED, f"no connection to {where}: {meaning}")
    if isinstance(error, ssl.SSLCertVerificationError):
        return OperationError(Outcome.TLS, f"{where}: the certificate is not trusted: {error.verify_message or text}")
    if isinstance(error, ssl.SSLError):
        return OperationError(Outcome.TLS, f"{where}: the TLS handshake failed: {error.reason or text}")
    if isinstance(error, socket.gaierror):
        return OperationError(Outcome.REFUSED, f"{where}: the name does not resolve: {text}")
    if isinstance(error, TimeoutError):
        return OperationError(Outcome.TIMEOUT, f"{where}: no connection: {text}")
    if isinstance(error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError):
        return OperationError(Outcome.RESET, f"{where}: the connection was closed while it was being opened: {text}")
    return OperationError(Outcome.REFUSED, f"{where}: no connection: {text}")
