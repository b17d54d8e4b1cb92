"""`/qos-specs`: qualities of service, and the volume types they are associated with."""

from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.openstack.volume.bodies import body_of, invalid, text_of, texts_of
from kilonode.cloud.openstack.volume.model import QOS_SPECS, VOLUME_TYPE, QosSpecs, VolumeType
from kilonode.cloud.openstack.volume.views import links
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Delete, Entry, Put

_CONSUMERS: Final = ("front-end", "back-end", "both")


async def list_qos_specs(request: Request) -> Response:
    """All of them."""
    shown = [_view(entry.value) for entry in request.cloud.mirror.all(QOS_SPECS).values()]
    return reply({"qos_specs": shown}, items=len(shown))


async def show_qos_specs(request: Request) -> Response:
    """One."""
    return _show(request, _find(request).value)


async def create_qos_specs(request: Request) -> Response:
    """Make one; what is neither name nor consumer is a spec."""
    wanted = body_of(request, "qos_specs")
    name = text_of(wanted, "name", needed=True)
    consumer = text_of(wanted, "consumer") or "back-end"
    if consumer not in _CONSUMERS:
        raise Fault(400, f"Invalid qos specs: Valid consumer of QoS specs are: {list(_CONSUMERS)}")
    if any(entry.value.name == name for entry in request.cloud.mirror.all(QOS_SPECS).values()):
        raise Fault(409, f"QoS Specs {name} already exists.")
    specs = texts_of({key: text for key, text in wanted.items() if key not in ("name", "consumer")}, "qos_specs")
    qos = QosSpecs(request.cloud.new_id(), name, consumer, specs)
    await request.cloud.mirror.commit([Put(QOS_SPECS, qos, qos.id, 0)])
    return _show(request, qos)


async def update_qos_specs(request: Request) -> Response:
    """Set some of its specs."""
    entry = _find(request)
    wanted = texts_of(body_of(request, "qos_specs"), "qos_specs")
    consumer = wanted.get("consumer", entry.value.consumer)
    if consumer not in _CONSUMERS:
        raise Fault(400, f"Invalid qos specs: Valid consumer of QoS specs are: {list(_CONSUMERS)}")
    added = {key: text for key, text in wanted.items() if key != "consumer"}
    await _write(request, entry, consumer=consumer, specs={**entry.value.specs, **added})
    return reply({"qos_specs": wanted})


async def delete_qos_keys(request: Request) -> Response:
    """Forget some of its specs."""
    entry = _find(request)
    keys = request.json_object().get("keys")
    if not isinstance(keys, list):
        raise invalid("keys", keys)
    for key in keys:
        if key not in entry.value.specs:
            raise Fault(400, f"QoS Specs {entry.value.id} has no spec with key {key}.")
    await _write(request, entry, specs={key: text for key, text in entry.value.specs.items() if key not in keys})
    return reply(None, 202)


async def delete_qos_specs(request: Request) -> Response:
    """Delete one: not while a type has it, unless forced."""
    entry = _find(request)
    changes: list[Put | Delete] = [Delete(QOS_SPECS, entry.value.id, entry.revision)]
    types = _associated(request, entry.value.id)
    if types and not request.query.flag("force"):
        raise Fault(400, f"QoS Specs {entry.value.id} is still associated with entities.")
    await request.cloud.mirror.commit([*changes, *(_without(one) for one in types)])
    return reply(None, 202)


async def list_associations(request: Request) -> Response:
    """The types that have it."""
    types = [entry.value for entry in _associated(request, _find(request).value.id)]
    shown = [{"association_type": "volume_type", "name": kind.name, "id": kind.id} for kind in types]
    return reply({"qos_associations": shown})


async def associate(request: Request) -> Response:
    """Give it to a type."""
    qos = _find(request).value
    entry = _type(request)
    if entry.value.qos_specs_id not in ("", qos.id):
        raise Fault(400, f"Invalid volume type: Type {entry.value.id} is already associated with another qos specs: "
                         f"{entry.value.qos_specs_id}")  # fmt: skip
    kind = replace(entry.value, qos_specs_id=qos.id)
    await request.cloud.mirror.commit([Put(VOLUME_TYPE, kind, kind.id, entry.revision)])
    return reply(None, 202)


async def disassociate(request: Request) -> Response:
    """Take it from a type."""
    _find(request)
    await request.cloud.mirror.commit([_without(_type(request))])
    return reply(None, 202)


async def disassociate_all(request: Request) -> Response:
    """Take it from all types."""
    types = _associated(request, _find(request).value.id)
    if types:
        await request.cloud.mirror.commit([_without(one) for one in types])
    return reply(None, 202)


def _find(request: Request) -> Entry[QosSpecs]:
    key = request.params["qos_id"]
    entry: Entry[QosSpecs] | None = request.cloud.mirror.get(QOS_SPECS, key)
    if entry is None:
        raise Fault(404, f"No such QoS spec {key}.")
    return entry


def _type(request: Request) -> Entry[VolumeType]:
    key = request.query.one("vol_type_id")
    if not key:
        raise Fault(400, "Volume Type id must not be None.")
    entry: Entry[VolumeType] | None = request.cloud.mirror.get(VOLUME_TYPE, key)
    if entry is None:
        raise Fault(404, f"Volume type {key} could not be found.")
    return entry


def _associated(request: Request, qos_id: str) -> list[Entry[VolumeType]]:
    return [entry for entry in request.cloud.mirror.all(VOLUME_TYPE).values() if entry.value.qos_specs_id == qos_id]


def _without(entry: Entry[VolumeType]) -> Put:
    return Put(VOLUME_TYPE, replace(entry.value, qos_specs_id=""), entry.value.id, entry.revision)


def _view(qos: QosSpecs) -> dict[str, Any]:
    return {"id": qos.id, "name": qos.name, "consumer": qos.consumer, "specs": qos.specs}


def _show(request: Request, qos: QosSpecs) -> Response:
    return reply({"qos_specs": _view(qos), "links": links(request, "qos-specs", qos.id)})


async def _write(request: Request, entry: Entry[QosSpecs], **changes: Any) -> None:
    qos = replace(entry.value, **changes)
    await request.cloud.mirror.commit([Put(QOS_SPECS, qos, qos.id, entry.revision)])
