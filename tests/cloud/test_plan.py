"""What cloud is wanted: wishes, what was before, and what cannot be."""

from pathlib import Path

import pytest

from kilonode.base.errors import InputError
from kilonode.cloud.context import NodeShape
from kilonode.cloud.plan import UpSettings, check_name, plan, public_url

STATE = Path("/state")


def test_without_wishes_a_new_cloud_has_a_thousand_nodes_on_disk_reachable_from_this_machine_alone() -> None:
    record = plan(UpSettings(STATE), None)
    assert (record.settings.nodes, record.settings.stages) == (1000, "fast")
    assert (record.store, record.all_in_one, record.host) == ("sqlite", False, "127.0.0.1")
    assert record.settings.public_url == "http://127.0.0.1:15000"


def test_a_later_start_keeps_what_was_wished_before() -> None:
    first = plan(UpSettings(STATE, nodes=7, stages="instant", all_in_one=True, port=1234), None)
    assert plan(UpSettings(STATE), first) == first
    more = plan(UpSettings(STATE, nodes=9, stages="fast"), first)
    assert (more.settings.nodes, more.settings.stages, more.port, more.all_in_one) == (9, "fast", 1234, True)


def test_what_the_kept_data_would_contradict_is_refused_with_a_way_out() -> None:
    first = plan(UpSettings(STATE, nodes=7), None)
    for wish, place in (
        (UpSettings(STATE, nodes=6), "nodes"),
        (UpSettings(STATE, node_shape=NodeShape(vcpus=3)), "node_shape"),
        (UpSettings(STATE, zones=("a", "b")), "zones"),
    ):
        with pytest.raises(InputError, match="keeps its data") as caught:
            plan(wish, first)
        assert str(caught.value).startswith(f"{place}: ")
        assert "--fresh" in str(caught.value)


def test_a_store_in_memory_puts_all_roles_in_one_process_unless_told_otherwise() -> None:
    assert plan(UpSettings(STATE, store="memory"), None).all_in_one
    with pytest.raises(InputError, match="cannot be shared"):
        plan(UpSettings(STATE, store="memory", all_in_one=False), None)
    assert plan(UpSettings(STATE, nodes=3), plan(UpSettings(STATE, store="memory"), None)).settings.nodes == 3


def test_numbers_out_of_bounds_are_refused() -> None:
    for wish in (UpSettings(STATE, nodes=-1), UpSettings(STATE, zones=())):
        with pytest.raises(InputError, match="cannot be like this"):
            plan(wish, None)
    with pytest.raises(InputError, match="not a port"):
        plan(UpSettings(STATE, port=70_000), None)


@pytest.mark.parametrize("name", ["a", "kilonode", "run-0a1b", "x.y_z"])
def test_a_plain_name_can_name_a_cloud(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "Capital", "-a", "a ", "x" * 61])
def test_a_name_that_is_no_folder_name_cannot_name_a_cloud(name: str) -> None:
    with pytest.raises(InputError, match="cannot be the name"):
        check_name(name)


def test_the_catalogs_address_is_one_that_clients_can_reach() -> None:
    assert public_url("::1", 5) == "http://[::1]:5"
    assert "0.0.0.0" not in public_url("0.0.0.0", 5)


def test_sites_stand_on_ports_side_by_side_and_stay_there() -> None:
    first = plan(UpSettings(STATE, sites=3, port=2000), None)
    assert [(site.region, site.public_url) for site in first.settings.sites] == [
        ("RegionOne", "http://127.0.0.1:2000"),
        ("RegionTwo", "http://127.0.0.1:2001"),
        ("RegionThree", "http://127.0.0.1:2002"),
    ]
    assert plan(UpSettings(STATE), first) == first
    more = plan(UpSettings(STATE, sites=4), first)
    assert more.settings.sites[:3] == first.settings.sites


@pytest.mark.parametrize(("before", "after"), [(1, 2), (3, 2), (2, 1)])
def test_sites_that_would_lose_their_data_are_refused(before: int, after: int) -> None:
    first = plan(UpSettings(STATE, sites=before), None)
    with pytest.raises(InputError, match="sites"):
        plan(UpSettings(STATE, sites=after), first)


def test_sites_and_a_store_in_memory_do_not_go_together() -> None:
    with pytest.raises(InputError, match="sites"):
        plan(UpSettings(STATE, sites=2, store="memory"), None)


@pytest.mark.parametrize("count", [0, 17])
def test_a_number_of_sites_that_cannot_be_is_refused(count: int) -> None:
    with pytest.raises(InputError, match="1 to 16"):
        plan(UpSettings(STATE, sites=count), None)
