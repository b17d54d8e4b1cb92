"""Who no longer reaches whom, for each shape of a partition: pure.

A cut is a pair of names: what the first sends to the second is lost. Two-way partitions have both pairs.
"""

from collections.abc import Sequence

from kilonode.base.errors import InputError
from kilonode.base.randomness import Randomness
from kilonode.faults.model import Partition, Shape

Cuts = frozenset[tuple[str, str]]


def between(one: Sequence[str], other: Sequence[str], *, one_way: bool = False) -> Cuts:
    """Two sets: each from the other, or only what the first sends."""
    there = {(a, b) for a in one for b in other}
    return frozenset(there if one_way else there | {(b, a) for a, b in there})


def cuts_of(partition: Partition, members: Sequence[str], peers: Sequence[str], randomness: Randomness) -> Cuts | None:
    """The cuts of a partition: what a driver makes real. None: the members from everything else, whatever there is.

    Raises InputError when the members are too few for the shape, or are on both sides.
    """
    if partition.shape is Shape.REST:
        return None
    if partition.shape is not Shape.SETS:
        return divide(partition.shape, members, randomness)
    both = sorted(set(members) & set(peers))
    if both:
        raise InputError("on both sides of the partition", got=", ".join(both))
    return between(members, peers, one_way=partition.one_way)


def divide(shape: Shape, members: Sequence[str], randomness: Randomness) -> Cuts:
    """One set, divided in itself. Raises InputError when it has too few members for the shape."""
    names = sorted(set(members))
    least = {Shape.MINORITY_THIRD: 3, Shape.BRIDGE: 3, Shape.MAJORITIES_RING: 4}.get(shape, 2)
    if len(names) < least:
        raise InputError(f"too few to be divided into {shape.value}", expected=f"{least} or more", got=str(len(names)))
    if shape is not Shape.HALVES:
        randomness.stream().shuffle(names)
    half = len(names) // 2
    if shape in (Shape.HALVES, Shape.RANDOM_HALVES):
        return between(names[:half], names[half:])
    if shape is Shape.ISOLATED_ONE:
        return between(names[:1], names[1:])
    if shape is Shape.MINORITY_THIRD:
        third = len(names) // 3
        return between(names[:third], names[third:])
    if shape is Shape.BRIDGE:
        # One in the middle sees both sides.
        return between(names[:half], names[half + 1 :])
    if shape is Shape.MAJORITIES_RING:
        return _majorities_ring(names)
    raise InputError(f"{shape.value!r} does not divide one set")


def _majorities_ring(names: Sequence[str]) -> Cuts:
    """On a ring, each sees its nearest neighbours on both sides, just so many that with itself they are a majority."""
    count = len(names)
    reach = (count // 2 + 1) // 2  # 2 * reach + 1 is a majority, the smallest that is alike on both sides
    seen = {
        (names[place], names[(place + step) % count]) for place in range(count) for step in range(-reach, reach + 1)
    }
    return frozenset((a, b) for a in names for b in names if (a, b) not in seen)
