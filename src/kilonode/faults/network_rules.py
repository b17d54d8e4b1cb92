"""What the packet filter is told for a cut or a degraded link: pure text, for `netfilter`.

A place is where something of the network is: a network namespace as a whole, or ports of addresses in one. What a
program sends is only known by its address or its ports, so two services of one namespace, of which each calls the other
from any port, cannot be told apart: such a cut is refused.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from kilonode.base.errors import InputError
from kilonode.faults.shapes import Cuts

_OUTSIDE: Final = ("!", "-o", "lo", "!", "-i", "lo")
_CHAINS: Final = {"input": "arriving", "output": "leaving"}


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where something is on the network."""

    namespace: str = ""
    """Empty: the one that Kilonode is in."""
    addresses: tuple[str, ...] = ()
    """Its own. Empty, with ports: all of the namespace."""
    ports: tuple[int, ...] = ()
    """TCP; empty: all that the namespace sends and receives."""
    interface: str = ""
    """Only what goes through this interface; empty: all but the loopback."""


def chain(hook: str, rules: Sequence[str]) -> str:
    """A chain with these rules, before those of others."""
    body = "".join(f"{rule}; " for rule in rules)
    return f"chain {_CHAINS[hook]} {{ type filter hook {hook} priority -300; policy accept; {body}}}"


def isolation(place: Place, friends: Sequence[Place], *, one_way: bool, spared_port: int | None = None) -> str:
    """It from everything else but its friends; one way: what it sends is lost, what is sent to it arrives.

    `spared_port`: of its own, by which it is still to be reached.
    """
    if place.ports:
        leaving = _ports(place, "saddr", "sport")
        arriving = _ports(place, "daddr", "dport")
    else:
        leaving, arriving = (f"oifname {_interface(place)} drop",), (f"iifname {_interface(place)} drop",)
    spared = [address for friend in friends for address in friend.addresses]
    chains = [chain("output", [*_spare_port("sport", spared_port), *_spare(spared, "daddr"), *leaving])]
    if not one_way:
        chains.append(chain("input", [*_spare_port("dport", spared_port), *_spare(spared, "saddr"), *arriving]))
    return "\n".join(chains)


def separations(places: dict[str, Place], cuts: Cuts, spared_ports: Mapping[str, int] | None = None) -> dict[str, str]:
    """For each member that no longer hears others: the chains in its namespace. Raises InputError.

    `spared_ports`: of members, by which they are still to be reached.
    """
    found = {}
    for name, place in sorted(places.items()):
        unheard = sorted(sender for sender, receiver in cuts if receiver == name)
        for sender in unheard:
            if places[sender].namespace == place.namespace:
                raise InputError(
                    f"{sender} and {name} are on one machine, where it cannot be told who calls",
                    expected="network namespaces, or one of them from the rest",
                    hint=f"cut it off from everybody (isolate {name}, unplug {name}), or freeze it",
                )
        addresses = [address for sender in unheard for address in places[sender].addresses]
        if unheard:
            ports = f" tcp dport {_set(place.ports)}" if place.ports else ""
            drops = [f"{match}{ports} drop" for match in _matches(addresses, "saddr")]
            found[name] = chain("input", [*_spare_port("dport", (spared_ports or {}).get(name)), *drops])
    return found


def leaving(place: Place, to: Sequence[Place]) -> tuple[tuple[str, ...], ...]:
    """What it sends, to some or to all, as arguments of iptables: each a rule of its own. IPv4.

    What ports send by the loopback is met where it arrives: while a packet is held before it has left, the kernel keeps
    its connection from sending much more. Raises InputError where there is no IPv4.
    """
    targets = _options("-d", [address for other in to for address in other.addresses])
    if not place.ports:
        interface = ("-o", place.interface) if place.interface else _OUTSIDE
        return tuple((*interface, *target) for target in targets)
    ports = ("-p", "tcp", "-m", "multiport", "--sports", ",".join(map(str, place.ports)))
    sources = _options("-s", place.addresses)
    ways = (("-i", "lo"), _OUTSIDE) if not to else (_OUTSIDE,)
    return tuple((*way, *source, *target, *ports) for way in ways for source in sources for target in targets)


def _options(option: str, addresses: Sequence[str]) -> list[tuple[str, ...]]:
    if not addresses:
        return [()]
    found: list[tuple[str, ...]] = [(option, address) for address in addresses if ":" not in address]
    if not found:
        raise InputError("only what goes by IPv4 can be degraded", got=", ".join(addresses))
    return found


def _ports(place: Place, address: str, port: str) -> tuple[str, ...]:
    matches = _matches(place.addresses, address) or [""]
    return tuple(f"{match} tcp {port} {_set(place.ports)} drop".strip() for match in matches)


def _spare(addresses: Sequence[str], side: str) -> list[str]:
    return [f"{match} accept" for match in _matches(addresses, side)]


def _spare_port(side: str, port: int | None) -> list[str]:
    return [] if port is None else [f"tcp {side} {port} accept"]


def _matches(addresses: Sequence[str], side: str) -> list[str]:
    by_family = {
        "ip": [address for address in addresses if ":" not in address],
        "ip6": [address for address in addresses if ":" in address],
    }
    return [f"{family} {side} {_set(some)}" for family, some in by_family.items() if some]


def _set(values: Sequence[object]) -> str:
    return f"{{ {', '.join(str(value) for value in values)} }}"


def _interface(place: Place) -> str:
    return f'"{place.interface}"' if place.interface else '!= "lo"'
