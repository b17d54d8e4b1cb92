"""The one backend: its name, its capabilities, and whether a volume type can be had on it. Pure."""

from typing import Any, Final

from kilonode.cloud.openstack.volume.model import BACKEND

CAPACITY_GB: Final = 1_000_000
"""What is reported. Nothing is kept, so nothing is ever full."""
CAPABILITIES: Final[dict[str, Any]] = {
    "volume_backend_name": BACKEND,
    "vendor_name": "Kilonode",
    "driver_version": "1.0.0",
    "storage_protocol": "iSCSI",
    "QoS_support": True,
    "multiattach": True,
    "thin_provisioning_support": True,
    "thick_provisioning_support": False,
}


def has_room_for(extra_specs: dict[str, str]) -> bool:
    """Whether the backend has every capability that a type asks for, as Cinder's CapabilitiesFilter reads them."""
    for name, wanted in extra_specs.items():
        scope, _, rest = name.rpartition(":")
        if scope not in ("", "capabilities") or name == "RESKEY:availability_zones":
            continue  # for the driver, not for the scheduler
        if rest not in CAPABILITIES:
            if not scope and not wanted.startswith("<"):
                continue
            return False
        if not _holds(CAPABILITIES[rest], wanted):
            return False
    return True


def _holds(have: Any, wanted: str) -> bool:
    if wanted.startswith("<is>"):
        return str(have).lower() == wanted.removeprefix("<is>").strip().lower()
    if wanted.startswith("<in>"):
        return wanted.removeprefix("<in>").strip() in str(have)
    return str(have).lower() == wanted.lower()
