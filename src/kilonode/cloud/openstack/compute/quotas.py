"""Quotas of compute: the limits of a project, what it uses, and the refusal in Nova's words.

What a project uses is a running total over the mirror, so a check costs the same at ten and at ten thousand servers.
Requests of one process that are under way count as used, so they cannot exceed a limit together; requests of several
API processes at the same instant can, by as much as they ask for at once, as Nova's can.
Out of the box a project is not limited (-1) in servers, cores, memory and key pairs: a lab measures clouds, not quotas.
The setting `quotas: openstack` gives Nova's own defaults.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.compute.model import COMPUTE_QUOTA, SERVER, Server
from kilonode.cloud.openstack.web.faults import Fault

DEFAULT_CLASS: Final = "default"
"""The key of the document that holds changed defaults."""
DEFAULT_LIMITS: Final[dict[str, int]] = {
    "instances": -1,
    "cores": -1,
    "ram": -1,
    "key_pairs": -1,
    "metadata_items": 128,
    "server_groups": 10,
    "server_group_members": 10,
    "injected_files": 5,
    "injected_file_content_bytes": 10_240,
    "injected_file_path_bytes": 255,
    "fixed_ips": -1,
    "floating_ips": -1,
    "security_groups": -1,
    "security_group_rules": -1,
}
NOVA_LIMITS: Final = {"instances": 10, "cores": 20, "ram": 51_200, "key_pairs": 100}
"""What Nova limits by default and a cloud of ours does not."""


class Use(msgspec.Struct, frozen=True, gc=False):
    """How much of what is limited. Memory in MB."""

    instances: int = 0
    cores: int = 0
    ram_mb: int = 0

    def __add__(self, other: "Use") -> "Use":
        return Use(self.instances + other.instances, self.cores + other.cores, self.ram_mb + other.ram_mb)

    def __sub__(self, other: "Use") -> "Use":
        return Use(self.instances - other.instances, self.cores - other.cores, self.ram_mb - other.ram_mb)

    def times(self, count: int) -> "Use":
        """As much `count` times."""
        return Use(self.instances * count, self.cores * count, self.ram_mb * count)


NO_USE: Final = Use()


def limits_of(cloud: Cloud, project_id: str) -> dict[str, int]:
    """All limits of a project; -1 is none."""
    limits = dict(DEFAULT_LIMITS)
    if cloud.settings.services.quotas == "openstack":
        limits.update(NOVA_LIMITS)
    for key in (DEFAULT_CLASS, project_id):
        entry = cloud.mirror.get(COMPUTE_QUOTA, key)
        if entry is not None:
            limits.update(entry.value.limits)
    return limits


class ProjectUse:
    """What each project uses. One per view: `cloud.part(ProjectUse)`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._by_server: dict[str, tuple[str, Use]] = {}
        self._by_project: dict[str, Use] = {}
        self._under_way: dict[str, Use] = {}
        cloud.mirror.subscribe(self._on_change, known=(SERVER,))

    def of(self, project_id: str) -> Use:
        """What the project's servers use."""
        return self._by_project.get(project_id, NO_USE)

    @contextmanager
    def reserve(self, project_id: str, each: Use, least: int, most: int) -> Iterator[int]:
        """Hold room for `most` servers, or as many as there is room for, while they are being written; gives how many.

        Raises Fault 403 when there is no room for `least`.
        """
        count = self._room(project_id, each, least, most)
        total = each.times(count)
        self._under_way[project_id] = self._under_way.get(project_id, NO_USE) + total
        try:
            yield count
        finally:
            left = self._under_way[project_id] - total
            if left == NO_USE:
                del self._under_way[project_id]
            else:
                self._under_way[project_id] = left

    def check_growth(self, project_id: str, more: Use) -> None:
        """Refuse what would exceed a limit. Raises Fault 403."""
        self._room(project_id, more, 1, 1)

    def _room(self, project_id: str, each: Use, least: int, most: int) -> int:
        limits = limits_of(self._cloud, project_id)
        used = self.of(project_id) + self._under_way.get(project_id, NO_USE)
        count = most
        exceeded: list[tuple[str, int, int, int]] = []
        for name, one, now in (
            ("cores", each.cores, used.cores),
            ("instances", each.instances, used.instances),
            ("ram", each.ram_mb, used.ram_mb),
        ):
            limit = limits[name]
            if limit < 0 or one <= 0:
                continue
            if now + one * least > limit:
                exceeded.append((name, one * least, now, limit))
            count = min(count, (limit - now) // one)
        if exceeded:
            names = ", ".join(name for name, *_ in exceeded)
            asked, now_used, allowed = (", ".join(str(row[column]) for row in exceeded) for column in (1, 2, 3))
            raise Fault(
                403, f"Quota exceeded for {names}: Requested {asked}, but already used {now_used} of {allowed} {names}"
            )
        return count

    def _on_change(self, kind: str, key: str) -> None:
        if kind != SERVER:
            return
        before = self._by_server.get(key)
        entry = self._cloud.mirror.get(SERVER, key)
        if entry is None:
            if before is not None:
                del self._by_server[key]
                self._by_project[before[0]] -= before[1]
            return
        after = (entry.value.project_id, use_of(entry.value))
        if after != before:
            self._by_server[key] = after
            self._by_project[after[0]] = self._by_project.get(after[0], NO_USE) + after[1]
            if before is not None:
                self._by_project[before[0]] -= before[1]


def use_of(server: Server) -> Use:
    """What one server counts for: during a resize the larger of both flavors, as Nova counts it."""
    cores, ram_mb = server.flavor.vcpus, server.flavor.memory_mb
    if server.move is not None:
        cores = max(cores, server.move.new_flavor.vcpus, server.move.old_flavor.vcpus)
        ram_mb = max(ram_mb, server.move.new_flavor.memory_mb, server.move.old_flavor.memory_mb)
    return Use(1, cores, ram_mb)
