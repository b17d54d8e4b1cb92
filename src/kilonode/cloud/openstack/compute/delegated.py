"""Older compute routes whose work is another service's: each asks that service's own route and translates the answer.

So an old route and the new one can never disagree, and the rules of the other service hold here too. What is asked is
one handler, which commits at most once; when it conflicts, the whole old request is handled again.
"""

from typing import Any, Final

import msgspec

from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Microversion, Request
from kilonode.cloud.openstack.web.router import Router
from kilonode.cloud.openstack.web.service import Route, ServiceApp

LAST_PROXY: Final = (2, 35)
"""The last microversion in which compute speaks for the other services."""
NO_VERSION: Final = (0, 0)

_ROUTERS: Final[dict[str, Router[Route]]] = {}


async def ask(
    request: Request,
    service: ServiceApp,
    method: str,
    path: str,
    *,
    body: Any = None,
    query: str = "",
    microversion: Microversion = NO_VERSION,
) -> Any:
    """What another service answers the same caller: the body as plain values. `path` is below the service's prefix.

    Raises Fault as that service does, without its type: in compute's answers that is the status's own name.
    """
    found = _router(service).find(path)
    entry = found.target(method) if found is not None else None
    if entry is None:
        raise Fault(404, f"The resource {path} could not be found.")
    route, params = entry
    if request.caller.access < route.access:
        raise Fault(403, f"Policy doesn't allow {route.operation} to be performed.")
    inner = Request(
        request.cloud,
        method,
        service.prefix + path,
        query.encode("latin-1", "replace"),
        {},
        request.id,
        params,
        request.caller,
        microversion,
    )
    inner.body = b"" if body is None else msgspec.json.encode(body)
    try:
        response = await route.handler(inner)
    except Fault as fault:
        raise Fault(fault.status, fault.message) from fault
    return msgspec.json.decode(response.body) if response.body else None


def _router(service: ServiceApp) -> Router[Route]:
    known = _ROUTERS.get(service.name)
    if known is None:
        known = _ROUTERS[service.name] = Router()
        for route in service.routes:
            known.add(route.method, route.path, route)
    return known
