"""`kilonode import rally`, as a process: the run it makes, what can be done with that, bad input."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.laboratory import Laboratory
from tests.run.importing.published import OTHER_LAYOUT, unpacked

pytestmark = pytest.mark.processes
REBOOT = "boot_and_delete_with_reboot_one_node_with_rabbitmq_service"


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[Laboratory]:
    laboratory = Laboratory(tmp_path)
    yield laboratory
    laboratory.discard()


def test_an_imported_run_is_reported_and_compared_but_not_run_again(laboratory: Laboratory, tmp_path: Path) -> None:
    first = str(unpacked(REBOOT, tmp_path))
    code, command = laboratory.run("import", "rally", first, "--criterion", "recovery_time < 30s", "--json")
    assert code == 1, command.said
    (group,) = command.data["recovery"]["groups"]
    assert round(group["published"]["time_to_recover_s"]["value"], 2) == 286.89
    assert "time to recover" in command.said and "published method" in command.said
    (run,) = laboratory.runs.iterdir()
    assert (run / "report.html").is_file()
    code, again = laboratory.run("report", run.name, "--json")
    assert (code, again.data["recovery"]) == (1, command.data["recovery"])
    assert laboratory.run("import", "rally", str(unpacked(OTHER_LAYOUT, tmp_path)))[0] == 0
    other = next(path for path in laboratory.runs.iterdir() if path != run)
    assert laboratory.run("compare", run.name, other.name)[0] == 0
    code, refused = laboratory.run("run", str(run / "experiment.yaml"))
    assert code == 2 and "was imported from rally" in refused.said


def test_a_file_that_is_no_result_is_refused_and_leaves_no_run(laboratory: Laboratory, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"results": []}')
    code, command = laboratory.run("import", "rally", str(tmp_path / "other.json"))
    assert code == 2 and "not a Rally result file" in command.said and "hint:" in command.said
    file = str(unpacked(OTHER_LAYOUT, tmp_path))
    for criterion, word in (("recovery_tim < 3s", "recovery_time"), ("boots p(50) < 3s", "boot_and_delete_server")):
        code, command = laboratory.run("import", "rally", file, "--criterion", criterion)
        assert code == 2 and word in command.said
    assert not laboratory.runs.exists() or not list(laboratory.runs.iterdir())
