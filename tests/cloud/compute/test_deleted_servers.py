"""Servers that are gone: not there any more, but remembered where Nova remembers them."""

import pytest

from kilonode.cloud.context import timestamp
from kilonode.cloud.openstack.compute import deleted
from kilonode.cloud.openstack.compute.model import DELETED_SERVER
from tests.cloud.compute.harness import Compute, running
from tests.cloud.compute.test_actions import ready


async def delete(compute: Compute, server_id: str) -> None:
    assert (await compute.call("DELETE", f"/servers/{server_id}")).status == 204
    assert await compute.rest(server_id) is None


async def test_changes_since_brings_back_what_was_deleted_since() -> None:
    async with running() as compute:
        early = await ready(compute)
        await delete(compute, early)
        await compute.clock.sleep(10)
        since = timestamp(compute.cloud.now_us())
        stays, goes = await ready(compute), await ready(compute)
        await delete(compute, goes)
        listed = (await compute.ok("GET", f"/servers/detail?changes-since={since}"))["servers"]
        assert {one["id"]: one["status"] for one in listed} == {stays: "ACTIVE", goes: "DELETED"}
        living = (await compute.ok("GET", f"/servers?changes-since={since}&deleted=false"))["servers"]
        assert [one["id"] for one in living] == [stays]
        assert (await compute.call("GET", f"/servers/{goes}")).status == 404


async def test_only_administrators_list_deleted_servers_alone() -> None:
    async with running() as compute:
        gone, _ = await ready(compute), await ready(compute)
        await delete(compute, gone)
        assert (await compute.call("GET", "/servers?status=deleted")).status == 403
        for query in ("status=deleted", "deleted=true"):
            listed = (await compute.ok("GET", f"/servers/detail?all_tenants=1&{query}", as_="admin"))["servers"]
            assert [(one["id"], one["status"]) for one in listed] == [(gone, "DELETED")]


async def test_what_was_done_to_a_deleted_server_is_still_on_record() -> None:
    async with running() as compute:
        gone = await ready(compute)
        await delete(compute, gone)
        place = f"/servers/{gone}/os-instance-actions"
        actions = (await compute.ok("GET", place, version="2.21"))["instanceActions"]
        assert [(one["action"], one["message"]) for one in actions] == [("delete", None), ("create", None)]
        assert (await compute.call("GET", place, version="2.20")).status == 404
        assert (await compute.call("GET", place, version="2.21", as_="member:p2")).status == 404


async def test_a_deleted_server_counts_for_the_hours_it_lived() -> None:
    async with running() as compute:
        gone = await ready(compute)
        await compute.clock.sleep(7_200)
        await delete(compute, gone)
        await compute.clock.sleep(7_200)
        usage = (await compute.ok("GET", "/os-simple-tenant-usage/p1"))["tenant_usage"]
        assert usage["total_hours"] == pytest.approx(2.0, abs=0.01)
        assert usage["server_usages"][0]["state"] == "terminated"


async def test_only_the_newest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deleted, "KEPT", 3)
    async with running() as compute:
        ids = [await ready(compute) for _ in range(5)]
        for server_id in ids:
            await delete(compute, server_id)
        assert list(compute.cloud.mirror.all(DELETED_SERVER)) == ids[-3:]
