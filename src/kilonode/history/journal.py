"""The journal: the append-only file into which one process writes its Ops and Samples while the run goes on.

The first frame is the header; then blocks of Ops, Samples, and at an orderly end one closing frame. A process that is
killed at any instant leaves a readable prefix: it loses what it recorded since the last flush, at most about one flush
interval, and the missing closing frame says so. A damaged file is read up to the damage.

Recording is a cheap append; full blocks are encoded as they fill (under a millisecond each), bytes are written when
`write` or `flush` is called; `write` may be called by another thread. Data goes to the operating system, not to the
disk (no fsync): a crash of the process loses nothing that was flushed, a crash of the machine may.

Instants are nanoseconds since the zero that the header names. A journal that began before the run's zero was known
(setup comes before the load) counts from an instant of its own; `move_zero` names the run's zero later and the reader
shifts everything.
"""

import dataclasses
import io
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.errors import InputError
from kilonode.history.blocks import LARGEST_BLOCK_OPS, OP_WIDTH, OpBlock, block_of_flat, pack
from kilonode.history.frames import frame
from kilonode.history.payloads import EndPayload, SamplesPayload, ZeroPayload
from kilonode.history.payloads import JournalHeader as JournalHeader
from kilonode.history.records import Op, Sample

SUFFIX: Final = ".journal"
"""What the names of journal files end in."""

LARGEST_BACKLOG_BYTES: Final = 256 * 2**20
"""More than this waiting to be written means that the disk does not keep up: the run must end, not the memory."""

_FLAT_LIMIT: Final = LARGEST_BLOCK_OPS * OP_WIDTH
_SAMPLES_LIMIT: Final = 4096

OpTuple = tuple[str, str, str, int, int, int, int, str, str, int]
"""The fields of an Op in order, without the worker: kind, workload, step, iteration, due_ns, started_ns, finished_ns,
outcome, error, resolution_ns."""

_encoder = msgspec.msgpack.Encoder()


class JournalWriter:
    """Writes one journal. All but `write` is for one thread alone.

    `on_block`, when given, sees every block of Ops as it is encoded, in order. `origin_ns` is subtracted from the
    instants of every Op: an engine that records the clock's instants gives the header's zero here.
    """

    def __init__(
        self,
        path: Path,
        header: JournalHeader,
        on_block: Callable[[OpBlock], None] | None = None,
        *,
        origin_ns: int = 0,
    ) -> None:
        """Create the file, which must not exist, with its header. Raises InputError when that is impossible."""
        self.path = path
        self.header = header
        self._on_block = on_block
        self._origin_ns = origin_ns
        self._flat: list[str | int] = []
        self.append: Callable[[OpTuple], None] = self._flat.extend
        """Records one Op without looking whether a block is full; then `encode_when_full` has to be called now and
        then. For the engine's inner loop."""
        self._samples: list[Sample] = []
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._written_bytes = 0
        self._writing = threading.Lock()
        self._ops = 0
        self._sample_count = 0
        try:
            self._file: io.FileIO = path.open("xb", buffering=0)
        except OSError as error:
            raise InputError("cannot create a journal", where=str(path), got=error.strerror or str(error)) from error
        self._enqueue(_encoder.encode(header))
        self.write()

    def add_op(self, op: OpTuple | Op) -> None:
        """Record an Op. Of an `Op` the worker is not kept: the journal's own number is its worker."""
        if isinstance(op, Op):
            op = op_tuple(op)
        self.append(op)
        self.encode_when_full()

    def encode_when_full(self) -> None:
        """Encode what was appended if it makes a block."""
        if len(self._flat) >= _FLAT_LIMIT:
            self.encode()

    def add_block(self, block: OpBlock) -> None:
        """Record many Ops at once."""
        self.encode()
        self._take(
            dataclasses.replace(
                block,
                due_ns=block.due_ns - self._origin_ns,
                started_ns=block.started_ns - self._origin_ns,
                finished_ns=block.finished_ns - self._origin_ns,
            )
        )

    @property
    def backlog_bytes(self) -> int:
        """How much is encoded and waits for `write`."""
        return self._pending_bytes - self._written_bytes

    def add_sample(self, sample: Sample) -> None:
        """Record a Sample."""
        self._samples.append(sample)
        if len(self._samples) >= _SAMPLES_LIMIT:
            self.encode()

    def move_zero(self, zero_ns: int) -> None:
        """The run's zero is `zero_ns` on the monotonic clock: readers shift the whole journal to count from there."""
        self._enqueue(_encoder.encode(ZeroPayload(zero_ns)))

    def encode(self) -> None:
        """Turn what was recorded into frames that wait for `write`."""
        for start in range(0, len(self._flat), _FLAT_LIMIT):
            whole = len(self._flat) <= _FLAT_LIMIT
            piece = self._flat if whole else self._flat[start : start + _FLAT_LIMIT]
            self._take(block_of_flat(piece, self._origin_ns))
        self._flat.clear()
        if self._samples:
            self._sample_count += len(self._samples)
            self._enqueue(_encoder.encode(SamplesPayload(tuple(self._samples))))
            self._samples.clear()

    def write(self) -> None:
        """Hand the encoded frames to the operating system. Raises InputError when it does not take them."""
        try:
            with self._writing:
                while self._pending:
                    data = memoryview(self._pending[0])
                    while data:
                        data = data[self._file.write(data) :]
                    self._written_bytes += len(self._pending.popleft())
        except OSError as error:
            raise InputError(
                "cannot write the history",
                where=str(self.path),
                got=error.strerror or str(error),
                hint="is the disk full?",
            ) from error

    def flush(self) -> None:
        """`encode`, then `write`: what was recorded so far survives a kill of this process."""
        self.encode()
        self.write()

    def close(self, *, complete: bool = True) -> None:
        """Flush and close; a second call does nothing.

        `complete` writes the closing frame, which says that nothing is missing.
        """
        if self._file.closed:
            return
        self.encode()
        if complete:
            self._enqueue(_encoder.encode(EndPayload(self._ops, self._sample_count)))
        try:
            self.write()
        finally:
            self._file.close()

    def _take(self, block: OpBlock) -> None:
        self._ops += len(block)
        self._enqueue(_encoder.encode(pack(block)))
        if self._on_block is not None:
            self._on_block(block)

    def _enqueue(self, payload: bytes) -> None:
        data = frame(payload)
        self._pending_bytes += len(data)
        if self.backlog_bytes > LARGEST_BACKLOG_BYTES:
            raise InputError(
                "the disk does not keep up with the history",
                where=str(self.path),
                expected=f"at most {LARGEST_BACKLOG_BYTES >> 20} MiB waiting to be written",
                hint="write the run's folder to a faster disk, or load less",
            )
        self._pending.append(data)


def op_tuple(op: Op) -> OpTuple:
    """The values of an Op as a journal takes them."""
    return (
        op.kind,
        op.workload,
        op.step,
        op.iteration,
        op.due_ns,
        op.started_ns,
        op.finished_ns,
        op.outcome,
        op.error,
        op.resolution_ns,
    )
