"""What the frames of a journal hold: the header, then blocks of Ops (`PackedOps`), Samples, a moved zero, the end.

Each is MessagePack with a tag that names it. Who writes them: `journal`; who reads them: `reading`.
"""

from datetime import datetime
from typing import Final

import msgspec

from kilonode.history.blocks import PackedOps
from kilonode.history.records import Sample

FORMAT_VERSION: Final = 1
NO_WORKER: Final = -1
"""The number of the worker in what no worker wrote."""


class JournalHeader(msgspec.Struct, frozen=True, tag="header", kw_only=True):
    """Who wrote a journal, and from when its instants count."""

    format_version: int = FORMAT_VERSION
    run_id: str
    name: str
    """The writer: `worker-0`, `conductor`."""
    worker: int = 0
    """The number of the worker process; every Op of the journal has it. Minus one: not a worker."""
    zero_ns: int
    """The instant on the machine's monotonic clock that this journal's instants count from."""
    zero_utc: datetime
    """The same instant on the wall clock."""
    flush_interval_s: float = 1.0
    """How often the writer flushes: what is lost at most, about, when it is killed."""
    pid: int = 0
    """The process that wrote; zero in simulated time."""


class SamplesPayload(msgspec.Struct, frozen=True, array_like=True, tag="samples"):
    """Some Samples, in the order of recording."""

    samples: tuple[Sample, ...]


class ZeroPayload(msgspec.Struct, frozen=True, array_like=True, tag="zero"):
    """The run's zero, where it became known after the journal was begun."""

    zero_ns: int


class EndPayload(msgspec.Struct, frozen=True, array_like=True, tag="end"):
    """The journal is complete: how many Ops and Samples it has."""

    ops: int
    samples: int


Payload = PackedOps | SamplesPayload | ZeroPayload | EndPayload
"""Everything that comes after the header."""
