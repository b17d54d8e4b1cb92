"""What belongs to a volume type: extra specs, the projects that may use it, encryption."""

from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.context import timestamp_with_microseconds
from kilonode.cloud.openstack.volume.bodies import body_of, invalid, number_of, text_of, texts_of
from kilonode.cloud.openstack.volume.model import VOLUME, VOLUME_TYPE, Encryption, VolumeType
from kilonode.cloud.openstack.volume.types import find_known_type, visible_specs
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry, Put

_LOCATIONS: Final = ("front-end", "back-end")


async def list_extra_specs(request: Request) -> Response:
    """A type's extra specs."""
    return reply({"extra_specs": visible_specs(request, find_known_type(request).value)})


async def create_extra_specs(request: Request) -> Response:
    """Add to a type's extra specs."""
    entry = find_known_type(request)
    wanted = _specs(body_of(request, "extra_specs"))
    await _write(request, entry, extra_specs={**entry.value.extra_specs, **wanted})
    return reply({"extra_specs": wanted})


async def show_extra_spec(request: Request) -> Response:
    """One of a type's extra specs."""
    specs = visible_specs(request, find_known_type(request).value)
    key = _known(request, specs)
    return reply({key: specs[key]})


async def update_extra_spec(request: Request) -> Response:
    """Set the extra spec that the path names."""
    entry = find_known_type(request)
    wanted = _specs(request.json_object())
    key = request.params["key"]
    if key not in wanted:
        raise Fault(400, "Request body and URI mismatch")
    if len(wanted) > 1:
        raise Fault(400, "Request body contains too many items")
    await _write(request, entry, extra_specs={**entry.value.extra_specs, **wanted})
    return reply(wanted)


async def delete_extra_spec(request: Request) -> Response:
    """Forget one of a type's extra specs."""
    entry = find_known_type(request)
    key = _known(request, entry.value.extra_specs)
    await _write(
        request, entry, extra_specs={name: text for name, text in entry.value.extra_specs.items() if name != key}
    )
    return reply(None, 202)


async def list_access(request: Request) -> Response:
    """The projects that may use a type that is not public."""
    kind = find_known_type(request).value
    if kind.public:
        raise Fault(404, "Access list not available for public volume types.")
    access = [{"volume_type_id": kind.id, "project_id": project_id} for project_id in kind.projects]
    return reply({"volume_type_access": access})


ACTIONS: Final = dict.fromkeys(("addProjectAccess", "removeProjectAccess"))


async def act_on_type(request: Request) -> Response:
    """Let a project use a type that is not public, or no longer."""
    entry = find_known_type(request)
    kind = entry.value
    body = request.json_object()
    name, given = next(iter(body.items()), ("", None))
    if name not in ("addProjectAccess", "removeProjectAccess") or not isinstance(given, dict):
        raise Fault(400, f"There is no such action: {name}")
    project_id = text_of(given, "project", needed=True)
    if name == "addProjectAccess":
        if kind.public:
            raise Fault(409, f"Invalid volume type: Type access modification is not applicable to public volume type "
                             f"{kind.id}.")  # fmt: skip
        if project_id in kind.projects:
            raise Fault(409, f"Volume type access for {kind.id} / {project_id} combination already exists.")
        await _write(request, entry, projects=(*kind.projects, project_id))
    else:
        if project_id not in kind.projects:
            raise Fault(404, f"Volume type access not found for {kind.id} / {project_id} combination.")
        await _write(request, entry, projects=tuple(one for one in kind.projects if one != project_id))
    return reply(None, 202)


async def show_encryption(request: Request) -> Response:
    """How volumes of a type are encrypted; empty: they are not."""
    kind = find_known_type(request).value
    encryption = kind.encryption
    if encryption is None:
        return reply({})
    return reply(
        {
            **_encryption_view(kind, encryption),
            "deleted": False,
            "created_at": timestamp_with_microseconds(encryption.created_us),
            "updated_at": timestamp_with_microseconds(encryption.updated_us) if encryption.updated_us else None,
            "deleted_at": None,
        }
    )


