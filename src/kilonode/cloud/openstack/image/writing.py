"""Writing facts of an image that somebody else may be changing at the same instant."""

from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.image.data import StoredData
from kilonode.cloud.openstack.image.formats import Finding
from kilonode.cloud.openstack.image.model import IMAGE
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.control.mirror import Put
from kilonode.store.protocol import ConflictError

WRITES_TRIED: Final = 10


async def write_facts(cloud: Cloud, image_id: str, **facts: Any) -> bool:
    """Write facts of an image, whatever else was changed meanwhile. False: it is gone. Raises Fault 409."""
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


def facts_of_data(stored: StoredData, finding: Finding | None) -> dict[str, Any]:
    """What an image says of its data."""
    facts: dict[str, Any] = {
        "size_bytes": stored.size_bytes,
        "checksum": stored.checksum,
        "hash_value": stored.hash_value,
    }
    if finding is not None:
        facts |= {"found_format": finding.format, "unsafe": finding.unsafe, "virtual_size_bytes": finding.virtual_bytes}
    return facts
