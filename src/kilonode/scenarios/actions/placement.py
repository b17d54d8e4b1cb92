"""What can be done with the placement service: ask for allocation candidates."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from kilonode.scenarios.iteration import Iteration

USUAL_RESOURCES: Final[Mapping[str, int]] = {"VCPU": 1, "MEMORY_MB": 256, "DISK_GB": 10}
"""What Placement's own performance job asks for."""


class _Candidates(msgspec.Struct, frozen=True):
    allocation_requests: tuple[msgspec.Raw, ...]


async def allocation_candidates(
    it: Iteration, *, resources: Mapping[str, int] | None = None, required: Sequence[str] = (), limit: int = 0
) -> int:
    """Ask which providers have room; gives how many candidates there are. Step: allocation_candidates."""
    wanted = USUAL_RESOURCES if resources is None else resources
    query = [("resources", ",".join(f"{name}:{amount}" for name, amount in wanted.items()))]
    if required:
        query.append(("required", ",".join(required)))
    if limit:
        query.append(("limit", str(limit)))
    with it.step("allocation_candidates"):
        response = await it.cloud.placement.request("GET", "/allocation_candidates", query=query)
        return len(response.json(_Candidates).allocation_requests)
