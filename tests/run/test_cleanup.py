import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import InputError, OperationError
from kilonode.base.simulation import run_coroutine_simulated
from kilonode.run.cleanup import CleanupReport, clean
from kilonode.run.experiment import FlavorSpec, ImageSpec, Setup
from kilonode.run.leftovers import find_leftovers
from kilonode.run.naming import run_of
from kilonode.run.setup import Prepared, prepare
from tests.run.fake_cloud import ADMIN, FakeCloud, fail_with_status, lose_answer
from tests.run.recorder import Recorder

RUN = "0badcafe"
OTHER = "deadbeef"
SMALL = Setup(
    projects=2,
    networks_per_project=1,
    routers_per_project=1,
    security_group_rules=1,
    flavors={"f": FlavorSpec()},
    images={"i": ImageSpec()},
)
FOREIGN_NAMES = [
    f"kn-{OTHER}-network-0", "kn-", "kn-network", "kn-0badcafe", "kn-0badcafe-", "kn-0badcaf-x", "kn-0badcafe0-x",
    "kn-0BADCAFE-x", "xkn-0badcafe-x", "kn_0badcafe_x", "KN-0badcafe-x", "0badcafe", "web server", "default", "",
]  # fmt: skip
COLLECTIONS = [
    "servers", "volumes", "flavors", "projects", "users", "networks", "subnets", "ports", "routers", "floatingips",
    "security-groups", "os-keypairs", "images",
]  # fmt: skip


def new_cloud(administrator: bool = True) -> tuple[FakeCloud, Recorder]:
    clock = SimulatedClock(asyncio.get_running_loop())
    return FakeCloud(clock, administrator=administrator), Recorder()


async def cleaned(cloud: FakeCloud, recorder: Recorder, timeout_s: float = 900) -> CleanupReport:
    return await clean(await cloud.connect(ADMIN), RUN, cloud.clock, recorder, timeout_s=timeout_s)


def add_foreign(cloud: FakeCloud, collection: str, name: str) -> None:
    fields: dict[str, Any] = {"name": name, "description": name, "project_id": "p-foreign", "network_id": "n-foreign"}
    cloud.add(collection, **fields, user_id="u-own")


@pytest.mark.parametrize("filters_names", [True, False])
async def test_of_a_large_cloud_only_what_bears_the_runs_name_is_read_where_the_service_can_tell(
    filters_names: bool,
) -> None:
    cloud, recorder = new_cloud()
    cloud.filters_names = filters_names
    ready = await prepare(ADMIN, cloud.connect, SMALL, RUN, cloud.clock, recorder)
    add_load(cloud, ready)
    for number in range(50):
        for collection in ("servers", "users", "projects"):
            cloud.add(collection, name=f"web-{number}", project_id="p-foreign")
    found = await find_leftovers(await cloud.connect(ADMIN), RUN)
    kinds = Counter(leftover.kind for leftover in found.leftovers)
    assert kinds["server"] == cloud.listed["servers"] > 0
    for kind, collection in (("user", "users"), ("project", "projects")):
        assert kinds[kind] >= 2
        assert (cloud.listed[collection] == kinds[kind]) is filters_names
    assert (await cleaned(cloud, recorder)).complete
    assert sum(name.startswith("web-") for name in (item["name"] for item in cloud.items["servers"].values())) == 50


def add_load(cloud: FakeCloud, ready: Prepared) -> None:
    """What iterations leave behind when they are cut off."""
    for number, tenant in enumerate(ready.tenants):
        prefix = f"kn-{RUN}-boots-{number}"
        owner = {"project_id": tenant.project_id}
        network = tenant.networks[0]
        server = cloud.add("servers", name=f"{prefix}-server", **owner)
        cloud.add("ports", name="", network_id=network, device_id=server, device_owner="compute:nova", **owner)
        cloud.add("ports", name="", network_id=network, device_id=server, stuck=True, **owner)
        cloud.add("ports", name="", network_id=network, device_id="", **owner)
        cloud.add("ports", name=f"{prefix}-port", network_id=network, device_id="", **owner)
        cloud.add("volumes", name=f"{prefix}-volume", server_id=server, **owner)
        cloud.add("floatingips", description=f"{prefix}-floating-ip", floating_ip_address="203.0.113.1", **owner)
        cloud.add("floatingips", description="", floating_ip_address="203.0.113.2", **owner)
        cloud.add("os-keypairs", name=f"{prefix}-key", user_id=tenant.user_id)
        cloud.add("users", name=f"{prefix}-user")


