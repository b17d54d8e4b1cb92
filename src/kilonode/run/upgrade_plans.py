"""Upgrades resolved before the load: which processes they will replace, and that something here can."""

from kilonode.base.errors import InputError
from kilonode.run.upgrade_serving import Upgradable
from kilonode.run.upgrades import Upgrade
from kilonode.run.upgrading import chosen, describe_upgrade


async def plan_upgrade(upgrade: Upgrade, cloud: Upgradable | None) -> tuple[str, ...]:
    """What would be done, for people. Raises InputError when it names what is not there, or nothing can do it."""
    if not any(step.replace for step in upgrade.steps):
        return tuple(describe_upgrade(upgrade, ()))
    if cloud is None:
        raise InputError(
            "nothing here can replace the processes of this cloud",
            where=upgrade.sentence,
            expected="an emulated cloud of the run's own, or a stack",
            hint="upgrade it by commands: steps with run:",
        )
    instances = await cloud.instances()
    words = list(describe_upgrade(upgrade, instances))
    names: list[str] = []
    for step in upgrade.steps:
        meant = chosen(step.replace, instances) if step.replace else []
        await cloud.check(meant, upgrade.to, together=step.way == "blue_green")
        names += meant
    migrations = await cloud.migrations(names, upgrade.to, after=False)
    words.extend(f"migrate {one.what}, before the first of it: {one.words}" for one in migrations)
    return tuple(words)
