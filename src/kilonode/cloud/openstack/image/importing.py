"""`/images/{id}/stage`, `/images/{id}/import` and `/tasks`: data that comes in two steps, or from another image.

Methods: `glance-direct` (what was staged), `glance-download` (another image, of this cloud: other regions are not
reached), `copy-image` (to all stores, of which there is one). Nothing is ever fetched from elsewhere. An import that
was begun when its process died can be asked for again.
"""

import uuid
from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.context import timestamp
from kilonode.cloud.openstack.image.data import ImageData, StoredData, TooMuchDataError, read_made_up, staged_name
from kilonode.cloud.openstack.image.lookup import find_image, find_own_image
from kilonode.cloud.openstack.image.model import (
    ACTIVE,
    IMAGE,
    IMAGE_TASK,
    IMPORTING,
    QUEUED,
    UPLOADING,
    Image,
    ImageTask,
    StagedData,
    is_visible,
    tasks_by_image,
)
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Entry, Put
from kilonode.store.protocol import ConflictError

IMPORT_METHODS: Final = ("glance-direct", "glance-download", "copy-image")
WRITES_TRIED: Final = 10
TASK_KEPT_US: Final = 48 * 3600 * 1_000_000
_COPIED: Final = ("hw_", "trait:")
_COPIED_WHOLE: Final = frozenset({"os_distro", "os_secure_boot", "os_type"})
"""What an image takes over from the image that its data is from."""
_SUCCESS, _FAILURE, _PROCESSING = "success", "failure", "processing"


async def stage_image(request: Request) -> Response:
    """`PUT /images/{image_id}/stage`: keep data for a later import."""
    entry = find_own_image(request, "upload data for")
    image, cloud = entry.value, request.cloud
    if image.status not in (QUEUED, UPLOADING):
        raise Fault(409, f"Image status transition from {image.status} to uploading is not allowed")
    if not image.disk_format or not image.container_format:
        raise Fault(400, "Properties disk_format, container_format must be set prior to saving data.")
    assert request.stream is not None  # noqa: S101 - the route streams
    try:
        stored = await cloud.part(ImageData).store(staged_name(image.id), request.stream)
    except TooMuchDataError as error:
        raise Fault(413, f"Image storage media is full: {error}") from error
    staged = StagedData(stored.size_bytes, stored.checksum, stored.hash_value)
    if not await _write(request, image.id, status=UPLOADING, staged=staged):
        cloud.part(ImageData).remove(image.id)
        raise Fault(410, f"Image {image.id} could not be found after upload. It may have been deleted meanwhile.")
    return reply(None, 204)


async def import_image(request: Request) -> Response:
    """`POST /images/{image_id}/import`."""
    entry = find_own_image(request, "import")
    image, cloud = entry.value, request.cloud
    wanted = request.json_object()
    method = wanted.get("method")
    name = method.get("name") if isinstance(method, dict) else None
    if not isinstance(method, dict) or name not in IMPORT_METHODS:
        raise Fault(400, f"Unknown import method name '{name}'.")
    _check_state(image, str(name))
    if name == "glance-download":
        _check_source(method)
    now_us = cloud.now_us()
    task = ImageTask(
        id=cloud.new_id(),
        owner=request.caller.project_id,
        user_id=request.caller.user_id,
        request_id=request.id,
        type="api_image_import",
        input={"image_id": image.id, "import_req": wanted, "backend": ["file"]},
        status=_PROCESSING,
        created_us=now_us,
        updated_us=now_us,
        image_id=image.id,
    )
    begun = image if name == "copy-image" else replace(image, status=IMPORTING, updated_us=now_us)
    try:
        await cloud.mirror.commit([Put(IMAGE, begun, image.id, entry.revision), Put(IMAGE_TASK, task, task.id, 0)])
    except ConflictError as error:
        raise Fault(409, f"Image {image.id} is being changed by somebody else.") from error
    if name == "glance-direct":
        message = await _adopt(request, image)
    elif name == "glance-download":
        message = await _copy(request, image, method)
    else:
        message = "" if await _write(request, image.id, imported=True) else "the image is gone"
    ended = replace(
        task,
        status=_FAILURE if message else _SUCCESS,
        message=message or f"Copied {image.id} to file",
        result=None if message else {"image_id": image.id},
        updated_us=cloud.now_us(),
    )
    if cloud.mirror.get(IMAGE_TASK, task.id) is not None:
        await cloud.mirror.commit([Put(IMAGE_TASK, ended, task.id)])
    return reply(None, 202)


