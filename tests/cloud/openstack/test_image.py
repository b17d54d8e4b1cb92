"""The image service: data that comes back as it went in, who sees an image, lists, patches."""

import asyncio
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.clock import SimulatedClock
from kilonode.cloud.context import Cloud, CloudSettings
from kilonode.cloud.openstack.image.data import PIECE_BYTES, ImageData, describe_made_up_data, made_up_data
from kilonode.store.memory import MemoryStore
from tests.cloud.openstack.harness import OpenStack, openstack

IMAGES = "/image/v2/images"
PATCH = [("content-type", "application/openstack-images-v2.1-json-patch")]


async def make(cloud: OpenStack, token: str = "", **wanted: Any) -> dict[str, Any]:
    body = {"disk_format": "raw", "container_format": "bare", **wanted}
    made: dict[str, Any] = await cloud.good("POST", IMAGES, body, token=token or cloud.demo)
    return made


async def patch(cloud: OpenStack, image_id: str, *operations: dict[str, Any], token: str = "") -> Any:
    return await cloud.ask("PATCH", f"{IMAGES}/{image_id}", list(operations), token=token or cloud.demo, headers=PATCH)


async def test_data_comes_back_as_it_went_in() -> None:
    async with openstack() as cloud:
        image = await make(cloud, name="mine", architecture="x86_64")
        assert (image["status"], image["size"], image["architecture"]) == ("queued", None, "x86_64")
        place = f"{IMAGES}/{image['id']}"
        assert (await cloud.ask("GET", f"{place}/file", token=cloud.demo)).status == 204
        parts = [bytes([number]) * 300_000 for number in range(9)]
        data = b"".join(parts)
        await cloud.good("PUT", f"{place}/file", token=cloud.demo, body=data)
        shown = await cloud.good("GET", place, token=cloud.demo)
        assert (shown["status"], shown["size"]) == ("active", len(data))
        assert shown["checksum"] == hashlib.md5(data, usedforsecurity=False).hexdigest()
        assert shown["os_hash_value"] == hashlib.sha512(data).hexdigest()
        got = await cloud.ask("GET", f"{place}/file", token=cloud.demo)
        assert got.raw == data
        assert got.headers["content-length"] == str(len(data))
        assert (await cloud.ask("PUT", f"{place}/file", data, token=cloud.demo)).status == 409
        await cloud.good("DELETE", place, token=cloud.demo)
        assert (await cloud.ask("GET", f"{place}/file", token=cloud.demo)).status == 404


async def test_an_upload_that_breaks_off_leaves_an_image_that_can_be_tried_again() -> None:
    async with openstack() as cloud:
        image = await make(cloud)
        place = f"{IMAGES}/{image['id']}"
        gone = await cloud.ask("PUT", f"{place}/file", token=cloud.demo, parts=[b"a" * 1000])
        assert gone.status == 0
        assert (await cloud.good("GET", place, token=cloud.demo))["status"] == "queued"
        await cloud.good("PUT", f"{place}/file", b"whole", token=cloud.demo)
        assert (await cloud.good("GET", place, token=cloud.demo))["size"] == 5


async def test_an_image_without_formats_takes_no_data() -> None:
    async with openstack() as cloud:
        image = await make(cloud, disk_format=None)
        answer = await cloud.ask("PUT", f"{IMAGES}/{image['id']}/file", b"data", token=cloud.demo)
        assert answer.status == 400
        assert b"<html>" in answer.raw


async def test_who_sees_an_image_follows_its_visibility() -> None:
    async with openstack() as cloud:
        _, alice = await cloud.new_project("alice")
        listed = {"public": True, "community": False, "shared": False, "private": False}
        for visibility in listed:
            token = cloud.admin if visibility == "public" else cloud.demo
            image = await make(cloud, token=token, visibility=visibility, name=visibility)
            by_id = (await cloud.ask("GET", f"{IMAGES}/{image['id']}", token=alice)).status
            assert by_id == (200 if visibility in ("public", "community") else 404)
            found = (await cloud.good("GET", f"{IMAGES}?name={visibility}", token=alice))["images"]
            assert bool(found) == listed[visibility]
        community = (await cloud.good("GET", f"{IMAGES}?visibility=community", token=alice))["images"]
        assert [image["name"] for image in community] == ["community"]
        assert (await cloud.ask("POST", IMAGES, {"visibility": "public"}, token=cloud.demo)).status == 403


