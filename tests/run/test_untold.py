"""Runs that were killed: what their journal of undo tells of the faults that no Op tells of."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from kilonode.base.clock import RealClock
from kilonode.base.outcomes import Outcome
from kilonode.base.processes import ProcessIdentity, this_boot
from kilonode.check.results import DisruptionResults, Verdict
from kilonode.faults import journal as journals
from kilonode.faults.driver import Step
from kilonode.faults.journal import Occasion
from kilonode.faults.model import Action
from kilonode.history.archive import query
from kilonode.history.journal import SUFFIX, JournalHeader, JournalWriter
from kilonode.history.payloads import NO_WORKER
from kilonode.history.records import STILL_IN_EFFECT, Op
from kilonode.report.html import report_html
from kilonode.run.evaluation import evaluate_run
from kilonode.run.folder import RunFolder, RunRecord, RunState, create_run_folder
from kilonode.run.untold import HEALED_SOMETIME, MAYBE, NOT_HEALED, untold_disruptions

S = 1_000_000_000
ZERO_NS = 1_000 * S
EXPERIMENT = """
name: killed
workloads:
  a: {scenario: noop, load: {model: constant-arrival-rate, rate: 10/s, duration: 100s}}
"""
FREEZE = Step("processes", Action.FREEZE, "api", "SIGSTOP to api", "SIGCONT to api")
KILL = Step("processes", Action.KILL, "api", "SIGKILL to api")
DEAD = ProcessIdentity(2**22 + 1, 1, this_boot())


class Then(RealClock):
    """The clock when the fault was begun."""

    now_ns = staticmethod(lambda: ZERO_NS + 5 * S)


CLOCK = Then()


class Folder:
    """The folder of a run whose load was 20 s old when it was killed."""

    def __init__(self, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(journals, "identify", lambda pid: DEAD)
        utc = CLOCK.utc()
        self.run = create_run_folder(runs, "killed", utc)
        self.run.experiment_file.write_text(EXPERIMENT)
        self.run.write_record(RunRecord("00c0ffee", "killed", RunState.LOAD, os.getpid(), utc, zero_utc=utc))
        self._write("worker-0", 0, ZERO_NS, [_iteration(number) for number in range(200)])

    def recorded(self, *ops: Op) -> None:
        """What the conductor had recorded when it was killed."""
        self._write("conductor", NO_WORKER, ZERO_NS - 5 * S, [_shifted(op, 5 * S) for op in ops], named=True)

    def _write(self, name: str, worker: int, zero_ns: int, ops: Sequence[Op], *, named: bool = False) -> None:
        header = JournalHeader(run_id="00c0ffee", name=name, worker=worker, zero_ns=zero_ns, zero_utc=CLOCK.utc())
        writer = JournalWriter(self.run.journal_folder / f"{name}{SUFFIX}", header)
        if named:
            writer.move_zero(ZERO_NS)
        for op in ops:
            writer.add_op(op)
        writer.close(complete=False)

    def ops(self) -> list[tuple[str, float, float, float, str, str]]:
        rows = query(
            self.run.path,
            "select step, due_ns / 1e9, started_ns / 1e9, finished_ns / 1e9, outcome, error from ops "
            "where kind = 'disruption' order by started_ns, step",
            untold_disruptions(self.run),
        )
        return [(str(a), float(b), float(c), float(d), str(e), str(f)) for a, b, c, d, e, f in rows]


def _iteration(number: int) -> Op:
    at_ns = number * S // 10
    return Op("iteration", "a", "", number, at_ns, at_ns, at_ns + S // 10, "ok")


def _shifted(op: Op, by_ns: int) -> Op:
    return msgspec.structs.replace(
        op, due_ns=op.due_ns + by_ns, started_ns=op.started_ns + by_ns, finished_ns=op.finished_ns + by_ns
    )


def occasion(sentence: str, due_s: float, place: int = 1, number: int = 0) -> Occasion:
    return Occasion(place, sentence, ZERO_NS + round(due_s * S), "frost", number)


def at(seconds: float) -> int:
    return ZERO_NS + round(seconds * S)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    return Folder(tmp_path, monkeypatch)


def frozen(folder: Folder, sentence: str = "freeze api for 100s") -> Path:
    """Kilonode was killed while api was frozen."""
    with journals.new_journal(folder.run.faults_folder, "run 00c0ffee", CLOCK) as journal:
        (number,) = journal.plan([FREEZE], occasion(sentence, 5))
        journal.took_effect(number, "api is stopped", at(5.5))
        return journal.path


def heal(path: Path, at_s: float) -> None:
    record = journals.read_journal(path)
    assert record is not None
    with journals.continue_journal(record, CLOCK) as journal:
        for entry in record.open:
            journal.healed(entry.number, "goes on", at(at_s))


def test_what_was_in_effect_and_nobody_healed_is_there_until_the_last_that_is_known(folder: Folder) -> None:
    folder.recorded()
    frozen(folder)
    assert folder.ops() == [("freeze api for 100s", 5.0, 5.5, 20.0, "wrong_state", NOT_HEALED)]


def test_what_others_healed_since_has_the_instant_of_that(folder: Folder) -> None:
    folder.recorded()
    heal(frozen(folder), 3620)
    ((_, due_s, started_s, finished_s, outcome, error),) = folder.ops()
    assert (due_s, started_s, finished_s, outcome) == (5.0, 5.5, 3620.0, "cancelled")
    assert error == f"{STILL_IN_EFFECT}; healed 1 h 0 m 0 s after the last that is known of the run"


def test_what_others_healed_after_the_machine_was_started_anew_was_healed_nobody_knows_when(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.recorded()
    path = frozen(folder)
    monkeypatch.setattr(journals, "this_boot", lambda: "another")
    heal(path, 7)
    assert folder.ops() == [("freeze api for 100s", 5.0, 5.5, 20.0, "wrong_state", HEALED_SOMETIME)]


def test_what_took_effect_and_left_nothing_is_as_if_it_had_been_recorded(folder: Folder) -> None:
    folder.recorded()
    with journals.new_journal(folder.run.faults_folder, "run 00c0ffee", CLOCK) as journal:
        (first,) = journal.plan([KILL], occasion("kill api", 5, 1))
        journal.took_effect(first, "gone", at(5.1))
        (second,) = journal.plan([FREEZE], occasion("freeze api for 1s", 6, 2))
        journal.took_effect(second, "stopped", at(6.1))
        journal.healed(second, "goes on", at(7.1))
    assert folder.ops() == [
        ("kill api", 5.0, 5.1, 5.1, "ok", ""),
        ("freeze api for 1s", 6.0, 6.1, 7.1, "ok", ""),
    ]


def test_of_several_steps_all_have_to_have_taken_effect(folder: Folder) -> None:
    folder.recorded()
    with journals.new_journal(folder.run.faults_folder, "run 00c0ffee", CLOCK) as journal:
        first, second = journal.plan([FREEZE, FREEZE], occasion("freeze all api", 5))
        journal.took_effect(first, "stopped", at(5.1))
        path = journal.path
    ((_, _, _, _, outcome, error),) = folder.ops()
    assert (outcome, error.startswith(MAYBE)) == (Outcome.DROPPED, True)
    assert "nobody has healed what was done" in error
    heal(path, 100)
    ((*_, error),) = folder.ops()
    assert error == MAYBE
    with journals.new_journal(folder.run.faults_folder, "run 00c0ffee", CLOCK) as journal:
        first, second = journal.plan([FREEZE, FREEZE], occasion("freeze 2 of 2 api", 8))
        for number, at_s in ((first, 9.0), (second, 9.5)):
            journal.took_effect(number, "stopped", at(at_s))
    assert [started_s for sentence, _, started_s, *_ in folder.ops() if "2 of 2" in sentence] == [9.5]


def test_what_is_recorded_is_not_told_twice_and_what_happens_again_is(folder: Folder) -> None:
    folder.recorded(Op("disruption", "frost", "kill api", 0, 5 * S, 5 * S, 5 * S, "ok"))
    with journals.new_journal(folder.run.faults_folder, "run 00c0ffee", CLOCK) as journal:
        for place, due_s in enumerate((5, 9)):
            (step,) = journal.plan([KILL], occasion("kill api", due_s, place))
            journal.took_effect(step, "gone", at(due_s))
    assert [due_s for _, due_s, *_ in folder.ops()] == [5.0, 9.0]


def test_while_whoever_injects_still_lives_nothing_is_said_for_him(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.recorded()
    monkeypatch.undo()  # the journal names this process
    frozen(folder)
    assert folder.ops() == []


def test_a_run_that_came_to_its_end_has_told_everything_itself(folder: Folder) -> None:
    folder.recorded()
    frozen(folder)
    folder.run.write_record(msgspec.structs.replace(folder.run.record(), state=RunState.DONE))
    assert folder.ops() == []


def report(run: RunFolder) -> tuple[DisruptionResults, str]:
    from kilonode.cli.reporting import metadata_of

    results = evaluate_run(run)
    assert results.verdict is Verdict.UNKNOWN
    assert results.finish_s == pytest.approx(20, abs=0.2), "the run ended when it was killed"
    assert results.workloads[0].measured_s == pytest.approx(20, abs=0.2)
    (one,) = results.disruptions
    return one, report_html(results, metadata_of(run))


def test_the_report_says_that_it_was_still_in_effect_and_the_run_does_not_last_until_it_was_healed(
    folder: Folder,
) -> None:
    folder.recorded()
    path = frozen(folder)
    one, page = report(folder.run)
    assert one.outlived_the_run
    assert f"freeze api for 100s ({STILL_IN_EFFECT})" in page, "the band of the charts"
    assert "≥ 14.5 s" in page
    assert "nobody has healed it" in page
    heal(path, 3620)
    one, page = report(folder.run)
    assert one.finish_s == 3620
    assert "healed 1 h 0 m 0 s after the last that is known of the run" in page
    assert "nobody has healed it" not in page


def test_the_journal_of_a_cloud_that_is_not_disrupted_is_not_looked_for(folder: Folder) -> None:
    folder.recorded()
    assert not folder.run.faults_folder.exists()
    assert folder.ops() == []
