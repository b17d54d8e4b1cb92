"""Which requests go through an HTTP proxy.

The environment's words are those of curl and requests: `http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`, lowercase
before uppercase (`HTTP_PROXY` is not read when a CGI server may have set it). `no_proxy` lists host names (a name
covers its subdomains), addresses, networks (`10.0.0.0/8`), each with a port if wanted; `*` is everything.
"""

import base64
import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import msgspec

from kilonode.base.errors import InputError


class Proxy(msgspec.Struct, frozen=True):
    """One HTTP proxy. Printing it shows no password."""

    host: str
    port: int
    authorization: str = ""
    """The value of Proxy-Authorization, or empty."""

    def __repr__(self) -> str:
        return f"Proxy({self.host}:{self.port})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("host", self.host), ("port", self.port)]


class ProxySettings(msgspec.Struct, frozen=True):
    """Which proxy to use for what. None: none."""

    http: Proxy | None = None
    https: Proxy | None = None
    except_for: tuple[str, ...] = ()
    """Hosts that are reached directly."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "ProxySettings":
        """What the environment says. Raises InputError for an address that is no HTTP proxy's."""
        given = os.environ if environment is None else environment
        in_cgi = "REQUEST_METHOD" in given
        found: dict[str, Proxy | None] = {}
        for scheme in ("http", "https"):
            names = [f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY"]
            if in_cgi and scheme == "http":
                names.remove("HTTP_PROXY")
            name = next((name for name in names if given.get(name)), "")
            found[scheme] = read_proxy(given[name], name) if name else None
        exceptions = given.get("no_proxy") or given.get("NO_PROXY") or ""
        return cls(
            found["http"], found["https"], tuple(entry.strip() for entry in exceptions.split(",") if entry.strip())
        )

    def proxy_for(self, scheme: str, host: str, port: int) -> Proxy | None:
        """The proxy for an origin, or None when it is reached directly."""
        proxy = self.https if scheme == "https" else self.http
        if proxy is None or any(_covers(entry, host.lower(), port) for entry in self.except_for):
            return None
        return proxy


def read_proxy(url: str, where: str) -> Proxy:
    """`http://user:password@host:port`, the scheme and the user optional. `where` is named in the InputError."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme != "http" or not parts.hostname or port == -1:
        raise InputError(
            "not an HTTP proxy",
            where=where,
            expected="http://host:port or http://user:password@host:port",
            got=f"{parts.scheme}://{parts.hostname or ''}",
        )
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
    return Proxy(parts.hostname, port or 80, authorization)


def _covers(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    entry = entry.lower()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name, colon, number = entry.partition(":")
        if colon and number != str(port):
            return False
        name = name.removeprefix("*").lstrip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    text, number = entry, ""
    if entry.startswith("["):
        text, _, rest = entry[1:].partition("]")
        number = rest.removeprefix(":")
    elif entry.count(":") == 1:
        text, _, number = entry.partition(":")
    if number and number != str(port):
        return False
    try:
        return address in ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
