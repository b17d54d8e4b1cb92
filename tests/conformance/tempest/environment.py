"""Tempest's environment: built once from the pinned requirements, apart from Kilonode's, kept in the checkout."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from kilonode.base.errors import InputError
from kilonode.base.locks import hold

PATH: Final = Path(__file__).parents[3] / ".conformance-venv"
REQUIREMENTS: Final = Path(__file__).with_name("requirements.txt")
_MARK: Final = PATH / ".installed"
_TIMEOUT_S: Final = 900


def program(name: str) -> Path:
    """A program in the environment."""
    return PATH / "bin" / name


def packages() -> Path:
    """Where Tempest itself lies."""
    return next((PATH / "lib").glob("python3.*/site-packages"))


def version() -> str:
    """Tempest's version, as the requirements pin it."""
    lines = REQUIREMENTS.read_text().splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith("tempest=="))


def build() -> None:
    """Install, unless what is there is what the requirements ask for. Raises InputError when it cannot be had."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    with hold(PATH.with_name(f"{PATH.name}.lock"), "another command is installing Tempest at this moment", "wait"):
        if _MARK.exists() and _MARK.read_text() == wanted:
            return
        shutil.rmtree(PATH, ignore_errors=True)
        installer = Path(sys.executable).with_name("uv")
        found = str(installer) if installer.exists() else shutil.which("uv")
        if found is None:
            raise InputError("uv, which installs Tempest, is missing", expected=f"{installer}, or uv on the PATH")
        _run([found, "venv", "--quiet", "--python", sys.executable, str(PATH)])
        _run([found, "pip", "install", "--quiet", "--python", str(program("python")), "-r", str(REQUIREMENTS)])
        _MARK.write_text(wanted)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise InputError("Tempest cannot be installed", got=f"no end after {_TIMEOUT_S} s") from error
    if done.returncode:
        raise InputError("Tempest cannot be installed", got=done.stderr.strip()[-500:], hint="is PyPI reachable?")
