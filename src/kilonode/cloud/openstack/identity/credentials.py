"""`/credentials` and `/users/{id}/credentials/OS-EC2`: secrets kept for a user. Nobody logs in with them."""

import hashlib
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.openstack.identity.answers import find, forbidden, items_reply, link, listing, show
from kilonode.cloud.openstack.identity.delegated import in_scope
from kilonode.cloud.openstack.identity.delegation_model import CREDENTIAL, Credential, kept_credentials_by_user
from kilonode.cloud.openstack.identity.model import PROJECT, USER
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Entry, Put

EC2: Final = "ec2"
CREDENTIAL_FIELDS: Final[Fields[Credential]] = Fields(
    {
        "id": lambda credential: credential.id,
        "user_id": lambda credential: credential.user_id,
        "type": lambda credential: credential.type,
        "project_id": lambda credential: credential.project_id,
        "blob": lambda credential: credential.blob,
    }
)


class WantedCredential(msgspec.Struct, frozen=True):
    """The `credential` of a create request."""

    user_id: str
    type: str
    blob: str
    project_id: str | None = None


class CreateCredential(msgspec.Struct, frozen=True):
    """The body of `POST /credentials`."""

    credential: WantedCredential


class ChangedCredential(msgspec.Struct, frozen=True):
    """The `credential` of an update request."""

    user_id: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    blob: str | UnsetType = UNSET
    project_id: str | UnsetType | None = UNSET


class UpdateCredential(msgspec.Struct, frozen=True):
    """The body of `PATCH /credentials/{credential_id}`."""

    credential: ChangedCredential


class CreateEc2Credential(msgspec.Struct, frozen=True):
    """The body of `POST /users/{user_id}/credentials/OS-EC2`."""

    tenant_id: str


class _Keys(msgspec.Struct, frozen=True):
    """What the blob of an EC2 credential says."""

    access: str
    secret: str
    trust_id: str | None = None


async def list_credentials(request: Request) -> Response:
    """`GET /credentials`: all to administrators, else the caller's own."""
    values = (entry.value for entry in request.cloud.mirror.all(CREDENTIAL).values())
    return listing(
        request, "credentials", CREDENTIAL_FIELDS, (one for one in values if _may(request, one.user_id, one.project_id))
    )


async def create_credential(request: Request) -> Response:
    """`POST /credentials`."""
    wanted = request.json(CreateCredential).credential
    _require(request, "create_credential", wanted.user_id, wanted.project_id)
    find(request, USER, "user", wanted.user_id)
    if wanted.project_id is not None:
        find(request, PROJECT, "project", wanted.project_id)
    key = request.cloud.new_hexadecimal_id()
    if wanted.type == EC2:
        if not wanted.project_id:
            raise Fault(400, "'project_id' is a required property of an ec2 credential.")
        key = _ec2_id(_keys(wanted.blob).access)
    if request.cloud.mirror.get(CREDENTIAL, key) is not None:
        raise Fault(409, f"Conflict occurred attempting to store credential - Duplicate entry found with ID {key}.")
    credential = Credential(key, wanted.user_id, wanted.type, wanted.blob, wanted.project_id)
    await request.cloud.mirror.commit([Put(CREDENTIAL, credential, key, 0)])
    return show(request, "credential", "credentials", CREDENTIAL_FIELDS, credential, 201)


async def show_credential(request: Request) -> Response:
    """`GET /credentials/{credential_id}`."""
    credential = _find(request, "get_credential").value
    return show(request, "credential", "credentials", CREDENTIAL_FIELDS, credential)


async def update_credential(request: Request) -> Response:
    """`PATCH /credentials/{credential_id}`."""
    entry = _find(request, "update_credential")
    changed = request.json(UpdateCredential).credential
    old = entry.value
    credential = msgspec.structs.replace(
        old,
        user_id=old.user_id if changed.user_id is UNSET else changed.user_id,
        type=old.type if changed.type is UNSET else changed.type,
        blob=old.blob if changed.blob is UNSET else changed.blob,
        project_id=old.project_id if changed.project_id is UNSET else changed.project_id,
    )
    _require(request, "update_credential", credential.user_id, credential.project_id)
    find(request, USER, "user", credential.user_id)
    if credential.type == EC2:
        _keys(credential.blob)
    await request.cloud.mirror.commit([Put(CREDENTIAL, credential, old.id, entry.revision)])
    return show(request, "credential", "credentials", CREDENTIAL_FIELDS, credential)


async def delete_credential(request: Request) -> Response:
    """`DELETE /credentials/{credential_id}`."""
    entry = _find(request, "delete_credential")
    await request.cloud.mirror.commit([Delete(CREDENTIAL, entry.value.id, entry.revision)])
    return reply(None, 204)


