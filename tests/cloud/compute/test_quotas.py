"""Quotas: what they forbid, and that requests at once cannot pass them together."""

import asyncio

import pytest

from tests.cloud.compute.harness import running

WANTED = {"name": "one", "flavorRef": "1", "imageRef": "i", "networks": "none"}


async def test_a_project_is_not_limited_until_it_is() -> None:
    async with running() as compute:
        limits = (await compute.ok("GET", "/limits", version="2.57"))["limits"]["absolute"]
        assert (limits["maxTotalInstances"], limits["totalInstancesUsed"]) == (-1, 0)
        body = {"quota_set": {"instances": 2, "cores": 20}}
        changed = await compute.ok("PUT", "/os-quota-sets/p1", body, as_="admin", version="2.57")
        assert changed["quota_set"]["instances"] == 2
        assert (await compute.ok("GET", "/os-quota-sets/p1", version="2.57"))["quota_set"]["cores"] == 20
        for number in range(2):
            await compute.rest(await compute.boot(f"s{number}"))
        refused = await compute.call("POST", "/servers", {"server": WANTED}, version="2.74")
        assert refused.status == 403
        words = "Quota exceeded for instances: Requested 1, but already used 2 of 2 instances"
        assert refused.body == {"forbidden": {"code": 403, "message": words}}
        assert (await compute.call("DELETE", "/os-quota-sets/p1", as_="admin")).status == 202
        await compute.boot("three")


async def test_more_than_one_limit_is_named() -> None:
    async with running() as compute:
        body = {"quota_set": {"instances": 1, "cores": 2, "ram": 600}}
        await compute.ok("PUT", "/os-quota-sets/p1", body, as_="admin")
        wanted = {"server": {**WANTED, "min_count": 3}}
        refused = await compute.call("POST", "/servers", wanted, version="2.74")
        words = (
            "Quota exceeded for cores, instances, ram: Requested 3, 3, 1536, "
            "but already used 0, 0, 0 of 2, 1, 600 cores, instances, ram"
        )
        assert refused.body["forbidden"]["message"] == words


async def test_as_many_servers_as_there_is_room_for() -> None:
    async with running() as compute:
        await compute.ok("PUT", "/os-quota-sets/p1", {"quota_set": {"instances": 3}}, as_="admin")
        await compute.boot("many", min_count=1, max_count=10)
        assert len((await compute.ok("GET", "/servers"))["servers"]) == 3


async def test_requests_at_once_cannot_pass_a_limit_together() -> None:
    async with running() as compute:
        await compute.ok("PUT", "/os-quota-sets/p1", {"quota_set": {"instances": 5}}, as_="admin")
        answers = await asyncio.gather(
            *(compute.call("POST", "/servers", {"server": WANTED}, version="2.74") for _ in range(20))
        )
        assert sorted(answer.status for answer in answers) == [202] * 5 + [403] * 15
        use = (await compute.ok("GET", "/limits"))["limits"]["absolute"]
        assert (use["totalInstancesUsed"], use["totalCoresUsed"], use["totalRAMUsed"]) == (5, 5, 2560)


async def test_deleted_servers_count_no_more_and_resized_ones_count_both() -> None:
    async with running() as compute:
        server_id = await compute.boot()
        await compute.rest(server_id)
        await compute.ok("PUT", "/os-quota-sets/p1", {"quota_set": {"cores": 1}}, as_="admin")
        refused = await compute.act(server_id, "resize", {"flavorRef": "2"})
        assert refused.status == 403
        await compute.ok("PUT", "/os-quota-sets/p1", {"quota_set": {"cores": 2}}, as_="admin")
        await compute.act(server_id, "resize", {"flavorRef": "2"})
        detail = (await compute.ok("GET", "/os-quota-sets/p1/detail"))["quota_set"]
        assert detail["cores"] == {"limit": 2, "in_use": 2, "reserved": 0}
        await compute.rest(server_id)
        await compute.ok("DELETE", f"/servers/{server_id}")
        await compute.rest(server_id)
        detail = (await compute.ok("GET", "/os-quota-sets/p1/detail"))["quota_set"]
        assert (detail["cores"]["in_use"], detail["instances"]["in_use"]) == (0, 0)


async def test_defaults_can_be_changed_for_all() -> None:
    async with running() as compute:
        body = {"quota_class_set": {"instances": 7}}
        await compute.ok("PUT", "/os-quota-class-sets/default", body, as_="admin")
        assert (await compute.ok("GET", "/os-quota-sets/p1"))["quota_set"]["instances"] == 7
        assert (await compute.ok("GET", "/os-quota-sets/p2/defaults", as_="admin"))["quota_set"]["instances"] == 7


@pytest.mark.parametrize("value", [-2, "many", 2**31])
async def test_a_limit_that_is_no_number_is_refused(value: object) -> None:
    async with running() as compute:
        body = {"quota_set": {"instances": value}}
        assert (await compute.call("PUT", "/os-quota-sets/p1", body, as_="admin")).status == 400


async def test_a_limit_below_what_is_used_is_refused_unless_forced() -> None:
    async with running() as compute:
        await compute.rest(await compute.boot("one"))
        await compute.rest(await compute.boot("two"))
        body = {"quota_set": {"instances": 1}}
        assert (await compute.call("PUT", "/os-quota-sets/p1", body, as_="admin")).status == 400
        body = {"quota_set": {"instances": 1, "force": True}}
        assert (await compute.call("PUT", "/os-quota-sets/p1", body, as_="admin")).status == 200


async def test_usage_counts_the_hours_of_servers() -> None:
    async with running() as compute:
        await compute.rest(await compute.boot(flavor="2"))
        await compute.clock.sleep(7200)
        usage = (await compute.ok("GET", "/os-simple-tenant-usage/p1"))["tenant_usage"]
        assert usage["total_hours"] == pytest.approx(2.0, abs=0.01)
        assert usage["total_vcpus_usage"] == pytest.approx(4.0, abs=0.01)
        assert [row["name"] for row in usage["server_usages"]] == ["one"]
        everybody = (await compute.ok("GET", "/os-simple-tenant-usage?detailed=0", as_="admin"))["tenant_usages"]
        assert [(row["tenant_id"], "server_usages" in row) for row in everybody] == [("p1", False)]
        assert (await compute.call("GET", "/os-simple-tenant-usage/p1", as_="member:p2")).status == 403
        assert (await compute.call("GET", "/os-simple-tenant-usage/p1?start=yesterday")).status == 400
