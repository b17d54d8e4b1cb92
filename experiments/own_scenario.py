"""A scenario of one's own, for own-scenario.yaml: a service of two servers, one after the other."""

from kilonode.scenarios.actions import servers
from kilonode.scenarios.declaration import scenario
from kilonode.scenarios.iteration import Iteration
from kilonode.scenarios.references import FlavorName, ImageName


@scenario("own.boot_pair", services=("compute",))
async def boot_pair(it: Iteration, *, flavor: FlavorName, image: ImageName) -> None:
    """Boot two servers, look at the list, and delete both.

    Steps: first, second, list_servers, delete.
    """
    with it.step("first"):
        first = await servers.boot(it, flavor=flavor, image=image)
    with it.step("second"):
        second = await servers.boot(it, flavor=flavor, image=image)
    await servers.list_servers(it)
    await servers.delete(it, first)
    await servers.delete(it, second)
