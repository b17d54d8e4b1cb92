"""The segments of networks."""

from typing import Any

import pytest

from tests.cloud.openstack.harness import OpenStack, openstack

V2 = "/network/v2.0"


async def network(cloud: OpenStack, **wanted: Any) -> Any:
    return (await cloud.good("POST", f"{V2}/networks", {"network": wanted}))["network"]


async def segments(cloud: OpenStack, query: str) -> list[Any]:
    found: list[Any] = (await cloud.good("GET", f"{V2}/segments?{query}"))["segments"]
    return found


async def test_a_network_begins_with_the_segment_that_its_provider_attributes_tell() -> None:
    async with openstack() as cloud:
        wanted = {"provider:network_type": "vlan", "provider:physical_network": "p", "provider:segmentation_id": 7}
        made = await network(cloud, **wanted)
        (first,) = await segments(cloud, f"network_id={made['id']}")
        assert (first["network_type"], first["physical_network"], first["segmentation_id"]) == ("vlan", "p", 7)
        assert (await cloud.good("GET", f"{V2}/segments/{first['id']}"))["segment"] == first
        other = await network(cloud)
        assert (await segments(cloud, f"network_id={other['id']}"))[0]["id"] != first["id"]
        assert len(await segments(cloud, "")) == 5


async def test_segments_come_are_named_and_go() -> None:
    async with openstack() as cloud:
        made = await network(cloud)
        (first,) = await segments(cloud, f"network_id={made['id']}")
        wanted = {"network_id": made["id"], "network_type": "geneve", "name": "second"}
        second = (await cloud.good("POST", f"{V2}/segments", {"segment": wanted}))["segment"]
        assert second["segmentation_id"] is not None
        body = {"segment": {"name": "first", "description": "of two"}}
        named = (await cloud.good("PUT", f"{V2}/segments/{first['id']}", body))["segment"]
        assert named == {**first, "name": "first", "description": "of two"}
        assert [one["name"] for one in await segments(cloud, f"network_id={made['id']}")] == ["first", "second"]
        assert [one["id"] for one in await segments(cloud, "name=second&fields=id")] == [second["id"]]
        assert (await cloud.ask("DELETE", f"{V2}/segments/{first['id']}")).status == 204
        last = await cloud.ask("DELETE", f"{V2}/segments/{second['id']}")
        assert (last.status, last.body["NeutronError"]["type"]) == (409, "SegmentInUse")
        await cloud.good("DELETE", f"{V2}/networks/{made['id']}")
        assert (await cloud.ask("GET", f"{V2}/segments/{second['id']}")).status == 404


@pytest.mark.parametrize(
    "wanted",
    [
        {"network_type": "string"},
        {"network_type": "vlan"},
        {"network_type": "vlan", "physical_network": "p", "segmentation_id": 5_000},
        {"network_type": "geneve", "physical_network": "p"},
        {"network_type": "flat", "physical_network": "p", "segmentation_id": 1},
        {"network_type": "geneve", "segmentation_id": 0},
        {},
    ],
)
async def test_a_segment_that_cannot_be_is_refused(wanted: dict[str, Any]) -> None:
    async with openstack() as cloud:
        made = await network(cloud)
        answer = await cloud.ask("POST", f"{V2}/segments", {"segment": {"network_id": made["id"], **wanted}})
        assert answer.status == 400
        assert len(await segments(cloud, f"network_id={made['id']}")) == 1


async def test_segments_are_for_administrators() -> None:
    async with openstack() as cloud:
        assert (await cloud.ask("GET", f"{V2}/segments", token=cloud.demo)).status == 403


async def test_a_network_that_is_not_there_has_no_segments() -> None:
    async with openstack() as cloud:
        key = "3f1a4a52-7d1b-4d0e-8d36-6f5b1a7e2c11"
        assert await segments(cloud, f"network_id={key}") == []
        wanted = {"segment": {"network_id": key, "network_type": "geneve"}}
        assert (await cloud.ask("POST", f"{V2}/segments", wanted)).status == 404
