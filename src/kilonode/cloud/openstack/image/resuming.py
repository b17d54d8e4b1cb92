"""Reading from the web that was accepted and not ended when the process of the api died: it is taken up again.

The task of an import says what was asked for, and which api does it. An api that starts takes up what its life before
had begun; the first of them also what an api began that the cloud no longer has. It waits until one that it replaces,
which may still be at it, has ended for certain. Doing it twice gives the same image.
"""

from typing import Any, Final

import msgspec

from kilonode.cloud.context import Cloud
from kilonode.cloud.layout import API
from kilonode.cloud.openstack.image.background import Background
from kilonode.cloud.openstack.image.fetching import may_fetch
from kilonode.cloud.openstack.image.importing import WEB, import_from_web
from kilonode.cloud.openstack.image.locations import Validation, register
from kilonode.cloud.openstack.image.model import (
    ACTIVE,
    IMAGE,
    IMAGE_TASK,
    IMPORTING,
    QUEUED,
    Image,
    ImageTask,
    tasks_by_image,
)
from kilonode.cloud.openstack.image.tasks import LOCATION_IMPORT, PROCESSING, end_task
from kilonode.cloud.openstack.image.writing import write_facts
from kilonode.cloud.role_counts import names_of

RESUMED_AFTER_S: Final = 60.0
"""Longer than `keeping.DRAIN_TIMEOUT_S`."""


def resume_imports(cloud: Cloud) -> None:
    """Take up, after a while, what an earlier life of this api has left. The mirror has caught up."""
    names = names_of(API, cloud.settings.roles.api)
    heir = cloud.role == names[0]
    for entry in cloud.mirror.all(IMAGE_TASK).values():
        task: ImageTask = entry.value
        mine = task.worker == cloud.role or (heir and task.worker not in names)
        if mine and task.status == PROCESSING and _address(task):
            cloud.part(Background).start(_resume(cloud, task.id), after_s=RESUMED_AFTER_S)


async def _resume(cloud: Cloud, task_id: str) -> None:
    entry = cloud.mirror.get(IMAGE_TASK, task_id)
    if entry is None or entry.value.status != PROCESSING:
        return
    task: ImageTask = entry.value
    found = cloud.mirror.get(IMAGE, task.image_id)
    if found is None or found.value.importing_us:
        return  # there is nothing to do any more, or nothing but to wait for the image role
    image: Image = found.value
    address = _address(task)
    if _is_superseded(cloud, task):
        await end_task(cloud, task, "Another import of the image was begun.", "")
    elif image.status == ACTIVE and (image.hash_value or task.type != LOCATION_IMPORT):
        await end_task(cloud, task, "", task.message)
    elif image.status not in (ACTIVE, IMPORTING) or not may_fetch(cloud.settings.services.image.fetch_from, address):
        if image.status == IMPORTING:
            await write_facts(cloud, image.id, status=QUEUED)
        await end_task(cloud, task, "It was interrupted, and cannot go on.", "")
    elif task.type == LOCATION_IMPORT:
        validation = msgspec.convert(task.input["validation_data"], Validation | None)
        await register(cloud, image.id, address, validation, task)
    else:
        await import_from_web(cloud, image, address, tuple(task.input["backend"]), task)


def _is_superseded(cloud: Cloud, task: ImageTask) -> bool:
    table = cloud.mirror.all(IMAGE_TASK)
    others = (table[key].value for key in tasks_by_image(cloud.mirror).keys(task.image_id))
    return any(other.status == PROCESSING and other.created_us > task.created_us for other in others)


def _address(task: ImageTask) -> str:
    """What is read from the web for a task; empty: nothing."""
    if task.type == LOCATION_IMPORT:
        return str(task.input["loc_url"])
    method: dict[str, Any] = task.input.get("import_req", {}).get("method", {})
    return str(method.get("uri", "")) if method.get("name") == WEB else ""
