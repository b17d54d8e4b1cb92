"""Workers with tenants, on the emulated cloud in simulated time."""

import asyncio
from pathlib import Path

import msgspec

from kilonode.base.clock import SimulatedClock
from kilonode.base.outcomes import Outcome
from kilonode.base.units import Duration, Rate
from kilonode.clients.application import ApplicationTransport
from kilonode.clients.openstack.access import Access
from kilonode.cloud.access import access_facts
from kilonode.cloud.context import CloudSettings
from kilonode.cloud.simulated import SimulatedCloud
from kilonode.load.models import ConstantArrivalRate
from kilonode.scenarios.declaration import scenario
from kilonode.scenarios.iteration import Iteration
from kilonode.scenarios.tenant import Tenant
from tests.load.conducting import conduct, workload

seen: dict[int, tuple[str, str, bool]] = {}


@scenario("tests.who")
async def who_am_i(it: Iteration) -> None:
    """Look who the iteration is."""
    assert it.tenant is not None
    listing = await it.cloud.identity.get("/auth/projects")
    seen[it.number] = (it.tenant.user_id, it.cloud.user_id, bool(listing["projects"]))


async def tenants(cloud: SimulatedCloud) -> list[Tenant]:
    """The first users of a new cloud."""
    return [
        Tenant(Access(**msgspec.structs.asdict(access_facts(cloud.settings, user))), "", user)
        for user in ("admin", "demo")
    ]


async def test_iteration_n_runs_as_tenant_n_modulo_their_number(tmp_path: Path) -> None:
    clock = SimulatedClock(asyncio.get_running_loop())
    seen.clear()
    async with SimulatedCloud(CloudSettings(nodes=1, seed=5), clock) as cloud:
        both = await tenants(cloud)
        run = await conduct(
            tmp_path,
            workload(ConstantArrivalRate(rate=Rate(10), duration=Duration(1)), scenario_name="tests.who"),
            workers=3,
            tenants=(*both, both[0]),
            open_transport=lambda _: ApplicationTransport(cloud.application),
        )
    assert [op.outcome for op in run.iterations()] == [Outcome.OK] * 10
    assert [seen[number][0] for number in range(10)] == ["admin", "demo", "admin"] * 3 + ["admin"]
    by_name = {name: {seen[number][1] for number in range(10) if seen[number][0] == name} for name in ("admin", "demo")}
    assert all(len(ids) == 1 for ids in by_name.values())
    assert by_name["admin"] != by_name["demo"]
