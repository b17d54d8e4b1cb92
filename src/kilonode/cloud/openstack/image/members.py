"""`/images/{id}/members`: the projects that a shared image is shared with, and whether they took it."""

from typing import Any, Final

import msgspec

from kilonode.cloud.context import timestamp
from kilonode.cloud.openstack.image.lookup import find_image, find_own_image
from kilonode.cloud.openstack.image.model import (
    IMAGE_MEMBER,
    MEMBER_STATUSES,
    SHARED,
    ImageMember,
    member_key,
    members_by_image,
)
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Entry, Put


class NewMember(msgspec.Struct, frozen=True):
    """The body of `POST …/members`."""

    member: str


class MemberStatus(msgspec.Struct, frozen=True):
    """The body of `PUT …/members/{member_id}`."""

    status: str


async def list_members(request: Request) -> Response:
    """`GET …/members`: all to the owner, itself to a member."""
    image = find_image(request).value
    _require_shared(image.visibility)
    table = request.cloud.mirror.all(IMAGE_MEMBER)
    members = [table[key].value for key in members_by_image(request.cloud.mirror).keys(image.id)]
    if not request.caller.may_see(image.owner):
        members = [member for member in members if member.project_id == request.caller.project_id]
    return reply({"members": [_show(member) for member in members], "schema": "/v2/schemas/members"})


async def add_member(request: Request) -> Response:
    """`POST …/members`."""
    image = find_own_image(request, "share").value
    _require_shared(image.visibility)
    project_id = request.json(NewMember).member
    if not project_id:
        raise Fault(400, "Member can't be empty")
    key = member_key(image.id, project_id)
    if request.cloud.mirror.get(IMAGE_MEMBER, key) is not None:
        raise Fault(409, f"Image {image.id} is already associated with project {project_id}.")
    now_us = request.cloud.now_us()
    member = ImageMember(image.id, project_id, MEMBER_STATUSES[0], now_us, now_us)
    await request.cloud.mirror.commit([Put(IMAGE_MEMBER, member, key, 0)])
    return reply(_show(member))


async def show_member(request: Request) -> Response:
    """`GET …/members/{member_id}`."""
    image = find_image(request).value
    member = _find(request).value
    if not request.caller.may_see(image.owner) and not request.caller.may_see(member.project_id):
        raise Fault(404, f"{member.project_id} is not a member of {image.id}.")
    return reply(_show(member))


async def update_member(request: Request) -> Response:
    """`PUT …/members/{member_id}`: a project takes the image, or not."""
    find_image(request)
    entry = _find(request)
    status = request.json(MemberStatus).status
    if not request.caller.may_see(entry.value.project_id):
        raise Fault(403, "You are not permitted to modify this image member.")
    if status not in MEMBER_STATUSES:
        raise Fault(400, f"Incorrect status: {status}")
    member = msgspec.structs.replace(entry.value, status=status, updated_us=request.cloud.now_us())
    await request.cloud.mirror.commit(
        [Put(IMAGE_MEMBER, member, member_key(member.image_id, member.project_id), entry.revision)]
    )
    return reply(_show(member))


async def remove_member(request: Request) -> Response:
    """`DELETE …/members/{member_id}`."""
    find_own_image(request, "share")
    entry = _find(request)
    key = member_key(entry.value.image_id, entry.value.project_id)
    await request.cloud.mirror.commit([Delete(IMAGE_MEMBER, key, entry.revision)])
    return reply(None, 204)


def _find(request: Request) -> Entry[ImageMember]:
    image_id, project_id = request.params["image_id"], request.params["member_id"]
    entry: Entry[ImageMember] | None = request.cloud.mirror.get(IMAGE_MEMBER, member_key(image_id, project_id))
    if entry is None:
        raise Fault(404, f"{project_id} not found in the member list of the image {image_id}.")
    return entry


def _require_shared(visibility: str) -> None:
    if visibility != SHARED:
        raise Fault(403, f"Only shared images have members, and this one is {visibility}.")


def _show(member: ImageMember) -> dict[str, Any]:
    return {
        "image_id": member.image_id,
        "member_id": member.project_id,
        "status": member.status,
        "created_at": timestamp(member.created_us),
        "updated_at": timestamp(member.updated_us),
        "schema": "/v2/schemas/member",
    }


_MEMBERS: Final = "/images/{image_id}/members"
ROUTES: Final = (
    Route("GET", _MEMBERS, list_members, Access.READER),
    Route("POST", _MEMBERS, add_member, Access.MEMBER),
    Route("GET", f"{_MEMBERS}/{{member_id}}", show_member, Access.READER),
    Route("PUT", f"{_MEMBERS}/{{member_id}}", update_member, Access.MEMBER),
    Route("DELETE", f"{_MEMBERS}/{{member_id}}", remove_member, Access.MEMBER),
)
