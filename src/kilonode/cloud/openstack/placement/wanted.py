"""What a placement query asks for: amounts of resource classes, traits wanted and forbidden, aggregates, a tree."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from kilonode.cloud.openstack.compute.model import AGGREGATE
from kilonode.cloud.openstack.placement.provider import RESOURCE_CLASSES, Provider, known_traits
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request

_GROUP: Final = re.compile(r"(resources|required|member_of|in_tree)(_?[A-Za-z0-9_-]{1,64})?")


class Wanted(msgspec.Struct, frozen=True):
    """One query. A node is one provider, so the amounts of several groups have to fit on it together."""

    amounts: dict[str, int]
    traits: frozenset[str]
    forbidden: frozenset[str]
    nodes: tuple[frozenset[str], ...]
    """Names of nodes; each set must hold the provider."""
    tree: str
    groups: tuple[str, ...]
    """The suffixes of the groups of resources."""

    def fits(self, provider: Provider) -> bool:
        """Whether the provider has all that is wanted, and room for it."""
        return (
            all(provider.room(name) >= amount for name, amount in self.amounts.items())
            and self.traits <= provider.traits
            and not self.forbidden & provider.traits
            and all(provider.node.name in names for names in self.nodes)
            and (not self.tree or provider.uuid == self.tree)
        )


def read_wanted(request: Request) -> Wanted:
    """The query of a request. Raises Fault 400."""
    amounts: dict[str, int] = {}
    traits: set[str] = set()
    forbidden: set[str] = set()
    nodes: list[frozenset[str]] = []
    tree = ""
    groups: list[str] = []
    for name, value in request.query:
        match = _GROUP.fullmatch(name)
        if match is None:
            continue
        if match[1] == "resources":
            groups.append(match[2] or "")
            for resource_class, amount in _amounts(value):
                amounts[resource_class] = amounts.get(resource_class, 0) + amount
        elif match[1] == "required":
            for trait in value.removeprefix("in:").split(","):
                (forbidden if trait.startswith("!") else traits).add(_trait(trait.removeprefix("!")))
        elif match[1] == "member_of":
            nodes.append(_members(request, value))
        else:
            tree = value
    return Wanted(amounts, frozenset(traits), frozenset(forbidden), tuple(nodes), tree, tuple(groups))


def _amounts(text: str) -> Iterator[tuple[str, int]]:
    for part in text.split(","):
        name, colon, amount = part.partition(":")
        if not colon or not amount.isascii() or not amount.isdigit() or not int(amount[:12]):
            raise Fault(
                400,
                "Badly formed resources parameter. Expected resources query string parameter in form: "
                f"?resources=VCPU:2,MEMORY_MB:1024. Got: {text}.",
            )
        if name not in RESOURCE_CLASSES:
            raise Fault(400, f"Invalid resource class in resources parameter: No such resource class {name}.")
        yield name, int(amount)


def _trait(name: str) -> str:
    if name not in known_traits():
        raise Fault(400, f"No such trait(s): {name}.")
    return name


def _members(request: Request, text: str) -> frozenset[str]:
    """The nodes of any of the aggregates, or with a leading `!` of none of them."""
    inverse = text.startswith("!")
    wanted = set(text.removeprefix("!").removeprefix("in:").split(","))
    aggregates = [entry.value for entry in request.cloud.mirror.all(AGGREGATE).values() if entry.value.uuid in wanted]
    members = frozenset(name for aggregate in aggregates for name in aggregate.nodes)
    if inverse:
        return frozenset(request.cloud.mirror.all("node").keys()) - members
    return members
