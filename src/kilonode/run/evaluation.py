"""Judging a run from its folder: when it has just ended, later, or after it was killed."""

from pathlib import Path

from kilonode.base.errors import InputError
from kilonode.check.evaluation import evaluate
from kilonode.check.results import Results
from kilonode.history.archive import compact, read_history
from kilonode.history.columns import History
from kilonode.run.consistency import read_evidence, settle_s_of
from kilonode.run.experiment import Experiment
from kilonode.run.facts import run_facts
from kilonode.run.folder import LAST_STATES, RunFolder
from kilonode.run.reading import read_experiment


def evaluate_run(folder: RunFolder) -> Results:
    """All numbers and the verdict of a run; makes its history compact once the run has ended.

    Raises InputError when there is nothing to judge.
    """
    return evaluate_history(folder)[0]


def evaluate_history(folder: RunFolder) -> tuple[Results, History]:
    """The same, with the history that it rests on."""
    record = folder.record()
    if record.zero_utc is None:
        raise InputError(
            "the run has no load to judge",
            where=str(folder.path),
            got=f"it ended while {record.state}",
            hint="run it again",
        )
    history = compact(folder.path) if record.state in LAST_STATES else read_history(folder.path)
    experiment = experiment_of(folder)
    evidence = read_evidence(folder) if settle_s_of(experiment) is not None else None
    return evaluate(history, run_facts(experiment, record), evidence), history


def experiment_of(folder: RunFolder) -> Experiment:
    """The resolved experiment of a run. Raises InputError."""
    return read_experiment(Path(folder.experiment_file)).points[0].experiment
