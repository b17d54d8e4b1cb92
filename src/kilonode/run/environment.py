"""What a run ran on: so that two results can be told apart by more than their numbers.

Facts about the machine, the software and the cloud; never a secret: no variables of the environment, no credentials,
and URLs without user or password. Gathering never fails a run: what cannot be found out is left empty. Units stand in
the names.
"""

import asyncio
import importlib.metadata
import os
import platform
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import msgspec
import psutil

from kilonode.base.errors import InputError, OperationError
from kilonode.clients.openstack.catalog import SERVICES
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.openstack.microversions import show

GIT_TIMEOUT_S: Final = 5.0
WITH_STATISTICS: Final = "2.87"
"""The last microversion at which Nova counts its hypervisors."""
PACKAGES: Final = ("kilonode", "msgspec", "uvloop", "httptools", "uvicorn", "numpy", "duckdb", "openstacksdk")
"""The packages whose versions can change a figure."""


class Machine(msgspec.Struct, frozen=True):
    """The hardware and the operating system."""

    processor: str
    processors: int
    """How many the machine has."""
    usable_processors: float
    """How many this process may use, by affinity and by the control group's quota."""
    processor_frequency_mhz: float
    memory_bytes: int
    memory_available_bytes: int
    system: str
    kernel: str
    load_average_1_minute: float
    """Before the run began: what else was going on."""
    container: bool
    """The machine seems to be a container."""


class Software(msgspec.Struct, frozen=True):
    """What ran."""

    python: str
    packages: dict[str, str]
    """Name to version."""
    git_commit: str = ""
    """The commit of the folder in which the run was started; empty when it is not a git work tree."""
    git_changed: bool = False
    """That work tree had changes that were not committed."""


class ServiceFacts(msgspec.Struct, frozen=True):
    """One piece of software that the cloud under test runs on."""

    name: str
    version: str
    configuration_digest: str = ""
    """Tells two configurations apart, whatever their secrets, ports and paths; empty: it has none, or it is unknown."""


class CloudFacts(msgspec.Struct, frozen=True):
    """The cloud under test as it shows itself."""

    name: str = ""
    """As `clouds.yaml` has it, or of the emulated cloud."""
    emulated: bool = False
    nodes: int | None = None
    """How many compute nodes; None: not known (seeing them needs an administrator)."""
    region: str = ""
    endpoints: dict[str, str] = {}
    """Service to URL."""
    microversions: dict[str, str] = {}
    """Service to the newest microversion it offers."""
    services: tuple[ServiceFacts, ...] = ()
    """What the cloud runs on, where that is known."""
    settings: dict[str, str | int | bool] = {}
    """What else about the cloud can change a figure, for people."""


class Environment(msgspec.Struct, frozen=True):
    """What `environment.json` says."""

    recorded_utc: datetime
    simulated: bool
    machine: Machine
    software: Software
    cloud: CloudFacts | None = None


async def describe_cloud(connection: Connection, *, name: str, emulated: bool) -> CloudFacts:
    """What the cloud shows to this user. Raises nothing for what it does not show."""
    endpoints: dict[str, str] = {}
    microversions: dict[str, str] = {}
    for service in SERVICES:
        try:
            client = connection.service(service)
        except InputError:
            continue
        endpoints[service] = without_credentials(client.root_url)
        if client.served is not None and client.served.highest is not None:
            microversions[service] = show(client.served.highest)
    return CloudFacts(
        name, emulated, await _count_nodes(connection), connection.access.region_name, endpoints, microversions
    )


async def _count_nodes(connection: Connection) -> int | None:
    """How many compute nodes there are; None where this user may not see them."""
    try:
        # A list would cost a real cloud seconds at a thousand nodes; newer microversions have nothing else.
        document = await connection.compute.get("/os-hypervisors/statistics", microversion=WITH_STATISTICS)
        return int(document["hypervisor_statistics"]["count"])
    except (InputError, OperationError, KeyError, TypeError):
        pass
    try:
        return len(await connection.compute.list_all("/os-hypervisors", "hypervisors"))
    except (InputError, OperationError):
        return None


async def describe_environment(
    recorded: datetime, *, simulated: bool, folder: Path, cloud: CloudFacts | None = None
) -> Environment:
    """The environment now; `folder` is where the experiment file lies, for its git commit."""
    commit, changed = await asyncio.get_running_loop().run_in_executor(None, _git_state, folder)
    software = Software(platform.python_version(), _package_versions(), commit, changed)
    return Environment(recorded, simulated, describe_machine(), software, cloud)


def describe_machine() -> Machine:
    """The machine this process runs on."""
    memory = psutil.virtual_memory()
    return Machine(
        processor=_processor_name(),
        processors=os.cpu_count() or 1,
        usable_processors=usable_processors(),
        processor_frequency_mhz=_frequency_mhz(),
        memory_bytes=memory.total,
        memory_available_bytes=memory.available,
        system=f"{platform.system()} {_distribution()}".strip(),
        kernel=platform.release(),
        load_average_1_minute=os.getloadavg()[0],
        container=_looks_like_a_container(),
    )


def usable_processors() -> float:
    """How many processors this process may keep busy: the lesser of its affinity and its control group's quota."""
    allowed = float(len(os.sched_getaffinity(0)))
    quota, _, period = _read("/sys/fs/cgroup/cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit() and int(period) > 0:
        allowed = min(allowed, int(quota) / int(period))
    return max(allowed, 0.01)


def without_credentials(url: str) -> str:
    """The URL without user, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _package_versions() -> dict[str, str]:
    versions: dict[str, str] = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _git_state(folder: Path) -> tuple[str, bool]:
    commit = _git(folder, "rev-parse", "HEAD")
    return commit, bool(commit and _git(folder, "status", "--porcelain", "--untracked-files=no"))


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor_name() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model", "cpu model"):
            return value.strip()
    return platform.processor() or platform.machine()


def _frequency_mhz() -> float:
    try:
        return round(float(getattr(psutil.cpu_freq(), "current", 0.0)), 1)
    except (OSError, NotImplementedError):
        return 0.0


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return ""


def _looks_like_a_container() -> bool:
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
