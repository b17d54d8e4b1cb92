"""Disruptions and recovery on the page and in the terminal: what happened, what did not, repeats."""

import io
import re

import msgspec
from rich.console import Console

from kilonode.base.outcomes import Outcome
from kilonode.check.evaluation import evaluate
from kilonode.check.results import Results, Verdict
from kilonode.report.html import report_html
from kilonode.report.terminal import print_summary
from kilonode.report.terminal_recovery import MOST_TABLES
from tests.check.histories import history, run
from tests.check.recovery.test_evaluation import disruption, outage, probe
from tests.report.runs import HOSTILE, metadata


def page(found: Results) -> str:
    return report_html(found, metadata())


def section(text: str, name: str) -> str:
    found = re.search(rf'<section id="{name}".*?</section>', text, re.DOTALL)
    assert found is not None, name
    return found[0]


def on_a_terminal(found: Results) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    print_summary(console, found, metadata())
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def frozen_twice() -> Results:
    ops = outage("mix", (20.0, 23.0), (40.0, 42.0))
    ops += [disruption("freeze api for 3s", 20.0, 23.0), disruption("freeze api for 3s", 40.0, 42.0)]
    return evaluate(history(ops), run(probe()))


def test_both_views_and_every_repeat_are_on_the_page() -> None:
    text = section(page(frozen_twice()), "recovery")
    assert "After freeze api for 3s" in text
    assert "published method" in text
    assert "Why the two methods differ" in text
    assert text.count('class="mark recovered"') == 3, "one for each repeat, and one in the legend"
    assert re.search(r'<tbody class="mean"><tr><th scope="row">mean</th>', text)
    for part in ("before", "during", "after"):
        assert f'<th scope="row">{part}</th>' in text


def test_what_did_not_happen_is_in_the_table_and_is_no_band() -> None:
    failed = msgspec.structs.replace(
        disruption("kill api", 30.0, 30.0), outcome=Outcome.DROPPED.value, error="api does not run"
    )
    found = evaluate(history([*outage("mix"), failed]), run(probe()))
    assert found.verdict is Verdict.UNKNOWN
    assert found.reasons[0].text == "The disruption “kill api” did not happen: api does not run."
    text = page(found)
    assert "did not happen" in section(text, "disruptions")
    assert "bar disruption" not in section(text, "overview")
    assert '<section id="recovery"' not in text
    assert '"disruptions":[]' in text


def test_words_from_outside_are_only_text() -> None:
    ops = [*outage("mix", (20.0, 23.0)), disruption(HOSTILE, 20.0, 23.0)]
    text = page(evaluate(history(ops), run(probe())))
    assert "<script>alert(1)" not in text
    assert "<img src=x" not in text


def test_many_disruptions_have_a_line_each_in_the_terminal() -> None:
    spans = [(10.0 * place, 10.0 * place + 1) for place in range(1, MOST_TABLES + 2)]
    ops = outage("mix", *spans)
    ops += [disruption(f"kill role-{place}", start, start) for place, (start, _) in enumerate(spans)]
    text = on_a_terminal(evaluate(history(ops), run(probe())))
    lines = text.splitlines()
    for place in range(len(spans)):
        assert f"after kill role-{place}" in lines
    assert all(len(line) <= 80 for line in lines)
    assert sum(line.split()[:2] == ["mix", "10"] for line in lines) == len(spans)