async def list_image_tasks(request: Request) -> Response:
    """`GET /images/{image_id}/tasks`."""
    image = find_image(request).value
    table = request.cloud.mirror.all(IMAGE_TASK)
    tasks = [table[key].value for key in tasks_by_image(request.cloud.mirror).keys(image.id)]
    return reply({"tasks": [{**_view(task), "user_id": task.user_id} for task in tasks]}, items=len(tasks))


async def list_tasks(request: Request) -> Response:
    """`GET /tasks`."""
    tasks = [entry.value for entry in request.cloud.mirror.all(IMAGE_TASK).values()]
    for name in ("status", "type"):
        if name in request.query:
            tasks = [task for task in tasks if getattr(task, name) == request.query.one(name)]
    body = {"tasks": [_view(task) for task in tasks], "first": "/v2/tasks", "schema": "/v2/schemas/tasks"}
    return reply(body, items=len(tasks))


async def show_task(request: Request) -> Response:
    """`GET /tasks/{task_id}`."""
    return reply(_view(_find_task(request).value))


async def create_task(request: Request) -> Response:
    """`POST /tasks`: refused, because all that a task could do is to fetch data from elsewhere."""
    wanted = request.json_object()
    given = wanted.get("input")
    if wanted.get("type") != "import" or not isinstance(given, dict):
        raise Fault(400, "A task has a type, 'import', and an input.")
    raise Fault(400, f"The URI {given.get('import_from')!r} cannot be imported from: only local data can.")


async def delete_task(request: Request) -> Response:
    """`DELETE /tasks/{task_id}`."""
    entry = _find_task(request)
    await request.cloud.mirror.commit([Delete(IMAGE_TASK, entry.value.id, entry.revision)])
    return reply(None, 204)


def _check_state(image: Image, method: str) -> None:
    wanted = {
        "glance-direct": (UPLOADING, IMPORTING),
        "glance-download": (QUEUED, IMPORTING),
        "copy-image": (ACTIVE,),
    }[method]
    if image.status not in wanted:
        raise Fault(409, f"Image needs to be in state {wanted[0]!r} to use {method} method, not {image.status!r}.")
    if method == "glance-direct" and image.staged is None:
        raise Fault(409, "There is no staged data to import.")
    if method != "glance-download" and not (image.disk_format and image.container_format):
        raise Fault(400, "'disk_format' and 'container_format' need to be set on image before import.")


def _check_source(method: dict[str, Any]) -> None:
    key = str(method.get("glance_image_id") or "")
    try:
        uuid.UUID(key)
    except ValueError as error:
        raise Fault(400, "image id does not look like a UUID") from error
    if not method.get("glance_region"):
        raise Fault(400, "Param 'glance_region' is required")


async def _adopt(request: Request, image: Image) -> str:
    """Make the staged data the image's. Returns why not, or nothing."""
    staged = image.staged
    if staged is None or not request.cloud.part(ImageData).adopt(image.id):
        await _write(request, image.id, status=QUEUED, staged=None)
        return "the staged data is gone"
    stored = StoredData(staged.size_bytes, staged.checksum, staged.hash_value)
    return await _active(request, image.id, stored, {})


