"""Reading data from the web, from addresses that whoever runs the cloud has allowed and from no others.

An address is allowed when it begins as one in the settings does: the same scheme, host and port, and a path below the
path there. Redirections are not followed. Requests run in threads, a piece at a time; nothing is kept here.
"""

import asyncio
import contextlib
import http.client
from collections.abc import AsyncIterator, Callable, Iterable
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import unquote, urlsplit

from kilonode.cloud.openstack.image.data import PIECE_BYTES

TIMEOUT_S: Final = 10.0
"""How long the other side may be silent."""
LIMIT_BYTES: Final = 64 * 2**30
_PORTS: Final = {"http": 80, "https": 443}

Result = TypeVar("Result")


class FetchError(Exception):
    """The data cannot be had from there."""


def may_fetch(allowed: Iterable[str], url: str) -> bool:
    """Whether an address is one of those allowed, or below one."""
    wanted = _place(url)
    if wanted is None:
        return False
    steps = unquote(wanted[3]).replace("\\", "/").split("/")
    if ".." in steps or any(ord(letter) <= 32 for letter in url):
        return False
    for beginning in allowed:
        place = _place(beginning)
        if place is not None and place[:3] == wanted[:3]:
            below = f"{place[3].rstrip('/')}/"  # `/images` says nothing of `/images-of-others`
            if wanted[3] == place[3] or wanted[3].startswith(below):
                return True
    return False


async def announced_size_bytes(url: str) -> int | None:
    """How much there is at an address; None: it does not say. Raises FetchError when nothing is there."""

    def look() -> int | None:
        connection, target = _connection(url)
        with contextlib.closing(connection):
            connection.request("HEAD", target)
            with connection.getresponse() as answer:
                _check(answer)
                length = answer.getheader("content-length") or ""
                return int(length) if length.isdigit() else None

    return await _in_thread(look)


async def fetch(url: str) -> AsyncIterator[bytes]:
    """What is at an address, piece by piece. Raises FetchError."""

    def begin() -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection, target = _connection(url)
        try:
            connection.request("GET", target)
            answer = connection.getresponse()
            if answer.status != HTTPStatus.OK:
                answer.close()
            _check(answer)
        except BaseException:
            connection.close()
            raise
        return connection, answer

    connection, answer = await _in_thread(begin)
    taken = 0
    try:
        while piece := await _in_thread(lambda: answer.read1(PIECE_BYTES)):
            taken += len(piece)
            if taken > LIMIT_BYTES:
                raise FetchError(f"there are more than {LIMIT_BYTES} bytes")
            yield piece
        if answer.length:
            raise FetchError(f"{answer.length} bytes of it are missing")
    finally:
        answer.close()
        connection.close()


def _place(url: str) -> tuple[str, str, int, str] | None:
    """Scheme, host, port and path; None when it is no such address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None or parts.password is not None:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme], parts.path or "/"


def _connection(url: str) -> tuple[http.client.HTTPConnection, str]:
    place = _place(url)
    if place is None:
        raise FetchError("this is no address")
    scheme, host, port, path = place
    query = urlsplit(url).query
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    return kind(host, port, timeout=TIMEOUT_S), f"{path}?{query}" if query else path


def _check(answer: http.client.HTTPResponse) -> None:
    if answer.status != HTTPStatus.OK:
        raise FetchError(f"it answers {answer.status}")


async def _in_thread(work: Callable[[], Result]) -> Result:
    try:
        return await asyncio.get_running_loop().run_in_executor(None, work)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchError(str(error) or type(error).__name__) from error
