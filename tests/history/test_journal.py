import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.history.blocks import LARGEST_BLOCK_OPS, OpBlock
from kilonode.history.frames import frame
from kilonode.history.journal import JournalHeader, JournalWriter, op_tuple
from kilonode.history.reading import read_journal
from kilonode.history.records import Op, Sample
from tests.history.strategies import SAMPLES, ops_of

OPS = ops_of(st.just(3))
HEADER = JournalHeader(
    run_id="0badcafe", name="worker-3", worker=3, zero_ns=1000, zero_utc=datetime(2030, 1, 1, tzinfo=UTC)
)


def op(number: int, finished_ns: int | None = None) -> Op:
    return Op("iteration", "load", "", number, number, number, finished_ns or number, "ok", worker=3)


def write(path: Path, frames: Sequence[Sequence[Op]], *, close: bool = True) -> bytes:
    """A journal with one flush after each of some groups of Ops."""
    writer = JournalWriter(path, HEADER)
    for group in frames:
        for one in group:
            writer.add_op(one)
        writer.flush()
    writer.close(complete=close)
    return path.read_bytes()


def read(data: bytes) -> tuple[list[Op], bool, float]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "some.journal"
        path.write_bytes(data)
        contents = read_journal(path)
        return list(contents.ops()), contents.torn, contents.lost_at_most_s


