"""From method, address and headers to the pool that a request goes to and the bytes of its head.

Both are remembered from the second time on, so a request that is sent again and again is not put together again; one
that differs in its path, as requests to an API do, costs a search in the text and one join. Memory is bounded: when it
is full, it begins anew.
"""

from collections.abc import Callable
from typing import Any, Final

from kilonode.clients.heads import Origin, check_method, encode_headers, split_address
from kilonode.clients.pools import Pool
from kilonode.clients.proxies import Proxy
from kilonode.clients.transport import HeaderPairs

USER_AGENT: Final = "kilonode"

_MOST_REMEMBERED: Final = 1024
_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_SHORTEST_ORIGIN: Final = len("https://")

Prepared = tuple[Pool, bytes]
"""Where a request goes, and its head with the empty line that ends it."""


class Route:
    """What all requests to one origin share."""

    __slots__ = ("lines", "pool", "prefix")

    def __init__(self, origin: Origin, pool: Pool, proxy: Proxy | None) -> None:
        """`proxy`: the one to go through, if any."""
        self.pool = pool
        self.prefix = ""
        """Comes before the path: the origin, when a proxy is asked for something without TLS."""
        self.lines = f" HTTP/1.1\r\nHost: {origin.host_header}\r\nUser-Agent: {USER_AGENT}\r\n"
        """The end of the request line, and the headers that every request has."""
        if proxy is not None and origin.scheme == "http":
            self.prefix = f"{origin.scheme}://{origin.host_header}"
            if proxy.authorization:
                self.lines += f"Proxy-Authorization: {proxy.authorization}\r\n"


class Routes:
    """The routes of one transport, and the heads that are ready."""

    def __init__(self, open_route: Callable[[Origin], Route]) -> None:
        self.ready: dict[tuple[str, str, HeaderPairs], Prepared] = {}
        """Look here first, by method, address and headers; then call `prepare`."""
        self._open_route = open_route
        self._routes: dict[Origin, Route] = {}
        self._by_text: dict[str, Route] = {}
        self._header_lines: dict[HeaderPairs, str] = {}
        self._asked_before: dict[str, None] = {}
        """Addresses that were asked for once: only those asked for again are worth remembering with their heads."""

    @property
    def pools(self) -> list[Pool]:
        """Every pool so far."""
        return [route.pool for route in self._routes.values()]

    def prepare(self, method: str, url: str, headers: HeaderPairs) -> Prepared:
        """Put a head together. Raises InputError for what would not mean what it says."""
        if method not in _METHODS:
            check_method(method)
        route, target = self._find(url)
        try:
            lines = self._header_lines[headers]
        except KeyError:
            lines = encode_headers(headers)
            _remember(self._header_lines, headers, lines)
        except TypeError:  # a list: it could change, so it is not remembered
            head = f"{method} {target}{route.lines}{encode_headers(headers)}\r\n"
            return route.pool, head.encode("ascii")
        prepared = route.pool, f"{method} {target}{route.lines}{lines}\r\n".encode("ascii")
        if url in self._asked_before:
            _remember(self.ready, (method, url, headers), prepared)
        else:
            _remember(self._asked_before, url, None)
        return prepared

    def _find(self, url: str) -> tuple[Route, str]:
        path_at = url.find("/", _SHORTEST_ORIGIN)
        if path_at > 0:
            route = self._by_text.get(url[:path_at])
            if route is not None:
                path = url[path_at:]
                if path.isascii() and path.isprintable() and " " not in path and "#" not in path:
                    return route, route.prefix + path
        origin, path = split_address(url)
        route = self._routes.get(origin)
        if route is None:
            route = self._routes[origin] = self._open_route(origin)
        if path_at > 0 and split_address(url[:path_at])[0] == origin:
            _remember(self._by_text, url[:path_at], route)
        return route, route.prefix + path


def _remember(memory: dict[Any, Any], key: object, value: object) -> None:
    if len(memory) >= _MOST_REMEMBERED:
        memory.clear()
    memory[key] = value
