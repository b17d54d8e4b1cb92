"""What the volume service keeps of groups: kinds of groups, groups of volumes, and snapshots of whole groups."""

from typing import Final

import msgspec

from kilonode.cloud.kinds import document

GROUP_TYPE: Final = "volume_group_type"
GROUP: Final = "volume_group"
GROUP_SNAPSHOT: Final = "volume_group_snapshot"


@document(GROUP_TYPE)
class GroupType(msgspec.Struct, frozen=True, omit_defaults=True):
    """A kind of group."""

    id: str
    name: str
    description: str | None = None
    public: bool = True
    specs: dict[str, str] = {}


@document(GROUP)
class Group(msgspec.Struct, frozen=True, omit_defaults=True):
    """Volumes that are handled together; each volume names its group."""

    id: str
    project_id: str
    user_id: str
    group_type_id: str
    volume_type_ids: tuple[str, ...]
    status: str
    status_since_us: int
    created_us: int
    name: str = ""
    description: str | None = None
    zone: str = "nova"
    source_group_id: str = ""
    group_snapshot_id: str = ""
    turn: int = 0
    updated_us: int = 0


@document(GROUP_SNAPSHOT)
class GroupSnapshot(msgspec.Struct, frozen=True, omit_defaults=True):
    """Snapshots of all volumes of a group at one instant; each snapshot names it."""

    id: str
    project_id: str
    user_id: str
    group_id: str
    group_type_id: str
    status: str
    status_since_us: int
    created_us: int
    name: str = ""
    description: str | None = None
    turn: int = 0
    updated_us: int = 0
