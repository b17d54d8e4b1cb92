"""The volume role: takes volumes and snapshots from the statuses that end by themselves to the ones where they rest.

Level-triggered: when a status ends follows from the document (since when, which turn) and the stages of the profile, so
a restart goes on where it was. The stages `volume-…` and `snapshot-…` of the profile say how long each takes.
"""

from typing import Final

from msgspec.structs import replace

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.volume.model import (
    AVAILABLE,
    DELETED,
    DETACHING,
    ERROR,
    EXTENDING,
    IN_USE,
    MOVING,
    SNAPSHOT,
    VOLUME,
    Snapshot,
    Volume,
)
from kilonode.cloud.stages import ANY
from kilonode.control.controller import Controller, Requeue
from kilonode.control.mirror import Delete, Put
from kilonode.control.queue import WorkQueue

KINDS: Final = (VOLUME, SNAPSHOT)
_MICROSECONDS_PER_SECOND: Final = 1_000_000
_SEPARATOR: Final = "/"


async def run_volumes(cloud: Cloud) -> None:
    """Live for the volumes, until cancelled."""
    await VolumeLife(cloud).controller.run()


class VolumeLife:
    """Decides what happens to volumes and snapshots. Keys in the queue are `kind/id`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.controller = Controller("volume", WorkQueue(cloud.clock), self.reconcile)
        cloud.mirror.subscribe(self._on_change, known=KINDS)

    async def reconcile(self, key: str) -> Requeue | None:
        """Take one volume or snapshot to where its status ends, when its time has come."""
        kind, _, identity = key.partition(_SEPARATOR)
        entry = self._cloud.mirror.get(kind, identity)
        if entry is None or entry.value.status not in MOVING:
            return None
        value: Volume | Snapshot = entry.value
        stage = self._cloud.stages.find(kind, ANY, value.status)
        now_us = self._cloud.now_us()
        if stage is not None:
            wait_us = value.status_since_us + self._cloud.stages.delay_us(stage, identity, value.turn) - now_us
            if wait_us > 0:
                return Requeue(wait_us / _MICROSECONDS_PER_SECOND)
            if self._cloud.stages.failure(stage, identity, value.turn):
                await self._cloud.mirror.commit([Put(kind, _moved(value, ERROR, now_us), identity, entry.revision)])
                return None
        following = stage.next.state if stage is not None else _resting(value)
        if following == DELETED:
            await self._cloud.mirror.commit([Delete(kind, identity, entry.revision)])
        else:
            await self._cloud.mirror.commit([Put(kind, _moved(value, following, now_us), identity, entry.revision)])
        return None

    def _on_change(self, kind: str, key: str) -> None:
        if kind in KINDS:
            entry = self._cloud.mirror.get(kind, key)
            if entry is not None and entry.value.status in MOVING:
                self.controller.queue.add(f"{kind}{_SEPARATOR}{key}")


def _moved(value: Volume | Snapshot, status: str, now_us: int) -> Volume | Snapshot:
    """The value at rest in a status."""
    if isinstance(value, Volume):
        extended = {"size_gb": value.wanted_size_gb, "wanted_size_gb": 0} if value.status == EXTENDING else {}
        if value.status == EXTENDING and value.attachments and status == AVAILABLE:
            status = IN_USE
        value = replace(value, **extended)
    return replace(value, status=status, status_since_us=now_us, turn=value.turn + 1, updated_us=now_us)


def _resting(value: Volume | Snapshot) -> str:
    """Where a status leads when a profile says nothing of it."""
    if value.status == DETACHING or not isinstance(value, Volume):
        return DELETED if value.status == "deleting" else AVAILABLE
    return {"attaching": IN_USE, "deleting": DELETED}.get(value.status, AVAILABLE)
