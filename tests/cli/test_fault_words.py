"""What the commands for faults say to people, without any fault being done."""

from pathlib import Path

import pytest

from kilonode.base.clock import RealClock
from kilonode.cli.faulting import describe_capabilities, describe_journals
from kilonode.faults.driver import Capability, State, Step
from kilonode.faults.journal import journals, new_journal
from kilonode.faults.model import Action


def test_what_the_doctor_says_of_a_driver_with_a_long_name_is_no_part_of_the_name() -> None:
    found = [Capability("power", "node-1", State.WORKS), Capability("hosted-containers", "node-1", State.MISSING, "no")]
    assert [line.split()[:3] for line in describe_capabilities(found)] == [
        ["power", "node-1", "works"], ["hosted-containers", "node-1", "missing:"],
    ]  # fmt: skip


@pytest.mark.parametrize(("seen", "words"), [(True, "done, nothing to heal"), (False, "not seen to be done")])
def test_a_step_that_leaves_nothing_to_heal_is_called_done_only_when_it_was_seen(
    tmp_path: Path, seen: bool, words: str
) -> None:
    with new_journal(tmp_path, "reset", RealClock()) as journal:
        (number,) = journal.plan([Step("power", Action.RESET, "node-1", "reset host node-1")])
        if seen:
            journal.took_effect(number, "host node-1 was reset")
    assert any(words in line for line in describe_journals(journals(tmp_path), open_only=False))
