"""Judging a run from its folder: when it has just ended, later, or after it was killed."""

from pathlib import Path

from kilonode.base.errors import InputError
from kilonode.check.evaluation import evaluate
from kilonode.check.results import Results
from kilonode.history.archive import compact, read_history
from kilonode.history.columns import History
from kilonode.history.records import OpKind
from kilonode.run.consistency import read_evidence, settle_s_of
from kilonode.run.experiment import Experiment
from kilonode.run.facts import run_facts
from kilonode.run.folder import LAST_STATES, RunFolder
from kilonode.run.reading import read_experiment
from kilonode.run.untold import untold_disruptions


def evaluate_run(folder: RunFolder, control: RunFolder | None = None) -> Results:
    """All numbers and the verdict of a run; makes its history compact once the run has ended.

    Raises InputError when there is nothing to judge.
    """
    return evaluate_history(folder, control)[0]


def evaluate_history(folder: RunFolder, control: RunFolder | None = None) -> tuple[Results, History]:
    """The same, with the history that it rests on. `control`: a run of the same load without disruptions."""
    record = folder.record()
    if record.zero_utc is None:
        raise InputError(
            "the run has no load to judge",
            where=str(folder.path),
            got=f"it ended while {record.state}",
            hint="run it again",
        )
    if record.state in LAST_STATES:
        history = compact(folder.path)
    else:
        history = read_history(folder.path, untold_disruptions(folder))
    experiment = experiment_of(folder)
    evidence = read_evidence(folder) if settle_s_of(experiment) is not None else None
    undisturbed = _control_history(control) if control is not None else None
    return evaluate(history, run_facts(experiment, record), evidence, undisturbed), history


def _control_history(control: RunFolder) -> History:
    """The history of a run that nothing disrupted. Raises InputError when something did."""
    history = read_history(control.path, untold_disruptions(control))
    if OpKind.DISRUPTION.value in history.columns.kind_names:
        raise InputError(
            "the control run was disrupted itself",
            where=str(control.path),
            expected="a run of the same load without disruptions",
        )
    return history


def experiment_of(folder: RunFolder) -> Experiment:
    """The resolved experiment of a run. Raises InputError."""
    return read_experiment(Path(folder.experiment_file)).points[0].experiment
