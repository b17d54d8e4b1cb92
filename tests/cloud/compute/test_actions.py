"""What is done to servers: power, resize, migration, rebuild, and the record of it."""

import pytest

from kilonode.cloud.openstack.compute.model import Server
from kilonode.cloud.resources import Resources
from tests.cloud.compute.harness import Compute, running


async def ready(compute: Compute, flavor: str = "1") -> str:
    server_id = await compute.boot(flavor=flavor)
    await compute.rest(server_id)
    return server_id


async def status(compute: Compute, server_id: str) -> tuple[str, str | None]:
    view = (await compute.ok("GET", f"/servers/{server_id}"))["server"]
    return view["status"], view["OS-EXT-STS:task_state"]


async def rested(compute: Compute, server_id: str) -> Server:
    server = await compute.rest(server_id)
    assert server is not None
    return server


@pytest.mark.parametrize(
    ("steps", "during", "after"),
    [
        ([("os-stop", None)], ("ACTIVE", "powering-off"), "SHUTOFF"),
        ([("os-stop", None), ("os-start", None)], ("SHUTOFF", "powering-on"), "ACTIVE"),
        ([("reboot", {"type": "SOFT"})], ("REBOOT", "rebooting"), "ACTIVE"),
        ([("reboot", {"type": "HARD"})], ("HARD_REBOOT", "rebooting_hard"), "ACTIVE"),
        ([("pause", None)], ("ACTIVE", "pausing"), "PAUSED"),
        ([("pause", None), ("unpause", None)], ("PAUSED", "unpausing"), "ACTIVE"),
        ([("suspend", None)], ("ACTIVE", "suspending"), "SUSPENDED"),
        ([("suspend", None), ("resume", None)], ("SUSPENDED", "resuming"), "ACTIVE"),
        ([("rebuild", {"imageRef": "other"})], ("REBUILD", "rebuilding"), "ACTIVE"),
        ([("resize", {"flavorRef": "2"})], ("RESIZE", "resize_prep"), "VERIFY_RESIZE"),
        ([("migrate", None)], ("RESIZE", "resize_prep"), "VERIFY_RESIZE"),
        ([("os-migrateLive", {"host": None, "block_migration": "auto"})], ("MIGRATING", "migrating"), "ACTIVE"),
    ],
)
async def test_an_action_is_seen_while_it_lasts_and_after(
    steps: list[tuple[str, object]], during: tuple[str, str], after: str
) -> None:
    async with running(stages="fast") as compute:
        server_id = await ready(compute)
        for action, arguments in steps[:-1]:
            assert (await compute.act(server_id, action, arguments, as_="admin")).status == 202
            await compute.rest(server_id)
        answer = await compute.act(server_id, *steps[-1], as_="admin")
        assert answer.status == 202
        assert await status(compute, server_id) == during
        await compute.rest(server_id)
        assert await status(compute, server_id) == (after, None)
        compute.check_books()


async def test_a_resize_takes_both_places_until_it_is_confirmed() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        old = (await rested(compute, server_id)).node
        assert (await compute.act(server_id, "resize", {"flavorRef": "2"})).status == 202
        server = await rested(compute, server_id)
        assert server.node != old
        assert compute.usage(old).used == Resources(1, 512, 1)
        assert compute.usage(server.node).used == Resources(2, 1024, 10)
        assert (await compute.act(server_id, "confirmResize")).status == 204
        server = await rested(compute, server_id)
        assert (server.state, server.flavor.name) == ("active", "small")
        assert compute.usage(old).used == Resources()
        compute.check_books()


async def test_a_reverted_resize_is_as_if_it_had_not_been() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        before = await rested(compute, server_id)
        assert (await compute.act(server_id, "os-stop")).status == 202
        await compute.rest(server_id)
        assert (await compute.act(server_id, "resize", {"flavorRef": "2"})).status == 202
        await compute.rest(server_id)
        assert (await compute.act(server_id, "revertResize")).status == 202
        after = await rested(compute, server_id)
        assert (after.node, after.flavor, after.state) == (before.node, before.flavor, "stopped")
        compute.check_books()


async def test_a_resize_that_finds_no_place_leaves_the_server_as_it_was() -> None:
    async with running(nodes=1) as compute:
        server_id = await ready(compute)
        assert (await compute.act(server_id, "resize", {"flavorRef": "2"})).status == 202
        server = await rested(compute, server_id)
        assert (server.state, server.flavor.name, server.move) == ("active", "tiny", None)
        actions = (await compute.ok("GET", f"/servers/{server_id}/os-instance-actions"))["instanceActions"]
        assert [(one["action"], one["message"]) for one in actions] == [("resize", "Error"), ("create", None)]
        migrations = (await compute.ok("GET", "/os-migrations", as_="admin"))["migrations"]
        assert [one["status"] for one in migrations] == ["error"]


