from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.run.folder import RunRecord, RunState, create_run_folder, find_run, list_runs, slug

THEN = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
RECORD = RunRecord(run_id="0badcafe", name="A run", state=RunState.PREPARING, pid=1, created_utc=THEN)


def test_folders_of_one_second_get_numbers(tmp_path: Path) -> None:
    names = [create_run_folder(tmp_path, "Chasing 1,000 nodes!", THEN).name for _ in range(3)]
    first = "20300102-030405-chasing-1-000-nodes"
    assert names == [first, f"{first}-2", f"{first}-3"]


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = create_run_folder(tmp_path, "x", THEN)
    record = msgspec.structs.replace(RECORD, state=RunState.DONE, facts={"a.b": [1, "x"]}, zero_utc=THEN)
    folder.write_record(record)
    assert folder.record() == record
    assert [path.name for path in folder.path.iterdir() if "new" in path.name] == []


def test_a_run_is_found_by_path_name_id_and_as_the_latest(tmp_path: Path) -> None:
    folders = []
    for number in range(3):
        folder = create_run_folder(tmp_path, "x", THEN + timedelta(seconds=number))
        created = THEN + timedelta(seconds=number)
        folder.write_record(msgspec.structs.replace(RECORD, run_id=f"0000000{number}", created_utc=created))
        folders.append(folder)
    (create_run_folder(tmp_path, "broken", THEN).record_file).write_text("{")
    inside = create_run_folder(tmp_path / "campaign", "y", THEN)
    inside.write_record(msgspec.structs.replace(RECORD, run_id="00000009"))
    assert find_run(tmp_path, str(folders[1].path)).path == folders[1].path
    assert find_run(tmp_path, folders[1].name).path == folders[1].path
    assert find_run(tmp_path, "00000000").path == folders[0].path
    assert find_run(tmp_path, "00000009").path == inside.path
    assert find_run(tmp_path, "latest").path == folders[2].path
    assert find_run(tmp_path, inside.name).path == inside.path
    assert len(list_runs(tmp_path)) == 5
    with pytest.raises(InputError, match="did you mean '2030010"):
        find_run(tmp_path, "20300102-030405-z")


def test_a_broken_missing_or_newer_record_is_said_so(tmp_path: Path) -> None:
    folder = create_run_folder(tmp_path, "x", THEN)
    with pytest.raises(InputError, match="not a run folder"):
        folder.record()
    folder.record_file.write_text("{")
    with pytest.raises(InputError, match="a broken run record"):
        folder.record()
    folder.record_file.write_text('{"format_version": 99, "what": "changed"}')
    with pytest.raises(InputError, match="newer Kilonode"):
        folder.record()


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make a folder"):
        create_run_folder(tmp_path / "file", "x", THEN)


@given(st.text(max_size=200))
def test_a_slug_is_a_good_file_name(name: str) -> None:
    text = slug(name)
    assert 1 <= len(text) <= 60
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not text.startswith("-")
    assert not text.endswith("-")
