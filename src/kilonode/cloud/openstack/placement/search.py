"""Who can give what is wanted: the providers that fit a filter, and the candidates for an allocation.

A candidate says how much of which class would come from which provider. Almost all trees are one provider, a node, that
nobody shares with; for those a candidate is a row of the table, found by a few passes over columns. Trees, and what is
shared between them, are combined one by one. Pure: a book in, candidates out.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
import numpy as np

from kilonode.cloud.openstack.placement.book import Book, Provider
from kilonode.cloud.openstack.placement.model import SHARING_TRAIT
from kilonode.cloud.openstack.placement.table import Mask
from kilonode.cloud.openstack.placement.wanted import Filter, Group, Wanted

CANDIDATES_LIMIT: Final = 100_000
"""How many candidates are looked at in trees that combine in too many ways."""

Amounts = dict[tuple[str, str], int]
"""How much, by provider and class."""


class Candidate(msgspec.Struct, frozen=True):
    """One way to give everything. `givers`: which providers, by group."""

    amounts: Amounts
    givers: dict[str, frozenset[str]]


class _Part(msgspec.Struct, frozen=True):
    """One way to give what one group wants."""

    group: str
    amounts: tuple[tuple[tuple[str, str], int], ...]
    givers: frozenset[str]


class Found(msgspec.Struct, frozen=True):
    """All candidates: rows of the table that give everything alone, and those that are put together."""

    rows: list[int]
    candidates: list[Candidate]


def filter_providers(book: Book, wanted: Filter) -> list[Provider]:
    """The providers that have all that is wanted, in the order in which they came."""
    group = wanted.group
    mask = _matching(book, group)
    if group.in_tree:
        mask &= _of_tree(book, group.in_tree)
    if wanted.uuid:
        mask &= book.table.mask([wanted.uuid] if wanted.uuid in book.providers else [])
    uuids = book.table.uuids
    found = (book.providers.get(uuids[row]) for row in np.nonzero(mask)[0].tolist())
    return [one for one in found if one is not None and (not wanted.name or one.name == wanted.name)]


def find_candidates(book: Book, wanted: Wanted, *, nested: bool) -> Found:
    """The candidates, at most as many as the limit. `nested` False: none that takes of two providers of one tree."""
    rows: list[int] = []
    simple = _simple_trees(book)
    single = wanted.groups.get("") if len(wanted.groups) == 1 else None
    if single is not None:
        mask = _matching(book, single) & simple & _good_roots(book, wanted)
        if single.in_tree:
            mask &= _of_tree(book, single.in_tree)
        found = np.nonzero(mask)[0]
        rows = (found if wanted.limit is None else found[: wanted.limit]).tolist()
        others = ~simple
    else:
        others = np.ones(len(book.table), dtype=np.bool_)
    limit = CANDIDATES_LIMIT if wanted.limit is None else wanted.limit - len(rows)
    candidates: list[Candidate] = []
    if limit > 0 and others.any():
        candidates = list(itertools.islice(_combined(book, wanted, others, nested), limit))
    return Found(rows, candidates)


def _simple_trees(book: Book) -> Mask:
    """Providers that are a whole tree by themselves and to whom nobody else gives."""
    mask = np.ones(len(book.table), dtype=np.bool_)
    table = book.table
    mask[[table.row(uuid) for uuid in book.nested()]] = False
    for sharing in book.sharing:
        mask[table.row(sharing)] = False
        mask[[table.row(uuid) for uuid in book.members(book.providers[sharing].aggregates)]] = False
    return mask


def _combined(book: Book, wanted: Wanted, among: Mask, nested: bool) -> Iterator[Candidate]:
    by_anchor: dict[str, dict[str, list[_Part]]] = {}
    roots = _good_roots(book, wanted)
    for name, group in wanted.groups.items():
        parts = _parts_of_one(book, name, group, among) if name else _parts_of_tree(book, group, among, roots)
        for anchor, part in parts:
            if roots[book.table.row(anchor)]:
                by_anchor.setdefault(anchor, {}).setdefault(name, []).append(part)
    seen = set()
    for by_group in by_anchor.values():
        if len(by_group) < len(wanted.groups):
            continue
        for chosen in itertools.product(*(by_group[name] for name in wanted.groups)):
            if not (_isolated(chosen, wanted) and _in_subtrees(book, chosen, wanted)):
                continue
            candidate = _together(chosen)
            if not _fits(book, candidate) or not (nested or _flat(book, candidate)):
                continue
            key = (frozenset(candidate.amounts.items()), frozenset(candidate.givers.items()))
            if key not in seen:
                seen.add(key)
                yield candidate


def _parts_of_one(book: Book, name: str, group: Group, among: Mask) -> Iterator[tuple[str, _Part]]:
    """The ways in which one provider alone gives what a group wants, each with the roots it may be anchored at."""
    mask = _matching(book, group) & among
    if group.in_tree:
        mask &= _of_tree(book, group.in_tree)
    for provider in _providers(book, mask):
        amounts = tuple(((provider.uuid, of), amount) for of, amount in group.resources.items())
        part = _Part(name, amounts, frozenset({provider.uuid}))
        root = book.root(provider).uuid
        yield root, part
        if SHARING_TRAIT in provider.traits:
            for anchor in book.anchors(provider.uuid) - {root}:
                yield anchor, part


def _parts_of_tree(book: Book, group: Group, among: Mask, roots: Mask) -> Iterator[tuple[str, _Part]]:
    """The ways in which the providers of a tree, and those that share with it, give what a group wants together."""
    members = {uuid for uuids in group.member_of for uuid in book.members(uuids)}
    if group.member_of:
        members = set.intersection(*(set(book.members(uuids)) for uuids in group.member_of))
    refused = set(book.members(group.not_member_of))
    in_tree = _of_tree(book, group.in_tree) if group.in_tree else None
    by_root: dict[str, dict[str, dict[str, Provider]]] = {}
    for name, amount in group.resources.items():
        mask = book.table.room(name, amount) & among
        if in_tree is not None:
            mask &= in_tree
        for provider in _providers(book, mask):
            anchors = {book.root(provider).uuid}
            shares = SHARING_TRAIT in provider.traits and (not group.member_of or provider.uuid in members)
            if shares and in_tree is None:
                anchors |= book.anchors(provider.uuid)
            for anchor in anchors:
                both = {provider.uuid, anchor}
                allowed = (not group.member_of or both & members) and not both & refused
                if allowed and roots[book.table.row(anchor)]:
                    by_root.setdefault(anchor, {}).setdefault(name, {})[provider.uuid] = provider
    for anchor, by_class in by_root.items():
        if len(by_class) < len(group.resources):
            continue
        for givers in itertools.product(*(by_class[name].values() for name in group.resources)):
            traits = frozenset[str]().union(*(giver.traits for giver in givers))
            if group.forbidden & traits or not all(some & traits for some in group.required):
                continue
            amounts = tuple(
                ((giver.uuid, name), amount)
                for giver, (name, amount) in zip(givers, group.resources.items(), strict=True)
            )
            yield anchor, _Part("", amounts, frozenset(giver.uuid for giver in givers))


def _matching(book: Book, group: Group) -> Mask:
    """Providers that have everything a group wants by themselves; its tree is not looked at."""
    table = book.table
    mask = np.ones(len(table), dtype=np.bool_)
    for name, amount in group.resources.items():
        mask &= table.room(name, amount)
    for flags in (*group.required, *group.member_of):
        mask &= table.any_of(flags)
    for unwanted in (group.forbidden, group.not_member_of):
        if unwanted:
            mask &= ~table.any_of(unwanted)
    return mask


def _good_roots(book: Book, wanted: Wanted) -> Mask:
    """Providers that have the traits a root has to have."""
    table = book.table
    mask = np.ones(len(table), dtype=np.bool_)
    for trait in wanted.root_required:
        mask &= table.any_of((trait,))
    if wanted.root_forbidden:
        mask &= ~table.any_of(wanted.root_forbidden)
    return mask


def _of_tree(book: Book, uuid: str) -> Mask:
    """The providers of the tree in which one stands."""
    provider = book.providers.get(uuid)
    members = book.tree(book.root(provider).uuid) if provider is not None else ()
    return book.table.mask(member.uuid for member in members)


def _providers(book: Book, mask: Mask) -> Iterator[Provider]:
    for row in np.nonzero(mask)[0].tolist():
        provider = book.providers.get(book.table.uuids[row])
        if provider is not None:
            yield provider


def _isolated(parts: Iterable[_Part], wanted: Wanted) -> bool:
    """Whether each named group has a provider of its own, where that is wanted."""
    if not wanted.isolate:
        return True
    named = [part.givers for part in parts if part.group]
    return len(frozenset[str]().union(*named)) == len(named)


def _in_subtrees(book: Book, parts: Iterable[_Part], wanted: Wanted) -> bool:
    """Whether the providers of groups that belong together all stand below one of them."""
    by_group = {part.group: part.givers for part in parts}
    for names in wanted.same_subtrees:
        givers = frozenset[str]().union(*(by_group[name] for name in names))
        if len(givers) > 1 and not givers & frozenset.intersection(*(_line(book, giver) for giver in givers)):
            return False
    return True


def _line(book: Book, uuid: str) -> frozenset[str]:
    """A provider and all above it."""
    line = [uuid]
    while parent := book.providers[line[-1]].parent:
        line.append(parent)
    return frozenset(line)


def _together(parts: Iterable[_Part]) -> Candidate:
    amounts: Amounts = {}
    givers: dict[str, frozenset[str]] = {}
    for part in parts:
        for key, amount in part.amounts:
            amounts[key] = amounts.get(key, 0) + amount
        givers[part.group] = part.givers
    return Candidate(amounts, givers)


def _fits(book: Book, candidate: Candidate) -> bool:
    """Whether the sums of what several groups want of one provider still fit."""
    for (uuid, name), amount in candidate.amounts.items():
        provider = book.providers[uuid]
        if amount > provider.left(name) or amount > provider.inventories[name].max_unit:
            return False
    return True


def _flat(book: Book, candidate: Candidate) -> bool:
    """Whether no two providers are of one tree."""
    givers = {uuid for uuid, _ in candidate.amounts}
    return len({book.root(book.providers[uuid]).uuid for uuid in givers}) == len(givers)
