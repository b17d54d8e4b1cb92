"""The library's scenario for any web address, without a cloud."""

from typing import Annotated

from msgspec import Meta

from kilonode.base.encoding import MORE_THAN_ZERO
from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.base.units import Duration
from kilonode.clients.failures import classify
from kilonode.scenarios.declaration import scenario
from kilonode.scenarios.iteration import Iteration

ONE_MINUTE = Duration(60)


@scenario("http.get")
async def get(
    it: Iteration,
    *,
    url: Annotated[str, Meta(pattern=r"^https?://\S+$", description="The address: http://… or https://…")],
    status: Annotated[int, Meta(ge=100, le=599, description="The status that is expected.")] = 200,
    headers: Annotated[dict[str, str] | None, Meta(description="Headers to send.")] = None,
    timeout: Annotated[Duration, MORE_THAN_ZERO, Meta(description="How long the answer may take.")] = ONE_MINUTE,
) -> None:
    """Get a web address.

    Redirects are not followed. Certificates must be trusted. Another status than the expected one is a failure, also a
    better one.

    Steps: get.
    """
    with it.step("get"):
        response = await it.transport.request("GET", url, headers=tuple((headers or {}).items()), timeout_s=timeout)
        if response.status != status:
            unexpected = OperationError(Outcome.PROTOCOL, f"answered {response.status} instead of {status}")
            raise classify(response) or unexpected
