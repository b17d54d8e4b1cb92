"""Images that are made of servers: snapshots seen in their steps, and backups of which only the newest are kept."""

from kilonode.cloud.openstack.image.model import IMAGE
from tests.cloud.compute.harness import Compute, running
from tests.cloud.compute.test_actions import ready, rested, status


def names(compute: Compute, server_id: str) -> list[str]:
    images = [entry.value for entry in compute.cloud.mirror.all(IMAGE).values()]
    own = [image for image in images if image.properties.get("instance_uuid") == server_id]
    return [str(image.name) for image in sorted(own, key=lambda image: image.created_us)]


async def test_an_image_is_queued_then_saving_then_active_while_the_server_has_a_task() -> None:
    async with running(stages="fast") as compute:
        server_id = await ready(compute)
        made = (await compute.act(server_id, "createImage", {"name": "snap"})).body["image_id"]
        seen: list[tuple[str, str | None]] = []
        while True:
            entry = compute.cloud.mirror.get(IMAGE, made)
            assert entry is not None
            now = (entry.value.status, (await status(compute, server_id))[1])
            if not seen or seen[-1] != now:
                seen.append(now)
            if now[1] is None:
                break
            await compute.clock.sleep(0.02)
        assert seen == [
            ("queued", "image_snapshot"),
            ("queued", "image_pending_upload"),
            ("saving", "image_uploading"),
            ("active", None),
        ]


async def test_a_second_image_has_to_wait_for_the_first() -> None:
    async with running(stages="fast") as compute:
        server_id = await ready(compute)
        assert (await compute.act(server_id, "createImage", {"name": "a"})).status == 202
        assert (await compute.act(server_id, "createImage", {"name": "b"})).status == 409


async def test_an_image_that_is_deleted_while_it_is_made_leaves_the_server_well() -> None:
    async with running(stages="fast") as compute:
        server_id = await ready(compute)
        made = (await compute.act(server_id, "createImage", {"name": "snap"})).body["image_id"]
        assert (await compute.call("DELETE", f"/images/{made}", version="2.35")).status == 204
        server = await rested(compute, server_id)
        assert (server.state, server.new_image) == ("active", None)
        assert compute.cloud.mirror.get(IMAGE, made) is None


async def test_of_backups_only_the_newest_are_kept() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        await compute.act(server_id, "createImage", {"name": "snapshot"})
        await compute.rest(server_id)
        for number in range(4):
            await compute.clock.sleep(1.0)
            wanted = {"name": f"backup-{number}", "backup_type": "daily", "rotation": 2}
            assert (await compute.act(server_id, "createBackup", wanted)).status == 202
            await compute.rest(server_id)
        await compute.clock.sleep(1.0)
        await compute.act(server_id, "createBackup", {"name": "w", "backup_type": "weekly", "rotation": 1})
        await compute.rest(server_id)
        assert names(compute, server_id) == ["snapshot", "backup-2", "backup-3", "w"]


async def test_a_backup_says_where_its_image_is() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        wanted = {"createBackup": {"name": "b", "backup_type": "daily", "rotation": 1}}
        older = await compute.call("POST", f"/servers/{server_id}/action", wanted, version="2.44")
        assert older.status == 202
        await compute.rest(server_id)
        image_id = older.headers["location"].rsplit("/", 1)[1]
        shown = (await compute.ok("GET", f"/images/{image_id}", version="2.35"))["image"]
        assert shown["status"] == "ACTIVE"
        assert shown["server"]["id"] == server_id
        assert shown["metadata"]["backup_type"] == "daily"


async def test_wrong_backups_are_refused() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        good = {"name": "b", "backup_type": "daily", "rotation": 1}
        for wrong in (None, {}, {**good, "rotation": -1}, {**good, "name": ""}, {**good, "more": 1}):
            assert (await compute.act(server_id, "createBackup", wrong)).status == 400
        assert names(compute, server_id) == []


async def test_old_clients_list_images_through_compute() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        await compute.act(server_id, "createImage", {"name": "snap"})
        await compute.rest(server_id)
        listed = (await compute.ok("GET", f"/images?server={server_id}", version="2.35"))["images"]
        assert [one["name"] for one in listed] == ["snap"]
        base = (await compute.ok("GET", "/images/detail?type=base", version="2.35"))["images"]
        assert {one["id"] for one in base} == {"some-image", "i", "other"}
        assert (await compute.call("GET", "/images", version="2.36")).status == 404
        place = f"/images/{listed[0]['id']}/metadata"
        await compute.ok("PUT", place, {"metadata": {"a": "1"}}, version="2.38")
        await compute.ok("POST", place, {"metadata": {"b": "2"}}, version="2.38")
        assert (await compute.ok("GET", place, version="2.38"))["metadata"] == {"a": "1", "b": "2"}
        assert (await compute.call("DELETE", f"{place}/a", version="2.38")).status == 204
        assert (await compute.call("GET", f"{place}/a", version="2.38")).status == 404
        assert (await compute.call("PUT", "/images/i/metadata", {"metadata": {}}, version="2.38")).status == 403
