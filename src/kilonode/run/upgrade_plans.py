"""Upgrades resolved before the load: which processes they will replace, and that something here can."""

from collections.abc import Iterator, Sequence

from kilonode.base.errors import InputError
from kilonode.run.upgrade_serving import Instance, Upgradable, chosen
from kilonode.run.upgrades import Upgrade


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


def describe_upgrade(upgrade: Upgrade, instances: Sequence[Instance] | None) -> Iterator[str]:
    """What would be done, for people. `instances` None: they are not known yet. Raises InputError."""
    for step in upgrade.steps:
        undo = f"; undo: {' '.join(step.undo)}" if step.undo else ""
        if step.run:
            yield f"{step.kind}: {' '.join(step.run)}{undo}"
            continue
        names = list(step.replace) if instances is None else chosen(step.replace, instances)
        size = len(names) if step.at_once == "all" else step.at_once
        at_once = "all at once" if size >= len(names) > 1 else f"{size} at once" if size > 1 else "one after the other"
        if step.way == "blue_green":
            at_once = "all at one instant"
        yield f"replace {', '.join(names)}{f', {at_once}' if len(names) > 1 else ''}"
    if upgrade.watch is not None:
        yield f"after each: {', '.join(upgrade.watch.criteria)} for {upgrade.watch.lasts}"
