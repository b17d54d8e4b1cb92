"""SIGKILL to the roles of a cloud under load: what it acknowledged is there afterwards, and nothing else is wrong.

The short one is part of every test run; `make soak` does a hundred kills.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.killing import run_and_kill
from tests.cli.laboratory import Laboratory

pytestmark = pytest.mark.processes


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[Laboratory]:
    laboratory = Laboratory(tmp_path)
    yield laboratory
    laboratory.discard()


def test_eight_kills_under_load_lose_nothing(laboratory: Laboratory) -> None:
    killed, created = nothing_is_lost(laboratory, kills=8, between_s=1.1, rate=5, seed=4)
    assert len(killed) >= 3, "the kills hit several processes"
    assert created >= 80


@pytest.mark.soak
@pytest.mark.parametrize("seed", [11])
def test_a_hundred_kills_under_full_load_lose_nothing(laboratory: Laboratory, seed: int) -> None:
    killed, created = nothing_is_lost(laboratory, kills=100, between_s=2.2, rate=14, seed=seed)
    assert {name.partition("-")[0] for name in killed} == {"api", "scheduler", "fleet", "controllers"}
    assert created >= 5_000


def nothing_is_lost(
    laboratory: Laboratory, *, kills: int, between_s: float, rate: int, seed: int
) -> tuple[Counter[str], int]:
    """Run, kill and judge; how often each process was killed, and how many creations were acknowledged."""
    results, killed = run_and_kill(laboratory, kills, between_s, rate=rate, seed=seed)
    consistency = results["consistency"]
    assert consistency["findings"] == []
    assert {one["breach"]: one["count"] for one in consistency["counts"]} == {
        "lost": 0, "resurrected": 0, "duplicated": 0, "stuck": 0, "leaked": 0, "overbooked": 0, "strayed": 0,
    }  # fmt: skip
    assert consistency["settled"]
    assert consistency["failed"] == 0, "no server ended in ERROR for the death of a role"
    assert consistency["unseen"] == []
    assert consistency["deleted"] > 0
    assert len(killed) == kills
    return Counter(killed), int(consistency["created"])
