"""Documents that are replaced as a whole: a reader, or a crash of process or machine, sees the old or the new one."""

import os
from pathlib import Path
from typing import Final

PUBLIC: Final = 0o666
"""As the user's umask has it."""
PRIVATE: Final = 0o600
"""For files with secrets."""


def write_atomically(path: Path, data: bytes, mode: int = PUBLIC) -> None:
    """Replace the file at `path` by `data`. Raises OSError; then the old file stays, and nothing beside it.

    The process's number is in the name of what is written first, so two processes never write into one file.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
