"""Images whose data comes in two steps or from another image, and metadata definitions."""

import asyncio
import hashlib
from typing import Any

from tests.cloud.openstack.harness import OpenStack, openstack

PLACE = "/image/v2"
DATA = b"not really a disk" * 100


async def _image(cloud: OpenStack, **wanted: Any) -> str:
    body = {"name": "i", "disk_format": "raw", "container_format": "bare", **wanted}
    return str((await cloud.good("POST", f"{PLACE}/images", body, token=cloud.demo))["id"])


async def _staged(cloud: OpenStack, **wanted: Any) -> str:
    image_id = await _image(cloud, **wanted)
    await cloud.good("PUT", f"{PLACE}/images/{image_id}/stage", DATA, token=cloud.demo)
    return image_id


async def _import(cloud: OpenStack, image_id: str, name: str, **more: Any) -> int:
    body = {"method": {"name": name, **more}}
    return (await cloud.ask("POST", f"{PLACE}/images/{image_id}/import", body, token=cloud.demo)).status


async def test_staged_data_becomes_the_images_by_an_import_which_leaves_a_task() -> None:
    async with openstack() as cloud:
        image_id = await _staged(cloud)
        place = f"{PLACE}/images/{image_id}"
        assert (await cloud.good("GET", place, token=cloud.demo))["status"] == "uploading"
        assert (await cloud.ask("GET", f"{place}/file", token=cloud.demo)).status == 204, "it is not the image's yet"
        assert await _import(cloud, image_id, "glance-direct") == 202
        image = await cloud.good("GET", place, token=cloud.demo)
        assert (image["status"], image["size"]) == ("active", len(DATA))
        assert image["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
        assert (await cloud.ask("GET", f"{place}/file", token=cloud.demo)).raw == DATA
        (task,) = (await cloud.good("GET", f"{place}/tasks", token=cloud.demo))["tasks"]
        assert (task["status"], task["input"]["import_req"]["method"]["name"]) == ("success", "glance-direct")
        assert await _import(cloud, image_id, "glance-direct") == 409, "once is enough"


async def test_what_cannot_be_imported_is_refused_and_nothing_is_fetched_from_elsewhere() -> None:
    async with openstack() as cloud:
        image_id = await _image(cloud)
        assert await _import(cloud, image_id, "glance-direct") == 409, "nothing was staged"
        assert await _import(cloud, image_id, "web-download", uri="http://198.51.100.1/disk") == 400
        methods = (await cloud.good("GET", f"{PLACE}/info/import", token=cloud.demo))["import-methods"]["value"]
        assert "web-download" not in methods
        task = {"type": "import", "input": {"import_from": "http://198.51.100.1/disk"}}
        assert (await cloud.ask("POST", f"{PLACE}/tasks", task)).status == 400


async def test_an_image_takes_data_and_some_properties_of_another() -> None:
    async with openstack() as cloud:
        source = await _staged(cloud, os_distro="rhel", speed="88mph")
        assert await _import(cloud, source, "glance-direct") == 202
        target = await _image(cloud, disk_format="iso", os_distro="windows")
        region = cloud.settings.region
        assert await _import(cloud, target, "glance-download", glance_image_id="foo", glance_region=region) == 400
        assert await _import(cloud, target, "glance-download", glance_image_id=source, glance_region="far") == 202
        place = f"{PLACE}/images/{target}"
        assert (await cloud.good("GET", place, token=cloud.demo))["status"] == "queued", "no such region"
        assert await _import(cloud, target, "glance-download", glance_image_id=source, glance_region=region) == 202
        image = await cloud.good("GET", place, token=cloud.demo)
        assert (image["status"], image["disk_format"], image["os_distro"]) == ("active", "raw", "rhel")
        assert "speed" not in image
        statuses = [task["status"] for task in (await cloud.good("GET", f"{place}/tasks", token=cloud.demo))["tasks"]]
        assert statuses == ["failure", "success"]


async def test_the_data_of_another_projects_image_is_not_to_be_had_by_an_import() -> None:
    async with openstack() as cloud:
        secret = await _staged(cloud, visibility="private")
        assert await _import(cloud, secret, "glance-direct") == 202
        _, thief = await cloud.new_project("thief")
        body = {"disk_format": "raw", "container_format": "bare"}
        mine = (await cloud.good("POST", f"{PLACE}/images", body, token=thief))["id"]
        method = {"name": "glance-download", "glance_image_id": secret, "glance_region": cloud.settings.region}
        await cloud.ask("POST", f"{PLACE}/images/{mine}/import", {"method": method}, token=thief)
        assert (await cloud.good("GET", f"{PLACE}/images/{mine}", token=thief))["status"] == "queued"


async def test_a_deleted_image_takes_its_staged_data_and_its_tasks_with_it() -> None:
    async with openstack() as cloud:
        image_id = await _staged(cloud)
        await cloud.good("DELETE", f"{PLACE}/images/{image_id}", token=cloud.demo)
        assert (await cloud.ask("GET", f"{PLACE}/images/{image_id}/tasks", token=cloud.demo)).status == 404
        assert (await cloud.good("GET", f"{PLACE}/tasks"))["tasks"] == []


async def test_the_first_form_of_patches_is_still_understood_and_reserved_names_are_kept() -> None:
    async with openstack() as cloud:
        image_id = await _image(cloud)
        old = [("content-type", "application/openstack-images-v2.0-json-patch")]
        place = f"{PLACE}/images/{image_id}"
        patch = [{"replace": "/name", "value": "renamed"}]
        assert (await cloud.good("PATCH", place, patch, token=cloud.demo, headers=old))["name"] == "renamed"
        reserved = [{"op": "add", "path": "/os_glance_foo", "value": "bar"}]
        assert (await cloud.ask("PATCH", place, reserved, token=cloud.demo)).status == 403
        body = {"disk_format": "raw", "container_format": "bare", "os_glance_foo": "bar"}
        assert (await cloud.ask("POST", f"{PLACE}/images", body, token=cloud.demo)).status == 403


async def test_a_namespace_holds_objects_properties_tags_and_resource_types() -> None:
    async with openstack() as cloud:
        space = f"{PLACE}/metadefs/namespaces"
        await cloud.good("POST", space, {"namespace": "n", "visibility": "public", "protected": True})
        assert (await cloud.ask("POST", space, {"namespace": "n"})).status == 409
        assert (await cloud.ask("POST", space, {"namespace": "m"}, token=cloud.demo)).status == 403
        await cloud.good("POST", f"{space}/n/objects", {"name": "o", "required": ["p"], "properties": {"p": {}}})
        await cloud.good("PUT", f"{space}/n/objects/o", {"name": "o2"})
        prop = {"name": "p", "title": "P", "type": "string", "enum": ["a"]}
        await cloud.good("POST", f"{space}/n/properties", prop)
        assert (await cloud.ask("POST", f"{space}/n/properties", {"name": "q"})).status == 400
        await cloud.good("POST", f"{space}/n/tags", {"tags": [{"name": "t1"}, {"name": "t2"}]})
        await cloud.good("POST", f"{space}/n/tags/t3")
        await cloud.good("POST", f"{space}/n/resource_types", {"name": "OS::Nova::Flavor", "prefix": "hw:"})
        whole = await cloud.good("GET", f"{space}/n", token=cloud.demo)
        assert [one["name"] for one in whole["objects"]] == ["o2"]
        assert whole["properties"]["p"]["title"] == "P"
        assert [one["name"] for one in whole["tags"]] == ["t1", "t2", "t3"]
        assert [one["prefix"] for one in whole["resource_type_associations"]] == ["hw:"]
        assert (await cloud.ask("DELETE", f"{space}/n")).status == 403
        await cloud.good("PUT", f"{space}/n", {"protected": False, "visibility": "private"})
        assert (await cloud.ask("GET", f"{space}/n", token=cloud.demo)).status == 404
        await cloud.good("DELETE", f"{space}/n")


async def test_every_schema_has_the_name_it_is_asked_for_by() -> None:
    async with openstack() as cloud:
        for noun in ("image", "member", "task", "metadefs/namespace", "metadefs/object", "metadefs/tag"):
            schema = await cloud.good("GET", f"{PLACE}/schemas/{noun}", token=cloud.demo)
            assert schema["name"] == noun.rpartition("/")[2]
            many = await cloud.good("GET", f"{PLACE}/schemas/{noun}s", token=cloud.demo)
            assert f"{schema['name']}s" in many["properties"]


async def test_nothing_is_imported_while_other_data_is_being_staged() -> None:
    async with openstack() as cloud:
        image_id = await _staged(cloud)
        place = f"{PLACE}/images/{image_id}"
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def receive() -> Any:
            begun.set()
            await go_on.wait()
            return {"type": "http.request", "body": b"something else", "more_body": False}

        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": "PUT", "path": f"{place}/stage", "query_string": b"",
            "headers": [(b"x-auth-token", cloud.demo.encode()), (b"content-type", b"application/octet-stream")],
        }  # fmt: skip
        staging = asyncio.create_task(cloud.cloud.application(scope, receive, send))
        await begun.wait()
        assert await _import(cloud, image_id, "glance-direct") == 409
        go_on.set()
        await staging
        assert sent[0]["status"] == 204
        assert await _import(cloud, image_id, "glance-direct") == 202
        assert (await cloud.good("GET", place, token=cloud.demo))["status"] == "active"
        assert (await cloud.ask("GET", f"{place}/file", token=cloud.demo)).raw == b"something else"


async def test_what_was_staged_stays_when_other_data_comes_only_in_part() -> None:
    async with openstack() as cloud:
        image_id = await _staged(cloud)
        place = f"{PLACE}/images/{image_id}"
        await cloud.ask("PUT", f"{place}/stage", token=cloud.demo, parts=[b"some"])
        assert await _import(cloud, image_id, "glance-direct") == 202
        assert (await cloud.ask("GET", f"{place}/file", token=cloud.demo)).raw == DATA
