"""The volume role: takes what has a status that ends by itself to the one where it rests.

Level-triggered: when a status ends follows from the document (since when, which turn) and the stages of the profile, so
a restart goes on where it was. The stages `volume-…`, `snapshot-…`, `backup-…` and `group-…` of the profile say how
long each takes; what else is written when one ends is in `endings`.
"""

from typing import Any, Final

from kilonode.cloud.context import Cloud
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
from kilonode.cloud.stages import ANY
from kilonode.control.controller import Controller, Requeue
from kilonode.control.queue import WorkQueue

LIVING: Final = (VOLUME, SNAPSHOT, BACKUP, GROUP, GROUP_SNAPSHOT)
"""What has a status that may end by itself."""
KINDS: Final = (*LIVING, VOLUME_TYPE, IMAGE, MESSAGE)
"""What the role mirrors."""
_MICROSECONDS_PER_SECOND: Final = 1_000_000
_SEPARATOR: Final = "/"


async def run_volumes(cloud: Cloud) -> None:
    """Live for the volumes, until cancelled."""
    await VolumeLife(cloud).controller.run()


class VolumeLife:
    """Decides what happens to volumes and what is made of them. Keys in the queue are `kind/id`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.controller = Controller("volume", WorkQueue(cloud.clock), self.reconcile)
        cloud.mirror.subscribe(self._on_change, known=LIVING)

    async def reconcile(self, key: str) -> Requeue | None:
        """Take one of them to where its status ends, when its time has come."""
        kind, _, identity = key.partition(_SEPARATOR)
        entry = self._cloud.mirror.get(kind, identity)
        if entry is None or not _is_moving(entry.value):
            return None
        value = entry.value
        stage = self._cloud.stages.find(kind, ANY, value.status)
        if stage is not None:
            delay_us = self._cloud.stages.delay_us(stage, identity, value.turn)
            wait_us = value.status_since_us + delay_us - self._cloud.now_us()
            if wait_us > 0:
                return Requeue(wait_us / _MICROSECONDS_PER_SECOND)
            if self._cloud.stages.failure(stage, identity, value.turn):
                await self._cloud.mirror.commit(failed(self._cloud, kind, entry))
                return None
        following = stage.next.state if stage is not None else DELETED if value.status == DELETING else AVAILABLE
        await self._cloud.mirror.commit(ended(self._cloud, kind, entry, following))
        return None

    def _on_change(self, kind: str, key: str) -> None:
        if kind in LIVING:
            entry = self._cloud.mirror.get(kind, key)
            if entry is not None and _is_moving(entry.value):
                self.controller.queue.add(f"{kind}{_SEPARATOR}{key}")


def _is_moving(value: Any) -> bool:
    return value.status in MOVING and value.status_since_us > 0
