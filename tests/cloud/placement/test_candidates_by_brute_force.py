"""Candidates against the plainest search there is: every way to take each class from any provider, one by one."""

import asyncio
import itertools
import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from kilonode.base.clock import SimulatedClock
from kilonode.base.simulation import run_coroutine_simulated
from kilonode.cloud.context import Cloud, CloudSettings
from kilonode.cloud.openstack.placement.book import Book
from kilonode.cloud.openstack.placement.model import PROVIDER, SHARING_TRAIT, Inventory, ProviderRecord
from kilonode.cloud.openstack.placement.search import find_candidates
from kilonode.cloud.openstack.placement.wanted import Group, Wanted
from kilonode.control.mirror import Put
from kilonode.store.memory import MemoryStore

CLASSES = ("VCPU", "VGPU")
TRAITS = ("A", "B", SHARING_TRAIT)
AGGREGATES = ("x", "y")

INVENTORIES = st.builds(
    Inventory,
    total=st.integers(1, 4),
    min_unit=st.sampled_from((1, 1, 2)),
    max_unit=st.sampled_from((4, 4, 1)),
    step_size=st.sampled_from((1, 1, 2)),
)
PROVIDERS = st.lists(
    st.tuples(
        st.integers(-3, 3),  # whose child it is, if that comes before it
        st.dictionaries(st.sampled_from(CLASSES), INVENTORIES),
        st.frozensets(st.sampled_from(TRAITS), max_size=2),
        st.frozensets(st.sampled_from(AGGREGATES), max_size=2),
        st.integers(0, 2),
    ),
    max_size=5,
)
SETS = st.frozensets(st.sampled_from(TRAITS[:2]), min_size=1, max_size=2)
GROUPS = st.builds(
    Group,
    resources=st.dictionaries(st.sampled_from(CLASSES), st.integers(1, 3), min_size=1),
    required=st.lists(SETS, max_size=1).map(tuple),
    forbidden=st.frozensets(st.sampled_from(TRAITS[:2]), max_size=1),
    member_of=st.lists(st.frozensets(st.sampled_from(AGGREGATES), min_size=1), max_size=1).map(tuple),
    not_member_of=st.frozensets(st.sampled_from(AGGREGATES), max_size=1),
)
WANTED = st.builds(
    Wanted,
    groups=st.dictionaries(st.sampled_from(("", "1", "2")), GROUPS, min_size=1, max_size=2),
    isolate=st.booleans(),
    root_required=st.frozensets(st.sampled_from(TRAITS[:2]), max_size=1),
)


def records(drawn: list[tuple[int, dict[str, Inventory], frozenset[str], frozenset[str], int]]) -> list[ProviderRecord]:
    made: list[ProviderRecord] = []
    for number, (parent, inventories, traits, aggregates, used) in enumerate(drawn):
        above = str(uuid.UUID(int=parent)) if 0 <= parent < number else ""
        made.append(
            ProviderRecord(
                str(uuid.UUID(int=number)),
                f"p{number}",
                parent=above,
                inventories=inventories,
                traits=tuple(sorted(traits)),
                aggregates=tuple(sorted(aggregates)),
                used=dict.fromkeys(inventories, used),
            )
        )
    return made


