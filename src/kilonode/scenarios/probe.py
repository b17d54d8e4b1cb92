"""The library's scenario that tells when a service answers: what `probe:` in an experiment file runs."""

from typing import Annotated, Final, Literal

from msgspec import Meta

from kilonode.base.encoding import MORE_THAN_ZERO
from kilonode.base.units import Duration
from kilonode.scenarios.actions.probing import ask
from kilonode.scenarios.declaration import scenario
from kilonode.scenarios.iteration import Iteration

PROBE: Final = "probe"
NEW: Final = "new"
"""The value of `connections` that asks for a connection of its own for each request."""
_ENDPOINT: Final = r"^([a-z][a-z0-9-]*|https?://\S+)$"
FIVE_SECONDS: Final = Duration(5)


@scenario(PROBE)
async def probe(
    it: Iteration,
    *,
    endpoint: Annotated[str, Meta(pattern=_ENDPOINT, description="A service, or an address: http://…")],
    path: Annotated[str, Meta(pattern=r"^(/\S*)?$", description="What is asked for below it, with a token.")] = "",
    region: Annotated[str, Meta(description="Where the service is. Empty: where the cloud was logged in to.")] = "",
    connections: Annotated[
        Literal["new", "reused"], Meta(description="A connection for each request, or those that are open.")
    ] = "reused",
    timeout: Annotated[Duration, MORE_THAN_ZERO, Meta(description="How long the answer may take.")] = FIVE_SECONDS,
) -> None:
    """Ask a service whether it answers.

    A small request over connections that no other workload uses. Without a path a service is asked for its list of
    versions, which needs no token. Meant for open load models: `probe:` in an experiment file makes such a workload.

    Steps: answer.
    """
    await ask(it, endpoint, path, region, timeout)
