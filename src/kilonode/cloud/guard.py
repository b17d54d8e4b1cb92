"""The door of the api's port: uvicorn's connections with the limits on clients that are slow, large or many.

A `Guard` is what all connections of a process share. It looks at each of them once a second, which costs far less than
a timer for each request; so a client that is too slow is ended within a second of its limit. What is refused here is
not yet known to be for any service: it is answered in the words of the token check, which stands before all of them.
"""

import asyncio
import contextlib
import logging
import resource
import socket
import struct
from enum import Enum
from http import HTTPStatus
from typing import Any, Final

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from kilonode.cloud.door import RESET
from kilonode.cloud.limits import Limits

LOOK_EVERY_S: Final = 1.0
SPARE_FILES: Final = 128
"""Open files that are not for clients: the store, logs, image data."""
RETRY_AFTER_S: Final = 1
_log = logging.getLogger(__name__)
_NO_LINGER: Final = struct.pack("ii", 1, 0)
"""What is not yet sent is thrown away, and the client is told that the connection is no more."""


class _Phase(Enum):
    """What a connection is waiting for."""

    NOTHING = "nothing"
    """The client has done its part, or may be idle."""
    HEAD = "head"
    BODY = "body"


class Guard:
    """The connections of one server, and what they may do."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.refused = 0
        """Connections that were turned away or ended."""
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES
        self._most = limits.connections if allowed <= 0 else min(limits.connections, allowed)
        self._open: set[GuardedProtocol] = set()
        self._by_address: dict[str, int] = {}

    def protocol(self, **options: Any) -> "GuardedProtocol":
        """A new connection, as uvicorn asks for one."""
        return GuardedProtocol(self, **options)

    def admit(self, connection: "GuardedProtocol", address: str) -> bool:
        """Take a connection in, if there is room for it."""
        mine = self._by_address.get(address, 0)
        most = self.limits.connections_per_address
        if len(self._open) >= self._most or (most is not None and mine >= most):
            return False
        self._open.add(connection)
        self._by_address[address] = mine + 1
        return True

    def release(self, connection: "GuardedProtocol", address: str) -> None:
        """Forget a connection that was taken in."""
        if connection in self._open:
            self._open.remove(connection)
            left = self._by_address[address] - 1
            if left:
                self._by_address[address] = left
            else:
                del self._by_address[address]

    def sweep(self, now_s: float) -> None:
        """End the connections that are too slow. `now_s` is the event loop's time."""
        for connection in list(self._open):
            try:
                connection.look(now_s)
            except Exception:  # one odd connection must not be the end of looking
                _log.exception("a connection cannot be looked at, and is ended")
                connection.transport.abort()

    async def watch(self) -> None:
        """Sweep once a second until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.sweep(loop.time())


class GuardedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, guard: Guard, **options: Any) -> None:
        super().__init__(**options)
        self._guard = guard
        self._limits = guard.limits
        self._address = ""
        self._phase = _Phase.HEAD
        self._since_s = 0.0
        self._received = 0
        """Bytes of the head or the body that the connection is waiting for."""
        self._piece = 0
        """Bytes of what is being parsed."""
        self._refused = False
        self._unsent = 0
        """Bytes of answers that waited for the client at the last look."""
        self._unsent_since_s = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Turn it away when there are too many."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._begin(_Phase.HEAD)
        if not self._guard.admit(self, self._address):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room for another."""
        self._guard.release(self, self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Refuse heads without an end, and requests without number."""
        if self._refused:
            return
        in_head = self._phase is _Phase.HEAD
        self._piece = len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # another protocol is asked for, and there is none: the request is answered as it is
        except httptools.HttpParserError as error:
            stopped = error.__context__
            self._refuse(stopped.status if isinstance(stopped, _StopParserError) else HTTPStatus.BAD_REQUEST)
            return
        if in_head and self._phase is _Phase.HEAD:
            self._received += len(data)
            if self._received > self._limits.header_bytes:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["extensions"] = {RESET: self.reset}  # type: ignore[dict-item]  # whoever knows the name knows the kind
        self._begin(_Phase.HEAD)

    def on_url(self, url: bytes) -> None:
        """A piece of the address."""
        super().on_url(url)
        if len(self.url) > self._limits.url_bytes:
            self._stop(HTTPStatus.REQUEST_URI_TOO_LONG)

    def on_headers_complete(self) -> None:
        """The head is whole; the application begins its work."""
        limits = self._limits
        if len(self.headers) > limits.header_count:
            self._stop(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        # Counted only when it can be too much: the head is no longer than what it came in.
        if self._received + self._piece > limits.header_bytes and self._head_size() > limits.header_bytes:
            self._stop(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if len(self.pipeline) >= limits.pipelined:
            self._stop(HTTPStatus.TOO_MANY_REQUESTS)
        super().on_headers_complete()
        self._begin(_Phase.BODY)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        super().on_body(body)
        self._received += len(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        super().on_message_complete()
        self._begin(_Phase.NOTHING)

    def reset(self) -> None:
        """End the connection at once, as a server does that has died."""
        with contextlib.suppress(OSError):
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()

    def look(self, now_s: float) -> None:
        """End the connection when the client takes too long."""
        if not self._takes_its_answer(now_s):
            self._guard.refused += 1
            self.reset()
            return
        if self._phase is _Phase.NOTHING or self.transport.is_closing():
            return
        if self.flow.read_paused:
            # It is we who do not read: its time begins when we do.
            self._begin(self._phase, now_s)
            return
        limits, passed_s = self._limits, now_s - self._since_s
        allowed_s = limits.header_timeout_s
        if self._phase is _Phase.BODY:
            allowed_s = limits.body_timeout_s + self._received / limits.body_bytes_per_s
        if passed_s > allowed_s:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _takes_its_answer(self, now_s: float) -> bool:
        """Whether nothing waits for the client, or some of that has gone lately. Nothing is added while too much waits,
        so a number that has changed means that some has gone.
        """
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._unsent, self._unsent_since_s = unsent, now_s
        return now_s - self._unsent_since_s <= self._limits.answer_timeout_s

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _begin(self, phase: _Phase, now_s: float | None = None) -> None:
        self._phase = phase
        self._since_s = self.loop.time() if now_s is None else now_s
        self._received = 0

    def _stop(self, status: HTTPStatus) -> None:
        """Stop the parser, which has called us."""
        raise _StopParserError(status)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer, unless an answer is under way, and end the connection."""
        self._refused = True
        self._guard.refused += 1
        cycle: RequestResponseCycle | None = self.cycle
        under_way = cycle is not None and not cycle.response_complete and cycle.response_started
        if not under_way:
            with contextlib.suppress(OSError):
                self.transport.write(_answer(status))
        self.transport.close()


class _StopParserError(Exception):
    """The parser wraps it in its own error."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


def _answer(status: HTTPStatus) -> bytes:
    message = f"The request was refused: {status.phrase}."
    body = msgspec.json.encode({"error": {"code": int(status), "message": message, "title": status.phrase}})
    again = f"retry-after: {RETRY_AFTER_S}\r\n" if status in (503, 429) else ""
    head = (
        f"HTTP/1.1 {int(status)} {status.phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n{again}connection: close\r\n\r\n"
    )
    return head.encode() + body
