"""What a machine must have before a stack can come up: programs, files, memory, disk, ports.

Looks and says; it changes nothing and installs nothing. `kilonode doctor` shows all of it, `stack up` stops at it.
"""

import os
import resource
import shutil
import socket
import sysconfig
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.errors import InputError, Problem
from kilonode.stack.configuration.site import ADDRESS
from kilonode.stack.daemons import find_program
from kilonode.stack.environment import Environment, find_uv
from kilonode.stack.folder import Ports

PROGRAMS: Final = {
    "mariadbd": "mariadb-server",
    "mariadb-install-db": "mariadb-server",
    "mariadb": "mariadb-client",
    "rabbitmq-server": "rabbitmq-server",
    "epmd": "rabbitmq-server",
    "memcached": "memcached",
}
"""Programs, and the Debian packages that bring them."""
PACKAGE: Final = "package "
BASE_MEMORY_BYTES: Final = 2_000 * 2**20
"""What all services but the computes use, with two processes for each API; measured (docs/stack.md)."""
COMPUTE_MEMORY_BYTES: Final = 140 * 2**20
"""What one compute service uses, whether it offers one node or fifty; measured (docs/stack.md)."""
ENVIRONMENT_DISK_BYTES: Final = 1_200 * 2**20
STACK_DISK_BYTES: Final = 1_500 * 2**20
"""What a stack's folder holds once it is up, the database's own files above all; measured (docs/stack.md)."""
FILES_FOR_ALL: Final = 2_048
FILES_PER_COMPUTE: Final = 16
"""Connections to the broker and the database server are files there."""
HIGHEST_PORT: Final = 65_535
BLOCKS: Final = range(17_000, 32_000, 20)
MEMINFO: Final = Path("/proc/meminfo")


class Need(msgspec.Struct, frozen=True):
    """One thing a machine must have."""

    name: str
    met: bool
    found: str
    expected: str = ""
    hint: str = ""

    def problem(self) -> Problem:
        """What is said of it when it is not met."""
        what = f"{self.name}: {self.found}" if self.found else f"{self.name} is missing"
        return Problem(what, expected=self.expected, hint=self.hint)


def check_all(
    environment: Environment, folder: Path, *, computes: int, ports: Ports | None = None, running: bool = False
) -> list[Need]:
    """Everything that a stack with so many compute services to start needs.

    `ports` are those it will listen on; None: any that are free. Of a stack that is `running` they may be taken.
    """
    needs = [*programs(), *building(environment), file_limit(computes), memory(computes, alone=not running)]
    needs.append(disk(folder, environment))
    if ports is not None and not running:
        needs.extend(free_ports(ports))
    return needs


def require(needs: Sequence[Need]) -> None:
    """Raises InputError with everything that is missing."""
    problems = [need.problem() for need in needs if not need.met]
    if problems:
        raise InputError(problems[0].what, problems=problems)


def describe(needs: Sequence[Need]) -> list[str]:
    """Lines for people: what is there, and what is not with what to do about it."""
    lines = []
    for need in needs:
        if need.met:
            lines.append(f"ok       {need.name}: {need.found}")
            continue
        lines.append(f"MISSING  {need.name}" + (f": {need.found}" if need.found else ""))
        lines += [f"           expected: {need.expected}"] if need.expected else []
        lines += [f"           hint: {need.hint}"] if need.hint else []
    packages = [need.name.removeprefix(PACKAGE) for need in needs if not need.met and need.name.startswith(PACKAGE)]
    if len(packages) > 1:
        lines.append(f"all packages at once: {install_hint(packages)}")
    return lines


def programs() -> list[Need]:
    """The programs of the system's packages, one need for each package."""
    needs = []
    for package in dict.fromkeys(PROGRAMS.values()):
        wanted = [name for name, brought_by in PROGRAMS.items() if brought_by == package]
        paths = [find_program(name) for name in wanted]
        missing = [name for name, path in zip(wanted, paths, strict=True) if path is None]
        found = "" if missing else str(paths[0])
        needs.append(Need(f"{PACKAGE}{package}", not missing, found, ", ".join(wanted), install_hint([package])))
    return needs


