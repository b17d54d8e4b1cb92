"""What signals mean around and inside the event loop of a run; this process sends them to itself."""

import asyncio
import os
import signal

import pytest

from kilonode.cli.signals import SIGNALS, finishing_despite_signals, listening_for_signals, minding_signals, stopping
from kilonode.run.interruption import Interruption


def test_around_the_event_loop_a_signal_is_a_request_and_not_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    interruption = Interruption()
    before = [signal.getsignal(number) for number in SIGNALS]
    with minding_signals(interruption):
        signal.raise_signal(signal.SIGTERM)
    assert interruption.requested
    assert interruption.by_user
    assert not interruption.at_once
    assert "SIGTERM" in capfd.readouterr().err
    assert [signal.getsignal(number) for number in SIGNALS] == before


async def test_in_simulated_time_a_signal_is_heard_at_the_next_callback() -> None:
    await hear(signal.SIGINT, signal.SIGINT)


@pytest.mark.real_loop
async def test_in_real_time_the_event_loop_hears_a_signal() -> None:
    await hear(signal.SIGINT, signal.SIGINT)


async def hear(*numbers: signal.Signals) -> None:
    interruption, notes = Interruption(), list[str]()
    before = [signal.getsignal(number) for number in SIGNALS]
    with minding_signals(interruption):
        with listening_for_signals(interruption, notes.append):
            for number in numbers:
                os.kill(os.getpid(), number)
                said = len(notes)
                for _ in range(1000):
                    await asyncio.sleep(0.001)
                    if len(notes) > said:
                        break
        assert interruption.at_once
        assert [note.partition(":")[0] for note in notes] == ["Ctrl-C", "Ctrl-C"]
    assert [signal.getsignal(number) for number in SIGNALS] == before


async def test_what_is_to_be_healed_is_stopped_once_however_often_it_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    stop = asyncio.Event()
    before = [signal.getsignal(number) for number in SIGNALS]
    with stopping(stop, "healing all"):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(os.getpid(), number)
            await asyncio.sleep(0.001)
            assert stop.is_set()
    assert capfd.readouterr().err.count("healing all") == 1
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_closed_terminal_is_told_more_than_once_and_stays_gentle() -> None:
    interruption = Interruption()
    with minding_signals(interruption):
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
    assert interruption.requested
    assert not interruption.at_once


def test_under_nohup_a_closed_terminal_means_nothing() -> None:
    interruption = Interruption()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with minding_signals(interruption):
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not interruption.requested


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_does_not_end_the_report(number: signal.Signals) -> None:
    interruption, made = Interruption(), False
    with finishing_despite_signals(interruption, "the report", "kilonode report runs/one"):
        signal.raise_signal(number)
        made = True
    assert made
    assert interruption.by_user, "a campaign begins no other run"


def test_the_second_one_does_and_the_command_that_makes_the_report_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    def report_and_be_interrupted_twice() -> None:
        with finishing_despite_signals(Interruption(), "the report", "kilonode report runs/one"):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        report_and_be_interrupted_twice()
    assert "make it with: kilonode report runs/one" in capfd.readouterr().err
