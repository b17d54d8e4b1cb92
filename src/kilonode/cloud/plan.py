"""What cloud is wanted: the wishes of whoever brings it up, put together with how it was before. Pure; no process here.

A wish that is None keeps what was, or takes the default. What cannot be changed without starting empty is refused with
the way to do so.
"""

import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from kilonode.base.errors import InputError
from kilonode.base.processes import ProcessIdentity
from kilonode.cloud.context import DEFAULT_PORT, CloudSettings, NodeShape, SchedulerName
from kilonode.cloud.folder import STATE_VERSION, CloudRecord, StoreName
from kilonode.cloud.role_counts import RoleCounts, with_role_counts
from kilonode.cloud.service_settings import ServiceSettings
from kilonode.cloud.sites import SITES_LIMIT, urls_of, with_sites
from kilonode.cloud.weighing import with_weights

DEFAULT_NAME: Final = CloudSettings().name
DEFAULT_HOST: Final = "127.0.0.1"
PORT_LIMIT: Final = 65_535
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,58}[a-z0-9])?")
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - only where the user asks for it


class UpSettings(msgspec.Struct, frozen=True):
    """How to bring a cloud up. None: as it was before, or else the default."""

    state: Path
    """The folder of all state; the cloud's own is `cloud/<name>` in it."""
    name: str = DEFAULT_NAME
    nodes: int | None = None
    stages: str | None = None
    seed: int | None = None
    node_shape: NodeShape | None = None
    zones: tuple[str, ...] | None = None
    sites: int | None = None
    """How many regions the cloud has, each with nodes and services of its own, over one identity."""
    roles: Mapping[str, int] | None = None
    """How many processes a role has, for the roles that are named: see `RoleCounts`."""
    scheduler: SchedulerName | None = None
    """How nodes are chosen for servers."""
    weights: Mapping[str, float] | None = None
    """What the filter-and-weigh scheduler prefers, for the weights that are named: see `Weights`."""
    service_down_time_s: float | None = None
    """How long a service may be silent before it counts as down."""
    heartbeat_s: float | None = None
    """How often services say that they live."""
    services: ServiceSettings | None = None
    """How the OpenStack services are set up."""
    store: StoreName | None = None
    """`memory` keeps nothing when the cloud goes down, and needs all roles in one process."""
    all_in_one: bool | None = None
    """All roles in one process, not a process for each."""
    synchronous: Literal["normal", "full"] | None = None
    """`full`: acknowledged writes also survive the death of the machine, not only of every process."""
    host: str | None = None
    """Where to listen; only this machine can reach the cloud unless it is told otherwise."""
    port: int | None = None
    """0 takes any free one."""
    fresh: bool = False
    """Remove what is there and start empty."""
    owner: ProcessIdentity | None = None
    """The process that the cloud is for; when it has ended, however that was, the cloud ends too and keeps its data."""
    timeout_s: float = 60.0
    """How long the cloud may take to come up, before the time its nodes need is added."""


def check_name(name: str) -> None:
    """Raise InputError unless `name` can name a cloud."""
    if not _NAME.fullmatch(name):
        raise InputError(
            "this cannot be the name of a cloud",
            where="name",
            expected="1 to 60 lowercase letters, digits, dots, dashes and underscores; a letter or digit at both ends",
            got=repr(name),
        )


