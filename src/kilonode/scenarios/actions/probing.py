"""Asking a service whether it answers."""

from urllib.parse import urlsplit, urlunsplit

from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.failures import classify
from kilonode.clients.openstack.catalog import known_service, unversioned_url
from kilonode.clients.transport import HeaderPairs
from kilonode.scenarios.iteration import Iteration

ANSWERS = (200, 300)
"""A list of versions comes with one of these."""


async def ask(it: Iteration, endpoint: str, path: str, region: str, timeout_s: float) -> None:
    """Send one request and take the answer. Step: answer.

    `endpoint` is an address, or a service of the cloud: without a path its list of versions is asked for, without a
    token. Raises OperationError for anything but an answer that says that all is well. A connection that was open and
    turned out to be closed counts as reset: that the transport then sent the request again helps who asks, but a
    client without that would have lost it.
    """
    url, headers = await _address(it, endpoint, path, region)
    with it.step("answer"):
        response = await it.transport.request("GET", url, headers=headers, timeout_s=timeout_s)
        if response.status not in ANSWERS:
            unexpected = OperationError(Outcome.PROTOCOL, f"answered {response.status}", status=response.status)
            raise classify(response) or unexpected
        if response.resent:
            raise OperationError(Outcome.RESET, "the connection in use had been closed; a new one answered")


async def _address(it: Iteration, endpoint: str, path: str, region: str) -> tuple[str, HeaderPairs]:
    if "://" in endpoint:
        parts = urlsplit(endpoint)
        return (urlunsplit((parts.scheme, parts.netloc, path, "", "")) if path else endpoint), ()
    service = it.cloud.service(endpoint, region)
    if not path:
        return unversioned_url(known_service(endpoint), service.root_url), ()
    return service.root_url + path, await service.authenticated_headers()
