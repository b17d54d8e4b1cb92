"""The library's scenario that does nothing: for measuring the load engine itself."""

from kilonode.scenarios.declaration import scenario
from kilonode.scenarios.iteration import Iteration


@scenario("noop")
async def noop(it: Iteration) -> None:
    """Do nothing.

    Only the iteration itself is recorded, no step.
    """
