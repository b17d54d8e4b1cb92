import io
import re

import msgspec
import pytest
from rich.console import Console

from kilonode.base.clock import RealClock
from kilonode.base.outcomes import Outcome
from kilonode.check.live import LiveReport, LiveStep, LiveWorkload
from kilonode.check.results import Verdict
from kilonode.report.live import LiveView
from kilonode.report.terminal import open_console, print_summary
from tests.check.histories import closed_workload, open_workload
from tests.report.runs import EARLY_END, HOSTILE, metadata, results


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class SteppingClock(RealClock):
    """Each reading is a second later."""

    def __init__(self) -> None:
        self._now_ns = 0

    def now_ns(self) -> int:
        self._now_ns += 10**9
        return self._now_ns


def summary(stream: io.StringIO, error: str = "503 from backend-7") -> str:
    print_summary(open_console(stream), results(error), metadata())
    return stream.getvalue()


def test_a_summary_in_a_pipe_is_plain_and_fits_80_columns() -> None:
    text = summary(io.StringIO())
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_summary_says_verdict_criteria_steps_and_errors_in_words() -> None:
    text = summary(io.StringIO())
    assert text.startswith("✗ INVALID  A small run")
    assert re.search(r"✓ mix p\(99\) < 1s +20\.0 ms", text)
    assert re.search(r"✗ mix error_rate < 0\.1% +0\.99 % invalid", text)
    assert re.search(r"\? boots\.boot p\(99\) < 5s +– unknown", text)
    assert re.search(r"iterations +505 +0\.99 % +50\.0/s +20\.0 ms", text)
    assert re.search(r"accepted +30 +0 +", text)
    assert "5 × HTTP 5xx: 503 from backend-7" in text


def test_a_run_that_was_ended_early_says_so_beside_its_verdict_with_when_and_why() -> None:
    stream = io.StringIO()
    found = msgspec.structs.replace(results(), verdict=Verdict.VALID, reasons=(), abortion=EARLY_END)
    print_summary(open_console(stream), found, metadata())
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("✓ VALID, ended early  A small run")
    assert lines[1].startswith("  ! Ended early, at 4.25 s of 10.0 s: the user (Ctrl-C).")
    assert "ended early" not in summary(io.StringIO()).lower()


def test_a_message_with_control_characters_or_markup_does_no_harm() -> None:
    text = summary(io.StringIO(), error="[red]boo[/red] \x1b[31mred\x07")
    assert "[red]boo[/red]" in text
    assert "\x1b" not in text
    assert "\x07" not in text


def report(at_s: float, worker: int = 0, **failed: int) -> LiveReport:
    step = LiveStep(
        workload="mix",
        step="",
        outcomes={"ok": 100, **failed},
        latency={0.1: 100},
        service={0.1: 100},
        failed_latency={0.2: sum(failed.values())} if failed else {},
        last_error="503 \x1b[31mdown" if failed else "",
    )
    state = LiveWorkload(workload="mix", active=3, due=round(at_s) * 100, dropped=failed.get(Outcome.DROPPED, 0))
    return LiveReport(worker=worker, at_s=at_s, steps=(step,), workloads=(state,), health={"cpu_fraction": 0.5})


def view(stream: io.StringIO, *, plain: bool = False) -> LiveView:
    return LiveView(
        "A run", [open_workload(rate=100.0, end=60.0), closed_workload()], stream, SteppingClock(), plain=plain
    )


@pytest.mark.parametrize("plain", [False, True])
def test_without_a_terminal_there_is_a_line_now_and_then_and_one_per_stage(plain: bool) -> None:
    stream = Terminal() if plain else io.StringIO()
    live = view(stream, plain=plain)
    live.stage("setup")
    live.stage("load")
    for second in range(1, 61):
        live.progress(report(float(second), http_5xx=2 if second > 50 else 0))
    live.note("one worker died")
    live.close()
    live.close()
    lines = stream.getvalue().splitlines()
    if not plain:
        assert "\x1b" not in stream.getvalue()
    assert lines[:3] == ["setup …", "setup took 1.00 s", "load …"]
    about_mix = [line for line in lines if " mix: " in line]
    assert len(about_mix) == 12
    assert about_mix[0] == "0:05 of 1:00  mix: 100/s of 100/s, p50 100 ms, p95 100 ms, p99 100 ms, errors 0"
    assert about_mix[-1].endswith("errors 20 (1.96 %)")
    assert "note: one worker died" in lines


def test_on_a_terminal_the_view_shows_progress_rates_latencies_errors_and_the_generator() -> None:
    stream = Terminal()
    live = view(stream)
    live.stage("setup")
    live.stage("load")
    live.progress(report(30.0, http_5xx=2, dropped=1))
    live.note("watch out")
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(live.render())
    live.close()
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    for wanted in (
        "✓ setup 1.00 s",
        "▸ load 0:30 of 1:00",
        "mix",
        "100/s",
        "100 ms",
        "2 (1.96 %)",
        "cpu 50%",
        "! watch out",
    ):
        assert wanted in text, wanted
    assert "note: watch out" in stream.getvalue()


def test_a_view_without_any_report_shows_its_stage() -> None:
    live = view(Terminal())
    live.stage("setup")
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(live.render())
    live.close()
    assert console.file.getvalue().split() == ["A", "run", "▸", "setup"]  # type: ignore[attr-defined]


def test_a_hostile_error_is_shown_as_it_is() -> None:
    assert "<script>alert(1)</script>" in summary(io.StringIO(), error=HOSTILE).replace("\n", "").replace("    ", "")
