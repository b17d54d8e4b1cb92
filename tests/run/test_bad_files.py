"""Every kind of mistake in an experiment file: `bad/<kind>.yaml` and, beside it, every problem that has to be found."""

from pathlib import Path

import pytest

from kilonode.base.errors import InputError
from kilonode.run.reading import read_text
from tests.run.golden import check_golden

FOLDER = Path(__file__).resolve().parent / "bad"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_every_problem_of_a_bad_file_is_named_with_its_place(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    with pytest.raises(InputError) as caught:
        read_text(file.read_bytes(), Path(file.name))
    problems = caught.value.problems
    assert all(problem.file == file.name or problem.file.endswith(".scenario") for problem in problems)
    assert all(problem.what for problem in problems)
    assert len(set(problems)) == len(problems)
    check_golden(file.with_suffix(".txt"), f"{caught.value}\n")
