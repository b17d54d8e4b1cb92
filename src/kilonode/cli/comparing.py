"""Runs from their folders into a comparison, and the bound that it is judged by."""

import re
from typing import Final

from kilonode.base.encoding import to_plain
from kilonode.base.errors import InputError
from kilonode.check.compare import ComparedRun
from kilonode.cli.reporting import metadata_of
from kilonode.run.evaluation import evaluate_history, experiment_of
from kilonode.run.folder import RunFolder

_SHARE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*")


def read_run(folder: RunFolder) -> ComparedRun:
    """A run with everything that a comparison looks at. Raises InputError."""
    results, history = evaluate_history(folder)
    metadata = metadata_of(folder)
    return ComparedRun(
        name=folder.name,
        experiment_name=metadata.name,
        results=results,
        history=history,
        experiment=to_plain(experiment_of(folder)),
        environment=metadata.environment,
    )


def share_of_text(text: str, *, where: str) -> float:
    """`15%` or `0.15` as a share above 0 and below 1. Raises InputError."""
    match = _SHARE.fullmatch(text)
    share = 0.0 if match is None else float(match[1]) / (100 if match[2] else 1)
    if not 0 < share < 1:
        raise InputError("not a bound", where=where, expected="a share above 0 % and below 100 %: 15%", got=repr(text))
    return share
