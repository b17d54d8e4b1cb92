"""How many processes roles have, what they are called, and which roles run in which of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.cloud.context import CloudSettings
from kilonode.cloud.folder import STATE_VERSION, CloudRecord
from kilonode.cloud.layout import ALL_IN_ONE, CONTROLLERS, SHARED, chosen, process_names, role_names, roles_of
from kilonode.cloud.resources import fleet_of
from kilonode.cloud.role_counts import RoleCounts, names_of, read_role_counts, with_role_counts

some = st.integers(1, 5)
own = st.integers(0, 1)
counts = st.builds(RoleCounts, api=some, scheduler=some, fleet=some, volume=own, network=own, image=own)


def record(roles: RoleCounts, *, all_in_one: bool = False) -> CloudRecord:
    settings = CloudSettings(roles=roles)
    return CloudRecord(STATE_VERSION, settings, store="sqlite", all_in_one=all_in_one, host="127.0.0.1", port=1)


def test_what_is_said_is_read_and_the_rest_stays() -> None:
    assert read_role_counts("api=2, fleet=4") == {"api": 2, "fleet": 4}
    known = with_role_counts(RoleCounts(scheduler=3), {"api": 2, "volume": 1})
    assert known == RoleCounts(api=2, scheduler=3, volume=1)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no role"),
        ("api", "not a number"),
        ("api=", "not a number"),
        ("api=two", "not a number"),
        ("api=-1", "not a number"),
        ("api=0", "this many"),
        ("api=65", "this many"),
        ("volume=2", "this many"),
        ("api=1,api=2", "twice"),
        ("shceduler=2", "no such role"),
        ("=2", "no such role"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        read_role_counts(text)


def test_the_nearest_role_is_named() -> None:
    with pytest.raises(InputError, match="did you mean 'scheduler'"):
        read_role_counts("shceduler=2")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        with_role_counts(RoleCounts(), read_role_counts(text))
    except InputError:
        pass


@given(counts)
def test_every_role_runs_in_exactly_one_process(roles: RoleCounts) -> None:
    names = process_names(record(roles))
    assert sorted(role for name in names for role in roles_of(name, roles)) == sorted(role_names(roles))
    assert len(set(names)) == len(names)
    assert roles_of(ALL_IN_ONE, roles) == role_names(roles)
    assert process_names(record(roles, all_in_one=True)) == [ALL_IN_ONE]
    assert (SHARED in names) == any(not getattr(roles, name) for name in CONTROLLERS)


@given(counts)
def test_processes_are_chosen_by_their_names_or_by_their_roles(roles: RoleCounts) -> None:
    names = process_names(record(roles))
    assert chosen([], names) == names
    assert chosen(["api"], names) == list(names_of("api", roles.api))
    assert chosen([names[-1], "fleet"], names)[0] == names[-1]
    assert len(chosen([names[-1], "fleet"], names)) == roles.fleet
    with pytest.raises(InputError, match="no such process"):
        chosen(["api-99"], names)


@given(st.integers(1, 8), st.integers(1, 100))
def test_nodes_are_dealt_out_evenly_to_the_fleets(fleets: int, nodes: int) -> None:
    settings = CloudSettings(roles=RoleCounts(fleet=fleets))
    owners = [fleet_of(settings, number) for number in range(nodes)]
    shares = [owners.count(name) for name in names_of("fleet", fleets)]
    assert sum(shares) == nodes
    assert max(shares) - min(shares) <= 1
