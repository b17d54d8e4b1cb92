"""Bodies of requests about networks are read as Neutron reads them, and refused with its types."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.cloud.openstack.network.bodies import read
from kilonode.cloud.openstack.web.faults import Fault
from tests.cloud.openstack.harness import openstack

NETWORKS = "/network/v2.0/networks"
SOMEBODY = "00000000-0000-4000-8000-000000000000"


class Wanted(msgspec.Struct, frozen=True):
    name: str = ""
    admin_state_up: bool = True
    mtu: int = 0
    network_id: str = ""
    project_id: str = ""


@pytest.mark.parametrize(
    ("item", "making", "words"),
    [
        ({"nothing": 1}, True, "Unrecognized attribute(s) 'nothing'"),
        ({"id": "x"}, True, "Attribute 'id' not allowed in POST"),
        ({"id": "x"}, False, "Cannot update read-only attribute id"),
        ({"network_id": SOMEBODY}, False, "Cannot update read-only attribute network_id"),
        ({"network_id": "x"}, True, "Invalid input for network_id. Reason: 'x' is not a valid UUID."),
        ({"name": 7}, True, "Invalid input for name. Reason: '7' is not a valid string."),
        ({"admin_state_up": "so"}, True, "Invalid input for operation: 'so' cannot be converted to boolean."),
        ({"mtu": "so"}, True, "Invalid input for mtu. Reason: 'so' is not an integer."),
        ({"mtu": -1}, True, "Invalid input for mtu. Reason: '-1' should be non-negative."),
        ([], True, "Object 'network' contains invalid data"),
    ],
)
def test_what_nobody_may_write_is_refused(item: Any, making: bool, words: str) -> None:
    with pytest.raises(Fault) as caught:
        read(item, Wanted, "network", making=making)
    assert (caught.value.status, caught.value.message) == (400, words)


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.integers()), st.floats())
NAMES = st.sampled_from(["name", "mtu", "admin_state_up", "network_id", "id", "x"])


@given(st.dictionaries(NAMES, VALUES))
def test_whatever_is_asked_is_read_or_refused(item: dict[str, Any]) -> None:
    refused = None
    try:
        read(item, Wanted, "network", making=True)
    except Fault as fault:
        refused = fault
    assert refused is None or refused.status == 400


def test_truth_and_numbers_may_be_written_as_text() -> None:
    assert read({"admin_state_up": "false", "mtu": "9"}, Wanted, "network", making=True) == Wanted("", False, 9)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("sort_key=name", "The number of sort_keys and sort_dirs must be same"),
        ("sort_key=name&sort_dir=up", "['up'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'"),
        ("nothing=x", "['nothing'] is invalid attribute for filtering"),
        ("limit=x", "Bad limit request: Limit must be an integer 0 or greater and not 'x'."),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(query: str, words: str) -> None:
    async with openstack() as cloud:
        answer = await cloud.ask("GET", f"{NETWORKS}?{query}", token=cloud.demo)
        assert (answer.status, answer.body["NeutronError"]["message"]) == (400, words)


async def test_a_network_is_shared_in_the_eyes_of_whom_it_is_shared_with() -> None:
    async with openstack() as cloud:
        network = (await cloud.good("POST", NETWORKS, {"network": {"name": "n"}}))["network"]["id"]
        project, other = await cloud.new_project("other")
        policy = {
            "object_type": "network",
            "object_id": network,
            "action": "access_as_shared",
            "target_tenant": project,
        }
        await cloud.good("POST", "/network/v2.0/rbac-policies", {"rbac_policy": policy})
        place = f"{NETWORKS}/{network}"
        assert (await cloud.good("GET", place, token=other))["network"]["shared"] is True
        assert (await cloud.good("GET", place))["network"]["shared"] is False
