"""What a process of a cloud is started with, and what a restart may replace of it: versions can stand side by side.

Pure records. What is replaced holds until the cloud goes down; a later `up` starts everything as it is installed.
"""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import msgspec

from kilonode.base.processes import module_command

STAGES_VARIABLE: Final = "KILONODE_STAGES"
"""Of a role's process: the stage profile that it goes by instead of the cloud's."""


class ProcessChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be different about a process from its next start on. None: as it is."""

    version: str | None = None
    """What to call it."""
    interpreter: str | None = None
    """The Python that runs it, of an environment in which some version of Kilonode is installed."""
    environment: dict[str, str] = {}
    """Variables that are added to its environment."""
    stages: str | None = None
    """The stage profile that it goes by: a name, or a path that is absolute. How it behaves, as data: a version that is
    slower, or fails at times, is the same code with another one."""
    back: bool = False
    """What the last change of it changed is taken back; nothing else may be said then."""


class ProcessCommand(msgspec.Struct, frozen=True):
    """How one process is started."""

    arguments: tuple[str, ...]
    version: str
    environment: dict[str, str] = {}
    """Added to the supervisor's own."""

    def changed(self, change: ProcessChange) -> "ProcessCommand":
        """The same with the change made."""
        stages = {} if change.stages is None else {STAGES_VARIABLE: change.stages}
        return ProcessCommand(
            arguments=(change.interpreter or self.arguments[0], *self.arguments[1:]),
            version=self.version if change.version is None else change.version,
            environment={**self.environment, **change.environment, **stages},
        )


def own_command(module: str, arguments: Sequence[str]) -> ProcessCommand:
    """The command that runs a module of this very version."""
    return ProcessCommand(tuple(module_command(module, *arguments)), version("kilonode"))
