"""A machine's power by Redfish: what it is, and pressing its buttons. Three requests over the house's own HTTP.

The controller's certificate is checked, against `ca_file` where the hosts file names one, and a password is never sent
in the clear to another machine. A controller says what it will do, not that it is done: who presses looks again.
"""

import base64
import contextlib
import ipaddress
import os
from collections.abc import AsyncIterator
from typing import Final, TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.encoding import decode_json, encode_json
from kilonode.base.errors import FaultError, InputError, OperationError
from kilonode.clients.http import HttpTransport
from kilonode.clients.tls import TlsSettings
from kilonode.faults.hosts import Power
from kilonode.faults.power_controls import Button, Controller
from kilonode.faults.ssh import secret

TIMEOUT_S: Final = 60.0
"""Controllers are slow computers."""
LOOK_EVERY_S: Final = 0.25
SYSTEMS: Final = "/redfish/v1/Systems"
RESETS: Final = {
    Button.ON: "On", Button.OFF: "ForceOff", Button.SOFT: "GracefulShutdown", Button.RESET: "ForceRestart",
}  # fmt: skip

Answer = TypeVar("Answer", bound=msgspec.Struct)


class _Link(msgspec.Struct, frozen=True):
    path: str = msgspec.field(name="@odata.id")


class _Systems(msgspec.Struct, frozen=True):
    members: tuple[_Link, ...] = msgspec.field(name="Members")


class _Reset(msgspec.Struct, frozen=True):
    target: str = ""
    allowed: tuple[str, ...] | None = msgspec.field(default=None, name="ResetType@Redfish.AllowableValues")


class _Actions(msgspec.Struct, frozen=True):
    reset: _Reset = msgspec.field(default=_Reset(), name="#ComputerSystem.Reset")


class _System(msgspec.Struct, frozen=True):
    """One machine, as its controller knows it."""

    path: str = msgspec.field(name="@odata.id")
    power: str | None = msgspec.field(default=None, name="PowerState")
    """`On`, `Off`, `PoweringOn`, `PoweringOff`; None: the controller does not know."""
    actions: _Actions = msgspec.field(default=_Actions(), name="Actions")


class Redfish:
    """How controllers are spoken to by Redfish."""

    keys = frozenset({"user", "password_variable", "name", "ca_file"})

    def missing(self) -> str:
        """Nothing is needed."""
        return ""

    def check(self, power: Power) -> None:
        """Whether there is such a login. Raises InputError."""
        _login(power, _base(power))

    @contextlib.asynccontextmanager
    async def open(self, power: Power, clock: Clock) -> AsyncIterator[Controller]:
        """A controller to ask. Raises InputError."""
        transport = HttpTransport(clock, tls=TlsSettings(ca_file=power.ca_file or ""))
        try:
            yield _RedfishController(power, transport)
        finally:
            await transport.close()


class _RedfishController:
    look_every_s = LOOK_EVERY_S

    def __init__(self, power: Power, transport: HttpTransport) -> None:
        self._base = _base(power)
        self._name = power.name
        self._headers = _login(power, self._base)
        self._transport = transport

    async def state(self) -> str | None:
        power = (await self._system()).power
        return power and power.lower()

    async def press(self, button: Button) -> None:
        system = await self._system()
        reset, kind = system.actions.reset, RESETS[button]
        if reset.allowed is not None and kind not in reset.allowed:
            raise FaultError(f"the controller knows no {kind}", where=self._base, expected=", ".join(reset.allowed))
        target = reset.target or f"{system.path}/Actions/ComputerSystem.Reset"
        await self._request("POST", target, encode_json({"ResetType": kind}))

    async def _system(self) -> _System:
        """The machine that is meant: the one of the address, of the name, or the only one."""
        if urlsplit(self._base).path.strip("/"):
            path = urlsplit(self._base).path
        elif self._name:
            path = f"{SYSTEMS}/{self._name}"
        else:
            members = await self._get(SYSTEMS, _Systems)
            if len(members.members) != 1:
                got = f"{len(members.members)} of them"
                raise FaultError("the controller has not exactly one machine: name it", where=self._base, got=got)
            path = members.members[0].path
        return await self._get(path, _System)

    async def _get(self, path: str, kind: type[Answer]) -> Answer:
        body = await self._request("GET", path)
        try:
            return decode_json(body, kind)
        except msgspec.DecodeError as error:
            raise FaultError("the controller answers something else", where=self._base, got=str(error)) from error

    async def _request(self, method: str, path: str, body: bytes = b"") -> bytes:
        url = urljoin(self._base, path)
        if urlsplit(url).netloc != urlsplit(self._base).netloc:
            raise FaultError("the controller sends us to another machine", where=self._base, got=url)
        try:
            response = await self._transport.request(method, url, headers=self._headers, body=body, timeout_s=TIMEOUT_S)
        except OperationError as error:
            raise FaultError("the controller does not answer", where=self._base, got=str(error)) from error
        if response.status >= 300:
            got = f"{response.status}: {response.body[:200].decode(errors='replace')}"
            raise FaultError("the controller refuses", where=f"{self._base}{path}", got=got)
        return response.body


def _base(power: Power) -> str:
    return power.address if "://" in power.address else f"https://{power.address}"


def _login(power: Power, base: str) -> tuple[tuple[str, str], ...]:
    headers = (("Content-Type", "application/json"), ("Accept", "application/json"))
    if power.user is None or power.password_variable is None:
        return headers
    if urlsplit(base).scheme != "https" and not _is_here(urlsplit(base).hostname or ""):
        raise InputError("a password would cross the network in the clear", where=base, expected="https://…")
    pair = f"{power.user}:{secret(power.password_variable, os.environ)}"
    return (*headers, ("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"))


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
