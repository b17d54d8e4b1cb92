"""Workers with tenants, on the emulated cloud in simulated time."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.base.units import Duration, Rate
from kilonode.clients.application import ApplicationTransport
from kilonode.clients.openstack.access import Access
from kilonode.clients.transport import Transport
from kilonode.cloud.access import access_facts
from kilonode.cloud.context import CloudSettings
from kilonode.cloud.simulated import SimulatedCloud
from kilonode.load.connections import Connections
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


async def test_equal_settings_share_a_transport_and_equal_accesses_a_login() -> None:
    clock = SimulatedClock(asyncio.get_running_loop())
    opened: list[Transport] = []
    async with SimulatedCloud(CloudSettings(nodes=1, seed=5), clock) as cloud:

        def open_transport(_: Access | None) -> Transport:
            opened.append(ApplicationTransport(cloud.application))
            return opened[-1]

        both = await tenants(cloud)
        connections = Connections(clock, open_transport)
        made = await connections.connect([*both, *both], ["compute"])
        other = msgspec.structs.replace(both[0].access, verify=False)
        connections.transport(other)
        await connections.close()
    assert [made[2] is made[0], made[3] is made[1], made[0] is made[1]] == [True, True, False]
    assert all(one.connected for one in made)
    assert len(opened) == 2


async def test_a_login_that_fails_is_raised_as_it_is() -> None:
    clock = SimulatedClock(asyncio.get_running_loop())
    async with SimulatedCloud(CloudSettings(nodes=1, seed=5), clock) as cloud:
        good, other = await tenants(cloud)
        bad = msgspec.structs.replace(other, access=msgspec.structs.replace(other.access, password="wrong-password"))
        connections = Connections(clock, lambda _: ApplicationTransport(cloud.application))
        with pytest.raises(OperationError) as caught:
            await connections.connect([good, bad], [])
        await connections.close()
    assert caught.value.outcome == Outcome.HTTP_4XX
    assert "wrong-password" not in str(caught.value)
