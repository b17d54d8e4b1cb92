"""Several stores of images, data that stays on the web, caches, and settings that say so."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import InputError
from kilonode.cloud.context import Cloud, CloudSettings
from kilonode.cloud.openstack.image.fetching import may_fetch
from kilonode.cloud.openstack.image.model import IMAGE, IMAGE_TASK, ImageTask, Location
from kilonode.cloud.openstack.image.resuming import RESUMED_AFTER_S
from kilonode.cloud.service_settings import ImageSettings, ImageStore, ServiceSettings, read_service_settings
from kilonode.cloud.simulated import SimulatedCloud
from kilonode.control.mirror import Put
from kilonode.store.memory import MemoryStore
from tests.cloud.openstack.harness import OpenStack, openstack
from tests.cloud.openstack.web_server import web_server

PLACE = "/image/v2"
DATA = b"not really a disk" * 1000
BARE = {"disk_format": "raw", "container_format": "bare"}


def settings(address: str = "", **more: Any) -> ServiceSettings:
    allowed = (f"{address}images/",) if address else ()
    return ServiceSettings(image=ImageSettings(fetch_from=allowed, **more))


async def make(cloud: OpenStack, **wanted: Any) -> str:
    return str((await cloud.good("POST", f"{PLACE}/images", {**BARE, **wanted}, token=cloud.demo))["id"])


async def show(cloud: OpenStack, image_id: str) -> Any:
    return await cloud.good("GET", f"{PLACE}/images/{image_id}", token=cloud.demo)


async def patch(cloud: OpenStack, image_id: str, *operations: dict[str, Any], token: str = "") -> int:
    path = f"{PLACE}/images/{image_id}"
    return (await cloud.ask("PATCH", path, list(operations), token=token or cloud.demo)).status


async def start_import(cloud: OpenStack, image_id: str, name: str, **more: Any) -> int:
    method = {"name": name, **{key: more.pop(key) for key in ("uri",) if key in more}}
    path = f"{PLACE}/images/{image_id}/import"
    return (await cloud.ask("POST", path, {"method": method, **more}, token=cloud.demo)).status


async def ended_task(cloud: OpenStack, image_id: str) -> Any:
    """The image's only task, when it has ended."""
    for _ in range(2_000):
        (task,) = (await cloud.good("GET", f"{PLACE}/images/{image_id}/tasks", token=cloud.demo))["tasks"]
        if task["status"] in ("success", "failure"):
            return task
        await cloud.clock.sleep(0.01)
    raise AssertionError("the task never ended")


async def test_an_image_is_imported_into_several_stores_and_the_heavier_ones_come_first() -> None:
    stores = (ImageStore("slow", weight=-1), ImageStore("fast", weight=9, description="NVMe"))
    async with openstack(services=settings(stores=stores)) as cloud:
        shown = (await cloud.good("GET", f"{PLACE}/info/stores", token=cloud.demo))["stores"]
        assert [one["id"] for one in shown] == ["fast", "file", "slow"]
        assert [one["id"] for one in shown if one.get("default") == "true"] == ["file"]
        image_id = await make(cloud)
        await cloud.good("PUT", f"{PLACE}/images/{image_id}/stage", DATA, token=cloud.demo)
        assert await start_import(cloud, image_id, "glance-direct", stores=["nowhere"]) == 409
        assert await start_import(cloud, image_id, "glance-direct", stores=["slow"], all_stores=True) == 400
        assert await start_import(cloud, image_id, "glance-direct", stores=["slow", "file"]) == 202
        assert (await show(cloud, image_id))["stores"] == "file,slow"
        assert await start_import(cloud, image_id, "copy-image", all_stores=True) == 202
        assert (await show(cloud, image_id))["stores"] == "fast,file,slow"


