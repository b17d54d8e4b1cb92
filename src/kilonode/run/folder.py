"""The folder of one run: where everything a run leaves behind lies, and what state the run is in.

    runs/20260314-151617-thousand-nodes/
        experiment.yaml    the resolved experiment: reading it again gives the same run
        environment.json   versions, hardware, git commit, facts about the cloud; never a secret
        run.json           `RunRecord`: run id, state, process id, instants
        journal/           what the workers wrote while the run went on: journals, and what was asked of the cloud
        faults/            what heals the run's disruptions, written before each of them
        inventory.json.gz  what there was on the cloud after the load, where somebody wanted to know
        history.parquet    the same, compact, once the run has ended; samples.parquet beside it
        verdict.json       all numbers and the verdict
        report.html        the report

Documents are replaced atomically: a reader, or a crash, sees the old or the new one, never half of one.
"""

import contextlib
import re
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from kilonode.base.encoding import encode_json_for_people
from kilonode.base.errors import InputError, nearest
from kilonode.base.files import write_atomically
from kilonode.base.formats import decode_versioned_json

RECORD_FILE = "run.json"
FORMAT_VERSION = 1
SLUG_LIMIT_CHARACTERS = 60
_MOST_FOLDERS_OF_ONE_SECOND = 1000


class RunState(StrEnum):
    """How far a run has come. A run whose process is gone and whose state is not a last one was killed."""

    PREPARING = "preparing"
    SETUP = "setup"
    LOAD = "load"
    CLEANUP = "cleanup"
    DONE = "done"
    """It came to its end, whatever the verdict."""
    ABORTED = "aborted"
    """The user or an abort criterion ended it; what was measured is there."""
    FAILED = "failed"
    """It broke: bad input found late, a cloud that could not be reached, or a bug."""


LAST_STATES = frozenset({RunState.DONE, RunState.ABORTED, RunState.FAILED})


class RunRecord(msgspec.Struct, frozen=True):
    """What `run.json` says."""

    run_id: str
    """Eight hexadecimal characters; every resource the run makes has a name that starts `kn-<run_id>-`."""
    name: str
    """The experiment's name."""
    state: RunState
    pid: int
    """The process that leads, or led, the run."""
    created_utc: datetime
    seed: int = 0
    zero_utc: datetime | None = None
    """The start of the load: the zero of all instants in the history. None: the load has not started."""
    finished_utc: datetime | None = None
    cloud: str = ""
    """The name of the cloud, as `clouds.yaml` has it; of an emulated cloud or a stack its state folder's name; or
    empty."""
    emulated: bool = False
    stack: bool = False
    """The cloud is a stack of this machine: real services with emulated nodes."""
    own_stack: bool = False
    """The stack was brought up for this run, or for its campaign."""
    state_folder: str = ""
    """Where Kilonode kept the state of the emulated cloud or stack, an absolute path; empty: it was about neither."""
    simulated: bool = False
    """The run was on virtual time."""
    imported: str = ""
    """The tool whose results the run was made from; empty: Kilonode ran it."""
    workers: int = 1
    """How many worker processes made the load."""
    problems: tuple[str, ...] = ()
    """What happened to workers that did not come to their end."""
    unmeasured: tuple[str, ...] = ()
    """What of the services' costs could not be measured."""
    aborted_because: str = ""
    """Why the load was ended early; empty: it was not."""
    aborted_by: str = ""
    """The criterion that asked for it; empty: the user or a timeout did."""
    aborted_s: float = 0.0
    """When, after the start of the load."""
    left_behind: bool = False
    """Cleanup did not finish: `kilonode cleanup` has something to do."""
    removed_utc: datetime | None = None
    """When `kilonode cleanup` had removed everything the run made; None: it did not, or had no need to."""
    facts: dict[str, Any] = {}
    """This point of the matrix: path to value."""
    campaign: str = ""
    """The name of the campaign this run belongs to, or empty."""
    format_version: int = FORMAT_VERSION


