"""A transport that answers from a table, and a Keystone in a few lines."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from kilonode.base.clock import SIMULATED_EPOCH, SimulatedClock
from kilonode.clients.openstack.access import Access
from kilonode.clients.transport import BodyStream, HeaderPairs, Response

URL = "http://cloud"
SERVICES = {
    "identity": f"{URL}/identity",
    "compute": f"{URL}/compute/v2.1",
    "network": f"{URL}:9696",
    "image": f"{URL}/image",
    "block-storage": f"{URL}/volume/v3/p-1",
    "placement": f"{URL}/placement",
}
VERSIONS = {
    f"{URL}/compute/v2.1/": {"version": {"id": "v2.1", "version": "2.96", "min_version": "2.1"}},
    f"{URL}/volume/v3/": {"versions": [{"id": "v3.0", "version": "3.50", "min_version": "3.0"}]},
    f"{URL}/placement/": {"versions": [{"id": "v1.0", "max_version": "1.39", "min_version": "1.0"}]},
}
ACCESS = Access(
    auth_url=f"{URL}/identity", username="me", password="sesame", project_name="ours", region_name="RegionOne"
)

Answer = Callable[["Sent"], Response]


class Sent(msgspec.Struct):
    """One request that was sent."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    timeout_s: float

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    def json(self) -> Any:
        return json.loads(self.body)


def reply(value: Any = None, status: int = 200, **headers: str) -> Response:
    """A JSON answer; underscores in header names become hyphens."""
    pairs = tuple((name.replace("_", "-"), text) for name, text in headers.items())
    return Response(status, pairs, b"" if value is None else json.dumps(value).encode())


class Answering:
    """A transport. What the table does not know is 404."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.answers: dict[str, Answer | Response] = {}
        self.logins = 0
        self.token_life_s = 3600.0
        self.login_takes_s = 0.0
        self.catalog: list[dict[str, Any]] = [catalog_entry(name, url) for name, url in SERVICES.items()]
        self.answers["POST /identity/v3/auth/tokens"] = self._log_in
        for url, document in VERSIONS.items():
            self.answers[f"GET {urlsplit(url).path}"] = reply(document)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: HeaderPairs = (),
        body: bytes | BodyStream = b"",
        timeout_s: float = 60.0,
        receive: Callable[[bytes], object] | None = None,
    ) -> Response:
        if isinstance(body, BodyStream):
            body = b"".join([piece async for piece in body.open()])
        sent = Sent(method, url, {name.lower(): value for name, value in headers}, body, timeout_s)
        self.sent.append(sent)
        if sent.path.endswith("/auth/tokens") and method == "POST" and self.login_takes_s:
            await asyncio.sleep(self.login_takes_s)
        answer = self.answers.get(f"{method} {sent.path}", reply({"error": {"message": "not found"}}, 404))
        return answer(sent) if callable(answer) else answer

    async def close(self) -> None:
        pass

    def of(self, path: str) -> list[Sent]:
        """The requests to a path."""
        return [sent for sent in self.sent if sent.path == path]

    def _log_in(self, sent: Sent) -> Response:
        self.logins += 1
        issued = SIMULATED_EPOCH.timestamp() + 12_345  # its clock need not agree with ours
        token = {
            "issued_at": timestamp(issued),
            "expires_at": timestamp(issued + self.token_life_s),
            "project": {"id": "p-1", "name": "ours"},
            "user": {"id": "u-1", "name": "me"},
            "roles": [{"id": "r", "name": "member"}],
            "catalog": self.catalog,
        }
        return reply({"token": token}, 201, x_subject_token=f"token-{self.logins}")


def timestamp(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def catalog_entry(service_type: str, url: str, interface: str = "public", region: str = "RegionOne") -> dict[str, Any]:
    endpoint = {"id": "e", "interface": interface, "region": region, "region_id": region, "url": url}
    return {"type": service_type, "name": service_type, "id": "s", "endpoints": [endpoint]}


def simulated_clock() -> SimulatedClock:
    return SimulatedClock(asyncio.get_running_loop())
