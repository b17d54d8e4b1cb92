"""What can be done with a volume: create, delete, attach to a server, detach, list.

States are Cinder's. A volume in one of its error states fails the step with the outcome wrong_state.
"""

from typing import Any, Final

import msgspec

from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.base.units import Size
from kilonode.scenarios.actions.answers import NOT_FOUND, delete_if_there, identity_in, wait_in, wait_quietly
from kilonode.scenarios.actions.servers import Server
from kilonode.scenarios.iteration import Iteration, Step

_NOUN: Final = "volume"
_GIBIBYTE: Final = 2**30
_DELETABLE: Final = ("available", "error", "error_deleting")


class _Volume(msgspec.Struct, frozen=True):
    status: str


class _Answer(msgspec.Struct, frozen=True):
    volume: _Volume


async def create(it: Iteration, *, size: Size, volume_type: str = "") -> str:
    """Create a volume and wait until it is available; gives its id. The size is rounded up to whole GiB.

    Steps: create_volume, create_volume.accepted, create_volume.available.
    """
    with it.step("create_volume") as whole:
        with it.step("accepted"):
            body: dict[str, Any] = {"name": it.name(_NOUN), "size": max(1, -(-size // _GIBIBYTE))}
            body["metadata"] = {"kilonode_run": it.run_id}
            if volume_type:
                body["volume_type"] = volume_type
            volume = identity_in(await it.cloud.volume.post("/volumes", json={_NOUN: body}), _NOUN)
        it.made(_NOUN, volume, lambda: remove(it, volume))
        await _reach(it, whole, volume, "available")
    return volume


async def delete(it: Iteration, volume: str) -> None:
    """Delete a volume and wait until it is gone. Steps: delete_volume, delete_volume.accepted, delete_volume.gone."""
    with it.step("delete_volume") as whole:
        with it.step("accepted"):
            await it.cloud.volume.delete(f"/volumes/{volume}")
        await wait_in(it, whole, "gone", lambda _: _gone(it, volume), "the volume to be gone")
    it.unmade(_NOUN, volume)


async def remove(it: Iteration, volume: str) -> None:
    """Delete a volume, which may be on its way from a server or gone, and wait, without steps: for undoing."""

    async def deletable() -> bool | None:
        status = await _status(it, volume)
        return True if not status or status in _DELETABLE else None

    await wait_quietly(it, deletable, "the volume to be free")
    if await delete_if_there(it.cloud.volume, f"/volumes/{volume}"):
        await wait_quietly(it, lambda: _gone(it, volume), "the volume to be gone")


async def attach(it: Iteration, volume: str, server: Server) -> None:
    """Attach a volume to a server and wait until it is in-use.

    Steps: attach_volume, attach_volume.accepted, attach_volume.in_use.
    """
    with it.step("attach_volume") as whole:
        with it.step("accepted"):
            path = f"/servers/{server.id}/os-volume_attachments"
            await it.cloud.compute.post(path, json={"volumeAttachment": {"volumeId": volume}})
        await _reach(it, whole, volume, "in-use")


async def detach(it: Iteration, volume: str, server: Server) -> None:
    """Detach a volume from a server and wait until it is available.

    Steps: detach_volume, detach_volume.accepted, detach_volume.available.
    """
    with it.step("detach_volume") as whole:
        with it.step("accepted"):
            await it.cloud.compute.delete(f"/servers/{server.id}/os-volume_attachments/{volume}")
        await _reach(it, whole, volume, "available")


async def list_volumes(it: Iteration) -> int:
    """List all volumes of the project, page by page; gives how many. Step: list_volumes."""
    with it.step("list_volumes"):
        return len(await it.cloud.volume.list_all("/volumes/detail", "volumes"))


async def _reach(it: Iteration, whole: Step, volume: str, wanted: str) -> None:
    async def probe(_: Step) -> bool | None:
        status = await _status(it, volume)
        if not status or status.startswith("error"):
            raise OperationError(Outcome.WRONG_STATE, f"the volume is {status or 'gone'}, wanted {wanted}")
        return True if status == wanted else None

    await wait_in(it, whole, wanted.replace("-", "_"), probe, f"the volume to be {wanted}")


async def _gone(it: Iteration, volume: str) -> bool | None:
    status = await _status(it, volume)
    if status == "error_deleting":
        raise OperationError(Outcome.WRONG_STATE, "the volume is error_deleting and was not deleted")
    return None if status else True


async def _status(it: Iteration, volume: str) -> str:
    """The volume's status, empty when it is not there."""
    response = await it.cloud.volume.request("GET", f"/volumes/{volume}", expect=(200, NOT_FOUND))
    return "" if response.status == NOT_FOUND else response.json(_Answer).volume.status
