import asyncio
from collections import Counter
from ipaddress import IPv4Network
from itertools import combinations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import InputError, OperationError
from kilonode.base.simulation import run_coroutine_simulated
from kilonode.base.units import Size
from kilonode.run.artefacts import image_data
from kilonode.run.experiment import ComputeQuotas, FlavorSpec, ImageSpec, Quotas, Setup
from kilonode.run.naming import run_of
from kilonode.run.setup import Prepared, prepare
from tests.run.fake_cloud import ADMIN, FakeCloud, fail_with_status
from tests.run.recorder import Recorder

RUN = "0badcafe"
FULL = Setup(
    projects=3,
    users_per_project=2,
    networks_per_project=2,
    subnets_per_network=2,
    routers_per_project=1,
    security_group_rules=3,
    flavors={"tiny": FlavorSpec(vcpus=2, memory=Size(64 * 2**20), disk=Size(2**30), properties={"a": "b"})},
    images={"blank": ImageSpec(size=Size(300_000)), "disk": ImageSpec(size=Size(100), disk_format="qcow2")},
)


def new_cloud(administrator: bool = True) -> tuple[FakeCloud, Recorder]:
    clock = SimulatedClock(asyncio.get_running_loop())
    return FakeCloud(clock, administrator=administrator), Recorder()


async def prepared(cloud: FakeCloud, recorder: Recorder, setup: Setup) -> Prepared:
    return await prepare(ADMIN, cloud.connect, setup, RUN, cloud.clock, recorder)


async def test_a_full_setup_makes_everything_once_and_names_it() -> None:
    cloud, recorder = new_cloud()
    external = cloud.add("networks", name="public", **{"router:external": True})
    before = Counter(cloud.names())
    ready = await prepared(cloud, recorder, FULL)
    made = Counter(cloud.names()) - before
    own = {collection: 0 for collection, _ in made}
    for collection, name in made:
        if name not in ("default", ""):
            assert run_of(name) == RUN, (collection, name)
            own[collection] += 1
    assert own == {
        "projects": 3, "users": 6, "networks": 6, "subnets": 12, "routers": 3, "security-groups": 3, "flavors": 1,
        "images": 2, "ports": 0,
    }  # fmt: skip
    assert len(ready.tenants) == 6
    assert len({tenant.user_id for tenant in ready.tenants}) == 6
    assert {tenant.external_network for tenant in ready.tenants} == {external}
    for tenant in ready.tenants:
        assert (len(tenant.networks), len(tenant.subnets), len(tenant.routers), len(tenant.security_groups)) == (
            2,
            4,
            1,
            1,
        )
        assert cloud.items["networks"][tenant.networks[0]]["project_id"] == tenant.project_id
        assert (await cloud.connect(tenant.access)).project_id == tenant.project_id
    assert len(cloud.items["security-group-rules"]) == 9


async def test_neighbouring_tenants_are_of_different_projects() -> None:
    cloud, recorder = new_cloud()
    ready = await prepared(cloud, recorder, Setup(projects=3, users_per_project=2))
    projects = [tenant.project_id for tenant in ready.tenants]
    assert len(set(projects[:3])) == 3
    assert projects[:3] == projects[3:]


async def test_no_two_subnets_of_a_run_overlap() -> None:
    cloud, recorder = new_cloud()
    await prepared(cloud, recorder, FULL)
    ranges = [IPv4Network(subnet["cidr"]) for subnet in cloud.items["subnets"].values()]
    assert len(ranges) == 12
    assert not any(one.overlaps(other) for one, other in combinations(ranges, 2))


async def test_flavors_and_images_are_what_was_asked_for() -> None:
    cloud, recorder = new_cloud()
    ready = await prepared(cloud, recorder, FULL)
    flavor = cloud.items["flavors"][ready.flavors["tiny"]]
    assert (flavor["vcpus"], flavor["ram"], flavor["disk"], flavor["extra_specs"]) == (2, 64, 1, {"a": "b"})
    assert {name: cloud.uploaded[item_id] for name, item_id in ready.images.items()} == {"blank": 300_000, "disk": 100}
    assert cloud.items["images"][ready.images["disk"]]["visibility"] == "public"


async def test_quotas_of_new_projects_are_unlimited_unless_said_otherwise() -> None:
    cloud, recorder = new_cloud()
    ready = await prepared(cloud, recorder, Setup(projects=1))
    project = ready.tenants[0].project_id
    assert set(cloud.quotas) == {(service, project) for service in ("compute", "network", "volume")}
    assert cloud.quotas["compute", project] == {"instances": -1, "cores": -1, "ram": -1}
    assert cloud.quotas["network", project] == {"network": -1, "port": -1}
    cloud, recorder = new_cloud()
    await prepared(cloud, recorder, Setup(projects=1, quotas="unchanged"))
    assert cloud.quotas == {}
    cloud, recorder = new_cloud()
    ready = await prepared(cloud, recorder, Setup(projects=1, quotas=Quotas(compute=ComputeQuotas(cores=8))))
    assert cloud.quotas == {("compute", ready.tenants[0].project_id): {"cores": 8}}


