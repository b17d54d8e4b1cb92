"""What can be upgraded from the command line: processes of an emulated cloud, as runs see them."""

from collections.abc import Sequence

from kilonode.base.errors import InputError
from kilonode.base.processes import ProcessIdentity, is_alive
from kilonode.cloud import operating
from kilonode.cloud.commands import ProcessChange
from kilonode.cloud.folder import StateFolder
from kilonode.run.upgrade_serving import Instance, Upgradable, words_of
from kilonode.run.upgrades import Version


class CloudUpgrades(Upgradable):
    """The processes of an emulated cloud, replaced by its supervisor."""

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._seen: dict[ProcessIdentity, Instance] = {}
        """Processes that were looked at before; some of them are leaving."""

    async def instances(self) -> Sequence[Instance]:
        """See `Upgradable`."""
        now: dict[ProcessIdentity, Instance] = {}
        away: list[Instance] = []
        for one in operating.processes(self._folder):
            if one.identity is None:
                away.append(Instance(one.name, one.roles, "", one.version, serves=False))
                continue
            serves = one.ready and is_alive(one.identity)
            now[one.identity] = Instance(one.name, one.roles, words_of(one.identity), one.version, serves)
        leaving = {
            identity: Instance(one.name, one.roles, one.identity, one.version, one.serves, leaving=True)
            for identity, one in self._seen.items()
            if identity not in now and is_alive(identity)
        }
        self._seen = now | leaving
        return [*now.values(), *away, *leaving.values()]

    async def check(self, names: Sequence[str], to: Version | None, *, together: bool = False) -> None:
        """See `Upgradable`."""
        check_version(await self.instances(), names, to, together=together)

    async def replace(self, name: str, to: Version | None) -> None:
        """See `Upgradable`."""
        await operating.restart(self._folder, [name], change_to(to))

    async def replace_together(self, names: Sequence[str], to: Version | None) -> None:
        """See `Upgradable`."""
        await operating.restart(self._folder, names, change_to(to), together=True)

    async def take_back(self, name: str) -> None:
        """See `Upgradable`."""
        await operating.restart(self._folder, [name], ProcessChange(back=True))


def check_version(instances: Sequence[Instance], names: Sequence[str], to: Version | None, *, together: bool) -> None:
    """Raise InputError for what processes of an emulated cloud cannot be brought to, or not at one instant."""
    if to is not None and to.release:
        raise InputError(
            "an emulated cloud is of no release of OpenStack", where="to.release", expected="label", got=to.release
        )
    if together:
        operating.refuse_others_than_apis({one.name: one.roles for one in instances if one.name in names})


def change_to(to: Version | None) -> ProcessChange:
    """What a process is replaced by."""
    return ProcessChange() if to is None else ProcessChange(to.label, to.interpreter, to.environment, to.stages)
