"""Partitions: who no longer reaches whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.base.randomness import Randomness
from kilonode.faults.model import Partition, Shape
from kilonode.faults.shapes import between, cuts_of, divide

DIVIDING = [shape for shape in Shape if shape not in (Shape.SETS, Shape.REST)]
members = st.integers(4, 12).map(lambda count: [f"n{number}" for number in range(count)])


def seen(cuts: frozenset[tuple[str, str]], names: list[str], one: str) -> set[str]:
    return {other for other in names if (one, other) not in cuts}


@given(st.sampled_from(DIVIDING), members, st.integers(0, 50))
def test_a_division_cuts_both_ways_and_nobody_from_himself(shape: Shape, names: list[str], seed: int) -> None:
    cuts = divide(shape, names, Randomness(seed))
    assert cuts
    assert all((b, a) in cuts and a != b for a, b in cuts)
    assert cuts == divide(shape, names[::-1], Randomness(seed))


@given(members, st.integers(0, 50))
def test_on_a_majorities_ring_each_sees_a_majority_and_no_two_the_same(names: list[str], seed: int) -> None:
    cuts = divide(Shape.MAJORITIES_RING, names, Randomness(seed))
    views = [frozenset(seen(cuts, names, name)) for name in names]
    assert all(len(view) > len(names) / 2 for view in views)
    assert len(set(views)) == len(names) or len(names) < 5


@given(members, st.integers(0, 50))
def test_over_a_bridge_exactly_one_sees_all(names: list[str], seed: int) -> None:
    cuts = divide(Shape.BRIDGE, names, Randomness(seed))
    assert sum(seen(cuts, names, name) == set(names) for name in names) == 1


@given(members, st.integers(0, 50))
def test_a_minority_third_and_an_isolated_one_are_as_small_as_they_are_called(names: list[str], seed: int) -> None:
    for shape, size in ((Shape.MINORITY_THIRD, len(names) // 3), (Shape.ISOLATED_ONE, 1)):
        cuts = divide(shape, names, Randomness(seed))
        assert min(len(seen(cuts, names, name)) for name in names) == min(size, len(names) - size)


def test_halves_go_by_the_order_of_names() -> None:
    assert divide(Shape.HALVES, ["d", "b", "a", "c", "e"], Randomness(3)) == between("ab", "cde")


def test_one_way_loses_only_what_the_first_send() -> None:
    assert between(["a"], ["b", "c"], one_way=True) == {("a", "b"), ("a", "c")}


@pytest.mark.parametrize(("shape", "too_few"), [(Shape.HALVES, 1), (Shape.BRIDGE, 2), (Shape.MAJORITIES_RING, 3)])
def test_too_few_to_divide_are_refused(shape: Shape, too_few: int) -> None:
    with pytest.raises(InputError, match="too few"):
        divide(shape, [str(number) for number in range(too_few)], Randomness(1))


def test_a_partition_of_two_sets_is_between_them_and_nobody_is_on_both_sides() -> None:
    sets = Partition(Shape.SETS, one_way=True)
    assert cuts_of(sets, ["a"], ["b"], Randomness(1)) == frozenset({("a", "b")})
    with pytest.raises(InputError, match="both sides"):
        cuts_of(sets, ["a", "b"], ["b", "c"], Randomness(1))
    assert cuts_of(Partition(Shape.REST), ["a"], [], Randomness(1)) is None
