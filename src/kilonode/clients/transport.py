"""What a transport is: one HTTP request in, one `Response` out.

A transport knows HTTP and nothing of any service: any status is a `Response`, a failure below HTTP is an
`OperationError` with the outcome refused, reset, timeout, tls or protocol. It follows no redirect, keeps no cookie,
asks for no compression and hides no retry (see `Response.resent`). `HttpTransport` speaks to sockets,
`ApplicationTransport` to an ASGI application in simulated time.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar, overload

import msgspec

from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome

DEFAULT_TIMEOUT_S: Final = 60.0

Value = TypeVar("Value")
HeaderPairs = Sequence[tuple[str, str]]
"""Names and values in order; a name may come more than once."""


@dataclass(frozen=True, slots=True)
class BodyStream:
    """A request body that is too large to hold in memory."""

    open: Callable[[], AsyncIterator[bytes]]
    """Begins the body anew, so that it can be sent again."""
    length_bytes: int | None = None
    """How long the body is; None sends it chunked. A body of another length than it says is an InputError."""


class ReceivedHeaders(msgspec.Struct, gc=False):
    """The headers of an answer, read out of its head when first looked at: most are never looked at."""

    head: bytes
    """Status line and headers as they came; what follows the empty line that ends them does not matter."""
    pairs: tuple[tuple[str, str], ...] | None = None
    """The headers once they were looked at."""

    def read(self) -> tuple[tuple[str, str], ...]:
        """All headers in the order in which they came, names in lowercase, values without surrounding spaces."""
        if self.pairs is None:
            lines = self.head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
            found: list[tuple[str, str]] = []
            for line in lines:
                name, colon, value = line.partition(":")
                if line[:1] in (" ", "\t") and found:  # a folded value, obsolete but legal
                    found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}".strip())
                elif colon:
                    found.append((name.strip().lower(), value.strip()))
            self.pairs = tuple(found)
        return self.pairs

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.read())

    def __repr__(self) -> str:  # a header may be a secret: X-Subject-Token
        return f"ReceivedHeaders({', '.join(name for name, _ in self.read())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("names", [name for name, _ in self.read()])]


class Response(msgspec.Struct, gc=False):
    """One whole answer."""

    status: int
    headers: Iterable[tuple[str, str]] = ()
    """Names in lowercase."""
    body: bytes = b""
    """Empty when the body was handed to `receive` piece by piece."""
    connection_reused: bool = False
    """True when the request went over a connection that had carried another one before."""
    connecting_s: float = 0.0
    """How long opening the connection took, name lookup and TLS included; zero on a reused one."""
    resent: bool = False
    """True when the request was sent twice: the first time over a reused connection that the server closed before a
    single byte of the answer. Only methods that may be repeated (GET, HEAD, OPTIONS, PUT, DELETE) are."""
    reauthenticated: bool = False
    """True when the service answered 401 first and the request was sent again with a new token."""

    def __repr__(self) -> str:  # bodies and headers may be secrets
        return f"Response({self.status}, {len(self.body)} bytes)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("status", self.status), ("body_bytes", len(self.body))]

    def header(self, name: str) -> str | None:
        """The first value of the header, or None."""
        wanted = name.lower()
        for known, value in self.headers:
            if known == wanted:
                return value
        return None

    @overload
    def json(self) -> Any: ...
    @overload
    def json(self, type: type[Value]) -> Value: ...
    def json(self, type: Any = Any) -> Any:  # noqa: A002 - msgspec's own word for it
        """The body as JSON, of `type` when given; OperationError (protocol) when it is not."""
        try:
            return msgspec.json.decode(self.body, type=type)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise OperationError(
                Outcome.PROTOCOL, f"the body is not the JSON that was expected: {error}", status=self.status
            ) from None


class Transport(Protocol):
    """Sends requests."""

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
        """Send one request and wait for the whole answer.

        `url` is absolute, already escaped, without user information. `timeout_s` bounds everything: waiting for a
        connection, opening it, sending, receiving. `receive` gets the pieces of a successful (2xx) answer's body as
        they come. Cancelling closes the connection. Raises OperationError; InputError for a request that cannot be
        sent as it is (a line break in a header, say).
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
