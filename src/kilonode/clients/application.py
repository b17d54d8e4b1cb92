"""HTTP without sockets: the same protocol, spoken to an ASGI 3 application in the same event loop.

For simulated time, where there are no sockets, and for tests. The way there and back takes virtual time, so that a
closed loop over a service that answers at once still gets on. A client that gives up leaves the application running, as
a server that has not yet noticed would; it sees `http.disconnect`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from kilonode.base.errors import LabError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.base.units import format_seconds
from kilonode.clients.heads import Origin, check_method, encode_headers, split_address
from kilonode.clients.transport import DEFAULT_TIMEOUT_S, BodyStream, HeaderPairs, Response

Message = MutableMapping[str, Any]
Application = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]
"""An ASGI 3 application."""

DEFAULT_LATENCY_S: Final = 0.000_25
"""One way through a network within one data centre."""

_log = logging.getLogger(__name__)


class ApplicationTransport:
    """Sends requests to an application; whatever host they name."""

    def __init__(self, application: Application, *, latency_s: float = DEFAULT_LATENCY_S) -> None:
        self._application = application
        self._latency_s = latency_s
        self._running: dict[asyncio.Task[None], None] = {}
        self._closed = False

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: HeaderPairs = (),
        body: bytes | BodyStream = b"",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        receive: Callable[[bytes], object] | None = None,
    ) -> Response:
        """See `Transport.request`."""
        if self._closed:
            raise LabError("the transport was used after it was closed")
        check_method(method)
        encode_headers(headers)  # refuses what the real transport refuses
        origin, target = split_address(url)
        call = _Call(method, origin, target, headers, body)
        task = asyncio.get_running_loop().create_task(self._serve(call), name=f"{method} {url}")
        self._running[task] = None
        task.add_done_callback(lambda done: self._running.pop(done, None))
        try:
            async with asyncio.timeout(timeout_s):
                await call.answered.wait()
                await asyncio.sleep(self._latency_s)
        except TimeoutError:
            raise OperationError(Outcome.TIMEOUT, f"no whole answer within {format_seconds(timeout_s)}") from None
        finally:
            call.gone.set()
        return call.response(receive)

    async def close(self) -> None:
        """End what the application still does for those who gave up."""
        self._closed = True
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _serve(self, call: "_Call") -> None:
        await asyncio.sleep(self._latency_s)
        try:
            await self._application(call.scope, call.receive, call.send)
        except Exception:
            _log.exception("the application failed at %s %s", call.scope["method"], call.scope["path"])
        finally:
            call.answered.set()


class _Call:
    """One request as an application sees it, and what it answers."""

    def __init__(
        self, method: str, origin: Origin, target: str, headers: HeaderPairs, body: bytes | BodyStream
    ) -> None:
        path, _, query = target.partition("?")
        encoded = [(b"host", origin.host_header.encode("ascii"))]
        encoded += [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in headers]
        if isinstance(body, BodyStream):
            length = body.length_bytes
            encoded.append(
                (b"transfer-encoding", b"chunked") if length is None else (b"content-length", b"%d" % length)
            )
        elif body or method in ("POST", "PUT", "PATCH"):
            encoded.append((b"content-length", b"%d" % len(body)))
        self.scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": origin.scheme,
            "path": unquote_to_bytes(path).decode("utf-8", "replace"),
            "raw_path": path.encode("ascii"),
            "query_string": query.encode("ascii"),
            "root_path": "",
            "headers": encoded,
            "client": ("127.0.0.1", 0),
            "server": (origin.host, origin.port),
        }
        self.answered = asyncio.Event()
        """The answer is whole, or will never be."""
        self.gone = asyncio.Event()
        """Nobody waits for the answer any more."""
        self._body = body
        self._pieces: AsyncIterator[bytes] | None = body.open() if isinstance(body, BodyStream) else None
        self._sent = False
        self._status = 0
        self._headers: tuple[tuple[str, str], ...] = ()
        self._answer: list[bytes] = []
        self._whole = False

    async def receive(self) -> Message:
        """ASGI's `receive`."""
        if not self._sent:
            if self._pieces is not None:
                async for piece in self._pieces:
                    return {"type": "http.request", "body": piece, "more_body": True}
            self._sent = True
            last = self._body if isinstance(self._body, bytes) else b""
            return {"type": "http.request", "body": last, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """ASGI's `send`."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = tuple(
                (bytes(name).decode("latin-1").lower(), bytes(value).decode("latin-1"))
                for name, value in message.get("headers", ())
            )
        elif message["type"] == "http.response.body" and not self._whole:
            self._answer.append(bytes(message.get("body", b"")))
            if not message.get("more_body", False):
                self._whole = True
                self.answered.set()

    def response(self, receive: Callable[[bytes], object] | None) -> Response:
        """What the client gets."""
        if not self._whole:
            if not self._status:
                return Response(500, (("content-type", "text/plain"),), b"Internal Server Error")
            raise OperationError(Outcome.RESET, "the connection was closed within the answer")
        head_only = self.scope["method"] == "HEAD" or self._status in (204, 304)
        body = b"" if head_only else b"".join(self._answer)
        if receive is not None and self._status < 300:
            if body:
                receive(body)
            body = b""
        return Response(self._status, self._headers, body)
