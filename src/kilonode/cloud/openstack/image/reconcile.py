"""The image role: ends imports after the stage `image-import` of the profile.

The data is already in its place when an import comes here (`importing_us`); until the stage ends the image is importing
and its task goes on. Where the stage takes no time an import ends in its request, and nothing here has anything to do.
Images of servers and of volumes end with the stages of those.
"""

from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.context import Changes, Cloud
from kilonode.cloud.draws import Position, may_wait
from kilonode.cloud.living import Kind, Life
from kilonode.cloud.openstack.image.model import ACTIVE, IMAGE, IMAGE_TASK, IMPORTING, QUEUED, Image, tasks_by_image
from kilonode.cloud.rules import Facts
from kilonode.cloud.stages import ANY, Stage
from kilonode.cloud.tallies import TALLY
from kilonode.control.mirror import Delete, Entry, Put

KINDS: Final = (IMAGE, IMAGE_TASK, TALLY)
"""What the role mirrors."""
_SUCCESS, _FAILURE, _PROCESSING = "success", "failure", "processing"


async def run_images(cloud: Cloud) -> None:
    """Live for the images, until cancelled."""
    await Life(cloud, "image", {IMAGE: Kind(is_importing, _position, _facts, _ended, _failed)}).controller.run()


def facts_of_ending(cloud: Cloud, image_id: str) -> dict[str, Any]:
    """What an image says when the data of its import is in its place: active, or left to this role to end."""
    entry = cloud.mirror.get(IMAGE, image_id)
    if entry is None or not may_wait(cloud, IMAGE, IMPORTING):
        return {"status": ACTIVE}
    return {"status": IMPORTING, "importing_us": cloud.now_us(), "imports": entry.value.imports + 1}


def is_importing(image: Image) -> bool:
    """Whether an import is left to this role to end."""
    return image.importing_us > 0 and image.status == IMPORTING


def _position(image: Image) -> Position:
    return Position(ANY, image.status, image.imports, image.importing_us)


def _facts(cloud: Cloud, image: Image) -> Facts:
    return Facts(
        name=(image.name or "", image.id),
        image=(image.id, image.name or ""),
        project=(image.owner,),
        metadata=image.properties,
        image_bytes=image.size_bytes or 0,
    )


def _ended(cloud: Cloud, entry: Entry[Image], stage: Stage | None) -> Changes:
    following = stage.next.state if stage is not None else ACTIVE
    return _now(cloud, entry, following, _SUCCESS, "")


def _failed(cloud: Cloud, entry: Entry[Image], fault: str) -> Changes:
    return _now(cloud, entry, QUEUED, _FAILURE, fault)


def _now(cloud: Cloud, entry: Entry[Image], status: str, result: str, message: str) -> Changes:
    """The image at rest, and the tasks that waited for it ended with it."""
    image, now_us = entry.value, cloud.now_us()
    changes: list[Put | Delete] = [
        Put(IMAGE, replace(image, status=status, importing_us=0, updated_us=now_us), image.id, entry.revision)
    ]
    for key in tasks_by_image(cloud.mirror).keys(image.id):
        task = cloud.mirror.all(IMAGE_TASK)[key]
        if task.value.status == _PROCESSING:
            ended = replace(task.value, status=result, updated_us=now_us)
            ended = replace(ended, message=message) if message else replace(ended, result={"image_id": image.id})
            changes.append(Put(IMAGE_TASK, ended, key, task.revision))
    return tuple(changes)
