"""The journal of undo: on disk before, readable wherever it was cut off, one writer at a time."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.clock import RealClock
from kilonode.base.errors import InputError
from kilonode.faults import journal as journal_module
from kilonode.faults.driver import Step
from kilonode.faults.journal import Event, Journal, continue_journal, forget_old, journals, new_journal, read_journal
from kilonode.faults.model import Action

CLOCK = RealClock()
FREEZE = Step("processes", Action.FREEZE, "api", "SIGSTOP to api", "SIGCONT to api", '{"head":1}')
KILL = Step("processes", Action.KILL, "api", "SIGKILL to api")


def write(folder: Path) -> Path:
    with new_journal(folder, "freeze api", CLOCK, "kilonode") as journal:
        first, second, third = journal.plan([FREEZE, KILL, FREEZE])
        journal.keep(first, msgspec.structs.replace(FREEZE, memory='{"head":2}'))
        journal.took_effect(first, "api is stopped")
        journal.took_effect(second, "api is gone")
        journal.not_healed(third, "no right")
        journal.healed(first, "api goes on")
        return journal.path


def test_what_was_written_is_read(tmp_path: Path) -> None:
    record = read_journal(write(tmp_path))
    assert record is not None
    assert (record.head.words, record.head.cloud) == ("freeze api", "kilonode")
    assert [entry.event for entry in record.entries] == [Event.HEALED, Event.TOOK_EFFECT, Event.NOT_HEALED]
    assert [entry.step.memory for entry in record.entries if entry.step] == ['{"head":2}', "{}", '{"head":1}']


def test_only_what_leaves_something_and_is_not_healed_is_open_the_last_first(tmp_path: Path) -> None:
    with new_journal(tmp_path, "x", CLOCK) as journal:
        first, _, third, _ = journal.plan([FREEZE, KILL, FREEZE, FREEZE])
        journal.healed(third, "goes on")
        record = read_journal(journal.path)
    assert record is not None
    assert [entry.number for entry in record.open] == [4, first]


def test_a_step_is_on_disk_when_plan_returns(tmp_path: Path) -> None:
    with new_journal(tmp_path, "x", CLOCK) as journal:
        journal.plan([FREEZE])
        record = read_journal(journal.path)
    assert record is not None
    assert record.open[0].step == FREEZE


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("journal"))


@given(data=st.data())
def test_a_journal_that_was_cut_off_anywhere_reads_as_far_as_it_goes(whole: Path, data: st.DataObject) -> None:
    text = whole.read_bytes()
    cut = data.draw(st.integers(0, len(text)))
    part = whole.with_suffix(".part")
    part.write_bytes(text[:cut])
    record = read_journal(part)
    lines = text[:cut].count(b"\n")
    assert (record is None) == (lines == 0)
    if record is not None and lines > 1:
        assert record.entries[0].step is not None


def test_healing_a_journal_with_a_torn_line_leaves_it_readable(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(path.read_bytes() + b'{"number":9,"eve')
    record = read_journal(path)
    assert record is not None
    with continue_journal(record, CLOCK) as journal:
        journal.healed(3, "goes on")
    again = read_journal(path)
    assert again is not None
    assert again.open == ()


def test_a_line_in_the_midst_that_cannot_be_read_is_said_and_not_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:2], b"{broken", *lines[2:]]))
    with pytest.raises(InputError, match="cannot be read"):
        journals(tmp_path)


def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"format_version":1', b'"format_version":2'))
    with pytest.raises(InputError, match="newer Kilonode"):
        journals(tmp_path)


def test_a_journal_is_its_writers_until_he_has_ended(tmp_path: Path) -> None:
    with new_journal(tmp_path, "x", CLOCK) as journal:
        journal.plan([FREEZE])
        (record,) = journals(tmp_path)
        with pytest.raises(InputError, match="still runs"), continue_journal(record, CLOCK):
            pass
    with continue_journal(record, CLOCK) as mine:
        mine.healed(1, "goes on")


def test_journals_are_for_their_owner_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "faults")
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_old_journals_are_forgotten_unless_something_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "KEPT_JOURNALS", 2)
    text = write(tmp_path).read_bytes()
    for path in tmp_path.iterdir():
        path.unlink()
    healed = text.replace(b'"not healed"', b'"healed"')
    for number in range(5):
        (tmp_path / f"2030010{number}-000000-1-a.journal").write_bytes(text if number == 1 else healed)
    forget_old(tmp_path)
    assert sorted(path.name[:8] for path in tmp_path.iterdir()) == ["20300101", "20300103", "20300104"]


def test_there_are_no_journals_before_the_first(tmp_path: Path) -> None:
    assert journals(tmp_path / "none") == ()


def test_a_step_kept_anew_is_the_one_that_is_healed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "x.journal", CLOCK, {})
    (number,) = journal.plan([FREEZE])
    journal.keep(number, KILL)
    assert journal.step(number) == KILL
