"""The bodies of compute requests as typed records. Reading only: what they mean is decided by the handlers.

Nova refuses names it does not know; these records let them pass, so that a client newer than 2.104 can be tried.
"""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

Count = int | str
Flag = bool | str


class WantedNetwork(msgspec.Struct, frozen=True):
    """One item of `networks`."""

    uuid: str | None = None
    port: str | None = None
    fixed_ip: str | None = None
    tag: str | None = None


class WantedBlockDevice(msgspec.Struct, frozen=True):
    """One item of `block_device_mapping_v2`."""

    source_type: str = "volume"
    destination_type: str | None = None
    uuid: str | None = None
    boot_index: int | str | None = None
    volume_size: int | str | None = None
    volume_type: str | None = None
    delete_on_termination: Flag = False
    device_name: str | None = None
    tag: str | None = None


class NamedGroup(msgspec.Struct, frozen=True):
    """One item of `security_groups`."""

    name: str


class WantedServer(msgspec.Struct, frozen=True):
    """The `server` of a create request."""

    name: str
    flavor_ref: str | int = msgspec.field(name="flavorRef")
    image_ref: str | None = msgspec.field(name="imageRef", default=None)
    networks: list[WantedNetwork] | str | UnsetType | None = UNSET
    min_count: Count = 1
    max_count: Count | UnsetType = UNSET
    security_groups: list[NamedGroup] | None = None
    metadata: dict[str, str] = {}
    key_name: str | None = None
    availability_zone: str | None = None
    host: str | None = None
    hypervisor_hostname: str | None = None
    user_data: str | None = None
    config_drive: Flag | None = None
    block_device_mapping_v2: list[WantedBlockDevice] = []
    description: str | None = None
    tags: list[str] = []
    access_ipv4: str = msgspec.field(name="accessIPv4", default="")
    access_ipv6: str = msgspec.field(name="accessIPv6", default="")
    disk_config: str = msgspec.field(name="OS-DCF:diskConfig", default="MANUAL")
    admin_password: str | None = msgspec.field(name="adminPass", default=None)
    trusted_certificates: list[str] | None = msgspec.field(name="trusted_image_certificates", default=None)
    personality: list[dict[str, str]] = []
    return_reservation_id: Flag = False
    hostname: str | None = None


class CreateServer(msgspec.Struct, frozen=True):
    """The body of `POST /servers`."""

    server: WantedServer
    hints: dict[str, Any] | None = msgspec.field(name="os:scheduler_hints", default=None)
    older_hints: dict[str, Any] | None = msgspec.field(name="OS-SCH-HNT:scheduler_hints", default=None)
    """Those that mean something here are read; all are kept, to be shown."""


class ChangedServer(msgspec.Struct, frozen=True):
    """The `server` of an update request."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    access_ipv4: str | UnsetType = msgspec.field(name="accessIPv4", default=UNSET)
    access_ipv6: str | UnsetType = msgspec.field(name="accessIPv6", default=UNSET)
    disk_config: str | UnsetType = msgspec.field(name="OS-DCF:diskConfig", default=UNSET)
    hostname: str | UnsetType = UNSET
    pinned_zone: str | UnsetType | None = msgspec.field(name="pinned_availability_zone", default=UNSET)


class UpdateServer(msgspec.Struct, frozen=True):
    """The body of `PUT /servers/{server_id}`."""

    server: ChangedServer


def is_true(flag: Flag | None) -> bool:
    """A truth value as JSON or as text."""
    return flag is True or (isinstance(flag, str) and flag.lower() in ("true", "1", "t", "yes", "y", "on"))
