"""The volume service: statuses that follow one another, what is refused, quotas, lists, snapshots, types."""

from typing import Any

import pytest

from tests.cloud.openstack.volume_harness import Volumes, volumes


async def test_a_volume_is_made_used_and_deleted_through_its_statuses() -> None:
    async with volumes() as service:
        volume_id = await service.make(name="data", metadata={"owner": "me"})
        assert await service.status(volume_id) == "creating"
        await service.rest()
        shown = (await service.good("GET", f"/volumes/{volume_id}"))["volume"]
        assert (shown["status"], shown["size"], shown["name"]) == ("available", 1, "data")
        assert (shown["metadata"], shown["volume_type"]) == ({"owner": "me"}, "lvmdriver-1")
        await service.good("POST", f"/volumes/{volume_id}/action", {"os-extend": {"new_size": 3}})
        assert await service.status(volume_id) == "extending"
        await service.rest()
        assert (await service.good("GET", f"/volumes/{volume_id}"))["volume"]["size"] == 3
        assert (await service.ask("DELETE", f"/volumes/{volume_id}")).status == 202
        assert await service.status(volume_id) == "deleting"
        await service.rest()
        assert (await service.ask("GET", f"/volumes/{volume_id}")).status == 404


async def test_a_status_that_does_not_allow_it_refuses() -> None:
    async with volumes() as service:
        volume_id = await service.make()
        for method, path, body in (
            ("DELETE", f"/volumes/{volume_id}", None),
            ("POST", f"/volumes/{volume_id}/action", {"os-extend": {"new_size": 5}}),
            ("POST", "/snapshots", {"snapshot": {"volume_id": volume_id}}),
        ):
            answer = await service.ask(method, path, body)
            assert answer.status == 400, answer
            assert answer.body["badRequest"]["code"] == 400


@pytest.mark.parametrize(
    ("volume", "status"),
    [
        ({}, 400),
        ({"size": 0}, 400),
        ({"size": "many"}, 400),
        ({"size": 1, "volume_type": "none such"}, 404),
        ({"size": 1, "name": "x" * 300}, 400),
        ({"snapshot_id": "none such"}, 404),
    ],
)
async def test_a_volume_that_cannot_be_is_refused(volume: dict[str, Any], status: int) -> None:
    async with volumes() as service:
        assert (await service.ask("POST", "/volumes", {"volume": volume})).status == status
        assert (await service.good("GET", "/volumes"))["volumes"] == []


async def test_quotas_are_enforced_in_cinders_words() -> None:
    async with volumes() as service:
        project_id = service.place.rpartition("/")[2]
        admin = (await service.cloud.good("GET", "/identity/v3/projects?name=admin"))["projects"][0]["id"]
        quotas = f"/volume/v3/{admin}/os-quota-sets/{project_id}"
        await service.cloud.good("PUT", quotas, {"quota_set": {"volumes": 2, "gigabytes": 5}})
        await service.make()
        answer = await service.ask("POST", "/volumes", {"volume": {"size": 5}})
        assert answer.status == 413
        assert "gigabytes quota" in answer.body["overLimit"]["message"]
        await service.make()
        answer = await service.ask("POST", "/volumes", {"volume": {"size": 1}})
        assert answer.status == 413
        assert "VolumeLimitExceeded" in answer.body["overLimit"]["message"]
        usage = (await service.cloud.good("GET", f"{quotas}?usage=True"))["quota_set"]
        assert (usage["volumes"]["in_use"], usage["gigabytes"]["in_use"]) == (2, 2)
        absolute = (await service.good("GET", "/limits"))["limits"]["absolute"]
        assert (absolute["maxTotalVolumes"], absolute["totalVolumesUsed"]) == (2, 2)
        assert (await service.ask("PUT", f"/os-quota-sets/{project_id}", {"quota_set": {}})).status == 403


async def test_lists_filter_sort_and_page() -> None:
    async with volumes(stages="instant") as service:
        for name, size in (("b", 1), ("a", 3), ("c", 2)):
            await service.make(name=name, size=size)
        await service.rest()

        async def names(query: str) -> list[str]:
            found = (await service.good("GET", f"/volumes/detail?{query}"))["volumes"]
            return [volume["name"] for volume in found]

        assert await names("sort=name:asc") == ["a", "b", "c"]
        assert await names("sort=size:desc") == ["a", "c", "b"]
        assert await names("name=b") == ["b"]
        assert await names("status=error") == []
        assert (await service.ask("GET", "/volumes?sort=colour:asc")).status == 400
        first = await service.good("GET", "/volumes?sort=name:asc&limit=2")
        assert [volume["name"] for volume in first["volumes"]] == ["a", "b"]
        (link,) = first["volumes_links"]
        following = link["href"].partition(service.place)[2]
        assert [volume["name"] for volume in (await service.good("GET", following))["volumes"]] == ["c"]


async def test_snapshots_keep_their_volume_from_being_deleted() -> None:
    async with volumes() as service:
        volume_id = await service.make()
        await service.rest()
        made = (await service.good("POST", "/snapshots", {"snapshot": {"volume_id": volume_id, "name": "s"}}))[
            "snapshot"
        ]
        assert made["status"] == "creating"
        await service.rest()
        assert (await service.good("GET", f"/snapshots/{made['id']}"))["snapshot"]["status"] == "available"
        assert (await service.ask("DELETE", f"/volumes/{volume_id}")).status == 400
        copy = await service.good("POST", "/volumes", {"volume": {"snapshot_id": made["id"]}})
        assert copy["volume"]["size"] == 1
        assert (await service.ask("DELETE", f"/snapshots/{made['id']}")).status == 202
        await service.rest()
        assert (await service.ask("DELETE", f"/volumes/{volume_id}")).status == 202


async def test_projects_do_not_see_each_others_volumes() -> None:
    async with volumes() as service:
        volume_id = await service.make()
        other_id, other = await service.cloud.new_project("other")
        theirs = Volumes(service.cloud, other_id)
        assert (await theirs.ask("GET", f"/volumes/{volume_id}", token=other)).status == 404
        assert (await theirs.good("GET", "/volumes", token=other))["volumes"] == []
        assert (await service.ask("GET", "/volumes", token=other)).status == 400, "not this project's place"
        assert (await service.ask("POST", "/types", {"volume_type": {"name": "mine"}})).status == 403


async def test_types_are_made_by_administrators_and_kept_while_in_use() -> None:
    async with volumes() as service:
        admin = (await service.cloud.good("GET", "/identity/v3/projects?name=admin"))["projects"][0]["id"]
        types = f"/volume/v3/{admin}/types"
        made = (await service.cloud.good("POST", types, {"volume_type": {"name": "fast"}}))["volume_type"]
        assert (await service.cloud.ask("POST", types, {"volume_type": {"name": "fast"}})).status == 409
        volume_id = await service.make(volume_type="fast")
        assert (await service.cloud.ask("DELETE", f"{types}/{made['id']}")).status == 400
        await service.rest()
        await service.good("DELETE", f"/volumes/{volume_id}")
        await service.rest()
        assert (await service.cloud.ask("DELETE", f"{types}/{made['id']}")).status == 202
        names = [kind["name"] for kind in (await service.good("GET", "/types"))["volume_types"]]
        assert names == ["lvmdriver-1"]
