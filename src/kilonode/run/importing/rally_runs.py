"""Rally result files as a run folder, which `report`, `compare` and criteria take like any other.

All files that are given together become one run. Each load in them becomes a workload; loads of the same scenario with
the same arguments, runner and hooks are repeats of the first of them, and are known as such. They keep the instants at
which they truly were. See decision 0216.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from kilonode.base.encoding import encode_json_for_people
from kilonode.base.errors import InputError
from kilonode.base.files import write_atomically
from kilonode.base.units import Duration
from kilonode.check.criteria import parse_criterion, unknown_name
from kilonode.history.archive import compact
from kilonode.history.columns import Floats
from kilonode.history.journal import SUFFIX, JournalHeader, JournalWriter
from kilonode.history.records import Op
from kilonode.load.models import ConstantVus
from kilonode.run.experiment import Experiment, Imported, Workload
from kilonode.run.folder import RunFolder, RunRecord, RunState, create_run_folder, slug
from kilonode.run.importing.rally_files import read_rally_file
from kilonode.run.importing.rally_ops import ops_of_load, step_name
from kilonode.run.importing.rally_records import RallyLoad
from kilonode.run.printing import print_experiment

TOOL: Final = "rally"
LONGEST_WORKLOAD: Final = 30
LONGEST_NAME: Final = 200


class ImportedFile(msgspec.Struct, frozen=True):
    """A file that a run was made from."""

    name: str
    sha256: str
    size_bytes: int


class ImportedEnvironment(msgspec.Struct, frozen=True):
    """What is known of where an imported run ran: next to nothing."""

    recorded_utc: datetime
    imported_from: str
    files: tuple[ImportedFile, ...]
    simulated: bool = False


def import_rally(
    files: Sequence[Path], runs: Path, created: datetime, *, name: str = "", criteria: Sequence[str] = ()
) -> RunFolder:
    """Make a run of some result files, in a new folder in `runs`. Raises InputError."""
    loads = [load for file in files for load in read_rally_file(file)]
    empty = next((load for load in loads if not load.iterations), None)
    if empty is not None:
        raise InputError("a load without an iteration", where=str(files[0]), got=empty.scenario)
    known = tuple(_describe(file) for file in files)
    zero_s = min(iteration.started_s for load in loads for iteration in load.iterations)
    names = workload_names(loads)
    name = (name or ", ".join(dict.fromkeys(file.name.split(".")[0] for file in files)))[:LONGEST_NAME]
    seed = 0
    experiment = Experiment(
        name=name,
        seed=seed,
        workloads={unique: _workload(load, first, zero_s) for load, (unique, first) in zip(loads, names, strict=True)},
        criteria=tuple(criteria),
        costs="unmeasured",
        workers=1,
    )
    _check_criteria(criteria, [unique for unique, _ in names])
    folder = create_run_folder(runs, name, created)
    write_atomically(folder.experiment_file, print_experiment(experiment).encode())
    environment = ImportedEnvironment(created, TOOL, known)
    write_atomically(folder.environment_file, encode_json_for_people(environment))
    run_id = hashlib.sha256("".join(file.sha256 for file in known).encode()).hexdigest()[:8]
    finished_s = _write_history(folder, run_id, loads, [unique for unique, _ in names], zero_s)
    folder.write_record(
        RunRecord(
            run_id=run_id,
            name=name,
            state=RunState.DONE,
            pid=os.getpid(),
            created_utc=created,
            seed=seed,
            zero_utc=datetime.fromtimestamp(zero_s, UTC),
            finished_utc=datetime.fromtimestamp(finished_s, UTC),
            imported=TOOL,
        )
    )
    compact(folder.path, keep_journals=False)
    return folder


def _check_criteria(criteria: Sequence[str], workloads: Sequence[str]) -> None:
    """Raise InputError for one that is wrong, before anything is made."""
    for text in criteria:
        problem = unknown_name(parse_criterion(text), dict.fromkeys(workloads))
        if problem is not None:
            raise InputError("a criterion names what is not there", problems=[problem])


def workload_names(loads: Sequence[RallyLoad]) -> list[tuple[str, str]]:
    """For each load the name of its workload, and that of the first one which it repeats (its own, if it is that)."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, load in enumerate(loads):
        hooks = tuple(f"{hook.name}: {hook.action}" for hook in load.hooks)
        groups.setdefault((load.scenario, load.arguments, load.runner, load.settings, *hooks), []).append(place)
    found: list[tuple[str, str]] = [("", "")] * len(loads)
    taken: set[str] = set()
    for places in groups.values():
        base = _base_name(loads[places[0]].scenario, len(places), taken)
        taken.add(base)
        unique = [base if len(places) == 1 else f"{base}-{number}" for number in range(1, len(places) + 1)]
        for place, name in zip(places, unique, strict=True):
            found[place] = (name, unique[0])
    return found


