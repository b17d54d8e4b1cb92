"""Ctrl-C and its like during a run: once ends the load gently, twice ends everything at once."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Final

from kilonode.run.interruption import Interruption

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def listening_for_signals(interruption: Interruption, note: Callable[[str], None]) -> Iterator[None]:
    """While inside, signals become requests to end the run. For the running event loop, real or simulated."""
    loop = asyncio.get_running_loop()

    def heard(number: int) -> None:
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        if not interruption.requested:
            note(f"{name}: ending the load, then cleanup and report; once more stops at once")
        elif not interruption.at_once:
            note(f"{name}: stopping at once")
        interruption.request(f"the user ({name})")

    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        try:
            loop.add_signal_handler(number, heard, number)
        except (NotImplementedError, RuntimeError):
            # The simulated loop never waits, so a plain handler is heard at the next callback.
            signal.signal(number, lambda number, frame: loop.call_soon(heard, number))
    try:
        yield
    finally:
        for number in SIGNALS:
            with contextlib.suppress(NotImplementedError, RuntimeError):
                loop.remove_signal_handler(number)
            signal.signal(number, before[number])
