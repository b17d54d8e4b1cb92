"""The library's scenarios on the placement service."""

from typing import Annotated

from msgspec import Meta

from kilonode.scenarios.actions import placement
from kilonode.scenarios.declaration import scenario
from kilonode.scenarios.iteration import Iteration

Amount = Annotated[int, Meta(ge=1)]


@scenario("placement.allocation_candidates")
async def allocation_candidates(
    it: Iteration,
    *,
    resources: dict[str, Amount] | None = None,
    required: tuple[str, ...] = (),
    limit: Annotated[int, Meta(ge=0, le=100_000)] = 0,
) -> None:
    """Ask which providers have room for a set of resources.

    Needs an administrator of the cloud. An answer without any candidate is a good answer.

    Arguments:
        resources: Resource class to amount; without it {VCPU: 1, MEMORY_MB: 256, DISK_GB: 10}, what Placement's own
            performance job asks for.
        required: Traits that a provider must have.
        limit: How many candidates are wanted at most; 0 is no limit.

    Steps: allocation_candidates.
    """
    await placement.allocation_candidates(it, resources=resources, required=required, limit=limit)