async def show_encryption_item(request: Request) -> Response:
    """One of its facts."""
    kind = find_known_type(request).value
    key = request.params["key"]
    if kind.encryption is None or key not in _encryption_view(kind, kind.encryption):
        raise Fault(404, f"Volume type encryption for type {kind.id} does not exist.")
    return reply({key: _encryption_view(kind, kind.encryption)[key]})


async def create_encryption(request: Request) -> Response:
    """Have volumes of a type encrypted, which none is so far."""
    entry = find_known_type(request)
    wanted = body_of(request, "encryption")
    kind = entry.value
    _refuse_used(request, kind, "Cannot create encryption specs. Volume type in use.")
    if kind.encryption is not None:
        raise Fault(409, f"Volume type encryption for type {kind.id} already exists.")
    encryption = _wanted_encryption(
        wanted,
        Encryption(request.cloud.new_id(), text_of(wanted, "provider", needed=True), created_us=request.cloud.now_us()),
    )
    await _write(request, entry, encryption=encryption)
    return reply({"encryption": _encryption_view(kind, encryption)})


async def update_encryption(request: Request) -> Response:
    """Change how volumes of a type are encrypted."""
    entry, encryption = _encrypted(request)
    wanted = body_of(request, "encryption")
    _refuse_used(request, entry.value, "Cannot update encryption specs. Volume type in use.")
    changed = replace(_wanted_encryption(wanted, encryption), updated_us=request.cloud.now_us())
    await _write(request, entry, encryption=changed)
    return reply({"encryption": {name: getattr(changed, name) for name in wanted if hasattr(changed, name)}})


async def delete_encryption(request: Request) -> Response:
    """No longer have volumes of a type encrypted."""
    entry, _ = _encrypted(request)
    _refuse_used(request, entry.value, "Cannot delete encryption specs. Volume type in use.")
    await _write(request, entry, encryption=None)
    return reply(None, 202)


def _encrypted(request: Request) -> tuple[Entry[VolumeType], Encryption]:
    entry = find_known_type(request)
    encryption = entry.value.encryption
    if encryption is None or encryption.id != request.params["key"]:
        raise Fault(404, f"Volume type encryption for type {entry.value.id} does not exist.")
    return entry, encryption


def _wanted_encryption(wanted: dict[str, Any], encryption: Encryption) -> Encryption:
    location = text_of(wanted, "control_location") or encryption.control_location
    if location not in _LOCATIONS:
        raise invalid("control_location", location, "Valid values are: front-end, back-end.")
    return replace(
        encryption,
        provider=text_of(wanted, "provider") or encryption.provider,
        control_location=location,
        cipher=text_of(wanted, "cipher") or encryption.cipher,
        key_size=encryption.key_size if wanted.get("key_size") is None else number_of(wanted, "key_size"),
    )


def _encryption_view(kind: VolumeType, encryption: Encryption) -> dict[str, Any]:
    return {
        "volume_type_id": kind.id,
        "encryption_id": encryption.id,
        "key_size": encryption.key_size,
        "provider": encryption.provider,
        "control_location": encryption.control_location,
        "cipher": encryption.cipher,
    }


def _refuse_used(request: Request, kind: VolumeType, message: str) -> None:
    if any(entry.value.type_id == kind.id for entry in request.cloud.mirror.all(VOLUME).values()):
        raise Fault(400, message)


def _specs(wanted: dict[str, Any]) -> dict[str, str]:
    specs = texts_of(wanted, "extra_specs")
    if not specs or any(value is None for value in wanted.values()):
        raise invalid("extra_specs", wanted)
    return specs


def _known(request: Request, specs: dict[str, str]) -> str:
    key = request.params["key"]
    if key not in specs:
        raise Fault(404, f"Volume Type {request.params['type_id']} has no extra specs with key {key}.")
    return key


async def _write(request: Request, entry: Entry[VolumeType], **changes: Any) -> None:
    kind = replace(entry.value, **changes)
    await request.cloud.mirror.commit([Put(VOLUME_TYPE, kind, kind.id, entry.revision)])