async def list_ec2_credentials(request: Request) -> Response:
    """`GET /users/{user_id}/credentials/OS-EC2`."""
    user_id = request.params["user_id"]
    _require(request, "ec2_list_credentials", user_id, request.caller.project_id)
    mirror = request.cloud.mirror
    held = (mirror.all(CREDENTIAL)[key].value for key in kept_credentials_by_user(mirror).keys(user_id))
    own = (one for one in held if one.type == EC2 and in_scope(request, one.project_id))
    return items_reply(request, "credentials", [_shown_ec2(request, one) for one in own])


async def create_ec2_credential(request: Request) -> Response:
    """`POST /users/{user_id}/credentials/OS-EC2`: a new pair of keys for a project."""
    cloud, user_id = request.cloud, request.params["user_id"]
    tenant_id = request.json(CreateEc2Credential).tenant_id
    _require(request, "ec2_create_credential", user_id, tenant_id)
    find(request, USER, "user", user_id)
    find(request, PROJECT, "project", tenant_id)
    keys = _Keys(cloud.new_hexadecimal_id(), cloud.new_hexadecimal_id())
    blob = msgspec.json.encode(keys).decode()
    credential = Credential(_ec2_id(keys.access), user_id, EC2, blob, tenant_id)
    await cloud.mirror.commit([Put(CREDENTIAL, credential, credential.id, 0)])
    return reply({"credential": _shown_ec2(request, credential)}, 201)


async def show_ec2_credential(request: Request) -> Response:
    """`GET /users/{user_id}/credentials/OS-EC2/{access}`."""
    return reply({"credential": _shown_ec2(request, _find_ec2(request, "ec2_get_credential").value)})


async def delete_ec2_credential(request: Request) -> Response:
    """`DELETE /users/{user_id}/credentials/OS-EC2/{access}`."""
    entry = _find_ec2(request, "ec2_delete_credential")
    await request.cloud.mirror.commit([Delete(CREDENTIAL, entry.value.id, entry.revision)])
    return reply(None, 204)


def _may(request: Request, user_id: str, project_id: str | None) -> bool:
    caller = request.caller
    reads = request.method in ("GET", "HEAD") and caller.system and caller.access >= Access.READER
    return (caller.is_admin or reads or caller.user_id == user_id) and in_scope(request, project_id)


def _require(request: Request, action: str, user_id: str, project_id: str | None) -> None:
    if not _may(request, user_id, project_id):
        raise forbidden(request, action)


def _find(request: Request, action: str) -> Entry[Credential]:
    entry = find(request, CREDENTIAL, "credential", request.params["credential_id"])
    _require(request, action, entry.value.user_id, entry.value.project_id)
    return entry


def _find_ec2(request: Request, action: str) -> Entry[Credential]:
    entry = request.cloud.mirror.get(CREDENTIAL, _ec2_id(request.params["access"]))
    project_id = entry.value.project_id if entry is not None else request.caller.project_id
    _require(request, action, request.params["user_id"], project_id)
    if entry is None or entry.value.user_id != request.params["user_id"]:
        raise Fault(404, f"Could not find credential: {request.params['access']}.")
    return entry


def _keys(blob: str) -> _Keys:
    try:
        return msgspec.json.decode(blob, type=_Keys)
    except msgspec.DecodeError as error:
        raise Fault(400, "Invalid blob in credential: expected JSON with access and secret.") from error


def _ec2_id(access: str) -> str:
    return hashlib.sha256(access.encode("utf-8", "surrogatepass")).hexdigest()


def _shown_ec2(request: Request, credential: Credential) -> dict[str, Any]:
    keys = _keys(credential.blob)
    return {
        "user_id": credential.user_id,
        "tenant_id": credential.project_id,
        "access": keys.access,
        "secret": keys.secret,
        "trust_id": keys.trust_id,
        "links": link(request, f"/users/{credential.user_id}/credentials/OS-EC2/{keys.access}"),
    }


_EC2_PLACE: Final = "/users/{user_id}/credentials/OS-EC2"
ROUTES = (
    Route("GET", "/credentials", list_credentials, Access.AUTHENTICATED),
    Route("POST", "/credentials", create_credential, Access.AUTHENTICATED),
    Route("GET", "/credentials/{credential_id}", show_credential, Access.AUTHENTICATED),
    Route("PATCH", "/credentials/{credential_id}", update_credential, Access.AUTHENTICATED),
    Route("DELETE", "/credentials/{credential_id}", delete_credential, Access.AUTHENTICATED),
    Route("GET", _EC2_PLACE, list_ec2_credentials, Access.AUTHENTICATED),
    Route("POST", _EC2_PLACE, create_ec2_credential, Access.AUTHENTICATED),
    Route("GET", f"{_EC2_PLACE}/{{access}}", show_ec2_credential, Access.AUTHENTICATED),
    Route("DELETE", f"{_EC2_PLACE}/{{access}}", delete_ec2_credential, Access.AUTHENTICATED),
)