async def _copy(request: Request, image: Image, method: dict[str, Any]) -> str:
    """Give the image the data and some properties of another. Returns why not, or nothing."""
    cloud = request.cloud
    message = ""
    entry = cloud.mirror.get(IMAGE, str(uuid.UUID(str(method["glance_image_id"]))))
    if method["glance_region"] != cloud.settings.region:
        message = f"region {method['glance_region']} has no image service"
    elif entry is None or not is_visible(cloud.mirror, request.caller, entry.value) or entry.value.status != ACTIVE:
        message = f"image {method['glance_image_id']} is not there"
    if message or entry is None:
        await _write(request, image.id, status=QUEUED)
        return message
    source: Image = entry.value
    stream = read_made_up(source.size_bytes or 0) if source.made_up else cloud.part(ImageData).read(source.id)
    if stream is None:
        await _write(request, image.id, status=QUEUED)
        return f"the data of image {source.id} is gone"
    try:
        stored = await cloud.part(ImageData).store(image.id, stream)
    except TooMuchDataError as error:
        await _write(request, image.id, status=QUEUED)
        return f"image storage media is full: {error}"
    copied = {
        name: text for name, text in source.properties.items() if name.startswith(_COPIED) or name in _COPIED_WHOLE
    }
    facts: dict[str, Any] = {"disk_format": source.disk_format, "container_format": source.container_format}
    return await _active(request, image.id, stored, {**facts, "properties": {**image.properties, **copied}})


async def _active(request: Request, image_id: str, stored: StoredData, facts: dict[str, Any]) -> str:
    there = await _write(
        request,
        image_id,
        status=ACTIVE,
        staged=None,
        imported=True,
        size_bytes=stored.size_bytes,
        checksum=stored.checksum,
        hash_value=stored.hash_value,
        **facts,
    )
    if not there:
        request.cloud.part(ImageData).remove(image_id)
        return "the image was deleted meanwhile"
    return ""


async def _write(request: Request, image_id: str, **facts: Any) -> bool:
    """Write facts of an image, whatever else was changed meanwhile. False: it is gone."""
    cloud = request.cloud
    for _ in range(WRITES_TRIED):
        entry = cloud.mirror.get(IMAGE, image_id)
        if entry is None:
            return False
        image = replace(entry.value, updated_us=cloud.now_us(), **facts)
        try:
            await cloud.mirror.commit([Put(IMAGE, image, image_id, entry.revision)])
        except ConflictError:
            continue
        return True
    raise Fault(409, f"Image {image_id} is being changed by too many requests at once.")


def _find_task(request: Request) -> Entry[ImageTask]:
    key = request.params["task_id"]
    entry: Entry[ImageTask] | None = request.cloud.mirror.get(IMAGE_TASK, key)
    if entry is None or not request.caller.may_see(entry.value.owner):
        raise Fault(404, f"Task not found for task_id {key}")
    return entry


def _view(task: ImageTask) -> dict[str, Any]:
    return {
        "id": task.id,
        "type": task.type,
        "status": task.status,
        "owner": task.owner,
        "input": task.input,
        "result": task.result,
        "message": task.message,
        "request_id": task.request_id,
        "image_id": task.image_id or None,
        "created_at": timestamp(task.created_us),
        "updated_at": timestamp(task.updated_us),
        "expires_at": timestamp(task.updated_us + TASK_KEPT_US),
        "self": f"/v2/tasks/{task.id}",
        "schema": "/v2/schemas/task",
    }


ROUTES: Final = (
    Route("PUT", "/images/{image_id}/stage", stage_image, Access.MEMBER, streams=True),
    Route("POST", "/images/{image_id}/import", import_image, Access.MEMBER),
    Route("GET", "/images/{image_id}/tasks", list_image_tasks, Access.READER),
    Route("GET", "/tasks", list_tasks, Access.ADMIN),
    Route("POST", "/tasks", create_task, Access.ADMIN),
    Route("GET", "/tasks/{task_id}", show_task, Access.ADMIN),
    Route("DELETE", "/tasks/{task_id}", delete_task, Access.ADMIN),
)
