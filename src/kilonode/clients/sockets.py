"""One connection to a server: an asyncio protocol that carries one request after the other.

Framing is httptools' (llhttp, strict); headers are not looked at unless somebody asks for them, which saves half of the
work on an answer. There is no pipelining: a byte that nobody asked for condemns the connection. The connection says how
a request failed; whether to send it again is decided in `kilonode.clients.http`.
"""

import asyncio
import re
import ssl
from collections.abc import Callable
from typing import Final, Protocol, cast

import httptools

from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.deadlines import Lane
from kilonode.clients.transport import ReceivedHeaders, Response

_MOST_HEAD_BYTES: Final = 262_144
_MOST_BODY_BYTES: Final = 1 << 30
"""A body that is not taken piece by piece has to fit into memory."""
_SERVER_KEEPS_S: Final = re.compile(r"timeout\s*=\s*(\d+)", re.IGNORECASE)
_MARGIN_S: Final = 1.0
"""How much earlier than the server says a free connection is given up: the word and the request cross on their way."""


class StaleConnectionError(Exception):
    """A reused connection was closed before a single byte of the answer: the server may not have seen the request."""


class DeadlineError(Exception):
    """The deadline passed first."""


class _UnaskedError(Exception):
    """The server sent what nobody had asked for."""


class Owner(Protocol):
    """Who keeps a connection."""

    def released(self, connection: "HttpConnection") -> None:
        """The connection is free for another request."""
        ...

    def lost(self, connection: "HttpConnection") -> None:
        """The connection is of no more use. Said once."""
        ...


