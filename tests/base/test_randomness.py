import uuid

from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.randomness import Randomness, random_uuid, rising_uuid

NAMES = st.lists(st.one_of(st.text(max_size=5), st.integers()), max_size=3)


@given(st.integers(), NAMES)
def test_the_same_seed_and_names_give_the_same_numbers(seed: int, names: list[str | int]) -> None:
    one, other = Randomness(seed, *names), Randomness(seed).child(*names)
    other.child("something", "else").stream().random()
    assert one.stream().random() == other.stream().random()


def test_other_names_or_seeds_give_other_numbers() -> None:
    numbers = {Randomness(seed, name).integer() for seed in range(50) for name in ("boot", "api", 1)}
    assert len(numbers) == 150


def test_seeded_uuids_are_version_4_and_differ() -> None:
    stream = Randomness(7, "ids").stream()
    made = [uuid.UUID(random_uuid(stream)) for _ in range(100)]
    assert {one.version for one in made} == {4}
    assert len(set(made)) == 100


@given(st.integers(0, 2**32))
def test_a_random_uuid_is_what_the_standard_library_would_make_of_the_bits(seed: int) -> None:
    bits = Randomness(seed, "ids").stream().getrandbits(128)
    assert random_uuid(Randomness(seed, "ids").stream()) == str(uuid.UUID(int=bits, version=4))


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**32))
def test_a_rising_uuid_is_version_7_and_begins_with_its_instant(at_ms: int, seed: int) -> None:
    made = uuid.UUID(rising_uuid(Randomness(seed).stream(), at_ms))
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == at_ms


def test_rising_uuids_differ_within_an_instant_and_rise_with_time() -> None:
    stream = Randomness(7, "ids").stream()
    same = {rising_uuid(stream, 1_893_456_000_000) for _ in range(1000)}
    assert len(same) == 1000
    assert max(same) < rising_uuid(stream, 1_893_456_000_001)
