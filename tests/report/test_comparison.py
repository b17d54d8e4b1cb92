"""What is written about a comparison: one page that asks nobody for anything, a table for a terminal, plain values."""

import io
import re

from kilonode.check.compare import ComparedRun, compare
from kilonode.check.comparison import Comparison
from kilonode.check.evaluation import evaluate
from kilonode.report.comparison_page import comparison_document, comparison_html
from kilonode.report.comparison_terminal import print_comparison
from kilonode.report.terminal import open_console
from tests.check.histories import closed_workload, history, op, run
from tests.report.runs import HOSTILE


def compared(name: str = "a-run", within: float | None = 0.15) -> Comparison:
    runs = []
    for factor in (1.0, 1.5):
        ops = []
        for number in range(60):
            seconds = factor * (1 + number / 100)
            ops.append(op("boots", number=number, due=number / 10, took=seconds))
            ops.append(op("boots", "boot", number=number, due=number / 10, took=seconds))
        kept = history(ops)
        results = evaluate(kept, run(closed_workload()))
        runs.append(ComparedRun(name, name, results, kept, {"nodes": factor, "name": name}, {}))
    return compare(runs, within)


def test_the_page_is_whole_and_asks_nobody_for_anything() -> None:
    text = comparison_html(compared())
    assert not re.search(r'(src|href)="(?!#)', text)
    assert "default-src &#x27;none&#x27;" in text
    assert "× 1.5" in text
    assert "Not every median and p95 is within 15 %" in text
    assert 'id="w0-s1"' in text
    assert '"kind":"cumulative"' in text


def test_words_from_outside_stay_words() -> None:
    text = comparison_html(compared(HOSTILE))
    assert "<img" not in text
    assert text.count("</script>") == 4


def test_the_terminal_shows_ratio_direction_and_verdict_in_80_columns() -> None:
    stream = io.StringIO()
    print_comparison(open_console(stream), compared("a\x1b[31mrun"))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in stream.getvalue()
    assert any("1.5▲✗" in line for line in lines)
    assert "✗ INVALID  median and p95 of every step within 15 %" in stream.getvalue()
    assert "nodes: 1.0 -> 1.5" in stream.getvalue()


def test_a_comparison_without_a_bound_says_no_verdict() -> None:
    stream = io.StringIO()
    print_comparison(open_console(stream), compared(within=None))
    assert "INVALID" not in stream.getvalue()
    assert "banner" not in comparison_html(compared(within=None)).split("<main>")[1]


def test_plain_values_have_every_number_but_those_that_are_only_drawn() -> None:
    document = comparison_document(compared())
    step = document["workloads"][0]["steps"][1]
    assert step["changes"][0]["percentiles"][0]["ratio"] == 1.5
    assert "cumulative" not in step["sides"][0]
    assert document["format_version"] == 1
