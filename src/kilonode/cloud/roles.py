"""How the roles of the emulated cloud run.

A role is an async task that is given a store, a clock and its settings. So the same roles run all in one process, as
one process each, or in simulated time. Roles that run together share one mirror, so each document is decoded once.
What a role is made of is imported when it is run: a process that is only a fleet starts in a fifth of the time, and
takes half the memory, of one that has all services loaded.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from kilonode.base.clock import Clock
from kilonode.base.errors import LabError
from kilonode.cloud.context import Cloud, CloudSettings
from kilonode.cloud.cues import Cues
from kilonode.cloud.layout import API, IMAGE, NETWORK, SCHEDULER, VOLUME, role_of
from kilonode.store.protocol import Store

Work = Callable[[Cloud], Awaitable[None]]
"""What a role does with its view of the cloud until it is cancelled."""


async def run_roles(
    names: Sequence[str],
    store: Store,
    clock: Clock,
    settings: CloudSettings,
    serve_api: Work,
    shared: Store | None = None,
    cues: Cues | None = None,
    prove: Work | None = None,
) -> None:
    """Run these roles together until cancelled, or until `cues` say to let the work go; raise what ends any of them.

    `serve_api` is the work of the api role: serve a port, or in simulated time make the application and wait; told to
    let go, it returns when nobody is left. `prove` is done before an api that has to wait says that it could begin; it
    raises when it could not. `shared` is the store of what all sites have in common, if there are any.
    """
    works = {name: _work(name, serve_api) for name in names}
    all_kinds = any(not kinds for kinds, _ in works.values())
    kinds = () if all_kinds else tuple(sorted({kind for kinds, _ in works.values() for kind in kinds}))
    first = await Cloud.open(store, clock, settings, names[0], kinds, shared)
    try:
        if cues is not None:
            if prove is not None and not cues.go.is_set() and any(role_of(name) == API for name in names):
                await prove(first)
            cues.prepared()
            await cues.go.wait()
        async with asyncio.TaskGroup() as group:
            tasks = {"mirror": group.create_task(first.mirror.ended(), name="mirror")}
            for name, (_, work) in works.items():
                cloud = first if name == first.role else Cloud(first.mirror, clock, settings, name)
                tasks[name] = group.create_task(_for_ever(name, work(cloud), cues), name=name)
            if cues is not None:
                if not any(role_of(name) == API for name in names):
                    cues.ready()  # otherwise the api says so, when it listens
                await cues.drain.wait()
                await _let_go(tasks)
    except ExceptionGroup as group_error:
        raise _first_failure(group_error) from group_error
    finally:
        await first.close()


def _work(name: str, serve_api: Work) -> tuple[Sequence[str], Work]:
    """The kinds of documents a role mirrors (empty: all), and what it does."""
    role = role_of(name)
    if role == API:
        import kilonode.cloud.openstack.application  # noqa: F401 - registers the kinds of all services

        return (), serve_api
    if role == SCHEDULER:
        from kilonode.cloud.openstack.compute import placing

        return placing.KINDS, placing.schedule
    if role == VOLUME:
        from kilonode.cloud.openstack.volume import reconcile as volumes

        return volumes.KINDS, volumes.run_volumes
    if role == NETWORK:
        from kilonode.cloud.openstack.network import reconcile as ports

        return ports.KINDS, ports.run_network
    if role == IMAGE:
        from kilonode.cloud.openstack.image import reconcile as images

        return images.KINDS, images.run_images
    from kilonode.cloud.fleet import run_nodes
    from kilonode.cloud.openstack.compute import lifecycle, node_life

    return lifecycle.KINDS, partial(run_nodes, fleet=name, work=[lifecycle.run_servers, node_life.run_node_lives])


async def _let_go(tasks: Mapping[str, "asyncio.Task[None]"]) -> None:
    """End the roles: all at once, but for the api, which ends by itself after its last answer and needs the mirror."""
    answering = [task for name, task in tasks.items() if role_of(name) == API]
    for name, task in tasks.items():
        if task not in answering and name != "mirror":
            task.cancel()
    if answering:
        await asyncio.wait(answering)
    tasks["mirror"].cancel()


async def _for_ever(name: str, work: Awaitable[None], cues: Cues | None) -> None:
    await work
    if cues is not None and cues.drain.is_set():
        return
    raise LabError(f"the role {name} ended by itself")


def _first_failure(group: ExceptionGroup[Exception]) -> Exception:
    error: Exception = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