async def test_users_of_made_projects_are_put_on_shared_networks_and_never_on_the_administrators_own() -> None:
    cloud, recorder = new_cloud()
    cloud.add("networks", name="mine", project_id="p-own", subnets=["s"])
    shared = cloud.add("networks", name="shared", shared=True, subnets=["s"])
    ready = await prepared(cloud, recorder, Setup(projects=1))
    assert [tenant.networks for tenant in ready.tenants] == [(shared,)]


async def test_without_projects_the_load_runs_as_the_clouds_own_user() -> None:
    cloud, recorder = new_cloud(administrator=False)
    own = cloud.add("networks", name="mine", project_id="p-own", subnets=["s"])
    shared = cloud.add("networks", name="shared", shared=True, subnets=["s"])
    cloud.add("networks", name="foreign", project_id="p-other", subnets=["s"])
    cloud.add("networks", name="without addresses", project_id="p-own", subnets=[])
    ready = await prepared(cloud, recorder, Setup())
    (tenant,) = ready.tenants
    assert (tenant.project_id, tenant.user_id, tenant.access) == ("p-own", "u-own", ADMIN)
    assert own in tenant.networks
    assert set(tenant.networks) <= {own, shared}
    assert cloud.quotas == {}
    assert not any(method == "POST" and "auth" not in path for method, path in cloud.requests)


async def test_without_projects_networks_are_made_in_the_own_project() -> None:
    cloud, recorder = new_cloud(administrator=False)
    ready = await prepared(cloud, recorder, Setup(networks_per_project=1))
    assert cloud.items["networks"][ready.tenants[0].networks[0]]["project_id"] == "p-own"


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        (Setup(projects=1), "setup.projects: this user of the cloud may not see roles"),
        (Setup(flavors={"f": FlavorSpec()}), "setup.flavors.f: this user of the cloud may not make flavors"),
    ],
)
async def test_a_user_who_may_not_is_told_so(setup: Setup, said: str) -> None:
    cloud, recorder = new_cloud(administrator=False)
    with pytest.raises(InputError) as caught:
        await prepared(cloud, recorder, setup)
    assert said in str(caught.value)
    assert "hint:" in str(caught.value)


async def test_a_role_or_network_that_is_not_there_is_named() -> None:
    cloud, recorder = new_cloud()
    with pytest.raises(InputError, match="no role 'Member'"):
        await prepared(cloud, recorder, Setup(projects=1, roles=("Member",)))
    with pytest.raises(InputError, match="no external network 'publik'"):
        await prepared(cloud, recorder, Setup(external_network="publik"))


async def test_every_action_is_recorded_with_its_time() -> None:
    cloud, recorder = new_cloud()
    await prepared(cloud, recorder, FULL)
    counted = Counter((op.workload, op.step) for op in recorder.ops)
    assert counted == {
        ("projects", "create"): 3, ("users", "create"): 6, ("users", "assign_role"): 6, ("quotas", "compute"): 3,
        ("quotas", "network"): 3, ("quotas", "volume"): 3, ("networks", "create"): 6, ("subnets", "create"): 12,
        ("routers", "create"): 3, ("routers", "add_interface"): 12, ("security_groups", "create"): 3,
        ("security_group_rules", "create"): 9, ("flavors", "create"): 1, ("flavors", "set_properties"): 1,
        ("images", "create"): 2, ("images", "upload"): 2, ("images", "activate"): 2,
    }  # fmt: skip
    assert all(op.kind == "setup" and op.outcome == "ok" and op.finished_ns > op.started_ns for op in recorder.ops)


async def test_projects_are_made_at_once_but_not_more_than_asked() -> None:
    async def needed_s(concurrency: int) -> float:
        cloud, recorder = new_cloud()
        started = cloud.clock.now_ns()
        await prepared(cloud, recorder, Setup(projects=40, concurrency=concurrency))
        return (cloud.clock.now_ns() - started) / 1e9

    one, four = await needed_s(1), await needed_s(4)
    assert 3.0 < one / four < 4.1


async def test_a_failure_ends_setup_with_its_reason_and_is_recorded() -> None:
    cloud, recorder = new_cloud()
    cloud.before_write = fail_with_status(20)
    with pytest.raises(OperationError, match="out of order"):
        await prepared(cloud, recorder, FULL)
    assert [op.outcome for op in recorder.ops].count("http_5xx") == 1


async def test_passwords_stay_out_of_everything_that_is_written_down() -> None:
    cloud, recorder = new_cloud()
    ready = await prepared(cloud, recorder, FULL)
    passwords = {user["password"] for user in cloud.items["users"].values()}
    assert len(passwords) == 7
    shown = repr(ready) + repr(recorder.ops)
    assert not any(password in shown for password in passwords)


@given(st.sampled_from(["raw", "qcow2"]), st.integers(0, 700_000))
def test_an_image_has_exactly_as_many_bytes_as_asked(disk_format: str, size: int) -> None:
    async def read() -> bytes:
        return b"".join([chunk async for chunk in image_data(disk_format, Size(size))])

    data = run_coroutine_simulated(read())
    assert len(data) == size
    assert data[:4] in (b"QFI\xfb"[:size], bytes(min(4, size)))


def test_the_setup_record_has_plain_defaults() -> None:
    assert msgspec.to_builtins(Setup()) == {}
