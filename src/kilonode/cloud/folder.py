"""The state folder of one emulated cloud: what is in it, and how it is read and written.

    cloud.json       how the cloud was brought up (`CloudRecord`), with the version of everything kept here
    secrets.json     passwords and keys, readable by their owner alone
    clouds.yaml      how to log in, for OpenStack clients; readable by its owner alone
    processes.json   which processes the supervisor runs now (`ProcessTable`), rewritten at each change
    control          the supervisor's socket (`kilonode.cloud.control_channel`), for its owner alone
    store            the documents (SQLite), with its companions `store-wal`, `store-shm`, `store.bell`; of a cloud with
                     several sites those that all of them share, and the rest in a folder named as the region
    logs/            one file per process

Files are replaced whole, never half written. The folder's own lock keeps two commands from changing a cloud at once.
"""

import shutil
from contextlib import AbstractContextManager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from kilonode.base.encoding import decode_json, encode_json_for_people
from kilonode.base.errors import InputError
from kilonode.base.files import PRIVATE, write_atomically
from kilonode.base.locks import hold
from kilonode.base.processes import ProcessIdentity
from kilonode.cloud.context import CloudSettings, Secrets

STATE_VERSION: Final = 2
"""Raised with every change after which an older state folder, its documents included, cannot be continued."""
LOG_LIMIT_BYTES: Final = 16 * 2**20

Record = TypeVar("Record", bound=msgspec.Struct)
StoreName = Literal["memory", "sqlite"]


class ProcessState(StrEnum):
    """What a process of the cloud does now."""

    RUNNING = "running"
    WAITING = "waiting"
    """It died, and is started again in a moment."""
    FAILED = "failed"
    """It died too often, or said that it cannot work; it is not started again."""
    STOPPED = "stopped"


class ProcessRecord(msgspec.Struct, frozen=True):
    """One process of the cloud as its supervisor sees it."""

    name: str
    """The role, with a number where there are several: `api`, `fleet-1`; `cloud` is all in one."""
    state: ProcessState
    identity: ProcessIdentity | None = None
    ready: bool = False
    """It said that it can do its work."""
    version: str = ""
    """Which version of the program it runs: Kilonode's own, or what whoever replaced it calls it."""
    restarts: int = 0
    """How often it was started again after it had died."""
    replacements: int = 0
    """How often it was replaced by another process on purpose."""
    last_exit: str = ""
    """How it died last: `exit status 1`, `signal 9`; empty when it never did."""


class ProcessTable(msgspec.Struct, frozen=True):
    """The supervisor and what it runs."""

    supervisor: ProcessIdentity
    processes: tuple[ProcessRecord, ...] = ()


class CloudRecord(msgspec.Struct, frozen=True):
    """How the cloud was brought up."""

    version: int
    settings: CloudSettings
    """Without its secrets."""
    store: StoreName
    all_in_one: bool
    host: str
    port: int
    synchronous: Literal["normal", "full"] = "normal"
    owner: ProcessIdentity | None = None
    """The process that the cloud is for: it ends when that has ended. None: it stays until it is taken down."""


class _Versioned(msgspec.Struct, frozen=True):
    version: int = 0


class StateFolder:
    """The paths of one cloud's state, and its records."""

    def __init__(self, state: Path, name: str) -> None:
        self.state = state.absolute()
        self.name = name
        self.path = self.state / "cloud" / name
        self.store = self.path / "store"
        self.clouds_file = self.path / "clouds.yaml"
        self.logs = self.path / "logs"
        self._lock = self.path.parent / f".{name}.lock"
        self._record = self.path / "cloud.json"
        self._secrets = self.path / "secrets.json"
        self._processes = self.path / "processes.json"

    @property
    def exists(self) -> bool:
        """Whether there is any state of this cloud."""
        return self.path.is_dir()

    def make(self) -> None:
        """Make the folder, for its owner alone."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.logs.mkdir(mode=0o700, exist_ok=True)

    def remove(self) -> None:
        """Remove all state."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.path)

    def remove_lock(self) -> None:
        """Remove the file of the lock that is held, for good: it is the last of this cloud."""
        self._lock.unlink(missing_ok=True)

    def of_site(self, region: str) -> Path:
        """The folder of what belongs to the site of a region alone, made if it is not there."""
        folder = self.path / region
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def log(self, process: str) -> Path:
        """The log file of a process."""
        return self.logs / f"{process}.log"

    def turn_logs(self) -> None:
        """Set large logs aside, one generation of them."""
        for log in self.logs.glob("*.log"):
            if log.stat().st_size > LOG_LIMIT_BYTES:
                log.replace(log.with_suffix(".log.old"))

    def locked(self) -> AbstractContextManager[None]:
        """Hold the lock under which the cloud is brought up and down; InputError when another command has it."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return hold(
            self._lock,
            f"another command is bringing cloud {self.name!r} up or down at this moment",
            "wait for it, then look with: kilonode cloud status",
        )

    def supervised(self) -> AbstractContextManager[None]:
        """Hold the lock of the one supervisor; InputError when there is another."""
        return hold(self.path / ".supervisor.lock", f"cloud {self.name!r} has a supervisor already", "")

    def read_record(self) -> CloudRecord | None:
        """How the cloud was brought up; None when it never was. InputError when another version wrote the folder."""
        try:
            data = self._record.read_bytes()
        except FileNotFoundError:
            return None
        try:
            version = decode_json(data, _Versioned).version
            if version == STATE_VERSION:
                return decode_json(data, CloudRecord)
        except msgspec.DecodeError as error:
            raise InputError(
                "the state of the cloud cannot be read",
                where=str(self._record),
                got=str(error),
                hint=f"start anew with: kilonode cloud up --fresh{self._name_option}",
            ) from error
        age = "an older" if version < STATE_VERSION else "a newer"
        raise InputError(
            f"the state of cloud {self.name!r} was written by {age} version of Kilonode",
            where=str(self.path),
            expected=f"state version {STATE_VERSION}",
            got=f"state version {version}",
            hint=f"use that version, or start anew with: kilonode cloud up --fresh{self._name_option}",
        )

    def write_record(self, record: CloudRecord) -> None:
        """Keep how the cloud was brought up."""
        write_atomically(self._record, encode_json_for_people(record), PRIVATE)

    def secrets(self) -> Secrets | None:
        """The cloud's secrets, if it was ever brought up."""
        try:
            return decode_json(self._secrets.read_bytes(), Secrets)
        except FileNotFoundError:
            return None

    def write_secrets(self, secrets: Secrets) -> None:
        """Keep the secrets, for their owner alone."""
        write_atomically(self._secrets, encode_json_for_people(secrets), PRIVATE)

    def read_processes(self) -> ProcessTable | None:
        """What the supervisor said last, which may be of a supervisor long gone."""
        try:
            return decode_json(self._processes.read_bytes(), ProcessTable)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def write_processes(self, table: ProcessTable) -> None:
        """For the supervisor: say what runs."""
        write_atomically(self._processes, encode_json_for_people(table), PRIVATE)

    def forget_processes(self) -> None:
        """Nothing runs any more."""
        self._processes.unlink(missing_ok=True)

    def write_clouds_file(self, text: str) -> None:
        """Keep how to log in."""
        write_atomically(self.clouds_file, text.encode(), PRIVATE)

    @property
    def _name_option(self) -> str:
        return "" if self.name == CloudSettings().name else f" --name {self.name}"


def known_clouds(state: Path) -> list[str]:
    """The names of all clouds that have state."""
    folder = state / "cloud"
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir())