async def test_a_live_migration_goes_to_the_node_asked_for() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        old = (await rested(compute, server_id)).node
        target = next(f"compute-000{number}" for number in (1, 2, 3) if f"compute-000{number}" != old)
        arguments = {"host": target, "block_migration": "auto"}
        assert (await compute.act(server_id, "os-migrateLive", arguments, as_="admin")).status == 202
        assert (await rested(compute, server_id)).node == target
        record = (await compute.ok("GET", "/os-migrations", as_="admin", version="2.59"))["migrations"][0]
        assert (record["status"], record["migration_type"]) == ("completed", "live-migration")
        assert (record["source_compute"], record["dest_compute"]) == (old, target)
        back = {"host": target, "block_migration": "auto"}
        assert (await compute.act(server_id, "os-migrateLive", back, as_="admin")).status == 400
        compute.check_books()


async def test_an_action_in_the_wrong_state_is_refused_in_novas_words() -> None:
    async with running(stages="fast") as compute:
        server_id = await ready(compute)
        refused = await compute.act(server_id, "os-start")
        assert refused.status == 409
        words = f"Cannot 'start' instance {server_id} while it is in vm_state active"
        assert refused.body == {"conflictingRequest": {"code": 409, "message": words}}
        assert (await compute.act(server_id, "os-stop")).status == 202
        refused = await compute.act(server_id, "reboot", {"type": "SOFT"})
        words = f"Cannot 'reboot' instance {server_id} while it is in task_state powering-off"
        assert refused.body["conflictingRequest"]["message"] == words


@pytest.mark.parametrize(
    ("action", "arguments", "code"),
    [
        ("os-migrateLive", {"host": None}, 403),
        ("dance", None, 400),
        ("reboot", {"type": "GENTLE"}, 400),
        ("reboot", None, 400),
        ("resize", {}, 400),
        ("resize", {"flavorRef": "1"}, 400),
        ("resize", {"flavorRef": "404"}, 400),
        ("confirmResize", None, 409),
        ("rebuild", None, 400),
        ("removeSecurityGroup", {"name": "nobody"}, 404),
    ],
)
async def test_a_wrong_action_is_refused(action: str, arguments: object, code: int) -> None:
    async with running() as compute:
        assert (await compute.act(await ready(compute), action, arguments)).status == code


async def test_what_was_done_is_on_record() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        await compute.act(server_id, "os-stop")
        await compute.rest(server_id)
        place = f"/servers/{server_id}/os-instance-actions"
        actions = (await compute.ok("GET", place, version="2.58"))["instanceActions"]
        assert [one["action"] for one in actions] == ["stop", "create"]
        shown = await compute.ok("GET", f"{place}/{actions[0]['request_id']}", version="2.84")
        event = shown["instanceAction"]["events"][0]
        assert (event["event"], event["result"]) == ("compute_stop_instance", "Success")


async def test_a_failing_spawn_frees_the_node() -> None:
    async with running(stages="tests/cloud/stage_cases/unreliable.yaml", nodes=20) as compute:
        ids = [await compute.boot(f"s{number}") for number in range(40)]
        servers = [await rested(compute, server_id) for server_id in ids]
        failed = [server for server in servers if server.state == "error"]
        assert 3 < len(failed) < 20
        assert all(server.fault and "out of order" in server.fault.message for server in failed)
        assert all(server.node == "" for server in failed)
        compute.check_books()
        assert (await compute.call("DELETE", f"/servers/{failed[0].id}")).status == 204
        assert compute.server(failed[0].id) is None


async def test_an_image_of_a_server_can_be_booted() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        answer = await compute.act(server_id, "createImage", {"name": "snap", "metadata": {"a": "b"}})
        assert answer.status == 202
        await compute.rest(server_id)
        again = await compute.rest(await compute.boot("again", imageRef=answer.body["image_id"]))
        assert again is not None
        assert again.state == "active"
        assert (await compute.act(server_id, "createImage", {})).status == 400


async def test_the_manager_of_a_project_moves_its_servers_but_neither_says_where_to_nor_learns_it() -> None:
    async with running(stages="fast") as compute:
        server_id = await ready(compute)
        to_a_host = {"host": "compute-0002", "block_migration": "auto"}
        anywhere = {"host": None, "block_migration": "auto"}
        manager = "manager:p1"
        assert (await compute.act(server_id, "os-migrateLive", anywhere)).status == 403, "a member"
        assert (await compute.act(server_id, "os-migrateLive", to_a_host, as_=manager)).status == 403
        assert (await compute.act(server_id, "os-migrateLive", anywhere, as_="manager:p2")).status == 404
        assert (await compute.act(server_id, "os-migrateLive", anywhere, as_=manager)).status == 202
        place = f"/servers/{server_id}/migrations"
        (under_way,) = (await compute.ok("GET", place, as_=manager, version="2.80"))["migrations"]
        assert (under_way["source_compute"], under_way["dest_node"]) == (None, None)
        await rested(compute, server_id)
        (record,) = (await compute.ok("GET", "/os-migrations", as_=manager, version="2.80"))["migrations"]
        assert (record["status"], record["source_node"], record["dest_host"]) == ("completed", None, None)
        (record,) = (await compute.ok("GET", "/os-migrations", as_="admin", version="2.80"))["migrations"]
        assert record["source_node"]
        assert (await compute.ok("GET", "/os-migrations", as_="manager:p2", version="2.80"))["migrations"] == []
        other = "/os-migrations?project_id=p1"
        assert (await compute.call("GET", other, as_="manager:p2", version="2.80")).status == 403
