"""`/tasks` and `/images/{id}/tasks`: what was imported, and how that ended."""

import contextlib
from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.context import Cloud, timestamp
from kilonode.cloud.openstack.image.lookup import find_image
from kilonode.cloud.openstack.image.model import IMAGE_TASK, ImageTask, tasks_by_image
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Entry, Put
from kilonode.store.protocol import ConflictError

TASK_KEPT_US: Final = 48 * 3600 * 1_000_000
LOCATION_IMPORT: Final = "location_import"
PROCESSING: Final = "processing"
_SUCCESS, _FAILURE = "success", "failure"


def new_task(request: Request, kind: str, image_id: str, given: dict[str, Any]) -> ImageTask:
    """A task that begins now; the caller writes it."""
    now_us = request.cloud.now_us()
    return ImageTask(
        id=request.cloud.new_id(),
        owner=request.caller.project_id,
        user_id=request.caller.user_id,
        request_id=request.id,
        type=kind,
        input=given,
        status=PROCESSING,
        created_us=now_us,
        updated_us=now_us,
        image_id=image_id,
        worker=request.cloud.role,
    )


async def end_task(cloud: Cloud, task: ImageTask, failure: str, message: str) -> None:
    """Write how a task ended, unless it is gone. `failure`: why it failed; empty: it did not."""
    if cloud.mirror.get(IMAGE_TASK, task.id) is None:
        return
    ended = replace(
        task,
        status=_FAILURE if failure else _SUCCESS,
        message=failure or message,
        result=None if failure else {"image_id": task.image_id},
        updated_us=cloud.now_us(),
    )
    await cloud.mirror.commit([Put(IMAGE_TASK, ended, task.id)])


async def say_of_task(cloud: Cloud, task_id: str, message: str) -> None:
    """Write how far a task is, unless it has ended meanwhile."""
    entry = cloud.mirror.get(IMAGE_TASK, task_id)
    if entry is not None and entry.value.status == PROCESSING:
        told = replace(entry.value, message=message, updated_us=cloud.now_us())
        with contextlib.suppress(ConflictError):
            await cloud.mirror.commit([Put(IMAGE_TASK, told, task_id, entry.revision)])


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
    """`POST /tasks`: refused; what a task of this kind could do, an import does."""
    wanted = request.json_object()
    given = wanted.get("input")
    if wanted.get("type") != "import" or not isinstance(given, dict):
        raise Fault(400, "A task has a type, 'import', and an input.")
    raise Fault(400, f"The URI {given.get('import_from')!r} cannot be imported by a task: import it into an image.")


async def delete_task(request: Request) -> Response:
    """`DELETE /tasks/{task_id}`."""
    entry = _find_task(request)
    await request.cloud.mirror.commit([Delete(IMAGE_TASK, entry.value.id, entry.revision)])
    return reply(None, 204)


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
    Route("GET", "/images/{image_id}/tasks", list_image_tasks, Access.READER),
    Route("GET", "/tasks", list_tasks, Access.ADMIN),
    Route("POST", "/tasks", create_task, Access.ADMIN),
    Route("GET", "/tasks/{task_id}", show_task, Access.ADMIN),
    Route("DELETE", "/tasks/{task_id}", delete_task, Access.ADMIN),
)
