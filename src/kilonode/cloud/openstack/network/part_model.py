"""What is kept inside another resource's document: forwarded ports of a floating IP, helpers of a router, segments."""

from typing import Annotated

import msgspec

PortNumber = Annotated[int, msgspec.Meta(ge=1, le=65_535)]


class Part(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A part of a resource; each has an id of its own."""

    id: str


class PortForwarding(Part, frozen=True, omit_defaults=True, kw_only=True):
    """Ports of a floating IP that stand for ports of an address of a port. Ranges: `80:90`, both ends included."""

    protocol: str
    internal_port_id: str
    internal_ip_address: str = ""
    internal_port: PortNumber | None = None
    external_port: PortNumber | None = None
    internal_port_range: str = ""
    external_port_range: str = ""
    description: str = ""


class ConntrackHelper(Part, frozen=True, omit_defaults=True, kw_only=True):
    """A helper that a router gives to connections to a port."""

    protocol: str
    port: PortNumber
    helper: str


class NetworkSegment(Part, frozen=True, omit_defaults=True, kw_only=True):
    """A part of the wire that a network is made of."""

    network_type: str
    name: str | None = None
    description: str | None = None
    physical_network: str | None = None
    segmentation_id: int | None = None