def _base_name(scenario: str, repeats: int, taken: set[str]) -> str:
    """The scenario's last word as a workload's name, with room for the number of each repeat."""
    word = slug(step_name(scenario.rpartition(".")[2])).replace("-", "_")
    word = word if word[0].isalpha() else f"load_{word}"
    room = LONGEST_WORKLOAD - (len(str(repeats)) + 1 if repeats > 1 else 0)
    for number in chain([""], (f"_{number}" for number in range(2, len(taken) + 3))):
        name = word[: room - len(str(number))] + str(number)
        if name not in taken:
            return name
    raise AssertionError(taken)


def _workload(load: RallyLoad, first: str, zero_s: float) -> Workload:
    """A stand-in that says what the load was; it cannot be run."""
    starts = np.array([iteration.started_s for iteration in load.iterations])
    ends = starts + np.array([iteration.duration_s + iteration.idle_s for iteration in load.iterations])
    start_s = float(starts.min())
    lasted_s = max(load.load_s, float(starts.max()) - start_s, 1e-3)
    return Workload(
        scenario=TOOL,
        imported=Imported(
            tool=TOOL,
            scenario=load.scenario,
            arguments=load.arguments,
            load=f"{load.runner or 'unknown runner'} {load.settings}",
            repeats=first,
        ),
        load=ConstantVus(vus=load.concurrency or _most_at_once(starts, ends), duration=Duration(round(lasted_s, 9))),
        start=Duration(max(0.0, round(start_s - zero_s, 9))),
    )


def _most_at_once(starts: Floats, ends: Floats) -> int:
    """How many iterations ran at the same time at most."""
    instants = np.concatenate((starts, ends))
    change = np.concatenate((np.ones(len(starts), dtype=np.int64), -np.ones(len(ends), dtype=np.int64)))
    order = np.lexsort((change, instants))
    return max(1, int(np.cumsum(change[order]).max()))


def _write_history(
    folder: RunFolder, run_id: str, loads: Sequence[RallyLoad], names: Sequence[str], zero_s: float
) -> float:
    """The journal; when the last operation ended, in seconds since 1970."""
    header = JournalHeader(run_id=run_id, name=TOOL, zero_ns=0, zero_utc=datetime.fromtimestamp(zero_s, UTC))
    journal = JournalWriter(folder.journal_folder / f"{TOOL}{SUFFIX}", header)
    last_ns = 0
    try:
        for op in _all_ops(loads, names, zero_s):
            journal.add_op(op)
            last_ns = max(last_ns, op.finished_ns)
    finally:
        journal.close()
    return zero_s + last_ns / 1e9


def _all_ops(loads: Sequence[RallyLoad], names: Sequence[str], zero_s: float) -> Iterable[Op]:
    disruptions = 0
    for load, name in zip(loads, names, strict=True):
        yield from ops_of_load(load, name, zero_s, disruptions)
        disruptions += len(load.hooks)


def _describe(file: Path) -> ImportedFile:
    data = file.read_bytes()
    return ImportedFile(file.name, hashlib.sha256(data).hexdigest(), len(data))
