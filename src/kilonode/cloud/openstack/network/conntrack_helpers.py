"""`/routers/{id}/conntrack_helpers`: helpers for connections through a router. Documents alone."""

from typing import Final

from kilonode.cloud.openstack.network.collection import Changes
from kilonode.cloud.openstack.network.faults import missing
from kilonode.cloud.openstack.network.model import Router
from kilonode.cloud.openstack.network.part_model import ConntrackHelper
from kilonode.cloud.openstack.network.parts import Parts
from kilonode.cloud.openstack.network.routers import ROUTERS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request

PROTOCOLS: Final = {
    "amanda": ("tcp",),
    "ftp": ("tcp",),
    "h323": ("tcp", "udp"),
    "irc": ("tcp",),
    "netbios-ns": ("udp",),
    "pptp": ("tcp",),
    "sane": ("tcp",),
    "sip": ("tcp", "udp"),
    "snmp": ("udp",),
    "tftp": ("udp",),
}
"""The helpers there are, and the protocols of each."""


def _fit(request: Request, router: Router, part: ConntrackHelper) -> tuple[Router, ConntrackHelper, Changes]:
    protocols = PROTOCOLS.get(part.helper)
    if protocols is None:
        raise Fault(400, f"Conntrack Helper {part.helper} is not allowed.", type="ConntrackHelperNotAllowed")
    if part.protocol not in protocols:
        raise Fault(
            400,
            f"Conntrack Helper {part.helper} does not support: {part.protocol}. Supported protocols are: "
            f"{list(protocols)}",
            type="InvalidProtocolForHelper",
        )
    for other in router.conntrack_helpers:
        if (other.protocol, other.port, other.helper) == (part.protocol, part.port, part.helper):
            raise Fault(
                400,
                "Bad conntrack_helper request: A duplicate conntrack helper entry with same attributes already exists, "
                f"conflicting values are {{'protocol': '{part.protocol}', 'port': {part.port}}}.",
                type="BadRequest",
            )
    return router, part, []


HELPERS: Final[Parts[Router, ConntrackHelper]] = Parts(
    owner=ROUTERS,
    field="conntrack_helpers",
    kind=ConntrackHelper,
    noun="conntrack_helper",
    missing=lambda router, key: missing("ConntrackHelper", "Conntrack Helper", key),
    fit=_fit,
)
ROUTES: Final = tuple(HELPERS.routes("/routers/{id}", Access.MEMBER))
