"""Placement: the same books as the scheduler's, in the formats of its microversions."""

from typing import Any

import pytest

from tests.cloud.compute.harness import Compute, running


async def get(compute: Compute, path: str, version: str = "1.39", **more: Any) -> Any:
    return await compute.ok("GET", f"/placement{path}", as_="admin", version=version, **more)


async def test_the_root_says_which_microversions_there_are() -> None:
    async with running() as compute:
        body = await compute.ok("GET", "/placement", as_="")
        version = body["versions"][0]
        assert (version["id"], version["min_version"], version["max_version"]) == ("v1.0", "1.0", "1.39")


async def test_nodes_are_providers() -> None:
    async with running() as compute:
        rows = (await get(compute, "/resource_providers"))["resource_providers"]
        assert [row["name"] for row in rows] == ["compute-0001", "compute-0002", "compute-0003"]
        assert rows[0]["root_provider_uuid"] == rows[0]["uuid"]
        assert {link["rel"] for link in rows[0]["links"]} == {
            "self", "inventories", "usages", "aggregates", "traits", "allocations"
        }  # fmt: skip
        oldest = (await get(compute, "/resource_providers", "1.0"))["resource_providers"][0]
        assert set(oldest) == {"uuid", "name", "generation", "links"}
        found = (await get(compute, "/resource_providers?name=compute-0002"))["resource_providers"]
        assert [row["name"] for row in found] == ["compute-0002"]
        hypervisors = await compute.ok("GET", "/os-hypervisors", as_="admin", version="2.53")
        assert [one["id"] for one in hypervisors["hypervisors"]] == [row["uuid"] for row in rows]


async def test_a_server_is_an_allocation() -> None:
    async with running(nodes=1) as compute:
        provider = (await get(compute, "/resource_providers"))["resource_providers"][0]
        place = f"/resource_providers/{provider['uuid']}"
        inventory = (await get(compute, f"{place}/inventories"))["inventories"]
        assert inventory["VCPU"] == {
            "total": 4, "reserved": 0, "min_unit": 1, "max_unit": 4, "step_size": 1, "allocation_ratio": 1.0
        }  # fmt: skip
        server_id = await compute.boot(flavor="2")
        await compute.rest(server_id)
        resources = {"VCPU": 2, "MEMORY_MB": 1024, "DISK_GB": 10}
        assert (await get(compute, f"{place}/usages"))["usages"] == resources
        allocations = (await get(compute, f"{place}/allocations"))["allocations"]
        assert allocations == {server_id: {"resources": resources, "consumer_generation": 1}}
        shown = await get(compute, f"/allocations/{server_id}")
        assert shown["allocations"][provider["uuid"]]["resources"] == resources
        assert (shown["project_id"], shown["consumer_type"]) == ("p1", "INSTANCE")
        assert set(await get(compute, f"/allocations/{server_id}", "1.0")) == {"allocations"}
        assert (await get(compute, "/usages?project_id=p1", "1.9"))["usages"] == resources
        assert (await get(compute, "/allocations/nobody"))["allocations"] == {}
        grown = (await get(compute, place))["generation"]
        assert grown > provider["generation"]


async def test_a_resize_is_held_by_the_move_and_the_server() -> None:
    async with running() as compute:
        server_id = await compute.boot()
        await compute.rest(server_id)
        await compute.act(server_id, "resize", {"flavorRef": "2"})
        server = await compute.rest(server_id)
        assert server is not None
        assert server.move is not None
        target = await get(compute, f"/allocations/{server_id}")
        source = await get(compute, f"/allocations/{server.move.id}")
        assert [one["resources"]["VCPU"] for one in target["allocations"].values()] == [2]
        assert [one["resources"]["VCPU"] for one in source["allocations"].values()] == [1]
        assert source["consumer_type"] == "MIGRATION"


async def test_candidates_are_the_nodes_with_room() -> None:
    async with running(nodes=5) as compute:
        query = "/allocation_candidates?resources=VCPU:3,MEMORY_MB:512"
        body = await get(compute, query)
        assert len(body["allocation_requests"]) == 5
        first = body["allocation_requests"][0]
        uuid = next(iter(first["allocations"]))
        assert first["allocations"][uuid] == {"resources": {"VCPU": 3, "MEMORY_MB": 512}}
        assert first["mappings"] == {"": [uuid]}
        summary = body["provider_summaries"][uuid]
        assert summary["resources"]["DISK_GB"] == {"capacity": 40, "used": 0}
        assert "COMPUTE_NODE" in summary["traits"]
        server = await compute.rest(await compute.boot(flavor="2"))
        assert server is not None
        assert len((await get(compute, query))["allocation_requests"]) == 4
        assert len((await get(compute, f"{query}&limit=2"))["allocation_requests"]) == 2
        old = await get(compute, query, "1.10")
        listed = old["allocation_requests"][0]["allocations"]
        assert listed[0]["resources"] == {"VCPU": 3, "MEMORY_MB": 512}
        assert set(next(iter(old["provider_summaries"].values()))) == {"resources"}


async def test_candidates_have_the_traits_and_aggregates_asked_for() -> None:
    async with running() as compute:
        await compute.ok("PUT", "/os-services/disable", {"host": "compute-0001", "binary": "nova-compute"}, as_="admin")
        made = await compute.ok("POST", "/os-aggregates", {"aggregate": {"name": "a"}}, as_="admin", version="2.41")
        body = {"add_host": {"host": "compute-0003"}}
        await compute.ok("POST", f"/os-aggregates/{made['aggregate']['id']}/action", body, as_="admin")

        async def count(query: str) -> int:
            found = await get(compute, f"/allocation_candidates?resources=VCPU:1{query}")
            return len(found["allocation_requests"])

        assert await count("") == 3
        assert await count("&required=!COMPUTE_STATUS_DISABLED") == 2
        assert await count("&required=COMPUTE_STATUS_DISABLED") == 1
        assert await count(f"&member_of={made['aggregate']['uuid']}") == 1
        assert await count(f"&member_of=!in:{made['aggregate']['uuid']}") == 2
        assert await count("&required=HW_NIC_SRIOV") == 0


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?resources=VCPU",
        "?resources=VCPU:0",
        "?resources=BANANA:1",
        "?resources=VCPU:1&required=NO_SUCH_TRAIT",
        "?resources=VCPU:1&limit=0",
    ],
)
async def test_a_query_that_makes_no_sense_is_refused_in_placements_format(query: str) -> None:
    async with running() as compute:
        answer = await compute.call("GET", f"/placement/allocation_candidates{query}", as_="admin", version="1.39")
        assert answer.status == 400
        error = answer.body["errors"][0]
        assert (error["status"], error["title"]) == (400, "Bad Request")


async def test_only_administrators_look_at_placement() -> None:
    async with running() as compute:
        assert (await compute.call("GET", "/placement/resource_providers", version="1.39")).status == 403


async def test_traits_and_classes_are_listed() -> None:
    async with running() as compute:
        assert "COMPUTE_NODE" in (await get(compute, "/traits"))["traits"]
        assert (await get(compute, "/traits?name=startswith:STORAGE"))["traits"] == [
            "STORAGE_DISK_HDD", "STORAGE_DISK_SSD"
        ]  # fmt: skip
        assert (await compute.call("GET", "/placement/traits/NOPE", as_="admin", version="1.6")).status == 404
        names = [one["name"] for one in (await get(compute, "/resource_classes"))["resource_classes"]]
        assert names[:3] == ["VCPU", "MEMORY_MB", "DISK_GB"]
