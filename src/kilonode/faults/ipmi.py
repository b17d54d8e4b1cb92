"""A machine's power by IPMI 2.0 (RMCP+), asked and switched by the command `ipmitool`: a session for each question.

Only cipher suites that authenticate, sign and encrypt are used: 17, and where the controller refuses it, 3. The
password is in the command's environment, which no other user can read, and never among its arguments. What went wrong
is told apart by the words that the command adds with `-v`. IPMI 1.5 and keys of controllers (Kg) are not known here.
"""

import contextlib
import os
import re
from collections.abc import AsyncIterator
from typing import Final

from kilonode.base.clock import Clock
from kilonode.base.errors import FaultError, InputError
from kilonode.faults.hosts import Power
from kilonode.faults.power_commands import lacking, run_command
from kilonode.faults.power_controls import Button, Controller
from kilonode.faults.ssh import secret

PROGRAM: Final = "ipmitool"
PORT: Final = 623
SUITES: Final = (17, 3)
"""HMAC-SHA256 and HMAC-SHA1, both with AES-CBC-128."""
LOOK_EVERY_S: Final = 1.0
"""Controllers are slow computers, and each question is a login."""
PASSWORD_BYTES: Final = 20
USER_BYTES: Final = 16
RETRANSMIT_S = 2
"""Seconds until a packet is sent again, each time one more."""
RETRIES = 3
TIMEOUT_S: Final = 90.0
"""For one question, more than its retransmissions take."""
VERBS: Final = {Button.ON: "on", Button.OFF: "off", Button.SOFT: "soft", Button.RESET: "reset"}

_ADDRESS: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>\d{1,5}))?")
_BARE_V6: Final = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_STATE: Final = re.compile(r"^Chassis Power is (\w+)", re.MULTILINE)

_REFUSED: Final = "Error in open session response message"
_COMPLAINTS: Final = (
    ("HMAC is invalid", "the controller does not accept the password"),
    ("unauthorized name", "the controller does not know the user"),
    ("unauthorized role or privilege", "the user may not switch machines"),
    ("Address lookup for", "the controller's address is not known"),
    ("Set Chassis Power Control to", "the controller refuses"),
    ("Get Chassis Power Status failed", "the controller refuses"),
    ("Set Session Privilege Level to", "the user may not switch machines"),
    ("message indicates an error", "the controller does not let us in"),
    (_REFUSED, "the controller does not let us in"),
)
_NO_CIPHER: Final = ("algorithm", "cipher suite")


class Ipmi:
    """How controllers are spoken to by IPMI."""

    keys = frozenset({"user", "password_variable", "cipher_suite"})

    def missing(self) -> str:
        """The command, where it is not there."""
        return lacking(PROGRAM, "ipmitool")

    def check(self, power: Power) -> None:
        """Address, user and password are such as IPMI can have. Raises InputError."""
        _IpmiController(power)

    @contextlib.asynccontextmanager
    async def open(self, power: Power, clock: Clock) -> AsyncIterator[Controller]:
        """A controller to ask. Raises InputError."""
        yield _IpmiController(power)


class _IpmiController:
    look_every_s = LOOK_EVERY_S

    def __init__(self, power: Power) -> None:
        host, port = split_address(power.address)
        self._where = f"{power.address} (IPMI)"
        password = secret(power.password_variable, os.environ) if power.password_variable else ""
        if len(password.encode()) > PASSWORD_BYTES:
            got = f"a longer one in {power.password_variable}"
            raise InputError("IPMI has no such passwords", where=self._where, expected="at most 20 bytes", got=got)
        user = power.user or ""
        if len(user.encode()) > USER_BYTES:
            raise InputError("IPMI has no such users", where=self._where, expected="at most 16 bytes", got=user)
        self._suites: tuple[int, ...] = SUITES if power.cipher_suite is None else (power.cipher_suite,)
        self._login = ["-H", host, "-p", str(port), *(["-U", user] if user else []), "-E"]
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "IPMI_PASSWORD": password,
            "IPMITOOL_PASSWORD": password,  # of the two it is this one that counts
        }

    async def state(self) -> str | None:
        said = await self._chassis_power("status")
        found = _STATE.search(said)
        if found is None:
            raise FaultError("the controller answers something else", where=self._where, got=said[:200])
        return found[1].lower()

    async def press(self, button: Button) -> None:
        await self._chassis_power(VERBS[button])

    async def _chassis_power(self, verb: str) -> str:
        """Ask with the best cipher suite that is not refused: a refusal comes before anything is done."""
        refused = ""
        for suite in self._suites:
            # Operators may switch; who is one need not be asked for more.
            options = ["-v", "-I", "lanplus", "-C", str(suite), "-L", "OPERATOR"]
            times = ["-N", str(RETRANSMIT_S), "-R", str(RETRIES)]
            command = [PROGRAM, *options, *times, *self._login, "chassis", "power", verb]
            code, said, complained = await run_command(command, self._environment, TIMEOUT_S, self._where)
            if code == 0:
                self._suites = (suite,)
                return said
            refused = cipher_refusal(complained)
            if not refused:
                raise FaultError(understand(complained), where=self._where, got=_short(complained))
        tried = " and ".join(map(str, self._suites))
        what = f"the controller refuses cipher suite {tried}"
        raise FaultError(what, where=self._where, got=refused, hint="nothing weaker than 3 is spoken")


def split_address(address: str) -> tuple[str, int]:
    """Host and port: `bmc-1`, `192.0.2.13:6230`, `2001:db8::1`, `[2001:db8::1]:6230`. Raises InputError."""
    if _BARE_V6.fullmatch(address):
        return address, PORT
    found = _ADDRESS.fullmatch(address)
    # What begins with a dash would be an option of the command.
    if found is None or address.startswith("-") or int(found["port"] or PORT) not in range(1, 2**16):
        raise InputError("no address of a controller", expected="a host, or HOST:PORT", got=address)
    return found["v6"] or found["name"], int(found["port"] or PORT)


def understand(complained: str) -> str:
    """What went wrong, from the words of the command."""
    for words, meaning in _COMPLAINTS:
        if words in complained:
            return meaning
    return "the controller does not answer"


def cipher_refusal(complained: str) -> str:
    """The words in which the controller refused the cipher suite; empty: that is not what went wrong."""
    for line in complained.splitlines():
        if _REFUSED in line and any(words in line for words in _NO_CIPHER):
            return line.rpartition(":")[2].strip()
    return ""


def _short(complained: str) -> str:
    """The last line is the same for all; those before it say why."""
    lines = [line.lstrip("> ").strip() for line in complained.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Loading IANA", "IANA PEN", "Running Get VSO"))]
    return "; ".join(told)[:300]
