"""Upgrades during the load, as the experiment file says them: steps in their order, to which version, watched how.

Part of the experiment's format, beside `kilonode.run.disruptions`. What an upgrade did to the cloud is worked out by
`kilonode.check.upgrades`; rules that join several keys stand in `kilonode.run.upgrade_rules`.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from kilonode.base.encoding import MORE_THAN_ZERO
from kilonode.base.units import Duration
from kilonode.history.upgrades import UPGRADE

Process = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9._-]{0,62}$")]
Argument = Annotated[str, Meta(min_length=1)]
ONE_MINUTE = Duration(60)


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    pass


class Version(_Record, frozen=True, kw_only=True):
    """What runs after the upgrade."""

    label: Annotated[str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._+-]{0,29})?$")] = ""
    """Of an emulated cloud: what it is called; its processes say it of themselves."""
    release: str = ""
    """Of a stack: the release of OpenStack, the next one after that which runs. It is installed before the load begins,
    and databases are migrated as each project wants it, before the first of its services and after the last."""
    stages: str | None = None
    """Of an emulated cloud: the profile of stages that it goes by, which says how fast it is and how often it fails. A
    path is relative to the experiment file. Without one: as before."""
    interpreter: str | None = None
    """Of an emulated cloud: the Python that runs it, of an environment with another version of Kilonode."""
    environment: dict[str, str] = {}
    """Of an emulated cloud: variables that are added to its environment."""

    @property
    def name(self) -> str:
        """What its processes say that they are."""
        return self.label or self.release


class UpgradeStep(_Record, frozen=True, kw_only=True):
    """One step: either `replace` or `run`."""

    replace: tuple[Process, ...] = ()
    """Roles or processes of the cloud, or projects of a stack: each process gets another in its place, which is then
    verified."""
    at_once: Annotated[int, Meta(ge=1)] | Literal["all"] = 1
    """How many are replaced at the same time, before the next ones are: 1 is one after the other."""
    way: Literal["rolling", "blue_green"] = "rolling"
    """Rolling: batch after batch. Blue/green: all new processes come up beside those that are there, without a user
    noticing; when each of them could begin, all take over at one instant. Of api roles."""
    run: tuple[Argument, ...] = ()
    """A command, as a list of its arguments; no shell reads it. It fails when it does not end with 0."""
    kind: Literal["stop", "replace", "migrate", "start", "verify"] = "migrate"
    """What the command does, for the report."""
    undo: tuple[Argument, ...] = ()
    """The command that takes it back. Without one there is nothing to take back."""
    timeout: Annotated[Duration, MORE_THAN_ZERO] = ONE_MINUTE
    """How long a command may take; or how long a new process, until it answers and is of the wanted version."""


class UpgradeWatch(_Record, frozen=True, kw_only=True):
    """Looking at the load before going on."""

    lasts: Annotated[Duration, MORE_THAN_ZERO] = msgspec.field(name="for")
    """How long it is looked after each batch and each command."""
    criteria: Annotated[tuple[str, ...], Meta(min_length=1)]
    """What must hold of the load meanwhile, in the form of criteria: `probe error_rate < 1%`. Where something does not,
    the upgrade has failed."""


class Upgrade(_Record, frozen=True, kw_only=True):
    """Putting another version in the place of what runs."""

    to: Version | None = None
    """What runs afterwards. Without it: the same as before, started anew."""
    steps: Annotated[tuple[UpgradeStep, ...], Meta(min_length=1)]
    """What is done, in this order. A step that fails ends the upgrade."""
    pause: Duration = Duration(0)
    """How long nothing is done between two batches."""
    watch: UpgradeWatch | None = None
    """Look at the load after each batch and each command, and go on only where all is well."""
    back: bool = True
    """Take back what was done, the last first, when the upgrade fails or the load ends before it does."""

    @property
    def sentence(self) -> str:
        """What is done, in words: `upgrade api, fleet to B`."""
        names = list(dict.fromkeys(name for step in self.steps for name in step.replace))
        label = f" to {self.to.name}" if self.to is not None else ""
        return f"{UPGRADE}{', '.join(names) or 'by commands'}{label}"
