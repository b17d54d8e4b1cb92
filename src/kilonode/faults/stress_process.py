"""Stress: a process that uses up processors, memory or a disk of this machine, as much as it is told and no more.

Started detached as `python -m kilonode.faults.stress_process TOKEN RESOURCE AMOUNT FOLDER`. Its workers have the same
arguments, and end with it. AMOUNT is a share of the time for `cpu` (of every processor) and `disk` (of one writer),
bytes for `memory`. Of a disk it writes one file of at most `FILE_BYTES` in FOLDER, again and again, and waits until it
is on the disk. It says `working`. On SIGTERM it ends.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

FILE_BYTES: Final = 2**26
_SLICE_S: Final = 0.05
_PIECE: Final = bytes(2**20)
_PARENT_DIED: Final = 1


def use_processor(share: float) -> None:
    """Busy for this share of each slice of time, for ever."""
    while True:
        began_s = time.perf_counter()
        while time.perf_counter() - began_s < _SLICE_S * share:
            pass
        time.sleep(_SLICE_S * (1 - share))


def use_memory(size_bytes: int) -> None:
    """Hold so many bytes, every page of them touched, for ever."""
    held = bytearray(size_bytes)
    page = os.sysconf("SC_PAGE_SIZE")
    held[::page] = b"\1" * len(held[::page])
    print("working", flush=True)
    while True:
        signal.pause()


def use_disk(share: float, file: Path) -> None:
    """Write for this share of the time, for ever. The file has no name: it goes with the process."""
    with contextlib.closing(_Nameless(file)) as nameless:
        while True:
            began_s = time.perf_counter()
            nameless.write()
            busy_s = time.perf_counter() - began_s
            time.sleep(busy_s * (1 - share) / share)


class _Nameless:
    def __init__(self, file: Path) -> None:
        self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        file.unlink()
        self._place = 0

    def write(self) -> None:
        os.pwrite(self._descriptor, _PIECE, self._place)
        os.fsync(self._descriptor)
        self._place = (self._place + len(_PIECE)) % FILE_BYTES

    def close(self) -> None:
        os.close(self._descriptor)


def _in_child(work: Callable[[], None]) -> None:
    parent = os.getpid()
    if os.fork():
        return
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PARENT_DIED, signal.SIGKILL)
    if os.getppid() == parent:
        work()
    os._exit(0)


def main(token: str, resource: str, amount: str, folder: str) -> None:
    """Use it up until SIGTERM."""
    if resource == "memory":
        use_memory(int(amount))
    share = float(amount)
    if resource == "cpu":
        for _ in range(len(os.sched_getaffinity(0))):
            _in_child(lambda: use_processor(share))
    else:
        _in_child(lambda: use_disk(share, Path(folder, f"{token}.stress")))
    print("working", flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:5])
