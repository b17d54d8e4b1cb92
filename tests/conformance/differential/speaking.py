"""Two ways to a cloud, one form of answer: HTTP to real services, calls of the application in simulated time.

Both send exactly what they are told, bad requests too, so neither uses the clients of Kilonode.
"""

import asyncio
import http.client
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from kilonode.base.clock import Clock, RealClock
from tests.cloud.openstack.harness import OpenStack

TIMEOUT_S: Final = 120
NO_ANSWER: Final = 0
"""The status of a request after which the service closed the connection without a word."""
_VERSION: Final = re.compile(r"/v\d[^/]*(?:/.*)?$")


@dataclass(frozen=True)
class Heard:
    """An answer."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """Decoded if it is JSON, else the text or how long it is."""
        try:
            return json.loads(self.raw) if self.raw else None
        except ValueError:
            return self.raw.decode("utf-8", "replace")


Send = Callable[[str, str, str, bytes, Mapping[str, str]], Awaitable[Heard]]
"""Service, method, path below the service's root, body and headers in; the answer out."""


@dataclass(frozen=True)
class Speaker:
    """A cloud that can be spoken to."""

    send: Send
    clock: Clock
    user: str
    password: str
    project: str
    roots: dict[str, str]
    """Address of each service without its version, filled from the catalog by whoever logs in."""
    poll_s: float


def root_of(address: str) -> str:
    """The address of a service without the version in it."""
    return _VERSION.sub("", address.rstrip("/"))


def over_http(auth_url: str, user: str, password: str, project: str) -> Speaker:
    """A cloud that listens."""
    roots = {"identity": root_of(auth_url)}

    async def send(service: str, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Heard:
        return await asyncio.to_thread(_request, roots[service], method, path, body, headers)

    return Speaker(send, RealClock(), user, password, project, roots, poll_s=0.02)


def in_process(cloud: OpenStack) -> Speaker:
    """A cloud in this event loop."""
    roots = {"identity": f"{cloud.settings.public_url}/identity"}

    async def send(service: str, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Heard:
        given = [(name.lower(), value) for name, value in headers.items()]
        place = urlsplit(roots[service]).path + path
        answer = await cloud.ask(method, place, body, token="", headers=given)
        # A server leaves out what an answer to HEAD would have.
        return Heard(answer.status, dict(answer.headers), b"" if method == "HEAD" else answer.raw)

    return Speaker(send, cloud.clock, "admin", cloud.password, "admin", roots, poll_s=0.01)


def _request(root: str, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Heard:
    place = urlsplit(root)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=TIMEOUT_S)
    try:
        connection.request(method, place.path + path, body or None, dict(headers))
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Heard(answer.status, found, answer.read())
    except http.client.RemoteDisconnected:
        return Heard(NO_ANSWER, {}, b"")
    finally:
        connection.close()
