"""The volume role: takes what has a status that ends by itself to the one where it rests.

How a status ends in time is `kilonode.cloud.living`'s: the stages `volume-…`, `snapshot-…`, `backup-…` and `group-…` of
the profile say how long each takes. What else is written when one ends is in `endings`. Here is what rules may ask of
these documents.
"""

from typing import Any, Final

from kilonode.cloud.context import Changes, Cloud
from kilonode.cloud.draws import Position
from kilonode.cloud.living import Kind, Life
from kilonode.cloud.openstack.image.model import IMAGE
from kilonode.cloud.openstack.volume.endings import ended, failed
from kilonode.cloud.openstack.volume.group_model import GROUP, GROUP_SNAPSHOT
from kilonode.cloud.openstack.volume.model import (
    AVAILABLE,
    BACKUP,
    DELETED,
    DELETING,
    MESSAGE,
    MOVING,
    SNAPSHOT,
    VOLUME,
    VOLUME_TYPE,
)
from kilonode.cloud.rules import Facts
from kilonode.cloud.stages import ANY, Stage
from kilonode.cloud.tallies import TALLY
from kilonode.control.mirror import Entry

LIVING: Final = (VOLUME, SNAPSHOT, BACKUP, GROUP, GROUP_SNAPSHOT)
"""What has a status that may end by itself."""
KINDS: Final = (*LIVING, VOLUME_TYPE, IMAGE, MESSAGE, TALLY)
"""What the role mirrors."""


async def run_volumes(cloud: Cloud) -> None:
    """Live for the volumes, until cancelled."""
    await Life(cloud, "volume", {kind: _kind(kind) for kind in LIVING}).controller.run()


def _kind(kind: str) -> Kind:
    def end(cloud: Cloud, entry: Entry[Any], stage: Stage | None) -> Changes:
        following = stage.next.state if stage is not None else DELETED if entry.value.status == DELETING else AVAILABLE
        return ended(cloud, kind, entry, following)

    return Kind(_is_moving, _position, _facts, end, lambda cloud, entry, fault: failed(cloud, kind, entry))


def _is_moving(value: Any) -> bool:
    return value.status in MOVING and value.status_since_us > 0


def _position(value: Any) -> Position:
    return Position(ANY, value.status, value.turn, value.status_since_us)


def _facts(cloud: Cloud, value: Any) -> Facts:
    image_id = getattr(value, "image_id", "")
    image = cloud.mirror.get(IMAGE, image_id) if image_id else None
    return Facts(
        name=(value.name, value.id),
        host=(value.host,) if getattr(value, "host", "") else (),
        image=(image_id, image.value.name or "") if image is not None else (),
        project=(value.project_id,),
        zone=(value.zone,) if getattr(value, "zone", "") else (),
        metadata=getattr(value, "metadata", {}),
        image_bytes=image.value.size_bytes or 0 if image is not None else 0,
    )
