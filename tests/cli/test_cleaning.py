"""Cleanup of a run's own cloud: it is found where the run had it, and only one cleanup at a time touches it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kilonode.base.errors import InputError
from kilonode.cli.cleaning import clean_run
from kilonode.cloud.folder import StateFolder
from kilonode.run.folder import RunFolder, RunRecord, RunState, create_run_folder

THEN = datetime(2030, 1, 1, tzinfo=UTC)
pytestmark = pytest.mark.real_loop


def unfinished_run(tmp_path: Path, state: Path | None) -> RunFolder:
    """A run that brought up a cloud of its own and says that it left it behind."""
    folder = create_run_folder(tmp_path / "runs", "A run", THEN)
    folder.write_record(
        RunRecord(
            run_id="0badcafe",
            name="A run",
            state=RunState.ABORTED,
            pid=1,
            created_utc=THEN,
            cloud="run-0badcafe",
            emulated=True,
            state_folder=str(state) if state else "",
            left_behind=True,
        )
    )
    return folder


async def test_the_state_of_a_runs_cloud_is_found_where_the_run_had_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    then, now = tmp_path / "then", tmp_path / "now"
    monkeypatch.setenv("KILONODE_STATE", str(now))
    StateFolder(then, "run-0badcafe").make()
    run = unfinished_run(tmp_path, then)
    report = await clean_run("0badcafe", None, run)
    assert report.deleted == {"cloud": 1}
    assert not StateFolder(then, "run-0badcafe").exists
    assert run.record().removed_utc is not None
    assert (await clean_run("0badcafe", None, run)).deleted == {}, "safe to do twice"


async def test_where_a_run_does_not_say_where_its_cloud_was_the_setting_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KILONODE_STATE", str(tmp_path / "now"))
    report = await clean_run("0badcafe", None, unfinished_run(tmp_path, None))
    assert "KILONODE_STATE" in report.unseen[0]
    assert str(tmp_path / "now") in report.unseen[0]


async def test_of_two_cleanups_of_one_cloud_the_later_one_is_told_to_wait(tmp_path: Path) -> None:
    cloud = StateFolder(tmp_path, "run-0badcafe")
    cloud.make()
    run = unfinished_run(tmp_path, tmp_path)
    with cloud.locked():
        with pytest.raises(InputError, match="another command") as caught:
            await clean_run("0badcafe", None, run)
        assert "wait" in caught.value.problem.hint
        assert cloud.exists
        assert run.record().left_behind
    assert (await clean_run("0badcafe", None, run)).deleted == {"cloud": 1}
    assert not run.record().left_behind