async def test_a_shared_image_is_listed_for_a_member_that_took_it() -> None:
    async with openstack() as cloud:
        alice_id, alice = await cloud.new_project("alice")
        image = await make(cloud, name="ours")
        place = f"{IMAGES}/{image['id']}"
        await cloud.good("POST", f"{place}/members", {"member": alice_id}, token=cloud.demo)
        assert (await cloud.ask("POST", f"{place}/members", {"member": alice_id}, token=cloud.demo)).status == 409
        assert (await cloud.ask("GET", place, token=alice)).status == 200
        assert (await cloud.good("GET", f"{IMAGES}?name=ours", token=alice))["images"] == []
        accepted = {"status": "accepted"}
        assert (await cloud.ask("PUT", f"{place}/members/{alice_id}", accepted, token=cloud.demo)).status == 403
        await cloud.good("PUT", f"{place}/members/{alice_id}", accepted, token=alice)
        assert len((await cloud.good("GET", f"{IMAGES}?name=ours", token=alice))["images"]) == 1
        assert (await cloud.ask("DELETE", place, token=alice)).status == 403
        await cloud.good("DELETE", f"{place}/members/{alice_id}", token=cloud.demo)
        assert (await cloud.ask("GET", place, token=alice)).status == 404


async def test_a_patch_changes_adds_and_removes() -> None:
    async with openstack() as cloud:
        image = await make(cloud, name="old", colour="red")
        operations = (
            {"op": "replace", "path": "/name", "value": "new"},
            {"op": "add", "path": "/shape", "value": "round"},
            {"op": "remove", "path": "/colour"},
            {"op": "replace", "path": "/tags", "value": ["a", "b"]},
        )
        changed = (await patch(cloud, image["id"], *operations)).body
        assert (changed["name"], changed["shape"], changed["tags"]) == ("new", "round", ["a", "b"])
        assert "colour" not in changed


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ({"op": "replace", "path": "/status", "value": "active"}, 403),
        ({"op": "remove", "path": "/checksum"}, 403),
        ({"op": "remove", "path": "/name"}, 403),
        ({"op": "remove", "path": "/colour"}, 409),
        ({"op": "replace", "path": "/colour", "value": "red"}, 409),
        ({"op": "add", "path": "/colour", "value": 3}, 400),
        ({"op": "replace", "path": "/min_disk", "value": -1}, 400),
        ({"op": "replace", "path": "/visibility", "value": "secret"}, 400),
        ({"op": "replace", "path": "/visibility", "value": "public"}, 403),
        ({"op": "replace", "path": "/owner", "value": "somebody"}, 403),
        ({"op": "move", "path": "/name"}, 400),
    ],
)
async def test_a_patch_that_may_not_be_is_refused_whole(operation: dict[str, Any], status: int) -> None:
    async with openstack() as cloud:
        image = await make(cloud, name="old")
        good = {"op": "replace", "path": "/name", "value": "new"}
        assert (await patch(cloud, image["id"], good, operation)).status == status
        assert (await cloud.good("GET", f"{IMAGES}/{image['id']}"))["name"] == "old"


async def test_a_protected_image_is_not_deleted() -> None:
    async with openstack() as cloud:
        image = await make(cloud, protected=True)
        assert (await cloud.ask("DELETE", f"{IMAGES}/{image['id']}", token=cloud.demo)).status == 403
        await patch(cloud, image["id"], {"op": "replace", "path": "/protected", "value": False})
        await cloud.good("DELETE", f"{IMAGES}/{image['id']}", token=cloud.demo)


async def test_lists_page_newest_first_and_sort_as_asked() -> None:
    async with openstack() as cloud:
        for name in "bdac":
            await make(cloud, name=name, owner_says="ours")
            await cloud.clock.sleep(1)
        mine = f"{IMAGES}?owner_says=ours"
        assert [image["name"] for image in (await cloud.good("GET", mine))["images"]] == list("cadb")
        seen, path = [], f"{mine}&sort=name:asc&limit=3"
        while path:
            page = await cloud.good("GET", path)
            seen.append([image["name"] for image in page["images"]])
            path = f"/image{page['next']}" if "next" in page else ""
        assert seen == [["a", "b", "c"], ["d"]]
        assert len((await cloud.good("GET", f"{IMAGES}?name=in:a,b"))["images"]) == 2
        assert (await cloud.ask("GET", f"{IMAGES}?sort_key=colour")).status == 400
        assert (await cloud.ask("GET", f"{IMAGES}?marker=nobody")).status == 400


async def test_the_first_image_has_data_for_whoever_wants_it() -> None:
    async with openstack() as cloud:
        image = (await cloud.good("GET", f"{IMAGES}?name=cirros", token=cloud.demo))["images"][0]
        got = await cloud.ask("GET", f"{IMAGES}/{image['id']}/file", token=cloud.demo)
        assert len(got.raw) == image["size"]
        assert hashlib.sha512(got.raw).hexdigest() == image["os_hash_value"]


