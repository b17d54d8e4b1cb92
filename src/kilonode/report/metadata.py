"""What a report says about a run beside its results: who, when, where, with which file. Made by the command line."""

from datetime import datetime
from typing import Any

import msgspec


class RunMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """One run, as its folder knows it. Nothing in here may be a secret: all of it is shown."""

    run_id: str
    name: str
    """The experiment's name."""
    seed: int
    state: str
    """How far the run came: `done`, `aborted`, `failed`, …"""
    created_utc: datetime
    zero_utc: datetime | None = None
    """The start of the load, which instants count from."""
    finished_utc: datetime | None = None
    cloud: str = ""
    emulated: bool = False
    simulated: bool = False
    campaign: str = ""
    point: dict[str, str] = {}
    """This point of the matrix: path to value, as text."""
    left_behind: bool = False
    """Cleanup did not finish."""
    experiment: str = ""
    """The resolved experiment file."""
    environment: dict[str, Any] = {}
    """What `environment.json` says, as plain values; shown as it is."""
    kilonode_version: str = ""