async def test_everything_a_run_made_goes_and_nothing_else() -> None:
    cloud, recorder = new_cloud()
    for collection in COLLECTIONS:
        for name in FOREIGN_NAMES:
            add_foreign(cloud, collection, name)
    before = Counter(cloud.names())
    ready = await prepare(ADMIN, cloud.connect, SMALL, RUN, cloud.clock, recorder)
    add_load(cloud, ready)
    report = await cleaned(cloud, recorder)
    assert report.complete
    assert report.problems == ()
    assert Counter(cloud.names()) == before
    assert cloud.quotas == {}
    assert report.deleted == {
        "server": 2, "floating_ip": 4, "volume": 2, "router": 2, "port": 2, "subnet": 2, "network": 2, "keypair": 2,
        "security_group": 4, "image": 1, "flavor": 1, "user": 4, "project": 2,
    }  # fmt: skip


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(COLLECTIONS), st.sampled_from(FOREIGN_NAMES)), max_size=12),
    st.integers(0, 60),
    st.booleans(),
)
def test_a_setup_cut_anywhere_is_found_and_cleaned(foreign: list[tuple[str, str]], cut: int, lost: bool) -> None:
    async def run() -> None:
        cloud, recorder = new_cloud()
        for collection, name in foreign:
            add_foreign(cloud, collection, name)
        before = Counter(cloud.names())
        if lost:
            cloud.after_write = lose_answer(cut)
        else:
            cloud.before_write = fail_with_status(cut)
        try:
            await prepare(ADMIN, cloud.connect, SMALL, RUN, cloud.clock, recorder)
        except OperationError:
            pass
        cloud.after_write = cloud.before_write = lambda number: None
        report = await cleaned(cloud, recorder)
        assert report.complete
        assert Counter(cloud.names()) == before

    run_coroutine_simulated(run())


@settings(max_examples=40)
@given(st.sets(st.integers(0, 60), max_size=4))
def test_lists_that_fail_now_and_then_do_not_end_the_cleanup(at: set[int]) -> None:
    async def run() -> None:
        cloud, recorder = new_cloud()
        before = Counter(cloud.names())
        ready = await prepare(ADMIN, cloud.connect, SMALL, RUN, cloud.clock, recorder)
        add_load(cloud, ready)
        connection = await cloud.connect(ADMIN)
        reads = len([method for method, _ in cloud.requests if method == "GET"])
        cloud.before_read = fail_with_status(*(reads + number for number in at))
        assert (await clean(connection, RUN, cloud.clock, recorder)).complete
        assert Counter(cloud.names()) == before

    run_coroutine_simulated(run())


async def test_a_cloud_that_does_not_answer_ends_the_cleanup_with_its_words() -> None:
    cloud, recorder = new_cloud()
    connection = await cloud.connect(ADMIN)
    cloud.before_read = fail_with_status(*range(1000))
    with pytest.raises(OperationError, match="out of order"):
        await clean(connection, RUN, cloud.clock, recorder)
    assert len([method for method, _ in cloud.requests if method == "GET"]) < 100


@settings(max_examples=40)
@given(st.integers(0, 80), st.booleans())
def test_a_deletion_that_fails_is_tried_again(at: int, lost: bool) -> None:
    async def run() -> None:
        cloud, recorder = new_cloud()
        before = Counter(cloud.names())
        ready = await prepare(ADMIN, cloud.connect, SMALL, RUN, cloud.clock, recorder)
        add_load(cloud, ready)
        first = len([op for op in recorder.ops if op.kind == "setup"])
        if lost:
            cloud.after_write = lose_answer(first + at)
        else:
            cloud.before_write = fail_with_status(first + at)
        report = await cleaned(cloud, recorder)
        assert report.complete
        assert Counter(cloud.names()) == before

    run_coroutine_simulated(run())


async def test_servers_are_gone_before_what_they_use_is_deleted() -> None:
    cloud, recorder = new_cloud()
    ready = await prepare(ADMIN, cloud.connect, SMALL, RUN, cloud.clock, recorder)
    add_load(cloud, ready)
    await cleaned(cloud, recorder)
    ops = [op for op in recorder.ops if op.kind == "cleanup"]
    last_server = max(op.finished_ns for op in ops if op.workload == "servers")
    assert min(op.started_ns for op in ops if op.workload in ("ports", "networks", "volumes")) > last_server


async def test_cleaning_twice_is_as_good_as_once() -> None:
    cloud, recorder = new_cloud()
    await prepare(ADMIN, cloud.connect, SMALL, RUN, cloud.clock, recorder)
    assert (await cleaned(cloud, recorder)).deleted
    again = await cleaned(cloud, recorder)
    assert again.complete
    assert again.deleted == {}