async def test_a_deactivated_image_is_not_read() -> None:
    async with openstack() as cloud:
        image = (await cloud.good("GET", f"{IMAGES}?name=cirros", token=cloud.demo))["images"][0]
        place = f"{IMAGES}/{image['id']}"
        assert (await cloud.ask("POST", f"{place}/actions/deactivate", token=cloud.demo)).status == 403
        await cloud.good("POST", f"{place}/actions/deactivate")
        assert (await cloud.ask("GET", f"{place}/file", token=cloud.demo)).status == 403
        await cloud.good("POST", f"{place}/actions/reactivate")
        assert (await cloud.ask("GET", f"{place}/file", token=cloud.demo)).status == 200


@given(st.integers(min_value=0, max_value=300_000))
def test_made_up_data_is_as_long_as_it_says_and_always_the_same(size_bytes: int) -> None:
    for disk_format in (None, "raw", "qcow2"):
        data = b"".join(made_up_data(size_bytes, disk_format))
        assert len(data) == size_bytes
        assert describe_made_up_data(size_bytes, disk_format).hash_value == hashlib.sha512(data).hexdigest()


async def test_the_first_image_is_a_disk_of_its_format_also_when_it_is_given_back() -> None:
    async with openstack() as cloud:
        (image,) = (await cloud.good("GET", f"{IMAGES}?name=cirros"))["images"]
        data = (await cloud.ask("GET", f"{IMAGES}/{image['id']}/file")).raw
        body = {"disk_format": image["disk_format"], "container_format": "bare"}
        again = (await cloud.good("POST", IMAGES, body))["id"]
        assert (await cloud.ask("PUT", f"{IMAGES}/{again}/file", data)).status == 204
        assert (await cloud.good("GET", f"{IMAGES}/{again}"))["checksum"] == image["checksum"]


LEFT_UNFINISHED = """
import pathlib, sys
from kilonode.cloud.openstack.image.data import FilePlace
place = FilePlace(pathlib.Path(sys.argv[1]) / "images" / "whole")
print(place.unfinished.name)
"""


def leave_unfinished(folder: Path) -> None:
    """What a process that was killed had not ended."""
    left = subprocess.run([sys.executable, "-c", LEFT_UNFINISHED, str(folder)], capture_output=True, check=True)
    assert (folder / "images" / left.stdout.decode().strip()).exists()


async def test_two_who_store_data_of_one_image_at_once_do_not_mix_it(tmp_path: Path) -> None:
    clock = SimulatedClock(asyncio.get_running_loop())
    settings = CloudSettings(stages="instant", state_folder=str(tmp_path))
    cloud = await Cloud.open(MemoryStore(), clock, settings, "api", ())
    data = cloud.part(ImageData)
    both_begun = asyncio.Barrier(2)

    async def parts(byte: bytes) -> Any:
        yield byte * PIECE_BYTES
        await both_begun.wait()
        yield byte * PIECE_BYTES

    stored = await asyncio.gather(data.store("one", parts(b"x")), data.store("one", parts(b"y")))
    (path,) = (tmp_path / "images").iterdir()
    checksum = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    assert checksum in {one.checksum for one in stored}
    await cloud.close()


async def test_files_are_whole_or_not_there_and_orphans_are_swept_away(tmp_path: Path) -> None:
    clock = SimulatedClock(asyncio.get_running_loop())
    settings = CloudSettings(stages="instant", state_folder=str(tmp_path))
    cloud = await Cloud.open(MemoryStore(), clock, settings, "api", ())
    data = cloud.part(ImageData)

    async def parts(*, breaks: bool) -> Any:
        for _ in range(3):
            yield b"x" * PIECE_BYTES
        if breaks:
            raise ConnectionError

    stored = await data.store("whole", parts(breaks=False))
    assert stored.size_bytes == 3 * PIECE_BYTES
    with pytest.raises(ConnectionError):
        await data.store("broken", parts(breaks=True))
    folder = tmp_path / "images"
    assert [path.name for path in folder.iterdir()] == ["whole"]
    (folder / "orphan").write_bytes(b"1")
    (folder / "orphan2.unfinished").write_bytes(b"1")
    await asyncio.to_thread(leave_unfinished, tmp_path)
    found = data.found()
    (folder / "of an image that came since").write_bytes(b"1")
    data.sweep(found, lambda image_id: image_id == "whole")
    assert sorted(path.name for path in folder.iterdir()) == ["of an image that came since", "whole"]
    read = data.read("whole")
    assert read is not None
    assert b"".join([piece async for piece in read]) == b"x" * (3 * PIECE_BYTES)
    data.remove("whole")
    data.remove("whole")
    assert data.read("whole") is None
    await cloud.close()
