"""Kilonode as another user than root, for tests that root runs."""

import contextlib
import os
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

NOBODY = 65534
SOURCE = Path(__file__).parents[2] / "src"
PATIENCE_S = 240.0


def missing() -> str:
    """Why nobody else can run Kilonode here; empty: somebody can."""
    if os.geteuid() != 0:
        return "only root can become another user"
    return "" if _interpreter() else "another user cannot read this Python, or this folder"


def command(*words: str) -> list[str]:
    """The words that run Python so."""
    found = _interpreter()
    assert found is not None
    return [found, *words]


def environment(folder: Path) -> dict[str, str]:
    """With home and state in a folder of that user, and nothing of root's."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "KILONODE_STATE": str(folder / "state"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([str(SOURCE), *site.getsitepackages()]),
        "PYTHONPYCACHEPREFIX": sys.pycache_prefix or "",
    }


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python as nobody; its words are what follows the interpreter."""
    return subprocess.run(
        command(*words), cwd=folder, env=environment(folder), user=NOBODY, group=NOBODY, extra_groups=[],
        capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip


def kilonode(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as nobody."""
    return run(folder, "-m", "kilonode.cli.main", *words)


@contextlib.contextmanager
def folder_of_nobody() -> Iterator[Path]:
    """A folder that is nobody's, with nothing above it that only root can read."""
    folder = Path(tempfile.mkdtemp(prefix="kilonode-nobody-"))
    try:
        os.chown(folder, NOBODY, NOBODY)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _interpreter() -> str | None:
    """This Python, or another of its version, that nobody can run and that finds all that this one does."""
    there = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/local/bin:/usr/bin:/bin")
    for path in filter(None, (sys.executable, there)):
        with folder_of_nobody() as folder, contextlib.suppress(OSError):
            done = subprocess.run(
                [path, "-c", "import kilonode.cli.main, msgspec, psutil"], cwd=folder, env=environment(folder),
                user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, check=False, timeout=PATIENCE_S,
            )  # fmt: skip
            if done.returncode == 0:
                return path
    return None
