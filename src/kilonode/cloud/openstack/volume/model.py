"""What the volume service keeps: volumes, snapshots, backups, transfers, types and quotas. Groups are in `group_model`.

Sizes are `_gb` (GiB), instants `_us`. A status that ends by itself counts from `status_since_us`; zero there says that
the status was set by hand, so nobody is at work on it and it stays.
"""

from typing import Any, Final

import msgspec

from kilonode.cloud.kinds import document

VOLUME: Final = "volume"
SNAPSHOT: Final = "snapshot"
VOLUME_TYPE: Final = "volume_type"
VOLUME_QUOTA: Final = "volume_quota"
BACKUP: Final = "backup"
TRANSFER: Final = "volume_transfer"
QOS_SPECS: Final = "qos_specs"
MESSAGE: Final = "volume_message"
LEFT_BEHIND: Final = "volume_left_behind"
VOLUME_HOST: Final = "volume_host"

CREATING: Final = "creating"
AVAILABLE: Final = "available"
ATTACHING: Final = "attaching"
IN_USE: Final = "in-use"
DETACHING: Final = "detaching"
EXTENDING: Final = "extending"
DELETING: Final = "deleting"
DELETED: Final = "deleted"
ERROR: Final = "error"
RETYPING: Final = "retyping"
UPLOADING: Final = "uploading"
BACKING_UP: Final = "backing-up"
RESTORING: Final = "restoring"
RESTORING_BACKUP: Final = "restoring-backup"
REVERTING: Final = "reverting"
UPDATING: Final = "updating"
RESERVED: Final = "reserved"
AWAITING_TRANSFER: Final = "awaiting-transfer"
MOVING: Final = frozenset(
    {
        CREATING,
        ATTACHING,
        DETACHING,
        EXTENDING,
        DELETING,
        RETYPING,
        UPLOADING,
        BACKING_UP,
        RESTORING,
        RESTORING_BACKUP,
        REVERTING,
        UPDATING,
    }
)
"""Statuses that end by themselves."""

DEFAULT_TYPE_NAME: Final = "lvmdriver-1"
BACKEND: Final = "lvmdriver-1"
BACKEND_HOST: Final = f"kilonode@{BACKEND}"
"""The host on which the one backend is, as services are named."""
HOST: Final = f"{BACKEND_HOST}#{BACKEND}"
"""What administrators see as the pool of every volume."""


class Attachment(msgspec.Struct, frozen=True, omit_defaults=True):
    """A volume on a server."""

    id: str
    server_id: str
    device: str
    host: str = ""
    attached_us: int = 0
    mode: str = "rw"
    status: str = ""
    """Empty: as its volume; `reserved`: nobody has connected yet."""
    connector: dict[str, Any] = {}


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
    previous_status: str = ""
    """Where a status leads back to, such as that of a backup of a volume in use; empty: to `available`."""
    image_metadata: dict[str, str] = {}
    """What it has of its image, besides the image's id."""
    readonly: str = ""
    """`True` or `False` once somebody has said so."""
    group_id: str = ""
    host: str = HOST
    migration_status: str = ""
    wanted_type_id: str = ""
    """While it is being retyped: the type it will have."""
    upload_image_id: str = ""
    """While it is being uploaded: the image that will be active."""
    backup_id: str = ""
    """The backup it is being restored from."""
    encrypted: bool = False


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
    group_snapshot_id: str = ""
    progress: str = ""
    """As somebody reported it; empty: what the status says."""


class Encryption(msgspec.Struct, frozen=True, omit_defaults=True):
    """How volumes of a type are encrypted."""

    id: str
    provider: str
    control_location: str = "front-end"
    cipher: str | None = None
    key_size: int | None = None
    created_us: int = 0
    updated_us: int = 0


@document(VOLUME_TYPE)
class VolumeType(msgspec.Struct, frozen=True, omit_defaults=True):
    """A kind of volume."""

    id: str
    name: str
    description: str = ""
    public: bool = True
    extra_specs: dict[str, str] = {}
    projects: tuple[str, ...] = ()
    """Who may use it while it is not public."""
    qos_specs_id: str = ""
    encryption: Encryption | None = None
    created_us: int = 0

    @property
    def multiattach(self) -> bool:
        """Whether volumes of this type can be on several servers at once."""
        return self.extra_specs.get("multiattach", "").lower() == "<is> true"

    def serves(self, project_id: str) -> bool:
        """Whether a project may make volumes of this type."""
        return self.public or project_id in self.projects


@document(QOS_SPECS)
class QosSpecs(msgspec.Struct, frozen=True, omit_defaults=True):
    """Qualities of service that types are associated with."""

    id: str
    name: str
    consumer: str = "back-end"
    specs: dict[str, str] = {}


@document(BACKUP)
class Backup(msgspec.Struct, frozen=True, omit_defaults=True):
    """A copy of a volume that outlives it."""

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
    container: str = ""
    snapshot_id: str = ""
    parent_id: str = ""
    """The backup that this one adds to; empty: it is a full one."""
    metadata: dict[str, str] = {}
    zone: str = "nova"
    data_us: int = 0
    """The instant of the data: that of the snapshot, or of the request."""
    volume_metadata: dict[str, str] = {}
    """That of the volume, which a volume that is restored gets."""
    turn: int = 0
    updated_us: int = 0


@document(TRANSFER)
class Transfer(msgspec.Struct, frozen=True, omit_defaults=True):
    """An offer of a volume to whoever has the key."""

    id: str
    project_id: str
    volume_id: str
    created_us: int
    salt: str
    key_digest: str
    """The key itself is shown once and not kept."""
    name: str = ""
    no_snapshots: bool = False


@document(MESSAGE)
class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a user is told about something that failed after its request was answered."""

    id: str
    project_id: str
    request_id: str
    resource_type: str
    resource_id: str
    event_id: str
    text: str
    created_us: int
    guaranteed_until_us: int


@document(LEFT_BEHIND)
class LeftBehind(msgspec.Struct, frozen=True, omit_defaults=True):
    """The data of a volume or snapshot on the backend that the service no longer manages; its key is its name there."""

    size_gb: int
    volume_id: str = ""
    """Of a snapshot: its volume."""


@document(VOLUME_HOST)
class VolumeHost(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an administrator set for a service on a host; its key is `host/binary`."""

    disabled: bool = False
    disabled_reason: str = ""
    frozen: bool = False
    updated_us: int = 0


@document(VOLUME_QUOTA)
class VolumeQuota(msgspec.Struct, frozen=True, omit_defaults=True):
    """The limits of a project that differ from the defaults; -1 is none."""

    limits: dict[str, int] = {}
