"""One real cloud for all tests of this folder: 1,000 nodes, a process for each role, a durable store."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kilonode.base.errors import InputError
from kilonode.cloud.launch import CloudStatus, UpSettings, down, up
from tests.conformance.commands import OpenStackCommands
from tests.owning import these_tests

NAME = "conformance"


@pytest.fixture(scope="session")
def running_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudStatus]:
    """The cloud, up; it is down when the session ends."""
    state = tmp_path_factory.mktemp("state")
    try:
        yield asyncio.run(
            up(UpSettings(state=state, name=NAME, nodes=1_000, port=0, owner=these_tests()), lambda _: None)
        )
    finally:
        with suppress(InputError):
            asyncio.run(down(state, NAME, lambda _: None))


@pytest.fixture(scope="session")
def admin(running_cloud: CloudStatus) -> Iterator[OpenStackCommands]:
    """`openstack` as the administrator."""
    commands = OpenStackCommands(Path(running_cloud.clouds_file), NAME)
    yield commands
    commands.close()


@pytest.fixture(scope="session")
def demo(running_cloud: CloudStatus) -> Iterator[OpenStackCommands]:
    """`openstack` as an ordinary user."""
    commands = OpenStackCommands(Path(running_cloud.clouds_file), f"{NAME}-demo")
    yield commands
    commands.close()