async def test_a_network_with_a_foreign_port_stays_and_is_reported() -> None:
    cloud, recorder = new_cloud()
    ready = await prepare(ADMIN, cloud.connect, SMALL, RUN, cloud.clock, recorder)
    network = ready.tenants[0].networks[0]
    foreign = [
        cloud.add("ports", name="mine", network_id=network, device_id="", project_id="p-foreign"),
        cloud.add("ports", name="", network_id=network, device_id="foreign-server", project_id="p-foreign"),
    ]
    report = await cleaned(cloud, recorder, timeout_s=30)
    assert all(port in cloud.items["ports"] for port in foreign)
    assert [(leftover.kind, leftover.id) for leftover in report.remaining] == [
        ("network", network),
        ("project", ready.tenants[0].project_id),
    ]
    assert any("ports on it" in problem for problem in report.problems)


async def test_what_cannot_be_deleted_is_reported_after_the_time_is_up() -> None:
    cloud, recorder = new_cloud()
    cloud.add("volumes", name=f"kn-{RUN}-x-0-volume", server_id="u", project_id="p-own")
    cloud.items["servers"]["u"] = {"id": "u", "name": "foreign", "project_id": "p-own"}
    started = cloud.clock.now_ns()
    report = await cleaned(cloud, recorder, timeout_s=30)
    assert not report.complete
    assert [leftover.name for leftover in report.remaining] == [f"kn-{RUN}-x-0-volume"]
    assert any("in use" in problem for problem in report.problems)
    assert cloud.clock.now_ns() - started < 60e9


async def test_snapshots_go_before_the_volumes_that_they_are_of() -> None:
    cloud, recorder = new_cloud()
    volume = cloud.add("volumes", name=f"kn-{RUN}-x-0-volume", project_id="p-own")
    cloud.add("snapshots", name=f"kn-{RUN}-x-0-snapshot", project_id="p-own", volume_id=volume)
    report = await cleaned(cloud, recorder)
    assert (report.complete, report.deleted) == (True, {"snapshot": 1, "volume": 1})


async def test_without_the_right_to_administer_the_own_project_is_cleaned_and_the_rest_said() -> None:
    cloud, recorder = new_cloud(administrator=False)
    await prepare(ADMIN, cloud.connect, Setup(networks_per_project=1), RUN, cloud.clock, recorder)
    cloud.add("servers", name=f"kn-{RUN}-x-0-server", project_id="p-own")
    cloud.add("os-keypairs", name=f"kn-{RUN}-x-0-key", user_id="u-own")
    report = await cleaned(cloud, recorder)
    assert report.complete
    assert report.deleted == {"server": 1, "subnet": 1, "network": 1, "keypair": 1}
    assert [text.split(":")[0] for text in report.unseen] == ["project", "user"]


async def test_leftovers_of_every_run_are_told_apart() -> None:
    cloud, recorder = new_cloud()
    await prepare(ADMIN, cloud.connect, Setup(projects=1), RUN, cloud.clock, recorder)
    await prepare(ADMIN, cloud.connect, Setup(projects=2), OTHER, cloud.clock, recorder)
    for collection in COLLECTIONS:
        for name in FOREIGN_NAMES[1:]:
            add_foreign(cloud, collection, name)
    connection = await cloud.connect(ADMIN)
    found = await find_leftovers(connection)
    counted = Counter((leftover.run_id, leftover.kind) for leftover in found.leftovers)
    assert counted == {
        (RUN, "project"): 1, (RUN, "user"): 1, (RUN, "security_group"): 1,
        (OTHER, "project"): 2, (OTHER, "user"): 2, (OTHER, "security_group"): 2,
    }  # fmt: skip
    assert all(leftover.kind == "security_group" or run_of(leftover.name) for leftover in found.leftovers)
    only = await find_leftovers(connection, OTHER)
    assert {leftover.run_id for leftover in only.leftovers} == {OTHER}


async def test_what_is_no_run_id_deletes_nothing() -> None:
    cloud, recorder = new_cloud()
    connection = await cloud.connect(ADMIN)
    for run_id in ("", "kn", "0badcaf", "0badcafe-"):
        with pytest.raises(InputError, match="not a run id"):
            await clean(connection, run_id, cloud.clock, recorder)
    assert not any(method == "DELETE" for method, _ in cloud.requests)


@pytest.mark.parametrize("write", [0, 3, 8])
async def test_what_was_asked_for_last_and_appears_during_cleanup_goes_too(write: int) -> None:
    cloud, recorder = new_cloud()
    before = cloud.names()
    ready = await prepare(ADMIN, cloud.connect, SMALL, RUN, cloud.clock, recorder)
    tenant = ready.tenants[0]
    first = len([method for method, _ in cloud.requests if method != "GET"])

    def appear(number: int) -> None:
        if number == first + write:
            owner = {"project_id": tenant.project_id}
            server = cloud.add("servers", name=f"kn-{RUN}-boots-9-server", **owner)
            cloud.add("ports", name="", network_id=tenant.networks[0], device_id=server, **owner)

    cloud.before_write = appear
    report = await cleaned(cloud, recorder)
    assert report.complete, report
    assert report.deleted["server"] == 1
    assert cloud.names() == before
