import io

import msgspec
import pytest
from rich.console import Console

from kilonode.check.circumstances import Disturbance
from kilonode.check.consistency import Evidence, check_consistency
from kilonode.check.evaluation import evaluate
from kilonode.check.inventory import Inventory
from kilonode.check.results import Results, Verdict
from kilonode.history.asked import AskedRecords
from kilonode.report.consistency_words import circumstance_words, finding_words
from kilonode.report.html import report_html
from kilonode.report.terminal import print_summary
from tests.check.histories import history, rules, run, steady
from tests.check.test_consistency import boot, inventory, server
from tests.report.runs import metadata


def results(inventory_taken: Inventory | None, *criteria: str, complete: bool = True) -> Results:
    evidence = Evidence(AskedRecords((boot("a"), boot("b")), complete), inventory_taken)
    return evaluate(history(steady()), run(criteria=rules(*criteria)), evidence)


def on_a_terminal(found: Results) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    print_summary(console, found, metadata())
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_what_is_lost_is_named_in_the_terminal_and_on_the_page() -> None:
    found = results(inventory(server("a")), "lost == 0")
    assert found.verdict is Verdict.INVALID
    text = " ".join(on_a_terminal(found).split())
    assert "lost 1, resurrected 0" in text
    assert "kn-5f0c21aa-boots-b-server (b)" in text
    assert "at rest after 2.00 s" in text
    page = report_html(found, metadata())
    assert 'id="consistency"' in page
    assert "kn-5f0c21aa-boots-b-server" in page
    assert "its creation was acknowledged, nobody deleted it, and it is not there" in page


@pytest.mark.parametrize(
    ("start_s", "finish_s", "words"),
    [
        (4.0, 9.0, ", while “kill rabbitmq” was in effect"),
        (6.0, 9.0, "; 1.00 s later “kill rabbitmq” took effect"),
        (1.0, 2.0, "; “kill rabbitmq” was over 2.50 s before"),
        (2.0, 2.0, "; “kill rabbitmq” had taken effect 2.50 s before"),
        (70.0, 90.0, ""),
    ],
)
def test_of_what_is_wrong_it_is_said_what_was_asked_last_and_what_met_it(
    start_s: float, finish_s: float, words: str
) -> None:
    asked = msgspec.structs.replace(boot("b"), sent_ns=4_500_000_000, answered_ns=5_000_000_000)
    others = [Disturbance("kill keystone", 500.0, 501.0), Disturbance("kill rabbitmq", start_s, finish_s)]
    evidence = Evidence(AskedRecords((boot("a"), asked), True), inventory(server("a")))
    (finding,) = check_consistency(evidence, others).findings
    assert circumstance_words(finding.circumstance) == f"create asked at 4.50 s, answered 202 at 5.00 s{words}"
    assert finding_words(finding).endswith(f"and it is not there; {circumstance_words(finding.circumstance)}")


def test_a_creation_that_was_not_answered_is_told_of_what_has_its_name() -> None:
    asked = msgspec.structs.replace(boot("", name=server("b").name), status=0, outcome="timeout")
    there = inventory(server("b", status="BUILD", task="spawning", node=""))
    (finding,) = check_consistency(Evidence(AskedRecords((asked,), True), there)).findings
    assert circumstance_words(finding.circumstance) == "create asked at 0 s, not answered (timeout)"


def test_a_criterion_that_holds_is_valid() -> None:
    found = results(inventory(server("a"), server("b")), "lost == 0", "stuck == 0", "leaked == 0")
    assert found.verdict is Verdict.VALID
    assert {one.measured for one in found.criteria} == {0.0}


def test_what_is_found_and_no_criterion_speaks_of_makes_a_run_invalid() -> None:
    found = results(inventory(server("a")), "stuck == 0")
    assert found.verdict is Verdict.INVALID
    assert [reason.text for reason in found.reasons] == ["After the run 1 resources or accounts are lost."]


def test_a_criterion_that_allows_some_is_obeyed() -> None:
    assert results(inventory(server("a")), "lost <= 1").verdict is Verdict.VALID


def test_without_an_inventory_the_criteria_are_unknown_and_say_why() -> None:
    found = results(None, "lost == 0")
    assert found.verdict is Verdict.UNKNOWN
    assert found.criteria[0].note == "what there was in the end is not known"
    assert "not looked at: no inventory was taken" in on_a_terminal(found)


def test_a_run_in_which_nobody_looked_says_so() -> None:
    found = evaluate(history(steady()), run(criteria=rules("lost == 0")))
    assert found.verdict is Verdict.UNKNOWN
    assert "nobody looked" in found.criteria[0].note
    assert 'id="consistency"' not in report_html(found, metadata())


def test_a_number_that_is_only_a_lower_limit_breaks_what_it_can_and_proves_nothing_else() -> None:
    twice = msgspec.structs.replace(inventory(server("a"), server("b"), nodes=None), quotas=None)
    assert results(twice, "leaked == 0").verdict is Verdict.UNKNOWN


def test_names_from_outside_cannot_steer_a_terminal() -> None:
    found = results(inventory(server("a"), server("x", name="kn-5f0c21aa-\x1b[2J", status="BUILD", task="t")))
    assert "\x1b" not in on_a_terminal(found)
