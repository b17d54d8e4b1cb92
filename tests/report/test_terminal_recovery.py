"""Recovery in a terminal: both views in one table, ≥ for what was not over, the reasons below."""

import io

import msgspec

from kilonode.check.evaluation import evaluate
from kilonode.report.recovery_words import FIGURE_WORDS
from kilonode.report.terminal import open_console
from kilonode.report.terminal_recovery import print_recovery
from tests.check.histories import history, run
from tests.check.recovery.test_evaluation import disruption, outage, probe


def said(*spans: tuple[float, float], sentence: str = "kill one api") -> str:
    ops = [*outage("mix", *spans), *(disruption(sentence, start, min(end, 60.0)) for start, end in spans)]
    recovery = evaluate(history(ops), run(probe())).recovery
    assert recovery is not None
    stream = io.StringIO()
    print_recovery(open_console(stream), recovery)
    return stream.getvalue()


def test_every_figure_has_its_line_with_its_interval_and_the_published_one() -> None:
    text = said((20.0, 25.0))
    assert all(words in text for words in FIGURE_WORDS.values())
    (line,) = (line for line in text.splitlines() if "unavailable" in line)
    assert line.split()[:3] == ["unavailable", "5.00", "s"] and "4.90 s to 5.10 s" in line
    assert "after kill one api" in text and "held against 200 operations before" in text
    assert "50 operations lost" in text


def test_by_how_much_longer_operations_took_stands_there_as_published() -> None:
    assert "slower by" not in said((20.0, 25.0)), "nothing was slow, so there is nothing to say"
    ops = [
        msgspec.structs.replace(one, finished_ns=one.finished_ns + 500_000_000) if 200 <= one.iteration < 250 else one
        for one in outage("mix")
    ]
    recovery = evaluate(history([*ops, disruption("slow api down", 20.0, 25.0)]), run(probe())).recovery
    assert recovery is not None
    absolute = recovery.groups[0].published.degradation_s.value
    assert absolute is not None and absolute > 0.3
    stream = io.StringIO()
    print_recovery(open_console(stream), recovery)
    (line,) = (line for line in stream.getvalue().splitlines() if "slower by" in line)
    assert line.split() == ["slower", "by", f"{absolute * 1000:.0f}", "ms"]


def test_lines_fit_80_columns_and_hostile_sentences_do_no_harm() -> None:
    text = said((20.0, 25.0), (40.0, 41.0), sentence="kill \x1b[31m[bold]" + "x" * 100)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "\x1b" not in text and "[bold]" in text
    assert "2 repeats" in text


def test_what_was_not_over_is_a_lower_limit() -> None:
    text = said((20.0, 99.0))
    (line,) = (line for line in text.splitlines() if line.startswith(" time to recover"))
    assert "≥" in line and "to …" in line


def test_what_happened_at_the_same_time_is_named() -> None:
    ops = [disruption("kill api", 21.0, 21.0), disruption("freeze api for 5s", 20.0, 25.0)]
    recovery = evaluate(history([*outage("mix"), *ops]), run(probe())).recovery
    assert recovery is not None
    stream = io.StringIO()
    print_recovery(open_console(stream), recovery)
    assert "at the same time, so not to be told apart: freeze api for 5s" in stream.getvalue()
