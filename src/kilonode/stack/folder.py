"""The state folder of one stack: what is in it, and how it is read and written.

    stack.json       what the stack is and where it listens (`StackRecord`)
    secrets.json     passwords, readable by their owner alone
    services.json    which processes were started (`ServiceTable`), rewritten at each start
    done.json        which steps that are done once are done, so that bringing up goes on where it was stopped
    clouds.yaml      how to log in, for OpenStack clients; readable by its owner alone
    configuration/   the configuration files of the services; readable by their owner alone
    data/            databases, messages, images, keys
    logs/            one file for each service
    commands.log     the words of every command that brought it up

The environments that services run in are shared by all stacks of a release (`kilonode.stack.environment`).
"""

import shutil
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from kilonode.base.encoding import decode_json, encode_json_for_people
from kilonode.base.errors import InputError
from kilonode.base.files import PRIVATE, write_atomically
from kilonode.base.locks import hold
from kilonode.base.processes import ProcessIdentity
from kilonode.stack.plan import DEFAULT_NAME, Settings

STATE_VERSION: Final = 1
"""Raised with every change after which an older state folder cannot be continued."""
LOG_LIMIT_BYTES: Final = 64 * 2**20

Document = TypeVar("Document", bound=msgspec.Struct)


class Ports(msgspec.Struct, frozen=True):
    """Where everything listens, on the loopback address alone."""

    keystone: int
    placement: int
    glance: int
    neutron: int
    nova: int
    mariadb: int
    memcached: int
    rabbitmq: int
    rabbitmq_management: int
    rabbitmq_distribution: int
    epmd: int

    def by_name(self) -> dict[str, int]:
        """Each port by what it is for."""
        return msgspec.structs.asdict(self)


class Secrets(msgspec.Struct, frozen=True):
    """The passwords of one stack, drawn when it was made."""

    admin: str
    demo: str
    services: str
    """Of the services' own users in Keystone."""
    database: str
    messages: str

    def all(self) -> tuple[str, ...]:
        """Every one of them."""
        return tuple(msgspec.structs.asdict(self).values())


class StackRecord(msgspec.Struct, frozen=True):
    """What a stack is."""

    version: int
    name: str
    settings: Settings
    ports: Ports
    packages: dict[str, str] = {}
    """The versions of its services, of what is installed and runs."""
    digests: dict[str, str] = {}
    """For each service, a digest of its configuration without ports, paths and secrets."""
    releases: dict[str, str] = {}
    """The processes that are of another release than the stack was made of, in the middle of an upgrade: which."""
    run: str = ""
    """The run that the stack was made for; empty: it stays until it is taken down."""


class ServiceRecord(msgspec.Struct, frozen=True):
    """One service that was started."""

    name: str
    """`mariadb`, `keystone`, `nova-conductor`, `nova-compute`, …; computes share theirs."""
    process: str
    """The name of the process: as `name`, with the host for computes; also of its log."""
    identity: ProcessIdentity
    release: str = ""
    """The release that it was started from; empty: it comes from the system's packages."""


class ServiceTable(msgspec.Struct, frozen=True):
    """What was started and not ended since."""

    services: tuple[ServiceRecord, ...] = ()


class _Done(msgspec.Struct, frozen=True):
    steps: tuple[str, ...] = ()


class _Versioned(msgspec.Struct, frozen=True):
    version: int = 0


