"""When packets of a degraded link go on, whether a measured link is trusted, and the text of rules: pure."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.faults.link_probe import LOSS_PACKETS, Measured
from kilonode.faults.link_shaping import BACKLOG_S, Shape, Shaping
from kilonode.faults.network_rules import Place, isolation, leaving, separations
from kilonode.faults.shapes import between

arrivals = st.lists(st.floats(0, 0.05), min_size=1, max_size=200)
sizes = st.integers(40, 65_000)


def times(gaps: list[float]) -> list[float]:
    total, found = 0.0, []
    for gap in gaps:
        total += gap
        found.append(total)
    return found


@given(arrivals, sizes, st.floats(0, 0.2), st.floats(0, 0.1), st.integers(0, 99))
def test_packets_keep_their_order_and_are_held_at_least_the_delay_without_the_jitter(
    gaps: list[float], size: int, delay_s: float, jitter_s: float, seed: int
) -> None:
    shaping = Shaping(Shape(delay_s, jitter_s, seed=seed))
    last_s = 0.0
    for now_s in times(gaps):
        departure_s = shaping.departure_s(now_s, size)
        assert departure_s is not None
        assert departure_s >= now_s + max(0, delay_s - jitter_s) - 1e-9
        assert last_s <= departure_s <= max(last_s, now_s + delay_s + jitter_s + 1e-9)
        last_s = departure_s


@given(arrivals, sizes, st.integers(10_000, 10_000_000))
def test_no_more_passes_than_the_bandwidth_and_what_waits_too_long_is_lost(
    gaps: list[float], size: int, bandwidth: int
) -> None:
    shaping = Shaping(Shape(bandwidth_bits_per_s=bandwidth))
    each_s = size * 8 / bandwidth
    passed = []
    for now_s in times(gaps):
        departure_s = shaping.departure_s(now_s, size)
        if departure_s is not None:
            passed.append(departure_s)
            assert departure_s <= now_s + BACKLOG_S + each_s + 1e-6
    assert all(later - earlier >= each_s - 1e-6 for earlier, later in itertools.pairwise(passed))


@given(st.integers(0, 200), st.floats(0.5, 90))
def test_so_many_percent_are_lost(seed: int, percent: float) -> None:
    shaping = Shaping(Shape(loss_percent=percent, seed=seed))
    lost = sum(shaping.departure_s(0.0, 100) is None for _ in range(2_000))
    share = percent / 100
    assert abs(lost - 2_000 * share) <= 6 * (2_000 * share * (1 - share)) ** 0.5 + 1


@pytest.mark.parametrize(
    ("measured", "shape", "missed"),
    [
        (Measured(0.1), Shape(0.1), ""),
        (Measured(0.05), Shape(0.1), "the delay"),
        (Measured(0.5), Shape(0.1), "the delay"),
        (Measured(None), Shape(0.1), "the delay"),
        (Measured(0.085), Shape(0.1, 0.02), ""),
        (Measured(lost=60, of=LOSS_PACKETS), Shape(loss_percent=10), ""),
        (Measured(lost=0, of=LOSS_PACKETS), Shape(loss_percent=10), "the loss"),
        (Measured(lost=LOSS_PACKETS, of=LOSS_PACKETS), Shape(loss_percent=10), "the loss"),
        (Measured(bandwidth_bits_per_s=9e6), Shape(bandwidth_bits_per_s=10_000_000), ""),
        (Measured(bandwidth_bits_per_s=2e6), Shape(bandwidth_bits_per_s=10_000_000), "the bandwidth"),
        (Measured(bandwidth_bits_per_s=9e7), Shape(bandwidth_bits_per_s=10_000_000), "the bandwidth"),
        (Measured(), Shape(bandwidth_bits_per_s=10_000_000), "the bandwidth"),
    ],
)
def test_a_link_is_trusted_when_it_is_what_was_asked_for(measured: Measured, shape: Shape, missed: str) -> None:
    assert measured.misses(shape) == missed


A, B, C = (Place(name, (f"10.0.0.{number}", f"fd00::{number}")) for number, name in enumerate("abc", 1))


def test_who_hears_nobody_gets_no_rules_and_the_others_drop_both_families() -> None:
    found = separations({"a": A, "b": B, "c": C}, between("a", "bc", one_way=True))
    assert sorted(found) == ["b", "c"]
    assert "ip saddr { 10.0.0.1 } drop" in found["b"]
    assert "ip6 saddr { fd00::1 } drop" in found["b"]


def test_two_ports_of_one_namespace_are_not_divided() -> None:
    one, other = (Place("", ("127.0.0.1",), (port,)) for port in (1, 2))
    with pytest.raises(InputError, match="cannot be told who calls"):
        separations({"one": one, "other": other}, between(["one"], ["other"]))


def test_friends_of_who_is_isolated_are_let_through_first() -> None:
    text = isolation(A, [B], one_way=False)
    assert text.index("ip daddr { 10.0.0.2 } accept") < text.index('oifname != "lo" drop')
    assert "input" not in isolation(A, [], one_way=True)


def test_what_leaves_is_told_by_port_or_by_target() -> None:
    ports = ("-s", "127.0.0.1", "-p", "tcp", "-m", "multiport", "--sports", "80,81")
    outside = ("!", "-o", "lo", "!", "-i", "lo")
    assert leaving(Place("", ("127.0.0.1",), (80, 81)), []) == (("-i", "lo", *ports), (*outside, *ports))
    assert leaving(A, [B]) == ((*outside, "-d", "10.0.0.2"),)
    assert leaving(Place("a", ("10.0.0.1",), interface="eth0"), []) == (("-o", "eth0"),)
    with pytest.raises(InputError, match="IPv4"):
        leaving(A, [Place("b", ("fd00::2",))])
    with pytest.raises(InputError, match="IPv4"):
        leaving(Place("", ("::1",), (80,)), [])
