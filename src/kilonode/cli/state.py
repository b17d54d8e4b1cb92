"""Where Kilonode keeps state and runs."""

import os
from pathlib import Path
from typing import Annotated

import typer

RunsOption = Annotated[
    Path,
    typer.Option("--runs", envvar="KILONODE_RUNS", help="The folder that run folders are made in.", show_default=True),
]
DEFAULT_RUNS = Path("runs")


def state_folder() -> Path:
    """`$KILONODE_STATE`, or `kilonode` in the user's XDG state folder. Not made here."""
    named = os.environ.get("KILONODE_STATE")
    if named:
        return Path(named).expanduser().absolute()
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser().absolute() / "kilonode"