class StackFolder:
    """The paths of one stack's state, and its records."""

    def __init__(self, state: Path, name: str = DEFAULT_NAME) -> None:
        self.state = state.absolute()
        self.name = name
        self.path = self.state / "stack" / name
        self.configuration = self.path / "configuration"
        self.data = self.path / "data"
        self.logs = self.path / "logs"
        self.control = self.path / "control"
        self.clouds_file = self.path / "clouds.yaml"
        self.commands_log = self.path / "commands.log"
        self._lock = self.path.parent / f".{name}.lock"
        self._record = self.path / "stack.json"
        self._secrets = self.path / "secrets.json"
        self._services = self.path / "services.json"
        self._done = self.path / "done.json"

    @property
    def exists(self) -> bool:
        """Whether there is any state of this stack."""
        return self.path.is_dir()

    def make(self) -> None:
        """Make the folders, for their owner alone."""
        for folder in (self.path, self.configuration, self.data, self.logs, self.control):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def remove(self) -> None:
        """Remove all state."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.path)

    def remove_lock(self) -> None:
        """Remove the file of the lock that is held, for good: it is the last of this stack."""
        self._lock.unlink(missing_ok=True)

    def locked(self) -> AbstractContextManager[None]:
        """Hold the lock under which the stack is brought up and down; InputError when another command has it."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return hold(
            self._lock,
            f"another command is bringing stack {self.name!r} up or down at this moment",
            f"wait for it, then look with: kilonode stack status{self.name_option}",
        )

    def log(self, process: str) -> Path:
        """The log of one process."""
        return self.logs / f"{process}.log"

    def control_pipe(self, process: str) -> Path:
        """Where a process takes what it is told, of those that can be told anything but by signals."""
        return self.control / process

    def turn_logs(self) -> None:
        """Set large logs aside, one generation of them."""
        for log in self.logs.glob("*.log"):
            if log.stat().st_size > LOG_LIMIT_BYTES:
                log.replace(log.with_suffix(".log.old"))

    def read_record(self) -> StackRecord | None:
        """What the stack is; None when it was never made. InputError when another version wrote the folder."""
        versioned = self._read(self._record, _Versioned)
        if versioned is None:
            return None
        if versioned.version != STATE_VERSION:
            age = "an older" if versioned.version < STATE_VERSION else "a newer"
            raise InputError(
                f"the state of stack {self.name!r} was written by {age} version of Kilonode",
                where=str(self.path),
                expected=f"state version {STATE_VERSION}",
                got=f"state version {versioned.version}",
                hint=f"use that version, or start anew with: kilonode stack up --fresh{self.name_option}",
            )
        return self._read(self._record, StackRecord)

    def write_record(self, record: StackRecord) -> None:
        """Keep what the stack is."""
        write_atomically(self._record, encode_json_for_people(record), PRIVATE)

    def secrets(self) -> Secrets | None:
        """The stack's secrets, if it was ever made."""
        return self._read(self._secrets, Secrets)

    def write_secrets(self, secrets: Secrets) -> None:
        """Keep the secrets, for their owner alone."""
        write_atomically(self._secrets, encode_json_for_people(secrets), PRIVATE)

    def services(self) -> tuple[ServiceRecord, ...]:
        """What was started and not ended since; it may have died."""
        table = self._read(self._services, ServiceTable)
        return table.services if table else ()

    def write_services(self, services: tuple[ServiceRecord, ...]) -> None:
        """Keep what was started."""
        write_atomically(self._services, encode_json_for_people(ServiceTable(services)), PRIVATE)

    def done(self) -> frozenset[str]:
        """The steps that are done once and are done."""
        done = self._read(self._done, _Done)
        return frozenset(done.steps if done else ())

    def write_done(self, steps: frozenset[str]) -> None:
        """Keep which steps are done."""
        write_atomically(self._done, encode_json_for_people(_Done(tuple(sorted(steps)))), PRIVATE)

    def write_private(self, path: Path, text: str) -> None:
        """Write a file that holds secrets, with its folder."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, text.encode(), PRIVATE)

    @property
    def name_option(self) -> str:
        """What a command needs to mean this stack."""
        return "" if self.name == DEFAULT_NAME else f" --name {self.name}"

    def _read(self, path: Path, kind: type[Document]) -> Document | None:
        try:
            return decode_json(path.read_bytes(), kind)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise InputError(
                "the state of the stack cannot be read",
                where=str(path),
                got=str(error),
                hint=f"start anew with: kilonode stack up --fresh{self.name_option}",
            ) from error


def known_stacks(state: Path) -> list[str]:
    """The names of all stacks that have state."""
    folder = state / "stack"
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir())