def building(environment: Environment) -> list[Need]:
    """What installing the services needs, where they are not installed yet."""
    if environment.built:
        return [Need(f"services of release {environment.release.name}", True, str(environment.path))]
    try:
        uv = Need("uv, which installs the services", True, find_uv())
    except InputError as error:
        uv = Need("uv, which installs the services", False, "", error.problem.expected, error.problem.hint)
    compiler = shutil.which("gcc") or shutil.which("cc") or ""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    return [
        uv,
        Need("a C compiler", bool(compiler), compiler, "gcc: uwsgi is built from source", install_hint(["gcc"])),
        Need(
            "the headers of Python", header.exists(), str(header) if header.exists() else "", str(header),
            install_hint(["python3-dev"]),
        ),
    ]  # fmt: skip


def install_hint(packages: Sequence[str]) -> str:
    """The command that installs packages, as this user must give it."""
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    return command if os.geteuid() == 0 else f"sudo {command}   # installing needs root, bringing up does not"


def file_limit(computes: int) -> Need:
    """How many files a process may have open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_FOR_ALL + FILES_PER_COMPUTE * computes
    met = hard == resource.RLIM_INFINITY or hard >= wanted
    found = "unlimited" if hard == resource.RLIM_INFINITY else f"{hard} open files"
    return Need("the limit of open files", met, found, f"at least {wanted}", f"ulimit -Hn {wanted}, or in limits.conf")


def memory(computes: int, *, alone: bool = True, available_bytes: int | None = None) -> Need:
    """How much memory is free, beside what so many more compute services take; `alone`: and all other services too."""
    available = _available_bytes() if available_bytes is None else available_bytes
    base = BASE_MEMORY_BYTES if alone else 0
    wanted = base + COMPUTE_MEMORY_BYTES * computes
    fitting = max(0, (available - base) // COMPUTE_MEMORY_BYTES)
    hint = f"--computes {fitting} would fit, each with many nodes; " if fitting else "free some, "
    return Need(
        "memory", available >= wanted, f"{_gib(available)} available",
        f"{_gib(wanted)} for the services and {computes} computes", hint + "or go on anyway with --force",
    )  # fmt: skip


def disk(folder: Path, environment: Environment) -> Need:
    """How much room there is where the state goes."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    wanted = STACK_DISK_BYTES + (0 if environment.built else ENVIRONMENT_DISK_BYTES)
    return Need("disk", free >= wanted, f"{_gib(free)} free in {existing}", _gib(wanted),
                "set KILONODE_STATE to a folder with more room")  # fmt: skip


def free_ports(ports: Ports) -> list[Need]:
    """Whether each port can be listened on."""
    needs = []
    for name, port in ports.by_name().items():
        taken = not can_listen(port)
        needs.append(
            Need(
                f"port {port} for {name}",
                not taken,
                "taken by another process" if taken else "free",
                "free",
                f"look with: ss -ltnp 'sport = :{port}'; or choose others with --fresh --port",
            )
        )
    return needs


def can_listen(port: int) -> bool:
    """Whether nobody listens on this port of the loopback address."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((ADDRESS, port))
        except OSError:
            return False
    return True


def choose_ports(first: int, taken: Collection[int] = ()) -> Ports:
    """Ports from `first` on, one after the other; when it is 0, the first such block that is free and not `taken`.

    Blocks lie below the range from which the kernel takes ports for outgoing connections, so that they are still free
    when a stack comes up again. Raises InputError.
    """
    names = [field.name for field in msgspec.structs.fields(Ports)]
    if first:
        if first + len(names) > HIGHEST_PORT + 1:
            raise InputError("there are not so many ports", where="--port", expected=f"at most {65_536 - len(names)}")
        return Ports(**{name: first + place for place, name in enumerate(names)})
    for start in BLOCKS:
        block = range(start, start + len(names))
        if not any(port in taken or not can_listen(port) for port in block):
            return Ports(**dict(zip(names, block, strict=True)))
    raise InputError("no block of ports is free", expected=f"{len(names)} ports between {BLOCKS[0]} and {BLOCKS[-1]}")


def _available_bytes() -> int:
    for line in MEMINFO.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 0


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB"
