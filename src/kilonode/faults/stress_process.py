"""Stress: a process that uses up processors, memory, a disk or the kernel of this machine, as much as it is told.

Started detached as `python -m kilonode.faults.stress_process TOKEN RESOURCE AMOUNT FOLDER LIFETIME PROGRAM`. PROGRAM is
stress-ng; empty: workers of our own, which cannot stress the kernel. Every worker has the token among its arguments,
ends with this process, and after LIFETIME seconds by itself. AMOUNT is a share of the time for `cpu` (of every
processor), `kernel` (of one worker of each sort for every processor) and `disk` (of one writer), bytes for `memory`. A
disk is written in FOLDER, at most `FILE_BYTES`. It says `working`. On SIGTERM it ends.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

FILE_BYTES: Final = 2**26
KERNEL: Final = ("switch", "pipe", "futex", "get")
"""How the kernel is stressed: context switches, pipes, futexes, system calls that ask it something."""
_HELD_SLICE_S: Final = 0.2
"""How long a slice is of what is held still for a part of it."""
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


def stress_ng(program: str, token: str, resource: str, amount: str, lifetime_s: int) -> list[str]:
    """The command that runs stress-ng in its folder, which is called as the token: so every worker carries it."""
    processors = str(len(os.sched_getaffinity(0)))
    workers = {
        "cpu": ["--cpu", processors, "--cpu-load", f"{float(amount) * 100:.0f}"],
        "memory": ["--vm", "1", "--vm-bytes", f"{amount}b", "--vm-keep", "--vm-hang", "0", "--vm-populate"],
        "disk": ["--hdd", "1", "--hdd-bytes", f"{FILE_BYTES}b", "--hdd-opts", "fsync"],
        "kernel": [word for sort in KERNEL for word in (f"--{sort}", processors)],
    }[resource]
    # Memory that the kernel takes back is not to be taken again and again.
    common = ["--temp-path", token, "--timeout", f"{lifetime_s}s", "--keep-name", "--oomable", "--quiet"]
    return [program, *workers, *common]


def run_stress_ng(command: list[str], folder: str, share: float) -> None:
    """Have stress-ng work for this share of each slice of time, until it ends."""
    parent = os.getpid()
    # In a session of its own, so that all of its workers can be held still at once.
    process = subprocess.Popen(
        command, cwd=folder, start_new_session=True, stdin=subprocess.DEVNULL, preexec_fn=_end_with_parent
    )

    def end(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if os.getpid() == parent:
            os._exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGALRM, end)
    print("working", flush=True)
    while process.poll() is None:
        time.sleep(_SLICE_S if share == 1 else _HELD_SLICE_S * share)
        if share < 1:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGSTOP)
                time.sleep(_HELD_SLICE_S * (1 - share))
                os.killpg(process.pid, signal.SIGCONT)
    end()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PARENT_DIED, signal.SIGKILL)


def _in_child(work: Callable[[], None]) -> None:
    parent = os.getpid()
    if os.fork():
        return
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _end_with_parent()
    if os.getppid() == parent:
        work()
    os._exit(0)


def main(token: str, resource: str, amount: str, folder: str, lifetime_s: str, program: str) -> None:
    """Use it up until SIGTERM, or until its lifetime is over."""
    signal.alarm(int(lifetime_s))
    if program:
        own = Path(folder, token)
        own.mkdir(mode=0o700, exist_ok=True)
        held = float(amount) if resource in ("disk", "kernel") else 1.0
        run_stress_ng(stress_ng(program, token, resource, amount, int(lifetime_s)), folder, held)
        return
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
    main(*sys.argv[1:7])
