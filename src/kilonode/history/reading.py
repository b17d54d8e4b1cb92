"""Reading a journal: everything up to its end, or up to the first damage.

Frames are trusted while they are whole and right, from the beginning on; what they hold is the prefix of what was
written. What lies behind a damage is looked at only to tell how much time is missing.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kilonode.base.errors import InputError
from kilonode.base.formats import refuse_newer
from kilonode.history.blocks import OpBlock, PackedOps, unpack
from kilonode.history.frames import frames_behind_damage, good_frames
from kilonode.history.payloads import (
    FORMAT_VERSION,
    EndPayload,
    JournalHeader,
    Payload,
    SamplesPayload,
    ZeroPayload,
)
from kilonode.history.records import Op, Sample


class _Version(msgspec.Struct):
    format_version: int = 0


_version_decoder = msgspec.msgpack.Decoder(_Version)
_header_decoder = msgspec.msgpack.Decoder(JournalHeader)
_payload_decoder = msgspec.msgpack.Decoder(Payload)


@dataclass(frozen=True, slots=True)
class JournalContents:
    """The readable prefix of a journal. Instants count from the run's zero."""

    header: JournalHeader | None
    """None when not even the header could be read; then there is nothing else either."""
    blocks: tuple[OpBlock, ...]
    samples: tuple[Sample, ...]
    torn: bool
    """The writer did not close the journal, or it is damaged: something may be missing at the end."""
    lost_at_most_s: float
    """About how much time of the history is missing at most; zero when nothing is."""
    zero_ns: int | None = None
    """The run's zero on the monotonic clock of the machine that wrote it, where it was named after the header."""

    def ops(self) -> Iterator[Op]:
        """Every Op in the order of recording."""
        worker = 0 if self.header is None else self.header.worker
        for block in self.blocks:
            yield from _ops_of(block, worker)


def read_journal(path: Path) -> JournalContents:
    """What a journal holds, up to its end or its first damage. Raises InputError for a newer format or no file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError("cannot read a journal", where=str(path), got=error.strerror or str(error)) from error
    header: JournalHeader | None = None
    blocks: list[OpBlock] = []
    samples: list[Sample] = []
    zero_ns: int | None = None
    end, complete = 0, False
    for offset, payload in good_frames(data):
        end = offset
        if header is None:
            header = _decode_header(payload, path)
            continue
        match _payload_decoder.decode(payload):
            case PackedOps() as packed:
                blocks.append(unpack(packed))
            case SamplesPayload(more):
                samples.extend(more)
            case ZeroPayload(zero_ns):
                pass
            case EndPayload():
                complete = True
    torn = not complete or end < len(data)
    lost_at_most_s = 0.0
    if torn:
        flush_interval_s = 1.0 if header is None else header.flush_interval_s
        lost_at_most_s = flush_interval_s + _hidden_s(data, end, blocks)
    shift_ns = 0 if header is None or zero_ns is None else header.zero_ns - zero_ns
    if shift_ns:
        blocks = [_shifted(block, shift_ns) for block in blocks]
        samples = [msgspec.structs.replace(sample, at_ns=sample.at_ns + shift_ns) for sample in samples]
    return JournalContents(header, tuple(blocks), tuple(samples), torn, lost_at_most_s, zero_ns)


def _decode_header(payload: bytes, path: Path) -> JournalHeader:
    try:
        version = _version_decoder.decode(payload).format_version
        refuse_newer(version, FORMAT_VERSION, what="this history", where=str(path))
        return _header_decoder.decode(payload)
    except msgspec.DecodeError as error:
        raise InputError("not a journal of Kilonode", where=str(path), got=str(error)) from error


def _hidden_s(data: bytes, offset: int, before: Iterable[OpBlock]) -> float:
    """How long after the last Op before the damage at `offset` Ops still come behind it; zero when none are found."""
    last_ns: int | None = None
    first_ns: int | None = None
    for payload in frames_behind_damage(data, offset):
        try:
            packed = _payload_decoder.decode(payload)
        except msgspec.DecodeError:
            continue  # the header, or a frame inside a frame's data
        if isinstance(packed, PackedOps):
            block = unpack(packed)
            first_ns = int(block.started_ns.min()) if first_ns is None else first_ns
            last_ns = max(last_ns or 0, int(block.finished_ns.max()))
    for block in before:
        first_ns = int(block.finished_ns.max())
    return 0.0 if last_ns is None or first_ns is None else max(0.0, (last_ns - first_ns) / 1e9)


def _shifted(block: OpBlock, shift_ns: int) -> OpBlock:
    return dataclasses.replace(
        block,
        due_ns=block.due_ns + shift_ns,
        started_ns=block.started_ns + shift_ns,
        finished_ns=block.finished_ns + shift_ns,
    )


def _ops_of(block: OpBlock, worker: int) -> Iterator[Op]:
    texts = [
        [words.names[code] for code in words.codes.tolist()]
        for words in (block.kind, block.workload, block.step, block.outcome, block.error)
    ]
    numbers = [
        column.tolist()
        for column in (block.iteration, block.due_ns, block.started_ns, block.finished_ns, block.resolution_ns)
    ]
    for kind, workload, step, outcome, error, iteration, due_ns, started_ns, finished_ns, resolution_ns in zip(
        *texts, *numbers, strict=True
    ):
        yield Op(
            kind, workload, step, iteration, due_ns, started_ns, finished_ns, outcome, error, resolution_ns, worker
        )