class Model:
    """All providers, and every question answered by looking at each."""

    def __init__(self, made: list[ProviderRecord]) -> None:
        self.by_uuid = {one.uuid: one for one in made}

    def root(self, one: ProviderRecord) -> ProviderRecord:
        return self.root(self.by_uuid[one.parent]) if one.parent else one

    def fits(self, one: ProviderRecord, name: str, amount: int) -> bool:
        inventory = one.inventories.get(name)
        return inventory is not None and inventory.allows(amount) and one.used[name] + amount <= inventory.capacity

    def serves(self, one: ProviderRecord, anchor: ProviderRecord) -> bool:
        """Whether a provider is in the anchor's tree, or shares with somebody who is."""
        if self.root(one) is anchor:
            return True
        if SHARING_TRAIT not in one.traits:
            return False
        others = [other for other in self.by_uuid.values() if set(one.aggregates) & set(other.aggregates)]
        return any(self.root(other) is anchor for other in others)

    def ways(self, name: str, group: Group, anchor: ProviderRecord) -> list[dict[tuple[str, str], int]]:
        found = []
        for givers in itertools.product(self.by_uuid.values(), repeat=len(group.resources)):
            pairs = list(zip(givers, group.resources.items(), strict=True))
            if name and len({giver.uuid for giver in givers}) > 1:
                continue
            if not all(self.fits(giver, of, amount) and self.serves(giver, anchor) for giver, (of, amount) in pairs):
                continue
            if not all(self.in_aggregates(giver, anchor, group, bool(name)) for giver in givers):
                continue
            traits = {trait for giver in givers for trait in giver.traits}
            if traits & group.forbidden or not all(traits & some for some in group.required):
                continue
            found.append({(giver.uuid, of): amount for giver, (of, amount) in pairs})
        return found

    def in_aggregates(self, one: ProviderRecord, anchor: ProviderRecord, group: Group, alone: bool) -> bool:
        """In an unnamed group the root's aggregates are those of its whole tree, and count for whoever gives to it."""
        through = (one,) if alone else (one, anchor)
        members = [set(two.aggregates) for two in through]
        if any(own & group.not_member_of for own in members):
            return False
        if not group.member_of:
            return True
        if any(all(own & some for some in group.member_of) for own in members):
            own_anchor = self.root(one) is anchor
            # Somebody else's tree is given to only by those who are in the aggregates themselves.
            return own_anchor or all(set(one.aggregates) & some for some in group.member_of)
        return False

    def candidates(self, wanted: Wanted) -> set[frozenset[tuple[tuple[str, str], int]]]:
        found = set()
        for anchor in self.by_uuid.values():
            if anchor.parent or not wanted.root_required <= set(anchor.traits):
                continue
            names = list(wanted.groups)
            for ways in itertools.product(*(self.ways(name, wanted.groups[name], anchor) for name in names)):
                givers = [next(iter(way))[0] for name, way in zip(names, ways, strict=True) if name]
                if wanted.isolate and len(set(givers)) < len(givers):
                    continue
                total: dict[tuple[str, str], int] = {}
                for way in ways:
                    for key, amount in way.items():
                        total[key] = total.get(key, 0) + amount
                if all(self.has(key, amount) for key, amount in total.items()):
                    found.add(frozenset(total.items()))
        return found

    def has(self, key: tuple[str, str], amount: int) -> bool:
        one, name = self.by_uuid[key[0]], key[1]
        inventory = one.inventories[name]
        return amount <= inventory.max_unit and one.used[name] + amount <= inventory.capacity


async def search(made: list[ProviderRecord], wanted: Wanted) -> set[frozenset[tuple[tuple[str, str], int]]]:
    clock = SimulatedClock(asyncio.get_running_loop())
    cloud = await Cloud.open(MemoryStore(), clock, CloudSettings(nodes=0), "api", ())
    try:
        for one in made:
            await cloud.mirror.commit([Put(PROVIDER, one, one.uuid)])
        book = cloud.part(Book)
        book.refresh()
        found = find_candidates(book, wanted, nested=True)
        amounts = [candidate.amounts for candidate in found.candidates]
        for row in found.rows:
            group = next(iter(wanted.groups.values()))
            amounts.append({(book.table.uuids[row], name): amount for name, amount in group.resources.items()})
        one_way = [frozenset(some.items()) for some in amounts]
        limited = find_candidates(book, Wanted(wanted.groups, 1, wanted.isolate, wanted.root_required), nested=True)
        assert len(limited.rows) + len(limited.candidates) == min(1, len(one_way))
        return set(one_way)
    finally:
        await cloud.close()


@settings(max_examples=150)
@given(PROVIDERS, WANTED)
def test_the_candidates_are_exactly_those_that_a_search_through_everything_finds(
    drawn: list[tuple[int, dict[str, Inventory], frozenset[str], frozenset[str], int]], wanted: Wanted
) -> None:
    made = records(drawn)
    assert run_coroutine_simulated(search(made, wanted)) == Model(made).candidates(wanted)