def plan(wanted: UpSettings, before: CloudRecord | None) -> CloudRecord:
    """How the cloud is to be, without its secrets. A port of 0 is left for the caller. Raises InputError."""
    counts = with_role_counts((before.settings if before else CloudSettings()).roles, wanted.roles or {})
    known = before or CloudRecord(
        version=STATE_VERSION,
        settings=CloudSettings(),
        store="sqlite",
        all_in_one=False,
        host=DEFAULT_HOST,
        port=DEFAULT_PORT,
    )
    store = wanted.store or known.store
    all_in_one = known.all_in_one if wanted.all_in_one is None else wanted.all_in_one
    if wanted.all_in_one is None and wanted.roles:
        all_in_one = False
    elif wanted.all_in_one is None and store == "memory" and before is None:
        all_in_one = True
    if all_in_one and wanted.roles:
        raise InputError(
            "all roles in one process have no processes of their own",
            where="roles",
            hint="leave out --roles, or --all-in-one",
        )
    if store == "memory" and not all_in_one:
        raise InputError(
            "the memory store cannot be shared by processes",
            where="store",
            hint="add --all-in-one, or use --store sqlite",
        )
    host = wanted.host or known.host
    port = known.port if wanted.port is None else wanted.port
    if not 0 <= port <= PORT_LIMIT:
        raise InputError("not a port", where="port", expected=f"0 to {PORT_LIMIT}", got=f"{port}")
    changes = {
        name: value
        for name in (
            "nodes",
            "stages",
            "seed",
            "node_shape",
            "zones",
            "scheduler",
            "services",
            "service_down_time_s",
            "heartbeat_s",
        )
        if (value := getattr(wanted, name)) is not None
    }
    settings = msgspec.structs.replace(
        with_sites(known.settings, _urls(wanted, before, host, port)),
        name=wanted.name,
        roles=RoleCounts() if all_in_one else counts,
        weights=with_weights(known.settings.weights, wanted.weights or {}),
        **changes,
    )
    try:
        # The bounds of numbers are checked where records are decoded.
        settings = msgspec.convert(msgspec.to_builtins(settings), CloudSettings)
    except msgspec.ValidationError as error:
        raise InputError("the cloud cannot be like this", got=str(error)) from error
    if settings.heartbeat_s >= settings.service_down_time_s:
        raise InputError(
            "services would be down between any two heartbeats",
            where="service_down_time",
            expected=f"more than the heartbeat's {settings.heartbeat_s:g} s",
            got=f"{settings.service_down_time_s:g} s",
        )
    if settings.sites and store == "memory":
        raise InputError(
            "sites cannot share an identity that is in the memory of one process",
            where="sites",
            hint="leave out --store memory, or --sites",
        )
    if before is not None and store == "sqlite":
        _check_continues(before, settings, store)
    return CloudRecord(
        version=STATE_VERSION,
        settings=settings,
        store=store,
        all_in_one=all_in_one,
        host=host,
        port=port,
        synchronous=wanted.synchronous or known.synchronous,
        owner=wanted.owner,
    )


def public_url(host: str, port: int) -> str:
    """Where clients reach a cloud that listens on `host`; the catalog is made of it."""
    if host in _EVERYWHERE:
        host = _outward_address()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _urls(wanted: UpSettings, before: CloudRecord | None, host: str, port: int) -> list[str]:
    """Where each site is to be: where it was, or beside the first one. A port of 0 is left for the caller."""
    known = urls_of(before.settings) if before is not None else ()
    count = wanted.sites if wanted.sites is not None else max(1, len(known))
    if not 1 <= count <= SITES_LIMIT:
        raise InputError("not a number of sites", where="sites", expected=f"1 to {SITES_LIMIT}", got=f"{count}")
    ports = [port]
    for number in range(1, count):
        if wanted.port is None and number < len(known):
            ports.append(urlsplit(known[number]).port or 0)
        else:
            ports.append(port + number if 0 < port <= PORT_LIMIT - number else 0)
    return [public_url(host, one) for one in ports]


def _check_continues(before: CloudRecord, settings: CloudSettings, store: StoreName) -> None:
    """Refuse what the documents that are there would contradict."""
    if before.store != store:
        return
    for name in ("node_shape", "zones", "region"):
        old, new = getattr(before.settings, name), getattr(settings, name)
        if old != new:
            raise _cannot_change(name, old, new)
    sites = len(before.settings.sites)
    if len(settings.sites) < sites or (not sites and settings.sites):
        raise _cannot_change("sites", f"{sites} or more" if sites else "1", max(1, len(settings.sites)))
    if settings.nodes < before.settings.nodes:
        raise _cannot_change("nodes", f"at least {before.settings.nodes}", settings.nodes)


def _cannot_change(name: str, old: object, new: object) -> InputError:
    return InputError(
        "this cannot be changed while the cloud keeps its data",
        where=name,
        expected=f"{old}, as it was before",
        got=f"{new}",
        hint="add --fresh to start empty, or --name to start another cloud beside it",
    )


def _outward_address() -> str:
    """The address of this machine on the way to other machines; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address reserved for documentation
        except OSError:
            return DEFAULT_HOST
        return str(probe.getsockname()[0])
