"""The state folder: private files, versions, one command at a time."""

import json
import stat
from pathlib import Path

import pytest
import yaml

from kilonode.base.errors import InputError
from kilonode.cloud.access import clouds_file
from kilonode.cloud.context import CloudSettings, Secrets
from kilonode.cloud.folder import STATE_VERSION, CloudRecord, StateFolder, known_clouds
from kilonode.cloud.plan import UpSettings, plan


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path, "lab")
    folder.make()
    return folder


@pytest.fixture
def record(tmp_path: Path) -> CloudRecord:
    return plan(UpSettings(tmp_path, name="lab"), None)


def test_records_are_read_as_they_were_written(folder: StateFolder, record: CloudRecord) -> None:
    assert folder.read_record() is None
    assert folder.secrets() is None
    folder.write_record(record)
    folder.write_secrets(Secrets("password", "key"))
    assert folder.read_record() == record
    assert folder.secrets() == Secrets("password", "key")
    assert known_clouds(folder.state) == ["lab"]


def test_nobody_else_may_read_what_is_kept(folder: StateFolder, record: CloudRecord) -> None:
    folder.write_record(record)
    folder.write_secrets(Secrets("password", "key"))
    folder.write_clouds_file("clouds: {}")
    files = [path for path in folder.path.iterdir() if path.is_file()]
    assert len(files) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


@pytest.mark.parametrize(("step", "age"), [(-1, "an older"), (1, "a newer")])
def test_a_folder_of_another_version_is_refused_with_both_versions(
    folder: StateFolder, record: CloudRecord, step: int, age: str
) -> None:
    folder.write_record(record)
    path = folder.path / "cloud.json"
    path.write_text(json.dumps({"version": STATE_VERSION + step, "something": "else"}))
    with pytest.raises(InputError, match=f"written by {age} version") as caught:
        folder.read_record()
    assert f"expected: state version {STATE_VERSION}" in str(caught.value)
    assert "--fresh --name lab" in str(caught.value)


def test_a_broken_record_is_an_error_for_people(folder: StateFolder) -> None:
    (folder.path / "cloud.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        folder.read_record()


def test_two_commands_cannot_change_one_cloud_at_once(folder: StateFolder) -> None:
    with folder.locked(), pytest.raises(InputError, match="another command"), folder.locked():
        pass
    with folder.locked():
        folder.remove()
    assert not folder.exists


def test_a_log_that_grew_large_is_set_aside(folder: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kilonode.cloud.folder.LOG_LIMIT_BYTES", 3)
    folder.log("api").write_text("long")
    folder.log("fleet-0").write_text("no")
    folder.turn_logs()
    assert sorted(path.name for path in folder.logs.iterdir()) == ["api.log.old", "fleet-0.log"]


def test_the_clouds_file_names_an_administrator_and_a_user() -> None:
    settings = CloudSettings(name="lab", public_url="http://127.0.0.1:5", secrets=Secrets("not-to-be-seen", "key"))
    clouds = yaml.safe_load(clouds_file(settings))["clouds"]
    assert list(clouds) == ["lab", "lab-demo"]
    assert clouds["lab"]["auth"]["auth_url"] == "http://127.0.0.1:5/identity/v3"
    assert (clouds["lab"]["auth"]["username"], clouds["lab-demo"]["auth"]["project_name"]) == ("admin", "demo")
    assert "not-to-be-seen" not in repr(settings)
