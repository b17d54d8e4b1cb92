"""Schedulers side by side: each has its share, and nobody's share waits for ever."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.clock import SimulatedClock
from kilonode.base.simulation import run_coroutine_simulated
from kilonode.cloud.context import Cloud, CloudSettings
from kilonode.cloud.liveness import beat_for_ever
from kilonode.cloud.openstack.compute import placing
from kilonode.cloud.resources import HEARTBEAT, Heartbeat
from kilonode.cloud.role_counts import RoleCounts, names_of
from kilonode.cloud.shares import SILENT_AFTER_BEATS, Shares
from kilonode.control.mirror import Put
from kilonode.store.memory import MemoryStore
from tests.cloud.compute.harness import Compute, running

KEYS = [f"key-{number}" for number in range(400)]


async def share(store: MemoryStore, role: str, names: tuple[str, ...], told: list[str]) -> tuple[Cloud, Shares]:
    settings = CloudSettings(roles=RoleCounts(scheduler=len(names)))
    cloud = await Cloud.open(store, SimulatedClock(asyncio.get_running_loop()), settings, role, placing.KINDS)
    return cloud, Shares(cloud, names, lambda: told.append(role))


@given(st.integers(1, 6), st.sets(st.integers(0, 5)))
def test_every_key_is_somebodys_and_only_the_share_of_the_silent_moves(count: int, silent: set[int]) -> None:
    names = names_of("scheduler", count)
    living = [name for number, name in enumerate(names) if number not in silent] or [names[0]]

    async def look() -> None:
        store = MemoryStore()
        told: list[str] = []
        shares = {name: await share(store, name, names, told) for name in names}
        first = shares[names[0]][0]
        await first.mirror.commit([Put(HEARTBEAT, Heartbeat(first.now_us(), 0), name) for name in names])
        for cloud, _ in shares.values():
            await cloud.mirror.catch_up()
        whole = {key: [name for name, (_, one) in shares.items() if one.mine(key)] for key in KEYS}
        assert {len(owners) for owners in whole.values()} == {1}
        assert {owners[0] for owners in whole.values()} == set(names)
        watching = [asyncio.create_task(one.watch()) for _, one in shares.values()]
        beating = [asyncio.create_task(beat_for_ever(shares[name][0], name)) for name in living]
        await first.clock.sleep(first.settings.heartbeat_s * (SILENT_AFTER_BEATS + 1))
        for key in KEYS:
            owners = [name for name in living if shares[name][1].mine(key)]
            assert len(owners) == 1
            if whole[key][0] in living:
                assert owners == whole[key]
        for task in [*watching, *beating]:
            task.cancel()
        await asyncio.gather(*watching, *beating, return_exceptions=True)
        for cloud, _ in shares.values():
            await cloud.close()
        await store.close()

    run_coroutine_simulated(look())


async def state_of(compute: Compute, server_id: str, within_s: float) -> str:
    server = await compute.rest(server_id, within_s)
    return server.state if server is not None else "gone"


async def test_the_share_of_a_scheduler_that_is_gone_is_done_by_the_other_and_given_back() -> None:
    async with running(nodes=40, schedulers=2) as compute:
        await compute.clock.sleep(1)
        await compute.kill("scheduler-2")
        booted = [await compute.boot(f"s{number}") for number in range(12)]
        await compute.clock.sleep(1)
        waiting = [server.id for server in map(compute.server, booted) if server is not None and server.task]
        assert 0 < len(waiting) < 12
        silent_s = compute.settings.heartbeat_s * SILENT_AFTER_BEATS
        assert {await state_of(compute, key, silent_s + 5) for key in waiting} == {"active"}
        await compute.kill("scheduler-1")
        await compute.start_scheduler("scheduler-2")
        later = [await compute.boot(f"t{number}") for number in range(12)]
        assert {await state_of(compute, key, silent_s + 5) for key in later} == {"active"}


async def test_a_group_that_is_to_stay_together_does_so_with_many_schedulers() -> None:
    async with running(nodes=20, schedulers=4) as compute:
        await compute.clock.sleep(1)
        for number in range(5):
            body = {"server_group": {"name": f"g{number}", "policy": "affinity"}}
            made = await compute.ok("POST", "/os-server-groups", body, version="2.74")
            wanted = {"name": f"g{number}", "flavorRef": "1", "imageRef": "some-image", "networks": "none"}
            several = {**wanted, "min_count": 3, "max_count": 3}  # in one commit, seen by all schedulers at once
            booted = {"server": several, "os:scheduler_hints": {"group": made["server_group"]["id"]}}
            await compute.ok("POST", "/servers", booted, version="2.74")
            listed = await compute.ok("GET", f"/servers?name=g{number}")
            servers = [await compute.rest(one["id"]) for one in listed["servers"]]
            assert len(servers) == 3
            assert len({server.node for server in servers if server is not None}) == 1
