"""The scenarios that come with Kilonode, without those that other tests have declared in the same process."""

from pathlib import Path

import kilonode.scenarios
from kilonode.scenarios.declaration import Scenario
from kilonode.scenarios.registry import all_scenarios

_FOLDER = str(Path(kilonode.scenarios.__file__).parent)


def library() -> list[Scenario]:
    return [scenario for scenario in all_scenarios() if _FOLDER in scenario.source]
