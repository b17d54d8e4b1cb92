"""Which of the things that were found are meant: pure, and drawn by the seed alone.

A target that matches nothing, a name that nothing has, or another number than the sentence says is refused; so is a
choice of nobody (a minority of two). Where nodes are said, they are chosen first, among those that have what is meant.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from math import ceil
from typing import Final, TypeVar

from kilonode.base.errors import InputError, nearest
from kilonode.base.processes import ProcessIdentity
from kilonode.base.randomness import Randomness
from kilonode.faults.driver import Found
from kilonode.faults.model import Choice, Kind, Nodes, Pick, Target
from kilonode.faults.printing import print_nodes, print_target

Member = TypeVar("Member")
Having = Mapping[str, Collection[str]]
"""A service to the nodes that have it."""

_MOST_NAMED: Final = 12

SINGLE: Final = frozenset({Kind.PROCESS, Kind.NODE, Kind.SITE})
"""Kinds whose names mean exactly one thing, on each node, unless a count is said."""


def instance_of(
    kind: Kind, name: str, services: Sequence[str], identity: ProcessIdentity | None, node: str = ""
) -> Found:
    """A process that is an instance of services, as a driver finds it; without an identity it does not run."""
    words = f"pid {identity.pid}" if identity is not None else "does not run"
    return Found(kind, name, tuple(service for service in services if service != name), node, identity, words)


def named(target: Target, found: Iterable[Found]) -> list[Found]:
    """Those that the target's names mean, by their own or by what they are an instance of; without names all."""
    return [each for each in found if not target.names or set(names_of(each)) & set(target.names)]


def choose(
    target: Target, found: Sequence[Found], randomness: Randomness, *, having: Having, known: Sequence[str] = ()
) -> tuple[Found, ...]:
    """Those of `found`, which the names mean, that the counts mean; in an order that is drawn too.

    `having` tells where the services are that nodes must have; `known` are all names there are, for hints.
    """
    what = print_target(target)
    for name in named_by(target):
        if not any(name in names_of(each) for each in found):
            if name in known and target.nodes is not None and target.nodes.names:
                raise InputError(f"{', '.join(target.nodes.names)} has no {target.kind.value} {name!r}", where=what)
            raise InputError(
                f"there is no {target.kind.value} {name!r}",
                where=what,
                expected=_some_of(sorted(known)),
                hint=nearest(name, known),
            )
    if target.kind is Kind.NODE:
        return _choose_nodes(target.nodes or Nodes(Choice(Pick.ALL)), found, randomness, having)
    if target.nodes is not None:
        there = sorted({each.node for each in found if each.node})
        wanted = target.nodes
        for name in wanted.names:
            if name not in there:
                raise InputError(f"node {name!r} has none of it", where=what, expected=_some_of(there))
        places = [Found(Kind.NODE, name) for name in there if not wanted.names or name in wanted.names]
        chosen = {each.name for each in _choose_nodes(wanted, places, randomness.child("nodes"), having)}
        found = [each for each in found if each.node in chosen]
    if not found:
        raise InputError("nothing is there to do it to", where=what, expected=_some_of(sorted(known)))
    if target.choice.pick is Pick.NAMED and target.kind in SINGLE:
        _one_of_each(target.names, found, what)
    return _draw(target.choice, sorted(found, key=lambda each: (each.node, each.name)), randomness, what)


def named_by(target: Target) -> tuple[str, ...]:
    """The names that a target says: of nodes, where those are meant."""
    return target.nodes.names if target.kind is Kind.NODE and target.nodes else target.names


def names_of(found: Found) -> tuple[str, ...]:
    """What it can be called by."""
    return (found.name, *found.groups)


def number_of(choice: Choice, there: int, what: str) -> int:
    """How many of so many are meant. Raises InputError when they are not as many as said, or nobody is meant."""
    if choice.of and choice.of != there:
        raise InputError("not as many as the sentence says", where=what, expected=str(choice.of), got=str(there))
    wanted = {
        Pick.NAMED: there,
        Pick.ALL: there,
        Pick.NUMBER: choice.number,
        Pick.PERCENT: ceil(Fraction(choice.percent) * there / 100),
        Pick.MINORITY: (there - 1) // 2,
        Pick.MAJORITY: there // 2 + 1,
    }[choice.pick]
    if wanted > there:
        raise InputError("there are not so many", where=what, expected=f"{wanted} or more", got=str(there))
    if wanted < 1:
        raise InputError("that is nobody", where=what, expected="three or more, for a minority", got=str(there))
    return wanted


def _some_of(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _choose_nodes(wanted: Nodes, found: Sequence[Found], randomness: Randomness, having: Having) -> tuple[Found, ...]:
    what = print_nodes(wanted)
    found = [each for each in found if all(each.name in having.get(service, ()) for service in wanted.services)]
    if not found:
        raise InputError("there is no such node", where=what)
    if wanted.choice.pick is Pick.NAMED:
        _one_of_each(wanted.names, found, what)
    return _draw(wanted.choice, sorted(found, key=lambda each: each.name), randomness, what)


def _one_of_each(names: Sequence[str], found: Sequence[Found], what: str) -> None:
    for name in names:
        of_name = [each for each in found if name in names_of(each)]
        for node in sorted({each.node for each in of_name}):
            same = [each.words or each.name for each in of_name if each.node == node]
            if len(same) > 1:
                raise InputError(
                    f"more than one is called {name!r}",
                    where=what,
                    expected="exactly one",
                    got="; ".join(same[:6]),
                    hint="say how many: one, all, 2 of 3",
                )


def _draw(choice: Choice, found: Sequence[Member], randomness: Randomness, what: str) -> tuple[Member, ...]:
    return tuple(randomness.stream().sample(found, number_of(choice, len(found), what)))
