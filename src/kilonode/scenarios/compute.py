"""The library's scenarios on the compute service.

A scenario that works on a server boots its own and deletes it, each as a step of its own beside the one of interest
(decision 0051).
"""

from typing import Annotated

from msgspec import Meta

from kilonode.scenarios.actions import hypervisors, keypairs, servers
from kilonode.scenarios.declaration import scenario
from kilonode.scenarios.iteration import Iteration
from kilonode.scenarios.references import FlavorName, ImageName, NetworkName


@scenario("compute.boot")
async def boot(it: Iteration, *, flavor: FlavorName, image: ImageName, network: NetworkName = "") -> None:
    """Boot a server and leave it there until the end of the run.

    The cloud fills up with servers. The step `boot` ends when the server is ACTIVE; the task states that polling sees
    on the way are steps below `boot.active`, such as `boot.active.scheduling`.

    Steps: boot, boot.accepted, boot.active.
    """
    await servers.boot(it, flavor=flavor, image=image, network=network)


@scenario("compute.boot_and_delete")
async def boot_and_delete(it: Iteration, *, flavor: FlavorName, image: ImageName, network: NetworkName = "") -> None:
    """Boot a server, then delete it and wait until it is gone.

    The step `boot` ends when the server is ACTIVE, the step `delete` when the service does not know it any more.

    Steps: boot, boot.accepted, boot.active, delete, delete.accepted, delete.gone.
    """
    server = await servers.boot(it, flavor=flavor, image=image, network=network)
    await servers.delete(it, server)


@scenario("compute.boot_and_list")
async def boot_and_list(it: Iteration, *, flavor: FlavorName, image: ImageName, network: NetworkName = "") -> None:
    """Boot a server, leave it there, and list all servers of the project.

    The list grows with each iteration: how does its time grow with it?

    Steps: boot, boot.accepted, boot.active, list_servers.
    """
    await servers.boot(it, flavor=flavor, image=image, network=network)
    await servers.list_servers(it)


@scenario("compute.list_servers")
async def list_servers(it: Iteration, *, detailed: bool = True) -> None:
    """List all servers of the project, page by page.

    Arguments:
        detailed: Ask for everything about each server, not only its id, name and links.

    Steps: list_servers.
    """
    await servers.list_servers(it, detailed=detailed)


@scenario("compute.show_server")
async def show_server(
    it: Iteration,
    *,
    flavor: FlavorName,
    image: ImageName,
    network: NetworkName = "",
    times: Annotated[int, Meta(ge=1, le=100_000)] = 100,
) -> None:
    """Boot a server, show it many times, delete it.

    Arguments:
        times: How often the server is shown, one time after the other; each is one step `show`.

    Steps: boot, boot.accepted, boot.active, show, delete, delete.accepted, delete.gone.
    """
    server = await servers.boot(it, flavor=flavor, image=image, network=network)
    for _ in range(times):
        await servers.show(it, server.id)
    await servers.delete(it, server)


@scenario("compute.stop_and_start")
async def stop_and_start(it: Iteration, *, flavor: FlavorName, image: ImageName, network: NetworkName = "") -> None:
    """Boot a server, stop it, start it again, delete it.

    Steps: boot, boot.accepted, boot.active, stop, stop.accepted, stop.shutoff, start, start.accepted, start.active,
    delete, delete.accepted, delete.gone.
    """
    server = await servers.boot(it, flavor=flavor, image=image, network=network)
    await servers.stop(it, server)
    await servers.start(it, server)
    await servers.delete(it, server)


@scenario("compute.resize")
async def resize(
    it: Iteration, *, flavor: FlavorName, to_flavor: FlavorName, image: ImageName, network: NetworkName = ""
) -> None:
    """Boot a server, resize it to another flavor, confirm that, delete the server.

    Arguments:
        flavor: The flavor that the server is booted with, by name or id.
        to_flavor: The flavor that it is resized to, by name or id; another one than the first.

    Steps: boot, boot.accepted, boot.active, resize, resize.accepted, resize.verify_resize, confirm, confirm.accepted,
    confirm.active, delete, delete.accepted, delete.gone.
    """
    server = await servers.boot(it, flavor=flavor, image=image, network=network)
    await servers.resize(it, server, flavor=to_flavor)
    await servers.confirm_resize(it, server)
    await servers.delete(it, server)


@scenario("compute.live_migrate")
async def live_migrate(it: Iteration, *, flavor: FlavorName, image: ImageName, network: NetworkName = "") -> None:
    """Boot a server, live-migrate it to a host that the scheduler chooses, delete it.

    The step `live_migrate` ends when the server is ACTIVE on another host. Needs an administrator of the cloud.

    Steps: boot, boot.accepted, boot.active, live_migrate, live_migrate.accepted, live_migrate.active, delete,
    delete.accepted, delete.gone.
    """
    server = await servers.boot(it, flavor=flavor, image=image, network=network)
    await servers.live_migrate(it, server)
    await servers.delete(it, server)


@scenario("compute.create_and_delete_keypair")
async def create_and_delete_keypair(it: Iteration) -> None:
    """Have the service make a key pair, then delete it.

    Steps: create_keypair, delete_keypair.
    """
    name = await keypairs.create(it)
    await keypairs.delete(it, name)


@scenario("compute.list_keypairs")
async def list_keypairs(it: Iteration) -> None:
    """List all key pairs of the user, page by page.

    Steps: list_keypairs.
    """
    await keypairs.list_keypairs(it)


@scenario("compute.list_hypervisors")
async def list_hypervisors(it: Iteration, *, detailed: bool = True) -> None:
    """List all hypervisors, page by page.

    Needs an administrator of the cloud.

    Arguments:
        detailed: Ask for everything about each hypervisor, not only its id, name and state.

    Steps: list_hypervisors.
    """
    await hypervisors.list_hypervisors(it, detailed=detailed)
