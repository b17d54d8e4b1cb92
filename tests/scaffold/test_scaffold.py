"""A service that the scaffold makes lints, types and answers at once, in a copy of the sources."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scaffold.__main__ import RefusedError, new_texts, words

ROOT = Path(__file__).parents[2]
COPIED = ("src", "tests", "docs", "pyproject.toml")
LEFT = shutil.ignore_patterns("__pycache__", "*.xz", "*.parquet", ".*")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=LEFT)
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program over the copy, and not over what is installed."""
    environment = {"PYTHONPATH": f"{copy / 'src'}:{copy}", "PATH": "/usr/bin:/bin", "HOME": str(copy)}
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=copy, env=environment, capture_output=True, text=True, timeout=300
    )


def test_what_it_makes_lints_types_and_answers(copy: Path) -> None:
    made = run(copy, "tests.scaffold", "dns", "zone")
    assert made.returncode == 0, made.stderr
    written = [line for line in made.stdout.splitlines() if line.endswith(".py")]
    assert "src/kilonode/cloud/openstack/dns/zones.py" in written
    for check in (
        ["ruff", "check", *written],
        ["ruff", "format", "--check", *written],
        ["pytest", "-q", "-p", "no:xdist", "tests/cloud/openstack/test_dns.py"],
        ["pytest", "-q", "-p", "no:xdist", "tests/house/test_imports.py", "-k", "down or cycle"],
        ["pytest", "-q", "-p", "no:xdist", "tests/conformance/test_coverage.py", "-k", "page"],
        ["mypy", "--no-warn-unused-ignores", "src/kilonode/cloud/openstack/dns", "tests/cloud/openstack/test_dns.py"],
    ):
        done = run(copy, *check)
        assert done.returncode == 0, (check[0], done.stdout[-3_000:], done.stderr[-1_000:])
    again = run(copy, "tests.scaffold", "dns", "zone")
    assert (again.returncode, "is there already" in again.stderr) == (2, True)


@pytest.mark.parametrize(("name", "thing"), [("Dns", "zone"), ("dns", "my zone"), ("", "zone"), ("../x", "zone")])
def test_words_that_cannot_be_names_are_refused(name: str, thing: str) -> None:
    with pytest.raises(RefusedError, match="a word of small letters"):
        words(name, thing)


def test_nothing_is_written_unless_every_place_is_found(copy: Path) -> None:
    place = copy / "src/kilonode/cloud/seed.py"
    place.write_text(place.read_text().replace('("image", "glance", "/image")', '("image", "other", "/image")'))
    with pytest.raises(RefusedError, match=r"seed\.py: the place for the new service was found 0 times"):
        new_texts(copy, words("dns", "zone"))
    assert run(copy, "tests.scaffold", "dns", "zone").returncode == 2
    assert not (copy / "src/kilonode/cloud/openstack/dns").exists()