@given(st.lists(OPS, max_size=20), st.lists(SAMPLES, max_size=5))
def test_what_is_written_is_read(written: list[Op], measured: list[Sample]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "some.journal"
        writer = JournalWriter(path, HEADER)
        for one in written:
            writer.add_op(one)
        for sample in measured:
            writer.add_sample(sample)
        writer.close()
        contents = read_journal(path)
    assert contents.header == HEADER
    assert list(contents.ops()) == written
    assert list(contents.samples) == measured
    assert (contents.torn, contents.lost_at_most_s) == (False, 0.0)


@given(st.lists(st.lists(OPS, max_size=3), max_size=4), st.floats(0, 1))
@example([[op(1)], [op(2)]], 0.0)
def test_a_journal_cut_at_any_byte_is_read_up_to_there(groups: list[list[Op]], part: float) -> None:
    with TemporaryDirectory() as folder:
        data = write(Path(folder) / "some.journal", groups)
    cut = int(part * (len(data) - 1))
    found, torn, lost_at_most_s = read(data[:cut])
    flat = [one for group in groups for one in group]
    assert found == flat[: len(found)]
    assert len(found) in {len([one for group in groups[:count] for one in group]) for count in range(len(groups) + 1)}
    assert torn
    assert lost_at_most_s >= HEADER.flush_interval_s


@given(st.lists(st.lists(OPS, max_size=3), max_size=4), st.floats(0, 1), st.integers(1, 255))
def test_a_journal_with_any_byte_changed_is_read_up_to_there(groups: list[list[Op]], part: float, flip: int) -> None:
    with TemporaryDirectory() as folder:
        data = bytearray(write(Path(folder) / "some.journal", groups))
    data[int(part * (len(data) - 1))] ^= flip
    found, torn, lost_at_most_s = read(bytes(data))
    flat = [one for group in groups for one in group]
    assert found == flat[: len(found)]
    assert torn
    assert lost_at_most_s >= HEADER.flush_interval_s


def test_a_damage_in_the_middle_tells_how_much_it_hides(tmp_path: Path) -> None:
    second = 1_000_000_000
    groups = [[op(number * second)] for number in range(10)]
    whole = write(tmp_path / "some.journal", groups)
    three = len(write(tmp_path / "three.journal", groups[:3], close=False))
    data = bytearray(whole)
    data[three + 20] ^= 1
    found, torn, lost_at_most_s = read(bytes(data))
    assert (len(found), torn) == (3, True)
    assert lost_at_most_s == pytest.approx(7 + HEADER.flush_interval_s)


def test_a_journal_that_was_not_closed_says_so(tmp_path: Path) -> None:
    write(tmp_path / "some.journal", [[op(1)]], close=False)
    contents = read_journal(tmp_path / "some.journal")
    assert contents.torn
    assert contents.lost_at_most_s == HEADER.flush_interval_s
    assert list(contents.ops()) == [op(1)]


@pytest.mark.real_loop
def test_a_killed_writer_loses_no_more_than_it_had_not_flushed(tmp_path: Path) -> None:
    program = """
import sys, time
from datetime import datetime, UTC
from pathlib import Path
from kilonode.history.journal import JournalHeader, JournalWriter
header = JournalHeader(run_id="r", name="w", zero_ns=0, zero_utc=datetime.now(UTC))
writer = JournalWriter(Path(sys.argv[1]), header)
for number in range(1_000_000_000):
    writer.add_op(("iteration", "load", "", number, number, number, number, "ok", "", 0))
    if number % 500 == 499:
        writer.flush()
        print(number, flush=True)
"""
    path = tmp_path / "some.journal"
    flushed = 0
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            flushed = int(line)
            if flushed > 20_000:
                os.kill(process.pid, signal.SIGKILL)
                break
        rest = [int(line) for line in process.stdout.read().split()]
    contents = read_journal(path)
    numbers_found = [one.iteration for one in contents.ops()]
    assert contents.torn
    assert numbers_found == list(range(len(numbers_found)))
    assert len(numbers_found) > max([flushed, *rest])


def test_a_newer_format_is_refused_with_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "some.journal"
    newer = msgspec.structs.replace(HEADER, format_version=99)
    path.write_bytes(frame(msgspec.msgpack.encode(newer)) + frame(b"whatever comes in version 99"))
    with pytest.raises(InputError, match="written by a newer Kilonode") as caught:
        read_journal(path)
    assert "version 99" in str(caught.value)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read a journal"):
        read_journal(tmp_path / "none.journal")


def test_a_journal_never_overwrites_another(tmp_path: Path) -> None:
    write(tmp_path / "some.journal", [[op(1)]])
    with pytest.raises(InputError, match="cannot create a journal"):
        JournalWriter(tmp_path / "some.journal", HEADER)


def test_instants_count_from_a_zero_that_was_named_later(tmp_path: Path) -> None:
    path = tmp_path / "conductor.journal"
    writer = JournalWriter(path, HEADER)
    writer.add_op(op(50))
    writer.add_sample(Sample("conductor", "metric", 60, 1.0))
    writer.move_zero(HEADER.zero_ns + 100)
    writer.add_op(op(150))
    writer.close()
    contents = read_journal(path)
    assert [one.due_ns for one in contents.ops()] == [-50, 50]
    assert contents.samples[0].at_ns == -40


def test_blocks_are_shown_as_they_fill_and_hold_everything(tmp_path: Path) -> None:
    seen: list[OpBlock] = []
    writer = JournalWriter(tmp_path / "some.journal", HEADER, seen.append)
    count = 2 * LARGEST_BLOCK_OPS + 10
    for number in range(count):
        writer.add_op(op_tuple(op(number)))
    assert [len(block) for block in seen] == [LARGEST_BLOCK_OPS] * 2
    writer.close()
    assert [number for block in seen for number in block.iteration.tolist()] == list(range(count))


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "some.journal", HEADER)
    writer.close()
    size = (tmp_path / "some.journal").stat().st_size
    writer.close(complete=False)
    assert (tmp_path / "some.journal").stat().st_size == size


def test_a_full_disk_is_an_input_error_and_not_a_traceback() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with TemporaryDirectory() as folder:
        writer = JournalWriter(Path(folder) / "some.journal", HEADER)
        with Path("/dev/full").open("wb", buffering=0) as full:
            os.dup2(full.fileno(), writer._file.fileno())
        writer.add_op(op(1))
        for attempt in (writer.flush, writer.close):
            with pytest.raises(InputError, match="cannot write the history"):
                attempt()


def test_a_message_that_no_encoding_holds_is_still_recorded(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "some.journal", HEADER)
    writer.add_op(Op("iteration", "load", "", 1, 1, 1, 1, "scenario", "half a \ud83d and a \0"))
    writer.close()
    assert [one.error for one in read_journal(tmp_path / "some.journal").ops()] == ["half a ? and a ?"]