class HttpConnection(asyncio.Protocol):
    """A connection, free or with one request under way."""

    __slots__ = (
        "_body", "_broken", "_complete", "_drained", "_failure", "_free_of_body", "_head", "_headed", "_interim",
        "_keep", "_lane", "_loop", "_owner", "_parser", "_pieces", "_receive", "_sending", "_size_bytes", "_status",
        "_transport", "_waiter", "closed_by_server", "connecting_s", "free_since_s", "idle_limit_s", "left", "served",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, owner: Owner, idle_limit_s: float) -> None:
        self.served = 0
        """Whole answers so far."""
        self.free_since_s = 0.0
        """Loop time at which the last answer was whole."""
        self.idle_limit_s = idle_limit_s
        """How long the connection may lie free and still be used: less than the server keeps it."""
        self.connecting_s = 0.0
        """How long it took to open."""
        self.left = False
        """True when the connection is of no more use."""
        self.closed_by_server = False
        """True when the server closed it without having said so in an answer."""
        self._loop = loop
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Response] | None = None
        self._receive: Callable[[bytes], object] | None = None
        self._lane: Lane | None = None
        self._drained: asyncio.Future[None] | None = None
        self._sending = False
        self._free_of_body = False
        # Of the answer under way:
        self._head = b""
        self._headed = False
        self._status = 0
        self._interim = 0
        self._body = b""
        self._pieces: list[bytes] | None = None
        self._size_bytes = 0
        self._complete = False
        self._keep = False
        self._broken = False
        self._failure: Exception | None = None

    # What the transport above asks for.

    def send(
        self,
        data: bytes,
        *,
        free_of_body: bool = False,
        receive: Callable[[bytes], object] | None = None,
        lane: Lane | None = None,
        deadline_s: float = 0.0,
    ) -> asyncio.Future[Response]:
        """Send a whole request; the future gets the answer, or StaleConnectionError, DeadlineError, OperationError.

        `free_of_body`: the request is a HEAD, so the answer's length is of a body that does not come. `lane` is where
        the deadline is watched; None: the caller does it.
        """
        waiter: asyncio.Future[Response] = self._loop.create_future()
        if self.left:  # between being chosen and being used
            closed = OperationError(Outcome.RESET, "the server closed the connection at once")
            waiter.set_exception(StaleConnectionError() if self.served else closed)
            return waiter
        self._waiter = waiter
        if lane is not None:
            self._lane = lane
            lane.waiting[self] = deadline_s
            if lane.timer is None:
                lane.watch()
        self._free_of_body = free_of_body
        self._receive = receive
        cast("asyncio.Transport", self._transport).write(data)
        return waiter

    def begin_stream(self) -> None:
        """More of the request's body follows by `send_piece`, until `end_stream`; say so before `send`."""
        self._sending = True

    async def send_piece(self, piece: bytes) -> None:
        """Send a piece of the body; waits while the server does not take more."""
        if self.left:
            return
        cast("asyncio.Transport", self._transport).write(piece)
        if self._drained is not None:
            await self._drained

    def end_stream(self) -> None:
        """The body was sent."""
        self._sending = False

    def expire(self, waiter: asyncio.Future[Response] | None = None) -> None:
        """The deadline has passed: of the request under way, or of the one that `waiter` waits for if it still is."""
        if waiter is None or self._waiter is waiter:
            self.fail(DeadlineError())

    def give_up(self, waiter: asyncio.Future[Response]) -> None:
        """Nobody waits for this answer any more: close, unless it has come and the connection serves somebody else."""
        if self._waiter is waiter:
            self.abort()

    def fail(self, failure: Exception) -> None:
        """Close at once; the request under way ends with this failure."""
        waiter, self._waiter = self._waiter, None
        self.abort()
        if waiter is not None and not waiter.done():
            waiter.set_exception(failure)

    def abort(self) -> None:
        """Close at once; a request under way is cancelled."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.cancel()
        if self._lane is not None:
            self._lane.waiting.pop(self, None)
        self._leave()
        if self._transport is not None:
            self._transport.abort()

    # What asyncio says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if not self._headed:
            if self._head:
                self._head += data
                if len(self._head) > _MOST_HEAD_BYTES:
                    self.fail(OperationError(Outcome.PROTOCOL, "the head of the answer is too large"))
                    return
            else:
                self._head = data
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._complete:
                self.fail(OperationError(Outcome.PROTOCOL, _not_http(error, self._head)))
                return
            self._broken = True  # the answer is whole; what is wrong came after it
        if self._failure is not None:
            self.fail(self._failure)
        elif self._complete:
            self._finish()

    def eof_received(self) -> None:
        """The server will send no more; the loop closes the connection."""
        if self._waiter is None:
            self.closed_by_server = not self.left
            self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.closed_by_server = self.closed_by_server or not self.left
        self._leave()
        self.resume_writing()
        if self._waiter is None:
            return
        if self._headed and exc is None and self._ends_with_connection():
            self._keep = False
            self._finish()
        elif self.served and not self._head:
            self.fail(StaleConnectionError())
        elif isinstance(exc, ssl.SSLError):  # with TLS 1.3 a server refuses our certificate after the handshake
            self.fail(OperationError(Outcome.TLS, f"TLS failed: {exc.reason or exc}"))
        else:
            self.fail(OperationError(Outcome.RESET, self._how_far(exc)))

    def pause_writing(self) -> None:
        """The server takes no more for now."""
        if self._drained is None:
            self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        """The server takes more again, or never will."""
        if self._drained is not None:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None

    # What the parser says.

    def on_message_begin(self) -> None:
        """An answer begins."""
        if self._waiter is None or self._complete:
            self._broken = True
            raise _UnaskedError  # ends the parsing

    def on_headers_complete(self) -> None:
        """The head is whole."""
        status = self._parser.get_status_code()
        if status < 200:  # "100 Continue", "103 Early Hints": the answer is yet to come
            self._interim += 1
            return
        self._status = status
        self._headed = True
        if self._free_of_body:
            self._complete = True
            self._keep = self._head_says_keep()

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        if self._receive is not None and self._status < 300:
            try:
                self._receive(piece)
            except Exception as error:
                self._failure, self._receive = error, None
        elif not self._body:
            self._body = piece
        else:
            if self._pieces is None:
                self._pieces = [self._body]
                self._size_bytes = len(self._body)
            self._pieces.append(piece)
            self._size_bytes += len(piece)
            if self._size_bytes > _MOST_BODY_BYTES:
                self._failure = OperationError(Outcome.PROTOCOL, "the body does not fit into memory")

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._headed and not self._free_of_body:
            self._complete = True
            self._keep = self._parser.should_keep_alive()

    # The end of a request.

    def _finish(self) -> None:
        """Hand over the answer; keep the connection for another request if that is possible."""
        waiter = self._waiter
        response = Response(
            self._status,
            self._headers() if self._interim else ReceivedHeaders(self._head),
            self._body if self._pieces is None else b"".join(self._pieces),
            self.served > 0,
        )
        if not self.served:
            response.connecting_s = self.connecting_s
            self._heed_keep_alive(response)
        self.served += 1
        self._waiter = self._receive = self._pieces = None
        if self._lane is not None:
            self._lane.waiting.pop(self, None)
            self._lane = None
        self._head = self._body = b""
        self._headed = self._complete = False
        self._interim = 0
        if waiter is not None and not waiter.done():
            waiter.set_result(response)
        if self._keep and not self._sending and not self._broken and not self.left:
            if self._free_of_body:
                self._parser = httptools.HttpResponseParser(self)  # the old one waits for a body
            self.free_since_s = self._loop.time()
            self._owner.released(self)
        elif self._sending:
            self.abort()
        else:
            self._leave()
            cast("asyncio.Transport", self._transport).close()

    def _leave(self) -> None:
        if not self.left:
            self.left = True
            self._owner.lost(self)

    def _headers(self) -> ReceivedHeaders:
        head = self._head
        for _ in range(self._interim):
            head = head.partition(b"\r\n\r\n")[2]
        return ReceivedHeaders(head)

    def _ends_with_connection(self) -> bool:
        """Whether the body of the answer under way ends where the connection does, as HTTP/1.0 has it."""
        headers = dict(self._headers())
        return "content-length" not in headers and "chunked" not in headers.get("transfer-encoding", "").lower()

    def _head_says_keep(self) -> bool:
        """Whether the connection stays open after the answer to a HEAD, which the parser cannot know."""
        wish = dict(self._headers()).get("connection", "").lower()
        if self._parser.get_http_version() == "1.1":
            return "close" not in wish
        return "keep-alive" in wish

    def _heed_keep_alive(self, response: Response) -> None:
        """Some servers say how long they keep a free connection."""
        found = _SERVER_KEEPS_S.search(response.header("keep-alive") or "")
        if found:
            self.idle_limit_s = min(self.idle_limit_s, max(0.0, int(found[1]) - _MARGIN_S))

    def _how_far(self, error: Exception | None) -> str:
        how = f": {error.strerror or error}" if isinstance(error, OSError) else ""
        if not self._head:
            return f"the connection was closed before the answer began{how}"
        if not self._headed:
            return f"the connection was closed within the answer's headers{how}"
        received = self._size_bytes or len(self._body)
        return f"the connection was closed within the answer, {received} bytes into its body{how}"


def _not_http(error: Exception, data: bytes) -> str:
    if isinstance(error, httptools.HttpParserUpgrade):
        return "the server changed the protocol though nobody had asked for that"
    if not data.startswith(b"HTTP/"):
        hint = " (a TLS record: is the address https?)" if data[:1] in (b"\x15", b"\x16") else ""
        return f"the answer is not HTTP{hint}"
    return f"the answer is not HTTP as it should be: {error}"
