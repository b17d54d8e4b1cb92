"""What processes use: processor time, memory, threads, descriptors, connections; and which processes belong together.

Read straight from `/proc`, cheap enough for 60 processes each second: one small file for each process, one look into
its folder of descriptors, and one question to the kernel about TCP connections for all of them (decision 0090). Linux
only. Memory is the resident set as the kernel counts it on the way: pages that processes share count in each of them;
the exact, shared-out size would make the kernel walk every page table, each second. Connections are those of our own
network namespace. What may not be seen (another user's descriptors) is None; a process that ended is left out.
It keeps no history: rates and sums over restarts are made by who asks again and again.
"""

# ruff: noqa: PTH208  (paths as objects would cost more than what is read by them)

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.connections import established_sockets
from kilonode.base.processes import ProcessIdentity, stat_fields

SHORT_LOOK_S: Final = 0.2
"""How long `look` watches: at a hundred clock ticks a second it tells 5 % of a processor from none."""
_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_STATE, _PARENT, _USER, _SYSTEM, _THREADS, _START, _RESIDENT = 0, 1, 11, 12, 17, 19, 21
"""Places in /proc/<pid>/stat, counted after the command's name in brackets."""
_ENDED: Final = "ZX"
_SOCKET: Final = "socket:["


class ProcessUsage(msgspec.Struct, frozen=True, gc=False):
    """What one process uses at one instant."""

    cpu_s: float
    """Processor time since it started, its own and the kernel's for it, in steps of a clock tick (10 ms)."""
    memory_bytes: int
    """Resident."""
    threads: int
    descriptors: int | None = None
    connections: int | None = None
    """Established TCP connections."""


class ServiceUsage(msgspec.Struct, frozen=True, gc=False):
    """What several processes use together."""

    processes: int
    cpu_s: float
    memory_bytes: int
    threads: int
    descriptors: int | None
    """None: not known of one of them."""
    connections: int | None
    cpu_fraction: float | None = None
    """Of one processor, over a short look; None: only looked once."""


def read_usages(identities: Iterable[ProcessIdentity]) -> dict[ProcessIdentity, ProcessUsage]:
    """What each of these very processes uses now; those that ended are not in it."""
    established: frozenset[int] | None = None
    found = {}
    for identity in identities:
        fields = stat_fields(identity.pid)
        if fields is None or fields[_STATE] in _ENDED or int(fields[_START]) != identity.started_ticks:
            continue
        if established is None:
            established = established_sockets()
        descriptors, connections = _descriptors(identity.pid, established)
        found[identity] = ProcessUsage(
            cpu_s=(int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS_PER_SECOND,
            memory_bytes=int(fields[_RESIDENT]) * _PAGE_BYTES,
            threads=int(fields[_THREADS]),
            descriptors=descriptors,
            connections=connections,
        )
    return found


def families(heads: Mapping[str, Sequence[ProcessIdentity]]) -> dict[str, tuple[ProcessIdentity, ...]]:
    """The processes of each service and all their descendants, as they are now; a head that ended is not in it.

    A process belongs to the nearest head above it, so a supervisor does not own the services that it started.
    It costs a look at every process of the machine: call it now and then, or when somebody is missing.
    """
    parents: dict[int, int] = {}
    started: dict[int, int] = {}
    for name in os.listdir("/proc"):
        fields = stat_fields(name) if name.isdecimal() else None
        if fields is not None and fields[_STATE] not in _ENDED:
            parents[int(name)], started[int(name)] = int(fields[_PARENT]), int(fields[_START])
    owners = {
        head.pid: service
        for service, identities in heads.items()
        for head in identities
        if started.get(head.pid) == head.started_ticks
    }
    boot = next((head.boot for identities in heads.values() for head in identities), "")
    found: dict[str, list[ProcessIdentity]] = {service: [] for service in heads}
    for pid in parents:
        owner = _owner(pid, parents, owners)
        if owner is not None:
            found[owner].append(ProcessIdentity(pid, started[pid], boot))
    return {service: tuple(members) for service, members in found.items()}


def together(usages: Sequence[ProcessUsage], *, cpu_fraction: float | None = None) -> ServiceUsage:
    """The sum; of what is not known of one of them it is not known either."""
    return ServiceUsage(
        processes=len(usages),
        cpu_s=sum(usage.cpu_s for usage in usages),
        memory_bytes=sum(usage.memory_bytes for usage in usages),
        threads=sum(usage.threads for usage in usages),
        descriptors=_sum_if_known([usage.descriptors for usage in usages]),
        connections=_sum_if_known([usage.connections for usage in usages]),
        cpu_fraction=cpu_fraction,
    )


async def look(
    heads: Mapping[str, Sequence[ProcessIdentity]], clock: Clock, over_s: float = SHORT_LOOK_S
) -> dict[str, ServiceUsage]:
    """What each service uses now, with how busy it is over a short while; a service without a process is left out."""
    members = families(heads)
    everybody = [member for some in members.values() for member in some]
    before, began_ns = read_usages(everybody), clock.now_ns()
    await clock.sleep(over_s)
    after, ended_ns = read_usages(everybody), clock.now_ns()
    passed_s = (ended_ns - began_ns) / NANOSECONDS_PER_SECOND
    found = {}
    for service, some in members.items():
        usages = {member: after[member] for member in some if member in after}
        used_s = sum(usage.cpu_s - before[member].cpu_s for member, usage in usages.items() if member in before)
        if usages:
            fraction = used_s / passed_s if passed_s > 0 else None
            found[service] = together(list(usages.values()), cpu_fraction=fraction)
    return found


def uptime_s(identity: ProcessIdentity) -> float:
    """For how long a process that runs has done so."""
    return max(0, ticks_since_boot() - identity.started_ticks) / _TICKS_PER_SECOND


def ticks_since_boot() -> int:
    """Now, as `ProcessIdentity.started_ticks` counts: a process with more started later."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS_PER_SECOND)


def _descriptors(pid: int, established: frozenset[int]) -> tuple[int | None, int | None]:
    """How many descriptors the process has, and how many of them are established connections."""
    try:
        folder = os.open(f"/proc/{pid}/fd", os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None, None  # it ended just now, or belongs to somebody else
    try:
        names = os.listdir(folder)
        connections = 0
        for name in names:
            try:
                target = os.readlink(name, dir_fd=folder)
            except FileNotFoundError:
                continue  # closed meanwhile
            if target.startswith(_SOCKET) and int(target[len(_SOCKET) : -1]) in established:
                connections += 1
        return len(names), connections
    except OSError:
        return None, None
    finally:
        os.close(folder)


def _owner(pid: int, parents: Mapping[int, int], owners: Mapping[int, str]) -> str | None:
    seen = set[int]()  # the tree was read bit by bit: a number used again could close a circle
    while pid not in owners:
        if pid in seen or pid not in parents:
            return None
        seen.add(pid)
        pid = parents[pid]
    return owners[pid]


def _sum_if_known(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
