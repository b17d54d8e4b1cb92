"""Keypairs: a user's public keys. Nobody can log in to an emulated server, so a key that is made here opens nothing."""

import base64
import hashlib
import re
from typing import Any, Final

import msgspec

from kilonode.cloud.context import Cloud, timestamp_with_microseconds
from kilonode.cloud.openstack.compute.model import KEYPAIR, Keypair, keypair_key
from kilonode.cloud.openstack.compute.paging import paginate
from kilonode.cloud.openstack.compute.quotas import limits_of
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.index import Index
from kilonode.control.mirror import Delete, Entry, Put

NAMES_WIDER_SINCE: Final = (2, 92)
_OLDER_NAME: Final = re.compile(r"^[A-Za-z0-9 _-]+$")
_NAME: Final = re.compile(r"^[A-Za-z0-9 _@.-]+$")
TYPES: Final = ("ssh", "x509")
_ED25519: Final = b"ssh-ed25519"


class WantedKeypair(msgspec.Struct, frozen=True):
    """The `keypair` of a create request."""

    name: str
    public_key: str | None = None
    type: str = "ssh"
    user_id: str | None = None


class CreateKeypair(msgspec.Struct, frozen=True):
    """The body of `POST /os-keypairs`."""

    keypair: WantedKeypair


async def list_keypairs(request: Request) -> Response:
    """The keypairs of a user, by name."""
    user_id = _user_id(request)
    mirror = request.cloud.mirror
    found: list[Keypair] = [mirror.all(KEYPAIR)[key].value for key in _by_user(request.cloud).keys(user_id)]
    found.sort(key=lambda pair: pair.name)
    if request.microversion < (2, 35):
        return reply({"keypairs": [{"keypair": _in_list(request, pair)} for pair in found]}, items=len(found))
    page = paginate(request, found, lambda pair: pair.name)
    body = page.body("keypairs", lambda pair: {"keypair": _in_list(request, pair)})
    return reply(body, items=len(page.items))


async def show_keypair(request: Request) -> Response:
    """One keypair."""
    pair = _find(request).value
    view = {
        **_in_list(request, pair),
        "user_id": pair.user_id,
        "id": pair.number,
        "created_at": timestamp_with_microseconds(pair.created_us),
        "updated_at": None,
        "deleted": False,
        "deleted_at": None,
    }
    return reply({"keypair": view})


async def create_keypair(request: Request) -> Response:
    """Take a public key, or (before 2.92) make one."""
    wanted = request.json(CreateKeypair).keypair
    cloud = request.cloud
    user_id = request.caller.user_id
    if wanted.user_id and wanted.user_id != user_id:
        if not request.caller.is_admin:
            raise Fault(403, "Policy doesn't allow os_compute_api:os-keypairs:create to be performed.")
        user_id = wanted.user_id
    if not 1 <= len(wanted.name) <= 255:
        raise Fault(400, "Keypair data is invalid: Keypair name must be string and between 1 and 255 characters long")
    allowed = _NAME if request.microversion >= NAMES_WIDER_SINCE else _OLDER_NAME
    if not allowed.match(wanted.name):
        raise Fault(400, "Keypair data is invalid: Keypair name contains unsafe characters")
    if wanted.type not in TYPES:
        raise Fault(400, f"Invalid input for field/attribute type. Value: {wanted.type}. It is one of {TYPES}.")
    if wanted.public_key is None and request.microversion >= (2, 92):
        raise Fault(400, "Invalid input for field/attribute keypair. 'public_key' is a required property")
    made = wanted.public_key is None
    public_key = _make_public_key(cloud) if wanted.public_key is None else wanted.public_key
    key = keypair_key(user_id, wanted.name)
    if cloud.mirror.get(KEYPAIR, key) is not None:
        raise Fault(409, f"Key pair '{wanted.name}' already exists.")
    limit = limits_of(cloud, request.caller.project_id)["key_pairs"]
    if 0 <= limit <= _by_user(cloud).count(user_id):
        raise Fault(403, "Quota exceeded, too many key pairs.")
    number = int(cloud.new_id()[:7], 16)
    pair = Keypair(
        wanted.name, user_id, public_key, _fingerprint(public_key, wanted.type), cloud.now_us(), number, wanted.type
    )
    await cloud.mirror.commit([Put(KEYPAIR, pair, key, 0)])
    view = {**_in_list(request, pair), "user_id": user_id}
    if made:
        view["private_key"] = _make_private_key(cloud)
    return reply({"keypair": view}, 201 if request.microversion >= (2, 2) else 200)


async def delete_keypair(request: Request) -> Response:
    """Forget a keypair."""
    pair = _find(request).value
    await request.cloud.mirror.commit([Delete(KEYPAIR, keypair_key(pair.user_id, pair.name))])
    return reply(None, 204 if request.microversion >= (2, 2) else 202)


def _find(request: Request) -> Entry[Keypair]:
    name, user_id = request.params["keypair_name"], _user_id(request)
    entry: Entry[Keypair] | None = request.cloud.mirror.get(KEYPAIR, keypair_key(user_id, name))
    if entry is None:
        raise Fault(404, f"Keypair {name} not found for user {user_id}")
    return entry


def _user_id(request: Request) -> str:
    user_id = request.query.one("user_id") if request.microversion >= (2, 10) else ""
    if user_id and user_id != request.caller.user_id and not request.caller.is_admin:
        raise Fault(403, "Policy doesn't allow os_compute_api:os-keypairs:index to be performed.")
    return user_id or request.caller.user_id


def _by_user(cloud: Cloud) -> Index:
    return cloud.mirror.index(KEYPAIR, "user", lambda pair: pair.user_id)


def _in_list(request: Request, pair: Keypair) -> dict[str, Any]:
    view = {"name": pair.name, "public_key": pair.public_key, "fingerprint": pair.fingerprint}
    if request.microversion >= (2, 2):
        view["type"] = pair.type
    return view


def _fingerprint(public_key: str, kind: str) -> str:
    """MD5 over an SSH key's bytes, SHA-1 over a certificate, in pairs of digits. Raises Fault 400."""
    if kind == "x509":
        digest = hashlib.sha1(public_key.encode(), usedforsecurity=False).hexdigest()
    else:
        words = public_key.split()
        try:
            data = base64.b64decode(words[1], validate=True)
            length = int.from_bytes(data[:4], "big")
            if data[4 : 4 + length] != words[0].encode() or len(data) <= 4 + length:
                # A key says its own type first; what does not is no key.
                raise ValueError(words[0])
        except (IndexError, ValueError) as error:
            raise Fault(400, "Keypair data is invalid: failed to generate fingerprint") from error
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return ":".join(digest[position : position + 2] for position in range(0, len(digest), 2))


def _make_public_key(cloud: Cloud) -> str:
    """A key of the right form, whose private half nobody has."""
    point = bytes.fromhex(cloud.new_hexadecimal_id() + cloud.new_hexadecimal_id())
    data = b"".join(len(part).to_bytes(4, "big") + part for part in (_ED25519, point))
    return f"{_ED25519.decode()} {base64.b64encode(data).decode()} generated"


def _make_private_key(cloud: Cloud) -> str:
    text = base64.b64encode(f"emulated cloud: opens nothing {cloud.new_id()}".encode()).decode()
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text}\n-----END OPENSSH PRIVATE KEY-----\n"
