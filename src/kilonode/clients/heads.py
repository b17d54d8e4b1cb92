"""From a request to the bytes before its body; what could change the meaning of those bytes is refused.

An address is split and checked once and remembered; a tuple of headers is encoded once and remembered. Everything is
ASCII: addresses come escaped, header values that are not ASCII are an InputError.
"""

import re
from typing import Final
from urllib.parse import urlsplit

import msgspec

from kilonode.base.errors import InputError
from kilonode.clients.transport import HeaderPairs

_METHOD: Final = re.compile(r"[A-Z][A-Z0-9_-]*", re.ASCII)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e]*", re.ASCII)
_ADDRESS: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)
_OURS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "expect"}
)
"""Headers that belong to the connection, not to the request."""


class Origin(msgspec.Struct, frozen=True):
    """Where requests go."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and port as CONNECT names them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def host_header(self) -> str:
        """The value of the header Host: without the port where that goes without saying."""
        if self.port == (443 if self.scheme == "https" else 80):
            return self.authority.rpartition(":")[0]
        return self.authority


def split_address(url: str) -> tuple[Origin, str]:
    """The origin of an absolute address, and its path with the query. Raises InputError."""
    if not _ADDRESS.fullmatch(url):
        raise InputError(
            "an address has a space, a control character or one that is not ASCII",
            expected="an escaped address",
            got=repr(url),
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"not an address: {error}", got=repr(url)) from None
    if parts.username is not None or parts.password is not None:
        raise InputError("an address must not carry a user or a password", hint="send an Authorization header instead")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError("not an address", expected="http://… or https://…", got=repr(url))
    origin = Origin(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80))
    path = parts.path or "/"
    return origin, f"{path}?{parts.query}" if parts.query else path


def check_method(method: str) -> None:
    """Raise InputError for what is no method."""
    if not _METHOD.fullmatch(method) or method == "CONNECT":
        raise InputError("not a method of HTTP", expected="GET, POST, …", got=repr(method))


def encode_headers(headers: HeaderPairs) -> str:
    """The header lines, each with its line end. Raises InputError for one that would say something else."""
    lines = []
    for name, value in headers:
        if not _HEADER_NAME.fullmatch(name):
            raise InputError("not the name of a header", where=repr(name), expected="letters, digits, hyphens")
        if name.lower() in _OURS:
            raise InputError("this header is set by the transport", where=name)
        if not _HEADER_VALUE.fullmatch(value):  # the value may be a secret: it is not shown
            raise InputError(
                "the value of a header has a line break, a control character or one that is not ASCII", where=name
            )
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines)
