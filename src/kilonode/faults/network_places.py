"""What of the network faults can be done to on this machine: network namespaces as nodes, and whoever listens on ports.

A node is a network namespace with a name (`ip netns`), a network one of its interfaces or subnets. A service is what
`Locations` tell, handed in by whoever knows the cloud, or any program of this machine that listens, by name or pid.
"""

import ipaddress
from collections.abc import Sequence
from typing import Protocol

import msgspec

from kilonode.base.errors import FaultError, InputError
from kilonode.faults import netfilter
from kilonode.faults.driver import Found
from kilonode.faults.model import Kind, Target
from kilonode.faults.network_rules import Place


class Location(msgspec.Struct, frozen=True):
    """Something with a place."""

    found: Found
    place: Place


class Locations(Protocol):
    """What a cloud listens on."""

    async def located(self, kind: Kind) -> Sequence[Location]:
        """Its sites or services. Raises InputError when there is no such cloud."""
        ...


async def locate(target: Target, locations: Locations) -> list[Location]:
    """All that the target's kind and names mean here."""
    if target.kind is Kind.NODE:
        names = target.nodes.names if target.nodes else ()
        there = await _nodes()
    elif target.kind is Kind.NETWORK:
        names = target.names
        there = await _networks()
    elif target.nodes is not None:
        raise InputError("this is on no node: it is on this machine", hint="leave out where")
    else:
        names = target.names
        listening = _listening(names, target.kind) if target.kind in (Kind.SERVICE, Kind.PROCESS) else []
        try:
            there = [*await locations.located(target.kind), *listening]
        except InputError:
            if names and not listening:
                raise
            there = listening
    return [each for each in there if not names or {each.found.name, *each.found.groups} & set(names)]


async def _nodes() -> list[Location]:
    found = []
    for name in netfilter.namespaces():
        interfaces = await _interfaces(name)
        if interfaces is not None:
            own = tuple(_plain(address) for some in interfaces.values() for address in some)
            words = f"network namespace {name}: {', '.join(own) or 'no address'}"
            found.append(Location(Found(Kind.NODE, name, node=name, words=words), Place(name, own)))
    return found


async def _networks() -> list[Location]:
    found = []
    for node in netfilter.namespaces():
        for interface, own in (await _interfaces(node) or {}).items():
            subnets = tuple(str(ipaddress.ip_interface(address).network) for address in own)
            place = Place(node, tuple(_plain(address) for address in own), interface=interface)
            found.append(Location(Found(Kind.NETWORK, interface, subnets, node), place))
    return found


async def _interfaces(namespace: str) -> dict[str, tuple[str, ...]] | None:
    """None: it is just being made or removed, or may not be looked into."""
    try:
        return await netfilter.addresses(namespace)
    except FaultError:
        return None


def _listening(names: Sequence[str], kind: Kind) -> list[Location]:
    import psutil

    ports: dict[str, set[int]] = {}
    addresses: dict[str, set[str]] = {}
    for connection in psutil.net_connections("tcp") if names else ():
        if connection.status != psutil.CONN_LISTEN or not connection.pid or not connection.laddr:
            continue
        try:
            name = psutil.Process(connection.pid).name()
        except psutil.Error:
            continue
        for called in {name, str(connection.pid)} & set(names):
            ports.setdefault(called, set()).add(connection.laddr.port)
            addresses.setdefault(called, set()).add(connection.laddr.ip)
    found = []
    for name, some in ports.items():
        anywhere = addresses[name] & {"0.0.0.0", "::"}  # noqa: S104
        place = Place("", () if anywhere else tuple(sorted(addresses[name])), tuple(sorted(some)))
        found.append(Location(Found(kind, name, words=f"listens on {', '.join(map(str, place.ports))}"), place))
    return found


def _plain(address: str) -> str:
    return address.partition("/")[0]
