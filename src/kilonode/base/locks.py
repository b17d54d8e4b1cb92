"""Locks between processes, by files: one command at a time changes what a folder of state stands for.

A lock is the kernel's (`flock`): it ends with the process that holds it, however that ends. It never waits.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kilonode.base.errors import InputError


@contextmanager
def hold(lock: Path, taken: str, hint: str) -> Iterator[None]:
    """Hold the lock file `lock`, which is made when it is missing. Raises InputError `taken` when another has it."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not lock.exists() or not os.path.samestat(os.fstat(descriptor), lock.stat()):
            raise BlockingIOError  # who had it has just removed it with what it stood for
    except (BlockingIOError, FileNotFoundError):
        os.close(descriptor)
        raise InputError(taken, where=str(lock.parent), hint=hint) from None
    try:
        yield
    finally:
        os.close(descriptor)
