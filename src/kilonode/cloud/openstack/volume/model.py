"""What the volume service keeps: volumes, snapshots, types and quotas. Sizes are `_gb` (GiB), instants `_us`."""

from typing import Final

import msgspec

from kilonode.cloud.kinds import document

VOLUME: Final = "volume"
SNAPSHOT: Final = "snapshot"
VOLUME_TYPE: Final = "volume_type"
VOLUME_QUOTA: Final = "volume_quota"

CREATING: Final = "creating"
AVAILABLE: Final = "available"
ATTACHING: Final = "attaching"
IN_USE: Final = "in-use"
DETACHING: Final = "detaching"
EXTENDING: Final = "extending"
DELETING: Final = "deleting"
DELETED: Final = "deleted"
ERROR: Final = "error"
MOVING: Final = frozenset({CREATING, ATTACHING, DETACHING, EXTENDING, DELETING})
"""Statuses that end by themselves."""

DEFAULT_TYPE_NAME: Final = "lvmdriver-1"
HOST: Final = "kilonode@lvmdriver-1#lvmdriver-1"
"""What administrators see as the backend of every volume."""


class Attachment(msgspec.Struct, frozen=True, omit_defaults=True):
    """A volume on a server."""

    id: str
    server_id: str
    device: str
    host: str = ""
    attached_us: int = 0


@document(VOLUME)
class Volume(msgspec.Struct, frozen=True, omit_defaults=True):
    """A volume."""

    id: str
    project_id: str
    user_id: str
    size_gb: int
    status: str
    status_since_us: int
    created_us: int
    type_id: str
    name: str = ""
    description: str = ""
    metadata: dict[str, str] = {}
    attachments: tuple[Attachment, ...] = ()
    zone: str = "nova"
    image_id: str = ""
    bootable: bool = False
    snapshot_id: str = ""
    source_id: str = ""
    multiattach: bool = False
    wanted_size_gb: int = 0
    """While it is being extended: the size it will have."""
    turn: int = 0
    """Raised with every change of status: tells repeated visits to a stage apart."""
    updated_us: int = 0


@document(SNAPSHOT)
class Snapshot(msgspec.Struct, frozen=True, omit_defaults=True):
    """A snapshot of a volume."""

    id: str
    project_id: str
    user_id: str
    volume_id: str
    size_gb: int
    status: str
    status_since_us: int
    created_us: int
    name: str = ""
    description: str = ""
    metadata: dict[str, str] = {}
    turn: int = 0
    updated_us: int = 0


@document(VOLUME_TYPE)
class VolumeType(msgspec.Struct, frozen=True, omit_defaults=True):
    """A kind of volume."""

    id: str
    name: str
    description: str = ""
    public: bool = True
    extra_specs: dict[str, str] = {}


@document(VOLUME_QUOTA)
class VolumeQuota(msgspec.Struct, frozen=True, omit_defaults=True):
    """The limits of a project that differ from the defaults; -1 is none."""

    limits: dict[str, int] = {}
