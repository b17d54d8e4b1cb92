"""The few questions that faults ask of Docker's engine, over its Unix socket: HTTP/1.0, one connection each.

Version 1.24 of its interface is spoken, which engines since 2016 and Podman's service understand. An engine that is
reached over a network wants certificates, and is better reached by ssh: then an exchange is handed in, which takes a
request to the socket there and brings its answer.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import msgspec

from kilonode.base.encoding import decode_json, encode_json
from kilonode.base.errors import FaultError, InputError

SOCKET: Final = Path("/var/run/docker.sock")
TIMEOUT_S: Final = 120.0
LIMIT_BYTES: Final = 64 * 2**20
VERSION: Final = "v1.24"

Answer = TypeVar("Answer")
Exchange = Callable[[bytes], Awaitable[bytes]]
"""A whole request to its whole answer. Raises OSError or FaultError."""


class EndpointAddresses(msgspec.Struct, frozen=True, rename="pascal", omit_defaults=True):
    """Addresses that were asked for when a container was connected."""

    ipv4: str = msgspec.field(default="", name="IPv4Address")
    ipv6: str = msgspec.field(default="", name="IPv6Address")


class Endpoint(msgspec.Struct, frozen=True, rename="pascal", omit_defaults=True):
    """How a container is connected to a network."""

    network_id: str = msgspec.field(default="", name="NetworkID")
    aliases: tuple[str, ...] | None = None
    links: tuple[str, ...] | None = None
    ipam: EndpointAddresses | None = msgspec.field(default=None, name="IPAMConfig")


class _Networks(msgspec.Struct, frozen=True, rename="pascal"):
    networks: dict[str, Endpoint] = {}


class ContainerState(msgspec.Struct, frozen=True, rename="pascal"):
    """What it does now."""

    running: bool
    """Also when it is paused."""
    paused: bool = False
    restarting: bool = False
    pid: int = 0
    started_at: str = ""


class Container(msgspec.Struct, frozen=True, rename="pascal"):
    """One container."""

    id: str
    name: str
    """As the engine says it: with a slash before it."""
    state: ContainerState
    network_settings: _Networks = _Networks()

    @property
    def networks(self) -> dict[str, Endpoint]:
        """Those that it is connected to, by name."""
        return self.network_settings.networks


class Listed(msgspec.Struct, frozen=True, rename="pascal"):
    """One container of a list."""

    id: str
    names: tuple[str, ...]
    state: str
    labels: dict[str, str] | None = None


class _Refusal(msgspec.Struct, frozen=True):
    message: str = ""


class Engine:
    """One engine. All raise FaultError when it does not answer, or refuses."""

    def __init__(self, socket: Path, exchange: Exchange | None = None) -> None:
        """`exchange`: how a socket that is not on this machine is spoken to."""
        self.socket = socket
        self._exchange = exchange or self._exchange_here

    async def containers(self) -> tuple[Listed, ...]:
        """All containers, running or not."""
        return await self._get("/containers/json?all=1", tuple[Listed, ...])

    async def container(self, container_id: str) -> Container:
        """One container as it is now."""
        return await self._get(f"/containers/{quote(container_id)}/json", Container)

    async def act(self, container_id: str, verb: str) -> None:
        """`start`, `stop?t=10`, `restart`, `kill`, `pause`, `unpause`."""
        await self.request("POST", f"/containers/{quote(container_id)}/{verb}")

    async def disconnect(self, network_id: str, container_id: str) -> None:
        """Take a container off a network."""
        await self.request("POST", f"/networks/{quote(network_id)}/disconnect", {"Container": container_id})

    async def connect(self, network_id: str, container_id: str, endpoint: Endpoint) -> None:
        """Connect a container to a network as it was connected before."""
        known = msgspec.structs.replace(endpoint, network_id="")
        body = {"Container": container_id, "EndpointConfig": known}
        await self.request("POST", f"/networks/{quote(network_id)}/connect", body)

    async def request(self, method: str, path: str, document: Any = None, body: bytes = b"") -> bytes:
        """One request; the answer's body. What is so already (304) is no refusal."""
        kind = "application/x-tar" if body else "application/json"
        body = body or (encode_json(document) if document is not None else b"")
        head = (
            f"{method} /{VERSION}{path} HTTP/1.0\r\nHost: docker\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self._exchange(head.encode() + body)
        except (OSError, TimeoutError) as error:
            said = getattr(error, "strerror", None) or "no answer in time"
            raise FaultError("Docker's engine does not answer", where=str(self.socket), got=said) from error
        head_of_answer, _, content = answer.partition(b"\r\n\r\n")
        first = head_of_answer.partition(b"\r\n")[0]
        words = first.split()
        if len(words) < 2 or not words[1].isdigit():
            raise FaultError("Docker's engine answers something else", where=str(self.socket), got=repr(first[:80]))
        if int(words[1]) >= 400:
            raise FaultError("Docker's engine refuses", where=path, got=f"{int(words[1])}: {_said(content)}")
        return content

    async def _exchange_here(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(self.socket), limit=LIMIT_BYTES)
        try:
            writer.write(request)
            await writer.drain()
            return await reader.read(-1)
        finally:
            writer.close()

    async def _get(self, path: str, kind: type[Answer]) -> Answer:
        content = await self.request("GET", path)
        try:
            return decode_json(content, kind)
        except msgspec.DecodeError as error:
            raise FaultError("Docker's engine answers something else", where=path, got=str(error)) from error


def engine_here() -> Engine:
    """The engine of this machine. Raises InputError when the environment names another one."""
    named = os.environ.get("DOCKER_HOST", "")
    if named and not named.startswith("unix://"):
        raise InputError(
            "only an engine of this machine can be asked", where="DOCKER_HOST", expected="unix://…", got=named
        )
    return Engine(Path(named.removeprefix("unix://")) if named else SOCKET)


def _said(content: bytes) -> str:
    try:
        return decode_json(content, _Refusal).message[:300]
    except msgspec.DecodeError:
        return content[:300].decode(errors="replace")
