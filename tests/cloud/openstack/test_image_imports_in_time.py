"""Imports of images that take the time a stage profile gives them."""

from pathlib import Path

from tests.cloud.openstack.harness import openstack
from tests.cloud.openstack.test_image_import import PLACE, _import, _staged


def profile(folder: Path, more: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(f"extends: lifecycle\ndelays:\n  image-import: {{distribution: fixed, value: 20s}}\n{more}")
    return str(path)


async def test_an_import_goes_on_until_its_stage_ends_and_its_task_with_it(tmp_path: Path) -> None:
    rule = '{name: big, stage: image-import, when: {name: "i", metadata: {os_distro: rhel}}, factor: 2}'
    async with openstack(stages=profile(tmp_path, f"rules:\n  - {rule}\n")) as cloud:
        plain, slow = await _staged(cloud), await _staged(cloud, os_distro="rhel")
        for image_id in (plain, slow):
            assert await _import(cloud, image_id, "glance-direct") == 202
        await cloud.clock.sleep(19)
        for image_id in (plain, slow):
            place = f"{PLACE}/images/{image_id}"
            assert (await cloud.good("GET", place, token=cloud.demo))["status"] == "importing"
            (task,) = (await cloud.good("GET", f"{place}/tasks", token=cloud.demo))["tasks"]
            assert (task["status"], task["result"]) == ("processing", None)
        await cloud.clock.sleep(2)
        statuses = [
            (await cloud.good("GET", f"{PLACE}/images/{one}", token=cloud.demo))["status"] for one in (plain, slow)
        ]
        assert statuses == ["active", "importing"]
        await cloud.clock.sleep(20)
        place = f"{PLACE}/images/{slow}"
        assert (await cloud.good("GET", place, token=cloud.demo))["status"] == "active"
        (task,) = (await cloud.good("GET", f"{place}/tasks", token=cloud.demo))["tasks"]
        assert (task["status"], task["message"]) == ("success", f"Copied {slow} to file")


async def test_an_import_that_fails_leaves_the_image_queued_and_says_so(tmp_path: Path) -> None:
    more = 'failures:\n  image-import: {odds: 1, message: "the backend is full"}\n'
    async with openstack(stages=profile(tmp_path, more)) as cloud:
        image_id = await _staged(cloud)
        assert await _import(cloud, image_id, "glance-direct") == 202
        await cloud.clock.sleep(25)
        place = f"{PLACE}/images/{image_id}"
        assert (await cloud.good("GET", place, token=cloud.demo))["status"] == "queued"
        (task,) = (await cloud.good("GET", f"{place}/tasks", token=cloud.demo))["tasks"]
        assert (task["status"], task["message"]) == ("failure", "the backend is full")
