"""Freezing by the kernel's freezer of control groups: nobody is told, children are frozen as they are born.

The processes are moved to a group of their own, which is frozen; healing thaws it, moves them back and removes it. Both
hierarchies are known: version 1, where the freezer has a tree of its own and moving changes nothing else, is preferred;
in version 2 the new group is below the one they are in, so their limits stay.
"""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final, Literal

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.errors import FaultError
from kilonode.base.processes import ProcessIdentity
from kilonode.faults.driver import Effect
from kilonode.faults.signalling import SOON_S, family_of
from kilonode.faults.watching import see

MOUNTS: Final = Path("/proc/self/mounts")
_PREFIX: Final = "kilonode-frozen-"
_MOST_ROUNDS: Final = 50


class Hierarchy(msgspec.Struct, frozen=True):
    """A tree of control groups that can freeze."""

    root: str
    version: Literal[1, 2]


class FrozenGroup(msgspec.Struct, frozen=True):
    """A group that was made to be frozen."""

    path: str
    home: str
    """The group that its processes came from."""
    version: Literal[1, 2]


def find_hierarchies(mounts: Path = MOUNTS) -> tuple[Hierarchy, ...]:
    """Where groups can be made and frozen here, the preferred one first."""
    found = []
    for line in mounts.read_text().splitlines():
        _, where, kind, options, *_ = line.split(" ")
        if kind == "cgroup" and "freezer" in options.split(","):
            found.append(Hierarchy(where, 1))
        if kind == "cgroup2":
            found.append(Hierarchy(where, 2))
    writable = [each for each in found if os.access(each.root, os.W_OK)]
    return tuple(sorted(writable, key=lambda each: each.version))


def find_hierarchy() -> Hierarchy | None:
    """The preferred one; None where there is none."""
    return next(iter(find_hierarchies()), None)


def plan_group(head: ProcessIdentity, hierarchy: Hierarchy) -> FrozenGroup:
    """The group that the process would be frozen in. Raises FaultError when the process has ended."""
    home = _home_of(head, hierarchy)
    parent = hierarchy.root if hierarchy.version == 1 else home
    return FrozenGroup(str(Path(parent, f"{_PREFIX}{secrets.token_hex(4)}")), home, hierarchy.version)


async def freeze(head: ProcessIdentity, group: FrozenGroup, name: str, clock: Clock) -> Effect:
    """Move the process and its descendants into the group, and freeze it. Raises FaultError."""
    folder = Path(group.path)
    try:
        _make(folder)
        _gather(head, folder, name)
        _tell(folder, group.version, frozen=True)
    except OSError as error:
        raise FaultError(f"{name} cannot be frozen by a control group", where=group.path, got=str(error)) from error
    return await see(f"{name} is frozen in {group.path}", lambda: _is_frozen(folder, group.version), clock, SOON_S)


async def thaw(group: FrozenGroup, name: str, clock: Clock) -> Effect:
    """Thaw the group, move its processes home and remove it. Raises FaultError."""
    folder = Path(group.path)
    try:
        _tell(folder, group.version, frozen=False)
        await see(f"{name} is thawed", lambda: not _is_frozen(folder, group.version), clock, SOON_S)
    except FileNotFoundError:
        pass  # it was never made, or is thawed and removed already
    except OSError as error:
        raise FaultError(f"{name} cannot be thawed", where=group.path, got=str(error)) from error
    return await see(f"{name} goes on", lambda: _emptied(folder, Path(group.home)), clock, SOON_S)


def _make(folder: Path) -> None:
    folder.mkdir()


def _gather(head: ProcessIdentity, folder: Path, name: str) -> None:
    for _ in range(_MOST_ROUNDS):
        family = family_of(head)
        if head not in family:
            raise FaultError(f"{name} has ended", where=f"pid {head.pid}")
        inside = set(_pids(folder))
        outside = [member for member in family if member.pid not in inside]
        if not outside:
            return
        for member in outside:
            with contextlib.suppress(ProcessLookupError):
                (folder / "cgroup.procs").write_text(str(member.pid))
    raise FaultError(f"{name} makes children faster than they can be gathered", where=f"pid {head.pid}")


def _emptied(folder: Path, home: Path) -> bool:
    """Whether the group is gone; what is in it is moved home on the way."""
    try:
        for pid in _pids(folder):
            with contextlib.suppress(ProcessLookupError):
                (home / "cgroup.procs").write_text(str(pid))
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False  # one that is just ending is still in it
    return True


def _tell(folder: Path, version: int, *, frozen: bool) -> None:
    if version == 1:
        (folder / "freezer.state").write_text("FROZEN" if frozen else "THAWED")
    else:
        (folder / "cgroup.freeze").write_text("1" if frozen else "0")


def _is_frozen(folder: Path, version: int) -> bool:
    if version == 1:
        return (folder / "freezer.state").read_text().strip() == "FROZEN"
    return "frozen 1" in (folder / "cgroup.events").read_text().splitlines()


def _pids(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "cgroup.procs").read_text().split()]


def _home_of(head: ProcessIdentity, hierarchy: Hierarchy) -> str:
    try:
        lines = Path(f"/proc/{head.pid}/cgroup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        raise FaultError("the process has ended", where=f"pid {head.pid}") from None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if ("freezer" in controllers.split(",")) if hierarchy.version == 1 else not controllers:
            return str(Path(hierarchy.root, path.lstrip("/")))
    return hierarchy.root
