"""The power of a virtual machine, asked of libvirt and switched by it, by the command `virsh`: a connection each time.

A machine that libvirt would forget with its power is not switched off, since nobody could switch it on again. Which
daemon, and how it is reached (a socket here, ssh), is in the URI of the hosts file; passwords are not used.
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
from kilonode.faults.power_controls import OFF, ON, Button, Controller

PROGRAM: Final = "virsh"
LOOK_EVERY_S: Final = 0.25
TIMEOUT_S: Final = 60.0
VERBS: Final = {Button.ON: "start", Button.OFF: "destroy", Button.SOFT: "shutdown", Button.RESET: "reset"}
STATES: Final = {
    "running": ON, "idle": ON, "paused": ON, "pmsuspended": ON, "shut off": OFF, "crashed": OFF,
}  # fmt: skip
"""In libvirt's words; others are none of both."""

_PERSISTENT: Final = re.compile(r"^Persistent: *yes$", re.MULTILINE)
_COMPLAINTS: Final = (
    ("failed to get domain", "libvirt knows no such machine"),
    ("failed to connect", "libvirt does not answer"),
)


class Libvirt:
    """How virtual machines are switched by libvirt."""

    keys = frozenset({"name"})

    def missing(self) -> str:
        """The command, where it is not there."""
        return lacking(PROGRAM, "libvirt-clients")

    def check(self, power: Power) -> None:
        """There is a URI, and the name of a machine. Raises InputError."""
        _LibvirtController(power)

    @contextlib.asynccontextmanager
    async def open(self, power: Power, clock: Clock) -> AsyncIterator[Controller]:
        """A controller to ask. Raises InputError."""
        yield _LibvirtController(power)


class _LibvirtController:
    look_every_s = LOOK_EVERY_S

    def __init__(self, power: Power) -> None:
        if not power.name:
            raise InputError("which of its machines is meant is not said", where=power.address, expected="a `name`")
        if "://" not in power.address:
            raise InputError("no URI of libvirt", expected="such as qemu:///system", got=power.address)
        self._where = f"{power.name} at {power.address}"
        self._uri = power.address
        self._machine = power.name

    async def state(self) -> str | None:
        said = (await self._virsh("domstate")).strip()
        return STATES.get(said, said or None)

    async def press(self, button: Button) -> None:
        if button in (Button.OFF, Button.SOFT) and not _PERSISTENT.search(await self._virsh("dominfo")):
            raise FaultError("libvirt would forget the machine with its power", where=self._where)
        await self._virsh(VERBS[button])

    async def _virsh(self, verb: str) -> str:
        # The name is an option's value, so it is never an option itself.
        command = [PROGRAM, "--quiet", "--connect", self._uri, verb, "--domain", self._machine]
        code, said, complained = await run_command(command, {**os.environ, "LC_ALL": "C"}, TIMEOUT_S, self._where)
        if code:
            meaning = next((what for words, what in _COMPLAINTS if words in complained), "libvirt refuses")
            got = "; ".join(line.removeprefix("error: ").strip() for line in complained.splitlines() if line.strip())
            raise FaultError(meaning, where=self._where, got=got[:300])
        return said
