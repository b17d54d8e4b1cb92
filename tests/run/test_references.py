import asyncio
from pathlib import Path

import pytest

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import InputError
from kilonode.run.experiment import Experiment
from kilonode.run.reading import read_text
from kilonode.run.references import missing_from_cloud, resolve_references
from kilonode.run.setup import Prepared
from tests.run.fake_cloud import ADMIN, FakeCloud

TEXT = """
name: references
cloud: {openstack: fake}
setup: {flavors: {own: {}}}
workloads:
  boots:
    scenario: compute.boot
    args: {flavor: m1.tiny, image: cirros}
    load: {model: constant-vus, vus: 1, duration: 1s}
  owns:
    scenario: compute.boot
    args: {flavor: own, image: i-2}
    load: {model: constant-vus, vus: 1, duration: 1s}
  lists:
    scenario: compute.list_servers
    args: {detailed: false}
    load: {model: constant-vus, vus: 1, duration: 1s}
"""


def experiment(*sets: str) -> Experiment:
    return read_text(TEXT, Path("file.yaml"), sets).points[0].experiment


def new_cloud() -> FakeCloud:
    cloud = FakeCloud(SimulatedClock(asyncio.get_running_loop()))
    cloud.add("flavors", id="f-1", name="m1.tiny")
    cloud.add("flavors", id="f-2", name="m1.small")
    cloud.add("images", id="i-1", name="cirros")
    cloud.add("images", id="i-2", name="debian")
    cloud.add("images", id="i-3", name="debian")
    return cloud


async def test_names_become_ids_once_for_all_workloads() -> None:
    cloud = new_cloud()
    connection = await cloud.connect(ADMIN)
    ready = await resolve_references(connection, experiment(), Prepared((), {"own": "f-9"}))
    assert ready.arguments == {
        "boots": {"flavor": "f-1", "image": "i-1"},
        "owns": {"flavor": "f-9", "image": "i-2"},
        "lists": {"detailed": False},
    }
    assert len([path for method, path in cloud.requests if method == "GET" and "flavors" in path]) == 1


async def test_everything_that_is_missing_is_named_at_once_with_what_there_is() -> None:
    connection = await new_cloud().connect(ADMIN)
    wrong = experiment(
        "workloads.boots.args.flavor=m1.tny", "workloads.owns.args.image=debian", "workloads.boots.args.image=x"
    )
    with pytest.raises(InputError) as caught:
        await resolve_references(connection, wrong, Prepared(()))
    assert [problem.path for problem in caught.value.problems] == [
        "workloads.boots.args.flavor",
        "workloads.boots.args.image",
        "workloads.owns.args.flavor",
        "workloads.owns.args.image",
    ]
    first, second, _, fourth = caught.value.problems
    assert first.hint == "did you mean 'm1.tiny'?"
    assert second.expected == "one of cirros, debian"
    assert fourth.what == "2 images are called 'debian'"


async def test_what_setup_will_make_is_not_missing() -> None:
    connection = await new_cloud().connect(ADMIN)
    assert await missing_from_cloud(connection, experiment()) == []


async def test_a_service_that_the_cloud_has_not_is_named() -> None:
    connection = await new_cloud().connect(ADMIN)
    problems = await missing_from_cloud(
        connection,
        experiment(
            "workloads.lists={scenario: placement.allocation_candidates, "
            "load: {model: constant-vus, vus: 1, duration: 1s}}"
        ),
    )
    assert [problem.what for problem in problems] == ["the cloud has no placement service"]
