import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kilonode.base.clock import SimulatedClock
from kilonode.base.encoding import decode_json, encode_json
from kilonode.run.environment import (
    CloudFacts,
    Environment,
    describe_cloud,
    describe_environment,
    usable_processors,
    without_credentials,
)
from tests.run.fake_cloud import ADMIN, FakeCloud

THEN = datetime(2030, 1, 2, tzinfo=UTC)


async def test_the_environment_is_described_and_survives_being_written(tmp_path: Path) -> None:
    cloud = CloudFacts(name="mine", nodes=3, endpoints={"compute": "http://cloud/compute"})
    environment = await describe_environment(THEN, simulated=True, folder=tmp_path, cloud=cloud)
    assert decode_json(encode_json(environment), Environment) == environment
    assert environment.software.packages["kilonode"]
    assert environment.software.git_commit == ""
    assert environment.machine.memory_bytes >= environment.machine.memory_available_bytes > 0
    assert 0 < environment.machine.usable_processors <= environment.machine.processors


async def test_the_commit_of_the_folder_is_named() -> None:
    environment = await describe_environment(THEN, simulated=True, folder=Path(__file__).parent)
    assert len(environment.software.git_commit) in (0, 40)


async def test_no_variable_of_the_environment_gets_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OS_PASSWORD", "open-sesame-4711")
    environment = await describe_environment(THEN, simulated=True, folder=tmp_path)
    assert b"open-sesame-4711" not in encode_json(environment)


async def test_a_cloud_is_described_as_far_as_it_shows_itself() -> None:
    cloud = FakeCloud(SimulatedClock(asyncio.get_running_loop()))
    facts = await describe_cloud(await cloud.connect(ADMIN), name="fake", emulated=False)
    assert facts.name == "fake"
    assert facts.nodes is None
    assert facts.endpoints["compute"] == "http://cloud/compute/v2.1"
    assert set(facts.endpoints) == {"identity", "compute", "network", "image", "volume"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://cloud:5000/v3", "https://cloud:5000/v3"),
        ("https://user:secret@cloud:5000/v3", "https://cloud:5000/v3"),
        ("http://cloud/a?token=secret#secret", "http://cloud/a"),
    ],
)
def test_urls_lose_their_credentials(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


def test_some_processor_can_be_used() -> None:
    assert usable_processors() > 0
