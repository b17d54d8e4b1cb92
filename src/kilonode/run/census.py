"""What each service uses, reading after reading: all its processes summed, processor time growing over restarts.

A service is processes with a name; which they are is asked anew for every reading, because services restart, and their
descendants are looked for now and then (decision 0090). `cpu_s_total` counts from the first reading and never falls:
of a process that is new it counts everything, of one that ended what was read last. So what a process used between the
last reading and its end is lost, and a child that lives shorter than the time between two readings is not seen.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from kilonode.base.processes import ProcessIdentity
from kilonode.base.usage import ProcessUsage, families, read_usages, ticks_since_boot, together

READINGS_PER_SEARCH: Final = 5
"""Descendants are looked for in every so many readings, and whenever a process is missing or the services changed."""

Heads = Mapping[str, Sequence[ProcessIdentity]]


class ServiceSource(Protocol):
    """Somebody who knows which processes make up each service."""

    def services(self) -> Heads:
        """The services there are now, by name; one that is down has no process. Asked for each reading: be quick."""
        ...


class Census:
    """Reads services; one of these for a whole run."""

    def __init__(
        self,
        source: ServiceSource,
        *,
        find: Callable[[Heads], Mapping[str, Sequence[ProcessIdentity]]] = families,
        read: Callable[[Iterable[ProcessIdentity]], Mapping[ProcessIdentity, ProcessUsage]] = read_usages,
        began_ticks: int | None = None,
    ) -> None:
        """`began_ticks`: a process that started later is counted from its start; None: from now on."""
        self._source, self._find, self._read = source, find, read
        self._began_ticks = ticks_since_boot() if began_ticks is None else began_ticks
        self._heads: dict[str, tuple[ProcessIdentity, ...]] = {}
        self._members: dict[str, tuple[ProcessIdentity, ...]] = {}
        self._until_search = 0
        self._counted: dict[ProcessIdentity, float] = {}
        self._cpu_s: dict[str, float] = {}

    def take(self) -> dict[str, dict[str, float]]:
        """What each service uses now: metrics by service. What is not known is left out."""
        self._search()
        usages = self._read([member for some in self._members.values() for member in some])
        if any(member not in usages for some in self._members.values() for member in some):
            self._until_search = 0
        found = {service: self._values(service, members, usages) for service, members in self._members.items()}
        self._counted = {
            member: usages[member].cpu_s if member in usages else self._counted[member]
            for some in self._members.values()
            for member in some
            if member in usages or member in self._counted
        }
        return found

    def _search(self) -> None:
        heads = {service: tuple(identities) for service, identities in self._source.services().items()}
        if heads != self._heads or self._until_search <= 0:
            self._heads = heads
            self._members = {service: tuple(members) for service, members in self._find(heads).items()}
            self._until_search = READINGS_PER_SEARCH
        self._until_search -= 1

    def _values(
        self, service: str, members: Sequence[ProcessIdentity], usages: Mapping[ProcessIdentity, ProcessUsage]
    ) -> dict[str, float]:
        alive = {member: usages[member] for member in members if member in usages}
        used_s = sum(max(0.0, usage.cpu_s - self._before_s(member, usage)) for member, usage in alive.items())
        self._cpu_s[service] = self._cpu_s.get(service, 0.0) + used_s
        total = together(list(alive.values()))
        values = {
            "cpu_s_total": self._cpu_s[service],
            "memory_bytes": float(total.memory_bytes),
            "threads": float(total.threads),
            "processes": float(total.processes),
        }
        if total.descriptors is not None:
            values["descriptors"] = float(total.descriptors)
        if total.connections is not None:
            values["connections"] = float(total.connections)
        return values

    def _before_s(self, member: ProcessIdentity, usage: ProcessUsage) -> float:
        """What of this process's time was counted before."""
        if member in self._counted:
            return self._counted[member]
        return 0.0 if member.started_ticks >= self._began_ticks else usage.cpu_s