async def test_an_image_is_deleted_from_a_store_but_not_from_the_last_one() -> None:
    async with openstack(services=settings(stores=(ImageStore("fast", weight=1),))) as cloud:
        image_id = await make(cloud)
        headers = [("x-image-meta-store", "fast")]
        await cloud.good("PUT", f"{PLACE}/images/{image_id}/file", DATA, token=cloud.demo, headers=headers)
        assert (await show(cloud, image_id))["stores"] == "fast"
        assert await start_import(cloud, image_id, "copy-image", stores=["file"]) == 202
        place = f"{PLACE}/stores/fast/{image_id}"
        assert (await cloud.ask("DELETE", place, token=cloud.demo)).status == 403, "that is for administrators"
        assert (await cloud.ask("DELETE", f"{PLACE}/stores/far/{image_id}")).status == 409
        assert (await cloud.ask("DELETE", place)).status == 204
        assert (await cloud.ask("DELETE", place)).status == 404
        assert (await show(cloud, image_id))["stores"] == "file"
        assert (await cloud.ask("DELETE", f"{PLACE}/stores/file/{image_id}")).status == 403
        assert (await cloud.ask("GET", f"{PLACE}/images/{image_id}/file", token=cloud.demo)).raw == DATA


async def test_data_is_imported_from_the_web_only_where_the_settings_allow_it() -> None:
    with web_server({"/images/disk": DATA, "/secret": b"secret"}) as address:
        async with openstack(services=settings(address)) as cloud:
            image_id = await make(cloud)
            for refused in (f"{address}secret", f"{address}images/../secret", "http://198.51.100.1/images/disk"):
                assert await start_import(cloud, image_id, "web-download", uri=refused) == 400, refused
            assert await start_import(cloud, image_id, "web-download", uri=f"{address}images/disk") == 202
            assert (await ended_task(cloud, image_id))["status"] == "success"
            image = await show(cloud, image_id)
            assert (image["status"], image["os_hash_value"]) == ("active", hashlib.sha512(DATA).hexdigest())
            assert (await cloud.ask("GET", f"{PLACE}/images/{image_id}/file", token=cloud.demo)).raw == DATA


async def test_an_import_from_the_web_that_finds_nothing_leaves_the_image_queued_and_says_so() -> None:
    with web_server({"/images/disk": DATA}) as address:
        async with openstack(services=settings(address)) as cloud:
            image_id = await make(cloud)
            assert await start_import(cloud, image_id, "web-download", uri=f"{address}images/none") == 202
            task = await ended_task(cloud, image_id)
            assert (task["status"], "404" in task["message"]) == ("failure", True)
            image = await show(cloud, image_id)
            assert (image["status"], image["os_glance_failed_import"]) == ("queued", "file")


