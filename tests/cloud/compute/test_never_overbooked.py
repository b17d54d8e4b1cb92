"""Whatever users, schedulers and fleets do at once: what is taken of a node is the sum of its servers, and fits."""

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from kilonode.base.simulation import run_coroutine_simulated
from tests.cloud.compute.harness import Compute, running

ACTIONS = ("boot", "boot", "boot", "delete", "resize", "confirm", "revert", "live-migrate", "stop", "start", "rebuild")


async def one_user(compute: Compute, number: int, steps: list[tuple[str, int, float]], mine: list[str]) -> None:
    """Do one step after the other, whatever the service answers; it may refuse, it may not break."""
    for position, (action, choice, pause_s) in enumerate(steps):
        server_id = mine[choice % len(mine)] if mine else ""
        if action == "boot":
            mine.append(await compute.boot(f"u{number}-{position}", str(1 + choice % 3)))
        elif action == "delete" and server_id:
            answer = await compute.call("DELETE", f"/servers/{server_id}")
            assert answer.status in (204, 404)
        elif server_id:
            name, arguments = {
                "resize": ("resize", {"flavorRef": str(1 + choice % 3)}),
                "confirm": ("confirmResize", None),
                "revert": ("revertResize", None),
                "live-migrate": ("os-migrateLive", {"host": None, "block_migration": "auto"}),
                "stop": ("os-stop", None),
                "start": ("os-start", None),
                "rebuild": ("rebuild", {"imageRef": "other"}),
            }[action]
            answer = await compute.act(server_id, name, arguments, as_="admin")
            assert answer.status in (200, 202, 204, 400, 404, 409), (name, answer.status, answer.body)
        await compute.clock.sleep(pause_s)


async def auditor(compute: Compute) -> None:
    """Look at the books all the time: they are right at every revision, not only in the end."""
    while True:
        compute.check_books()
        await compute.clock.sleep(0.017)


async def live(seed: int, users: list[list[tuple[str, int, float]]], schedulers: int, kill_at_s: float) -> None:
    scheduler = ("filter-and-weigh", "next-fit")[seed % 2]
    cloud = running(nodes=4, stages="fast", seed=seed, schedulers=schedulers, fleets=2, scheduler=scheduler)
    async with cloud as compute:
        audit = asyncio.create_task(auditor(compute))
        mine: list[list[str]] = [[] for _ in users]
        work = [
            asyncio.create_task(one_user(compute, number, steps, mine[number])) for number, steps in enumerate(users)
        ]
        await compute.clock.sleep(kill_at_s)
        await compute.kill("fleet-2")
        await compute.clock.sleep(0.5)
        await compute.start_fleet(1)
        await asyncio.gather(*work)
        await compute.clock.sleep(60)
        assert not audit.done(), audit.exception()
        audit.cancel()
        compute.check_books()
        for server_id in (one for ids in mine for one in ids):
            server = compute.server(server_id)
            assert server is None or server.task is None, server
            if server is not None:
                await compute.ok("DELETE", f"/servers/{server_id}", as_="admin")
        await compute.clock.sleep(60)
        compute.check_books()
        assert [compute.usage(f"compute-000{number}").instances for number in (1, 2, 3, 4)] == [0, 0, 0, 0]


STEPS = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.integers(0, 30), st.sampled_from((0.0, 0.0, 0.05, 0.4, 1.5))), max_size=25
)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    users=st.lists(STEPS, min_size=1, max_size=4),
    schedulers=st.integers(1, 2),
    kill_at_s=st.floats(0, 3),
)
def test_nothing_is_ever_overbooked(
    seed: int, users: list[list[tuple[str, int, float]]], schedulers: int, kill_at_s: float
) -> None:
    run_coroutine_simulated(live(seed, users, schedulers, kill_at_s))


def test_two_schedulers_fill_a_cloud_to_the_last_place_and_not_beyond() -> None:
    async def fill() -> None:
        async with running(nodes=3, stages="fast", schedulers=2) as compute:
            random_order = random.Random(3)
            flavors = ["1"] * 6 + ["2"] * 3
            random_order.shuffle(flavors)
            ids = await asyncio.gather(*(compute.boot(f"s{n}", flavor) for n, flavor in enumerate(flavors * 2)))
            for server_id in ids:
                await compute.rest(server_id)
            compute.check_books()
            vcpus = sum(compute.usage(f"compute-000{number}").used.vcpus for number in (1, 2, 3))
            assert vcpus == 12

    run_coroutine_simulated(fill())
