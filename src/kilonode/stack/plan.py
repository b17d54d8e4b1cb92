"""What a stack is to be: how many nodes on how many compute services, and how that grows.

Pure: a wish and what is there in, a plan out. Nodes never move from one compute service to another, as their records
in the real databases would not follow; so a stack grows by compute services, and never shrinks.
"""

import re
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.errors import InputError
from kilonode.stack.releases import NEWEST, find_release

DEFAULT_NAME: Final = "stack"
DEFAULT_NODES: Final = 10
NODES_PER_COMPUTE: Final = 50
"""How many nodes one compute service offers where the user says only how many nodes there are to be."""
MOST_NODES_PER_COMPUTE: Final = 200
"""One service looks after its nodes one after the other, so with many more it falls behind with reporting them."""
NAME_PATTERN: Final = re.compile(r"^[a-z][a-z0-9-]{0,29}$")


class NodeShape(msgspec.Struct, frozen=True):
    """What each node offers."""

    vcpus: int = 64
    memory_mib: int = 256 * 1024
    disk_gib: int = 4096


class Delays(msgspec.Struct, frozen=True):
    """How long the nodes take, as quantiles of the delay in seconds at even steps from 0 to 1; empty: no delay."""

    spawn_s: tuple[float, ...] = ()
    destroy_s: tuple[float, ...] = ()


class ComputePlan(msgspec.Struct, frozen=True):
    """One compute service and the nodes it offers: `count` of them from number `first`, counted from 1."""

    host: str
    first: int
    count: int

    def node_names(self) -> list[str]:
        """The names of its nodes as hypervisors."""
        return [f"node-{number:04d}" for number in range(self.first, self.first + self.count)]


class Settings(msgspec.Struct, frozen=True):
    """What a stack is, apart from addresses and secrets."""

    release: str
    network: bool
    """Neutron reports agents and has a network for everybody. False: servers boot without ports."""
    workers: int
    """How many processes each API and the conductor have."""
    password_rounds: int
    """The cost of Keystone's password hashes: the binary logarithm of their rounds."""
    report_interval_s: int
    """How often each compute service reports the resources of its nodes; 0: Nova's own default."""
    shape: NodeShape
    delays: Delays
    computes: tuple[ComputePlan, ...]
    clocks: bool = False
    """The wall clocks of the OpenStack services can be put off."""

    @property
    def nodes(self) -> int:
        """How many nodes there are in all."""
        return sum(compute.count for compute in self.computes)


class UpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the user wants; None: as it is, or the default for a new one."""

    state: Path
    name: str = DEFAULT_NAME
    nodes: int | None = None
    computes: int | None = None
    release: str | None = None
    network: bool | None = None
    workers: int | None = None
    password_rounds: int | None = None
    report_interval_s: int | None = None
    delays: Delays | None = None
    clocks: bool | None = None
    port: int | None = None
    """The first of the ports; 0 takes any that are free."""
    fresh: bool = False
    force: bool = False
    """Go on although the machine seems too small."""


def check_name(name: str) -> None:
    """Raises InputError when a stack cannot be called so: the name becomes part of paths."""
    if not NAME_PATTERN.match(name):
        raise InputError(
            "a stack cannot have this name",
            where="--name",
            expected="a small letter, then up to 29 small letters, digits or hyphens",
            got=repr(name),
        )


def plan(wanted: UpSettings, known: Settings | None) -> Settings:
    """The stack to bring up. Raises InputError when the wish contradicts what is there."""
    release = wanted.release or (known.release if known else NEWEST)
    find_release(release)
    _keep("--release", known.release if known else None, wanted.release)
    _keep("--network", known.network if known else None, wanted.network)
    computes = _computes(wanted, known.computes if known else ())
    default = known or Settings(release, True, 2, 4, 0, NodeShape(), Delays(), ())
    return Settings(
        release=release,
        network=default.network if wanted.network is None else wanted.network,
        workers=wanted.workers or default.workers,
        password_rounds=wanted.password_rounds or default.password_rounds,
        report_interval_s=default.report_interval_s if wanted.report_interval_s is None else wanted.report_interval_s,
        shape=default.shape,
        delays=wanted.delays if wanted.delays is not None else default.delays,
        computes=computes,
        clocks=default.clocks if wanted.clocks is None else wanted.clocks,
    )


def _keep(option: str, known: object, wanted: object) -> None:
    if known is None or wanted is None or known == wanted:
        return
    names: dict[object, str] = {True: "with networks", False: "without networks"}
    raise InputError(
        "this stack was made otherwise, and that cannot be changed",
        where=option,
        expected=names.get(known, str(known)),
        got=names.get(wanted, str(wanted)),
        hint="start anew with --fresh, or make another beside it with --name",
    )


def _computes(wanted: UpSettings, known: tuple[ComputePlan, ...]) -> tuple[ComputePlan, ...]:
    nodes_known = sum(compute.count for compute in known)
    if wanted.nodes is None and wanted.computes is None and known:
        return known
    count, nodes = _counts(wanted, len(known), nodes_known)
    if count < len(known) or nodes < nodes_known:
        raise InputError(
            "a stack never shrinks",
            where="--computes" if count < len(known) else "--nodes",
            expected=f"at least {len(known)} compute services and {nodes_known} nodes",
            got=f"{count} compute services and {nodes} nodes",
            hint="start anew with --fresh, or make another beside it with --name",
        )
    added, new_nodes = count - len(known), nodes - nodes_known
    if added == 0 and new_nodes == 0:
        return known
    if added == 0 or new_nodes < added or new_nodes > added * MOST_NODES_PER_COMPUTE:
        raise InputError(
            "these nodes cannot be dealt out",
            where="--computes" if wanted.computes is not None else "--nodes",
            expected=f"1 to {MOST_NODES_PER_COMPUTE} nodes for each compute service that is new",
            got=f"{new_nodes} new nodes and {added} new compute services",
            hint=f"{nodes} nodes want {_services_for(nodes)} compute services, unless you say otherwise",
        )
    first, plans = nodes_known + 1, list(known)
    for place in range(added):
        share = new_nodes // added + (1 if place < new_nodes % added else 0)
        plans.append(ComputePlan(f"compute-{len(plans) + 1:03d}", first, share))
        first += share
    return tuple(plans)


def _counts(wanted: UpSettings, known: int, nodes_known: int) -> tuple[int, int]:
    """How many compute services and nodes there are to be in all."""
    if wanted.computes is not None:
        return wanted.computes, wanted.nodes if wanted.nodes is not None else nodes_known + wanted.computes - known
    nodes = wanted.nodes if wanted.nodes is not None else DEFAULT_NODES
    return known + _services_for(nodes - nodes_known), nodes


def _services_for(nodes: int) -> int:
    return -(-nodes // NODES_PER_COMPUTE) if nodes > 0 else 0
