"""Ctrl-C and its like during a run: once ends the load gently, twice ends everything at once.

SIGTERM means the same as Ctrl-C. SIGHUP, that the terminal was closed, is always gentle: terminals and shells send it
more than once. No signal costs what was measured: while the report is made the first one is only answered, the second
one leaves it to `kilonode report`.
"""

import asyncio
import contextlib
import os
import signal
import stat
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

from kilonode.cli.output import say
from kilonode.run.interruption import Interruption

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STANDARD_ERROR: Final = 2

Handlers = dict[signal.Signals, Callable[[int, FrameType | None], None]]


@contextlib.contextmanager
def minding_signals(interruption: Interruption) -> Iterator[None]:
    """While inside, and where nothing else listens, signals become requests to end the run: around the event loop."""

    def heard(number: int) -> None:
        _request(interruption, number, _write)

    with _handling(heard):
        yield


@contextlib.contextmanager
def listening_for_signals(interruption: Interruption, note: Callable[[str], None]) -> Iterator[None]:
    """While inside, signals become requests to end the run. For the running event loop, real or simulated."""
    with _hearing(lambda number: _request(interruption, number, note)):
        yield


@contextlib.contextmanager
def stopping(stop: asyncio.Event, words: str) -> Iterator[None]:
    """While inside, the first signal sets `stop` and says `words`; more of them change nothing."""

    def heard(number: int) -> None:
        if number == signal.SIGHUP:
            leave_terminal()
        if not stop.is_set():
            say(words)
        stop.set()

    with _hearing(heard):
        yield


@contextlib.contextmanager
def _hearing(heard: Callable[[int], None]) -> Iterator[None]:
    """While inside, the running event loop, real or simulated, is told of signals."""
    loop = asyncio.get_running_loop()

    # The simulated loop never waits, so a plain handler is heard at the next callback.
    with _handling(lambda number: loop.call_soon(heard, number)) as plain:
        try:
            for number in plain:
                with contextlib.suppress(NotImplementedError, RuntimeError):
                    loop.add_signal_handler(number, heard, number)
            yield
        finally:
            with _blocked():
                for number, handler in plain.items():
                    with contextlib.suppress(NotImplementedError, RuntimeError):
                        loop.remove_signal_handler(number)
                    signal.signal(number, handler)


@contextlib.contextmanager
def finishing_despite_signals(interruption: Interruption, what: str, command: str) -> Iterator[None]:
    """While inside, the first signal is answered and no more; the second of a user ends `what`, which `command` makes.

    Raises KeyboardInterrupt then.
    """
    asked = 0

    def heard(number: int) -> None:
        nonlocal asked
        interruption.by_user = True
        if number == signal.SIGHUP:
            leave_terminal()
            return
        asked += 1
        if asked > 1:
            raise KeyboardInterrupt
        _write(f"{_name(number)}: {what} is nearly made; once more ends it")

    with _handling(heard):
        try:
            yield
        except KeyboardInterrupt:
            say(f"{what} was not made; make it with: {command}")
            raise


def leave_terminal() -> None:
    """Where the terminal is gone, what is said goes nowhere, and saying it must not fail."""
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISCHR(os.fstat(descriptor).st_mode) and not os.isatty(descriptor):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)


def _request(interruption: Interruption, number: int, note: Callable[[str], None]) -> None:
    if number == signal.SIGHUP:
        leave_terminal()
    name = _name(number)
    if not interruption.requested:
        note(f"{name}: ending the load, then cleanup and report; once more stops at once")
    elif not interruption.at_once and number != signal.SIGHUP:
        note(f"{name}: stopping at once")
    interruption.request(f"the user ({name})", gently=number == signal.SIGHUP)


@contextlib.contextmanager
def _handling(heard: Callable[[int], object]) -> Iterator[Handlers]:
    """Plain handlers for the signals, and no instant without any before and after; which signals they are.

    Who started this process under `nohup` wants it to outlive the terminal: then SIGHUP is not among them.
    """

    def handler(number: int, frame: FrameType | None) -> None:
        heard(number)

    before = {number: signal.getsignal(number) for number in SIGNALS}
    if before[signal.SIGHUP] == signal.SIG_IGN:
        del before[signal.SIGHUP]
    with _blocked():
        for number in before:
            signal.signal(number, handler)
    try:
        yield dict.fromkeys(before, handler)
    finally:
        with _blocked():
            for number, known in before.items():
                signal.signal(number, signal.SIG_DFL if known is None else known)


@contextlib.contextmanager
def _blocked() -> Iterator[None]:
    """Signals that come now are delivered afterwards: handlers are changed in steps, and none may be missing."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _name(number: int) -> str:
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


def _write(text: str) -> None:
    """A line for people, from a handler: it may have come in the midst of another line, so no buffer is touched."""
    with contextlib.suppress(OSError):
        os.write(_STANDARD_ERROR, f"{text}\n".encode())