class RunFolder:
    """The paths of one run's folder, and its record."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.experiment_file = path / "experiment.yaml"
        self.environment_file = path / "environment.json"
        self.record_file = path / RECORD_FILE
        self.journal_folder = path / "journal"
        self.faults_folder = path / "faults"
        self.history_file = path / "history.parquet"
        self.samples_file = path / "samples.parquet"
        self.inventory_file = path / "inventory.json.gz"
        self.verdict_file = path / "verdict.json"
        self.report_file = path / "report.html"

    @property
    def name(self) -> str:
        """The folder's own name, without its parents."""
        return self.path.name

    def record(self) -> RunRecord:
        """What `run.json` says. Raises InputError when it is missing, broken, or from a newer Kilonode."""
        try:
            data = self.record_file.read_bytes()
        except OSError as error:
            raise InputError(
                "not a run folder",
                where=str(self.path),
                expected=f"a folder with a readable {RECORD_FILE}",
                got=error.strerror or str(error),
            ) from error
        try:
            return decode_versioned_json(data, RunRecord, FORMAT_VERSION, what="this run", where=str(self.record_file))
        except msgspec.DecodeError as error:
            raise InputError("a broken run record", where=str(self.record_file), got=str(error)) from error

    def write_record(self, record: RunRecord) -> None:
        """Replace `run.json`."""
        write_atomically(self.record_file, encode_json_for_people(record))


def create_run_folder(runs: Path, name: str, created: datetime) -> RunFolder:
    """Make a new folder in `runs` (made too when missing) for a run of the experiment `name` created then.

    Raises InputError when the folder cannot be made.
    """
    folder = RunFolder(make_dated_folder(runs, name, created))
    folder.journal_folder.mkdir()
    return folder


def make_dated_folder(parent: Path, name: str, created: datetime) -> Path:
    """Make `<YYYYmmdd-HHMMSS>-<slug of name>` in `parent`; more of one second get `-2`, `-3`, … Raises InputError."""
    base = f"{created:%Y%m%d-%H%M%S}-{slug(name)}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(1, _MOST_FOLDERS_OF_ONE_SECOND + 1):
            path = parent / (base if number == 1 else f"{base}-{number}")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return path
    except OSError as error:
        raise InputError(
            "cannot make a folder",
            where=str(parent),
            got=error.strerror or str(error),
            hint="choose another place for runs",
        ) from error
    raise InputError("too many folders with this name in one second", where=str(parent / base))


def list_runs(runs: Path) -> list[RunFolder]:
    """Every run folder in `runs`, ordered by name, then those in campaigns."""
    if not runs.is_dir():
        return []
    files = [*sorted(runs.glob(f"*/{RECORD_FILE}")), *sorted(runs.glob(f"*/*/{RECORD_FILE}"))]
    return [RunFolder(file.parent) for file in files]


def find_run(runs: Path, which: str) -> RunFolder:
    """The run that `which` names: a path, a folder's name in `runs`, a run id, or `latest`. Raises InputError."""
    for path in (Path(which), runs / which):
        if (path / RECORD_FILE).is_file():
            return RunFolder(path)
    readable = readable_records(list_runs(runs))
    if which == "latest" and readable:
        return max(readable, key=lambda pair: (pair[1].created_utc, pair[0].name))[0]
    for folder, record in readable:
        if which in (record.run_id, folder.name):
            return folder
    raise InputError(
        "no such run",
        where=which,
        expected="a run folder, its name, a run id, or latest",
        got=f"{len(readable)} runs in {runs}",
        hint=nearest(which, [folder.name for folder, _ in readable]),
    )


def readable_records(folders: list[RunFolder]) -> list[tuple[RunFolder, RunRecord]]:
    """Each folder with its record; a broken one must not be in the way of the others."""
    found: list[tuple[RunFolder, RunRecord]] = []
    for folder in folders:
        with contextlib.suppress(InputError):
            found.append((folder, folder.record()))
    return found


def slug(name: str) -> str:
    """`name` as part of a file name: lowercase letters, digits and single dashes; never empty."""
    text = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:SLUG_LIMIT_CHARACTERS].strip("-")
    return text or "run"
