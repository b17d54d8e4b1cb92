"""What the steps of the scenario library say about a cloud: which API operation answered, which stages passed.

Steps are known by the ends of their paths, so they are found wherever a scenario of one's own nests them. Operations
and stages have the names that a stage profile gives them; tests hold that there are such.
"""

from collections.abc import Mapping
from typing import Final

import msgspec


class Wait(msgspec.Struct, frozen=True):
    """A step whose end was found by polling, as the stages of a life that pass in it, one after the other."""

    kind: str
    """`server` or `volume`."""
    phases: tuple[str, ...]
    """The words that polling may show, by stage; an empty one is never shown."""
    stages: tuple[str, ...]
    polled: str
    """The operation that the polls ask for."""


_SHOW_SERVER: Final = "compute.show_server"
_SHOW_VOLUME: Final = "volume.show_volume"


def _alone(kind: str, stage: str) -> Wait:
    return Wait(kind, ("",), (stage,), _SHOW_SERVER if kind == "server" else _SHOW_VOLUME)


WAITS: Final[Mapping[str, Wait]] = {
    "boot.active": Wait(
        "server",
        ("scheduling", "networking", "block_device_mapping", "spawning"),
        ("schedule", "plug", "attach", "spawn"),
        _SHOW_SERVER,
    ),
    "delete.gone": _alone("server", "delete"),
    "stop.shutoff": _alone("server", "stop"),
    "start.active": _alone("server", "start"),
    "resize.verify_resize": Wait(
        "server",
        ("resize_prep", "resize_migrating", "resize_migrated", "resize_finish"),
        ("resize-schedule", "resize-migrate", "resize-migrated", "resize-finish"),
        _SHOW_SERVER,
    ),
    "confirm.active": _alone("server", "resize-confirm"),
    "live_migrate.active": Wait("server", ("", "migrating"), ("live-migrate-schedule", "live-migrate"), _SHOW_SERVER),
    "create_volume.available": _alone("volume", "volume-create"),
    "delete_volume.gone": _alone("volume", "volume-delete"),
    "attach_volume.in_use": _alone("volume", "volume-attach"),
    "detach_volume.available": _alone("volume", "volume-detach"),
}

_ACTIONS: Final = ("stop", "start", "resize", "confirm", "live_migrate")
_NETWORK: Final = ("network", "subnet", "router", "port", "floating_ip", "security_group")

OPERATIONS: Final[Mapping[str, str]] = {
    "boot.accepted": "compute.create_server",
    "delete.accepted": "compute.delete_server",
    **{f"{action}.accepted": "compute.act_on_server" for action in _ACTIONS},
    "create_volume.accepted": "volume.create_volume",
    "delete_volume.accepted": "volume.delete_volume",
    "attach_volume.accepted": "compute.attach_volume",
    "detach_volume.accepted": "compute.detach_volume",
    "create_image.registered": "image.create_image",
    "create_image.uploaded": "image.upload_image",
    "show": _SHOW_SERVER,
    "delete_image": "image.delete_image",
    "list_images": "image.list_images",
    "list_volumes": "volume.list_volumes",
    "add_interface": "network.add_router_interface",
    "remove_interface": "network.remove_router_interface",
    "create_security_group_rule": "network.create_security_group_rule",
    "allocation_candidates": "placement.list_candidates",
    **{
        name: f"compute.{name}"
        for name in ("list_servers", "create_keypair", "delete_keypair", "list_keypairs", "list_hypervisors")
    },
    **{
        name: f"identity.{name}"
        for name in ("issue_token", "validate_token", "create_user", "delete_user", "list_projects")
    },
    **{f"{verb}_{noun}": f"network.{verb}_{noun}" for verb in ("create", "delete") for noun in _NETWORK},
    **{f"list_{noun}s": f"network.list_{noun}s" for noun in _NETWORK},
}
"""Steps that are one request and its answer (a list: one for each page)."""


def operation_of(path: str) -> str | None:
    """The API operation that a step is, or None."""
    return OPERATIONS.get(_end_of(path, 2)) or OPERATIONS.get(_end_of(path, 1))


def wait_of(path: str) -> tuple[str, Wait] | None:
    """The wait that a step is, with its name, or None."""
    name = _end_of(path, 2)
    return (name, WAITS[name]) if name in WAITS else None


def _end_of(path: str, words: int) -> str:
    return ".".join(path.split(".")[-words:])
