"""A process of the cloud that died is said: when, how, beside what, and the run is not valid."""

import msgspec
import pytest

from kilonode.base.outcomes import Outcome
from kilonode.check.deaths import Death
from kilonode.check.evaluation import evaluate
from kilonode.check.results import Results, Verdict
from kilonode.history.records import Op, OpKind
from tests.check.histories import history, op, open_workload, run, steady


def death(process: str, seen: float, *, words: str = "", number: int = 0) -> Op:
    found = op("", process, number=number, due=seen - 0.5, took=0.5, kind=OpKind.DEATH, outcome=Outcome.WRONG_STATE,
               error=words, resolution=0.5)  # fmt: skip
    return msgspec.structs.replace(found, started_ns=found.due_ns)


def judged(*ops: Op) -> Results:
    return evaluate(history([*steady(), *ops]), run(open_workload()))


def test_a_run_in_which_nothing_died_says_nothing_of_it() -> None:
    results = judged()
    assert results.deaths == ()
    assert not [reason for reason in results.reasons if reason.about == "death"]


def test_a_death_makes_a_run_invalid_and_says_when_to_the_resolution_of_the_look() -> None:
    results = judged(death("compute-002", 4.0, words="nobody starts it again"))
    assert results.verdict is Verdict.INVALID
    [reason] = [reason for reason in results.reasons if reason.about == "death"]
    assert reason.text == (
        "Process compute-002 ended 4.00 s after the load began, or up to 500 ms earlier (nobody starts it again), and "
        "nothing in this run was meant to end it."
    )


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (2.0, ""),
        (5.0, ", while “freeze keystone for 3s” was in effect"),
        (9.0, ", 500 ms after “freeze keystone for 3s” was over"),
    ],
)
def test_what_was_disturbed_then_or_shortly_before_is_named(seen: float, words: str) -> None:
    fault = op("", "freeze keystone for 3s", due=4.0, took=4.0, kind=OpKind.DISRUPTION)
    [found] = judged(fault, death("api", seen)).deaths
    assert str(found).partition(" earlier")[2] == words


def test_many_deaths_are_counted_and_not_all_told() -> None:
    results = judged(*(death(f"compute-{number:03}", 1.0 + number / 10) for number in range(8)))
    texts = [reason.text for reason in results.reasons if reason.about == "death"]
    assert len(texts) == 6
    assert texts[-1].startswith("3 more processes")
    assert len(results.deaths) == 8


def test_a_death_during_setup_is_before_the_load() -> None:
    assert str(Death(process="api", seen_s=-3.0, resolution_s=0.5)).startswith("api ended 3.00 s before the load began")
