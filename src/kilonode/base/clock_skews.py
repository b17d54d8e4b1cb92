"""How the processes of an emulated cloud are told that their wall clocks are off, and how they say what they go by.

Records and names of files alone. Whoever skews a clock puts a file into one folder of the cloud's; every process looks
there, goes by what concerns it, and writes down in the other what its clock is off by now. Offsets are in seconds, and
positive when a clock is ahead.
"""

from typing import Final

import msgspec

from kilonode.base.processes import ProcessIdentity

SKEW_SUFFIX: Final = ".skew"
SKEWS_FOLDER: Final = "clock-skews"
"""In the state folder of an emulated cloud: one file for each skew, which is there as long as it holds."""
CLOCKS_FOLDER: Final = "clock-skews.seen"
"""Beside it: one file for each process, with what its clock is off by."""


class ClockSkew(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That the wall clock of one process is off."""

    token: str
    """Its own."""
    process: str
    offset_s: float


class ClockSeen(msgspec.Struct, frozen=True):
    """What a process goes by."""

    identity: ProcessIdentity
    offset_s: float
    """The sum of all that concern it."""
    tokens: tuple[str, ...]
    """All skews that it knows of, also those of others."""
