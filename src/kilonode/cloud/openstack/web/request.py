"""What a handler is given: one request, parsed as far as every service needs it."""

from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.web.access import Caller
from kilonode.cloud.openstack.web.faults import Fault

Body = TypeVar("Body")

Microversion = tuple[int, int]


class Query:
    """The parameters after the question mark, in order; a name may stand more than once."""

    __slots__ = ("_pairs",)

    def __init__(self, query_string: bytes) -> None:
        text = query_string.decode("latin-1")
        self._pairs = parse_qsl(text, keep_blank_values=True, errors="replace") if text else []

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def __contains__(self, name: str) -> bool:
        return any(known == name for known, _ in self._pairs)

    def one(self, name: str, default: str = "") -> str:
        """The last value given for a name."""
        found = default
        for known, value in self._pairs:
            if known == name:
                found = value
        return found

    def all(self, name: str) -> list[str]:
        """Every value given for a name."""
        return [value for known, value in self._pairs if known == name]

    def integer(self, name: str, default: int | None = None) -> int | None:
        """A number that is not negative, or the default. Raises Fault 400."""
        text = self.one(name)
        if not text:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise Fault(400, f"Invalid input for query parameter {name}: {text!r} is not a non-negative integer.")
        return int(text)

    def flag(self, name: str, default: bool = False) -> bool:
        """A truth value as OpenStack spells them; an empty one is true (`?all_tenants`). Raises Fault 400."""
        if name not in self:
            return default
        text = self.one(name).lower()
        if text in ("", "1", "true", "t", "yes", "y", "on"):
            return True
        if text in ("0", "false", "f", "no", "n", "off"):
            return False
        raise Fault(400, f"Invalid input for query parameter {name}: {text!r} is not a boolean.")

    def changed(self, **values: str) -> str:
        """The query string with these names replaced, for links to a next page."""
        pairs = [(name, value) for name, value in self._pairs if name not in values]
        return urlencode([*pairs, *values.items()], quote_via=quote)


class Request:
    """One request. `params` are the parts of the path that its route names."""

    __slots__ = (
        "_headers",
        "_query",
        "_query_string",
        "body",
        "caller",
        "cloud",
        "id",
        "method",
        "microversion",
        "params",
        "path",
        "stream",
    )

    def __init__(
        self,
        cloud: Cloud,
        method: str,
        path: str,
        query_string: bytes,
        headers: dict[bytes, bytes],
        request_id: str,
        params: dict[str, str],
        caller: Caller,
        microversion: Microversion,
    ) -> None:
        self.cloud = cloud
        self.method = method
        self.path = path
        self.id = request_id
        self.params = params
        self.caller = caller
        self.microversion = microversion
        self.body = b""
        self.stream: AsyncIterator[bytes] | None = None
        """The body in parts, on the routes that ask for it."""
        self._headers = headers
        self._query_string = query_string
        self._query: Query | None = None

    @property
    def asked(self) -> str:
        """The query as it came, with its question mark; empty without one."""
        return f"?{self._query_string.decode('latin-1')}" if self._query_string else ""

    @property
    def query(self) -> Query:
        """The query parameters."""
        if self._query is None:
            self._query = Query(self._query_string)
        return self._query

    def header(self, name: str) -> str | None:
        """A header by its name in lower case, or None."""
        value = self._headers.get(name.encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    def json(self, kind: type[Body]) -> Body:
        """The body as a value of this type. Raises Fault 400 with what is wrong and where."""
        if not self.body:
            raise Fault(400, "The request body is empty.")
        most = self.cloud.settings.services.limits.body_items
        if len(self.body) > most and self.body.count(b",") + self.body.count(b"[") + self.body.count(b"{") > most:
            raise Fault(413, "Request is too large.")
        try:
            value: Body = _decoder(kind).decode(self.body)  # type: ignore[arg-type]  # a type is hashable
        except msgspec.DecodeError as error:
            raise Fault(400, f"Invalid input for the request body: {error}.") from error
        except RecursionError as error:
            raise Fault(400, "Invalid input for the request body: it is nested too deeply.") from error
        return value

    def json_object(self) -> dict[str, Any]:
        """The body as plain values, for the few requests whose names are not known beforehand. Raises Fault 400."""
        return self.json(dict[str, Any])


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """The one decoder for a type; the number of types is that of the programs' request bodies."""
    return msgspec.json.Decoder(kind)