async def test_locations_are_named_moved_and_removed_by_patches() -> None:
    with web_server({"/images/disk": DATA}) as address:
        async with openstack(services=settings(address, locations=True)) as cloud:
            image_id = await make(cloud)
            assert (await show(cloud, image_id))["locations"] == []
            url = f"{address}images/disk"
            first = {"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {"foo": "bar"}}}
            second = {"op": "add", "path": "/locations/-", "value": {"url": f"{url}#two", "metadata": {}}}
            assert await patch(cloud, image_id, first, second) == 200
            image = await show(cloud, image_id)
            assert (image["status"], image["size"], image["os_hash_value"]) == ("active", len(DATA), None)
            assert [one["url"] for one in image["locations"]] == [url, f"{url}#two"]
            assert await patch(cloud, image_id, first) == 400, "it is there already"
            changed = image["locations"]
            changed[0]["metadata"]["date"] = "2015-10-15"
            assert await patch(cloud, image_id, {"op": "replace", "path": "/locations", "value": changed}) == 200
            assert (await show(cloud, image_id))["locations"] == changed
            fewer = {"op": "replace", "path": "/locations", "value": changed[:1]}
            assert await patch(cloud, image_id, fewer) == 400
            remove = {"op": "remove", "path": "/locations/0"}
            assert await patch(cloud, image_id, remove) == 403, "that is for administrators"
            assert await patch(cloud, image_id, remove, token=cloud.admin) == 200
            assert await patch(cloud, image_id, remove, token=cloud.admin) == 403, "the last one stays"
            assert (await cloud.ask("GET", f"{PLACE}/images/{image_id}/file", token=cloud.demo)).raw == DATA


@pytest.mark.parametrize("url", ["gopher://info.cern.ch", "file:///etc/passwd", "http://198.51.100.1/x"])
async def test_a_location_that_is_not_allowed_is_refused(url: str) -> None:
    with web_server({"/images/disk": DATA}) as address:
        async with openstack(services=settings(address, locations=True)) as cloud:
            image_id = await make(cloud)
            add = {"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}}}
            assert await patch(cloud, image_id, add) == 400
            assert (await show(cloud, image_id))["status"] == "queued"


async def test_locations_are_neither_shown_nor_taken_unless_the_settings_say_so() -> None:
    async with openstack() as cloud:
        image_id = await make(cloud)
        assert "locations" not in await show(cloud, image_id)
        value = {"url": "http://198.51.100.1/x", "metadata": {}}
        assert await patch(cloud, image_id, {"op": "add", "path": "/locations/-", "value": value}) == 403
        place = f"{PLACE}/images/{image_id}/locations"
        assert (await cloud.ask("POST", place, {"url": value["url"]}, token=cloud.demo)).status == 403


async def test_what_is_said_of_a_location_is_believed_once_and_never_contradicted() -> None:
    with web_server({"/images/disk": DATA}) as address:
        async with openstack(services=settings(address, locations=True)) as cloud:
            image_id = await make(cloud)
            said = {"checksum": "1" * 32, "os_hash_algo": "sha512", "os_hash_value": "ab" * 64}
            value = {"url": f"{address}images/disk", "metadata": {}, "validation_data": said}
            assert await patch(cloud, image_id, {"op": "add", "path": "/locations/-", "value": value}) == 200
            image = await show(cloud, image_id)
            assert (image["checksum"], image["os_hash_value"]) == (said["checksum"], said["os_hash_value"])
            for name, other in (("checksum", "2" * 32), ("os_hash_algo", "sha256"), ("os_hash_value", "cd" * 64)):
                again = {**value, "url": f"{value['url']}#new", "validation_data": {**said, name: other}}
                assert await patch(cloud, image_id, {"op": "add", "path": "/locations/-", "value": again}) == 409


async def test_an_image_is_registered_where_it_is_and_its_digest_is_worked_out_or_checked() -> None:
    with web_server({"/images/disk": DATA}) as address:
        async with openstack(services=settings(address)) as cloud:
            url = f"{address}images/disk"
            plain = await make(cloud)
            place = f"{PLACE}/images/{plain}/locations"
            assert (await cloud.ask("POST", place, {"url": f"{address}secret"}, token=cloud.demo)).status == 400
            assert (await cloud.ask("POST", place, {"url": url}, token=cloud.demo)).status == 202
            assert (await ended_task(cloud, plain))["type"] == "location_import"
            image = await show(cloud, plain)
            assert (image["os_hash_algo"], image["os_hash_value"]) == ("sha512", hashlib.sha512(DATA).hexdigest())
            assert image["stores"] == "web"
            assert (await cloud.ask("GET", place, token=cloud.demo)).status == 403, "that is for other services"
            assert [one["url"] for one in await cloud.good("GET", place)] == [url]

            checked = await make(cloud)
            said = {"os_hash_algo": "sha256", "os_hash_value": hashlib.sha256(DATA).hexdigest()}
            place = f"{PLACE}/images/{checked}/locations"
            for wrong in ({"os_hash_value": "ab"}, {**said, "os_hash_algo": "sha1"}, {**said, "os_hash_value": "ab"}):
                body = {"url": url, "validation_data": wrong}
                assert (await cloud.ask("POST", place, body, token=cloud.demo)).status == 400, wrong
            await cloud.good("POST", place, {"url": url, "validation_data": said}, token=cloud.demo)
            assert (await ended_task(cloud, checked))["status"] == "success"
            assert (await show(cloud, checked))["os_hash_algo"] == "sha256"

            false = await make(cloud)
            said = {"os_hash_algo": "sha512", "os_hash_value": "beefdead" * 16}
            body = {"url": url, "validation_data": said}
            await cloud.good("POST", f"{PLACE}/images/{false}/locations", body, token=cloud.demo)
            assert (await ended_task(cloud, false))["status"] == "failure"
            image = await show(cloud, false)
            assert (image["status"], image["os_hash_algo"], image["os_hash_value"]) == ("queued", None, None)


@pytest.mark.parametrize("method", ["web-download", "locations"])
@pytest.mark.parametrize("worker", ["api", "api-7"])
async def test_what_was_read_from_the_web_when_the_api_died_is_taken_up_again(method: str, worker: str) -> None:
    clock, store = SimulatedClock(asyncio.get_running_loop()), MemoryStore()
    with web_server({"/images/disk": DATA}) as address:
        url = f"{address}images/disk"
        told = CloudSettings(nodes=1, stages="instant", public_url="http://cloud.test", services=settings(address))
        async with SimulatedCloud(told, clock, store) as first:
            cloud = OpenStack(first)
            cloud.demo = await cloud.token("demo")
            image_id = await make(cloud)
        view = await Cloud.open(store, clock, told, "killed", (IMAGE, IMAGE_TASK))
        entry = view.mirror.all(IMAGE)[image_id]
        given: dict[str, Any]
        if method == "locations":
            kind, given = "location_import", {"loc_url": url, "validation_data": None}
            image = replace(entry.value, status="importing", locations=(Location(url),))
        else:
            wanted = {"method": {"name": method, "uri": url}}
            kind, given = "api_image_import", {"import_req": wanted, "backend": ["file"]}
            image = replace(entry.value, status="importing")
        task = ImageTask("t", image.owner, "u", "r", kind, given, "processing", 1, 1, image_id, worker=worker)
        await view.mirror.commit([Put(IMAGE, image, image_id), Put(IMAGE_TASK, task, task.id)])
        await view.close()
        async with SimulatedCloud(told, clock, store) as second:
            cloud = OpenStack(second)
            cloud.demo = await cloud.token("demo")
            await clock.sleep(RESUMED_AFTER_S)
            assert (await ended_task(cloud, image_id))["status"] == "success"
            shown = await show(cloud, image_id)
            assert (shown["status"], shown["os_hash_value"]) == ("active", hashlib.sha512(DATA).hexdigest())
            assert (await cloud.ask("GET", f"{PLACE}/images/{image_id}/file", token=cloud.demo)).raw == DATA
    await store.close()


async def test_an_image_whose_location_is_wrong_can_be_given_another() -> None:
    with web_server({"/images/disk": DATA}) as address:
        async with openstack(services=settings(address, locations=True)) as cloud:
            image_id = await make(cloud)
            place = f"{PLACE}/images/{image_id}/locations"
            assert (await cloud.ask("POST", place, {"url": f"{address}images/no"}, token=cloud.demo)).status == 202
            assert (await ended_task(cloud, image_id))["status"] == "failure"
            image = await show(cloud, image_id)
            wrong = [one["url"] for one in image["locations"]]
            assert (image["status"], wrong) == ("queued", [f"{address}images/no"]), "as with Glance, it is still named"
            right = f"{address}images/disk"
            assert (await cloud.ask("POST", place, {"url": right}, token=cloud.demo)).status == 202
            image = await show(cloud, image_id)
            assert [one["url"] for one in image["locations"]] == [right]


async def test_digests_are_believed_where_the_settings_say_that_none_are_worked_out() -> None:
    with web_server({"/images/disk": DATA}) as address:
        async with openstack(services=settings(address, secure_hash=False)) as cloud:
            url = f"{address}images/disk"
            said = {"os_hash_algo": "sha512", "os_hash_value": "beefdead" * 16}
            for validation, shown in ((said, "beefdead" * 16), (None, None)):
                image_id = await make(cloud)
                body = {"url": url} | ({"validation_data": validation} if validation else {})
                await cloud.good("POST", f"{PLACE}/images/{image_id}/locations", body, token=cloud.demo)
                assert (await ended_task(cloud, image_id))["status"] == "success"
                image = await show(cloud, image_id)
                assert (image["status"], image["size"], image["checksum"]) == ("active", len(DATA), None)
                assert image["os_hash_value"] == shown


async def test_each_endpoint_has_a_cache_of_its_own_over_the_same_images() -> None:
    async with openstack(services=settings(cache=True, second_endpoint=True)) as cloud:
        image_id = await make(cloud)
        remote = "/image-remote/v2"
        assert (await cloud.ask("GET", f"{PLACE}/cache", token=cloud.demo)).status == 403
        assert (await cloud.ask("PUT", f"{PLACE}/cache/{image_id}")).status == 400, "it has no data"
        assert (await cloud.ask("PUT", f"{PLACE}/cache/none")).status == 404
        await cloud.good("PUT", f"{remote}/images/{image_id}/file", DATA, token=cloud.demo)
        assert (await cloud.ask("PUT", f"{PLACE}/cache/{image_id}")).status == 202
        await cloud.ask("GET", f"{PLACE}/images/{image_id}/file", token=cloud.demo)
        (cached,) = (await cloud.good("GET", f"{PLACE}/cache"))["cached_images"]
        assert (cached["image_id"], cached["hits"], cached["size"]) == (image_id, 1, len(DATA))
        assert (await cloud.good("GET", f"{remote}/cache"))["cached_images"] == []
        await cloud.ask("GET", f"{remote}/images/{image_id}/file", token=cloud.demo)
        headers = [("x-image-cache-clear-target", "all")]
        assert (await cloud.ask("DELETE", f"{PLACE}/cache", headers=headers)).status == 400
        assert (await cloud.ask("DELETE", f"{PLACE}/cache")).status == 204
        assert (await cloud.good("GET", f"{PLACE}/cache"))["cached_images"] == []
        assert len((await cloud.good("GET", f"{remote}/cache"))["cached_images"]) == 1
        assert (await cloud.ask("DELETE", f"{PLACE}/images/{image_id}", token=cloud.demo)).status == 204
        assert (await cloud.good("GET", f"{remote}/cache"))["cached_images"] == [], "a deleted image is in no cache"


async def test_a_cloud_without_a_cache_says_that_there_is_none() -> None:
    async with openstack() as cloud:
        assert (await cloud.ask("GET", f"{PLACE}/cache")).status == 404
        assert (await cloud.ask("GET", "/image-remote/v2/images")).status == 404


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:80/images/a", True),
        ("http://127.0.0.1/images/a/b?c=d#e", True),
        ("HTTP://127.0.0.1/images/", True),
        ("https://127.0.0.1/images/a", False),
        ("http://127.0.0.1:8080/images/a", False),
        ("http://127.0.0.1/image", False),
        ("http://127.0.0.1/images/../x", False),
        ("http://127.0.0.1/images/%2e%2e/x", False),
        ("http://127.0.0.1/images/..%5cx", False),
        ("http://user@127.0.0.1/images/a", False),
        ("http://127.0.0.1@198.51.100.1/images/a", False),
        ("http://127.0.0.1.example.org/images/a", False),
        ("http://127.0.0.1/images/a\r\nhost: x", False),
        ("http://[::1/images/a", False),
        ("file:///images/a", False),
    ],
)
def test_an_address_is_allowed_only_when_it_begins_as_the_settings_say(url: str, allowed: bool) -> None:
    assert may_fetch(["http://127.0.0.1/images/"], url) is allowed


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1/images", True),
        ("http://127.0.0.1/images/a", True),
        ("http://127.0.0.1/images?of=others", True),
        ("http://127.0.0.1/images-of-others/a", False),
        ("http://127.0.0.1/images;a", False),
    ],
)
def test_a_place_that_ends_without_a_slash_allows_what_is_below_it_and_nothing_that_begins_alike(
    url: str, allowed: bool
) -> None:
    assert may_fetch(["http://127.0.0.1/images"], url) is allowed


def test_the_settings_of_services_are_read_from_a_file_and_mistakes_are_named(tmp_path: Path) -> None:
    file = tmp_path / "services.yaml"
    file.write_text("image: {stores: [{id: fast, weight: 3}], cache: true}\nquotas: openstack\n")
    found = read_service_settings(file)
    assert (found.image.stores, found.image.cache, found.quotas) == ((ImageStore("fast", 3),), True, "openstack")
    for wrong, named in (
        ("image: {store: []}", "store"),
        ("image: {stores: [{id: web}]}", "web"),
        ("image: {fetch_from: [/etc]}", "/etc"),
        ("quotas: some", "some"),
        ('identity: {password_rules: {pattern: "(unclosed"}}', "unclosed"),
    ):
        file.write_text(wrong)
        with pytest.raises(InputError, match=named):
            read_service_settings(file)
    with pytest.raises(InputError):
        read_service_settings(tmp_path / "none.yaml")
