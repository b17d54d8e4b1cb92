import io
import re

from rich.console import Console

from kilonode.base.outcomes import Outcome
from kilonode.check.results import Results
from kilonode.report.html import report_html
from kilonode.report.terminal import print_summary
from tests.check.upgrades.test_upgrades import SENTENCE, probes, results_of, upgrade_ops
from tests.report.runs import HOSTILE, metadata


def on_a_terminal(found: Results) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    print_summary(console, found, metadata())
    return " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]


def test_an_upgrade_is_told_with_its_assertions_and_their_numbers() -> None:
    found = results_of([*probes(lost=lambda s: 25 <= s < 27), *upgrade_ops()], "upgrade rolling", "upgrade accessible")
    text = on_a_terminal(found)
    assert "✗ upgrade accessible failed invalid" in text
    assert f"{SENTENCE} from 20.0 s on, 10.0 s; observed until 60.0 s; done" in text
    assert "✓ rolling held old and new served together: api 5.50 s; never none" in text
    assert "✗ accessible failed 2.00 s without a single good answer" in text
    page = report_html(found, metadata())
    assert 'id="upgrades"' in page
    assert "2.00 s without a single good answer" in page
    assert "Assertions: upgrade api to B" in page


def test_every_part_of_the_page_can_be_gone_to_from_its_top() -> None:
    page = report_html(results_of([*probes(), *upgrade_ops()]), metadata())
    parts = re.findall(r'<section id="([^"]+)"', page)
    assert "upgrades" in parts
    assert [part for part in parts if f'href="#{part}"' not in page] == ["reading"]


def test_an_upgrade_that_failed_says_why_and_cannot_steer_a_page() -> None:
    found = results_of([*probes(), *upgrade_ops(outcome=Outcome.WRONG_STATE, error=HOSTILE)])
    page = report_html(found, metadata())
    assert "<script>alert(1)" not in page
    assert f"{SENTENCE}, failed" in page
    assert "NOT healed" not in page
    assert "did not come to its end" in on_a_terminal(found)


def test_where_nothing_was_upgraded_nothing_is_said_of_it() -> None:
    found = results_of(probes())
    assert 'id="upgrades"' not in report_html(found, metadata())
