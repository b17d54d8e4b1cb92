"""What earlier runs left broken is said as it is: nobody healed it, or it could not be healed."""

from pathlib import Path

import pytest

from kilonode.base.clock import RealClock
from kilonode.cli import running
from kilonode.faults.driver import Step
from kilonode.faults.journal import new_journal
from kilonode.faults.model import Action

FREEZE = Step("processes", Action.FREEZE, "api", "SIGSTOP to api", "SIGCONT to api")


@pytest.mark.parametrize(
    ("tried", "words"),
    [
        ((), "run 1a2b3c4d was killed and left something broken (SIGSTOP to api, SIGSTOP to api); heal it with:"),
        ((1,), "run 1a2b3c4d was killed and left something broken"),
        ((1, 2), "run 1a2b3c4d left something broken that could not be healed so far (SIGSTOP to api, SIGSTOP to api)"),
    ],
)
def test_who_could_not_heal_was_not_killed(
    tried: tuple[int, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with new_journal(tmp_path, "run 1a2b3c4d", RealClock()) as journal:
        journal.plan([FREEZE, FREEZE])
        for number in tried:
            journal.not_healed(number, "no right")
    monkeypatch.setattr(running, "journal_folder", lambda: tmp_path)
    running.say_what_is_broken()
    said = capsys.readouterr().err
    assert said.startswith(words)
    assert said.rstrip().endswith("kilonode fault heal")
