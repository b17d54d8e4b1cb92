"""What can be done with hypervisors: list them."""

from kilonode.scenarios.iteration import Iteration


async def list_hypervisors(it: Iteration, *, detailed: bool = True) -> int:
    """List all hypervisors, page by page; gives how many. Step: list_hypervisors."""
    with it.step("list_hypervisors"):
        path = "/os-hypervisors/detail" if detailed else "/os-hypervisors"
        return len(await it.cloud.compute.list_all(path, "hypervisors"))
