"""The profile `nova-2026` against what was measured of the real services, whole servers in simulated time.

Measured: docs/stack.md, the table of the twin (10 nodes, 4 boots at once). Not measured: how a poll is spaced here.
"""

import asyncio

import pytest

from kilonode.cloud.context import NodeShape
from tests.cloud.compute.harness import Compute, running

AT_ONCE = 4
SERVERS = 300
POLL_S = 0.02
MEASURED_S = {
    "accepted": (0.557, 0.850),
    "active": (2.10, 2.69),
    "boot": (2.68, 3.30),
    "delete": (1.04, 1.47),
    "list": (0.537, 0.875),
}
"""Median and 95th percentile of each step."""


async def live(compute: Compute, number: int, durations_s: dict[str, list[float]]) -> None:
    """One user: boots a server, sees it active, deletes it, sees it gone, and lists servers."""

    def now_s() -> float:
        return compute.clock.now_ns() / 1e9

    for turn in range(SERVERS // AT_ONCE):
        began_s = now_s()
        server_id = await compute.boot(f"s{number}-{turn}")
        accepted_s = now_s()
        while (await compute.ok("GET", f"/servers/{server_id}"))["server"]["status"] != "ACTIVE":
            await compute.clock.sleep(POLL_S)
        active_s = now_s()
        await compute.ok("GET", "/servers/detail")
        listed_s = now_s()
        assert (await compute.call("DELETE", f"/servers/{server_id}")).status == 204
        while (await compute.call("GET", f"/servers/{server_id}")).status != 404:
            await compute.clock.sleep(POLL_S)
        for step, duration_s in (
            ("accepted", accepted_s - began_s),
            ("active", active_s - accepted_s),
            ("boot", active_s - began_s),
            ("list", listed_s - active_s),
            ("delete", now_s() - listed_s),
        ):
            durations_s[step].append(duration_s)


async def test_steps_take_as_long_as_measured() -> None:
    async with running(nodes=10, stages="nova-2026", shape=NodeShape(), seed=2026) as compute:
        durations_s: dict[str, list[float]] = {step: [] for step in MEASURED_S}
        await asyncio.gather(*(live(compute, number, durations_s) for number in range(AT_ONCE)))
        for step, (median_s, p95_s) in MEASURED_S.items():
            ordered = sorted(durations_s[step])
            assert len(ordered) == SERVERS
            assert ordered[SERVERS // 2] == pytest.approx(median_s, rel=0.15), step
            assert ordered[SERVERS * 95 // 100] == pytest.approx(p95_s, rel=0.15), step


async def test_candidates_take_as_long_as_measured() -> None:
    """One after the other, by hand: 29, 43 and 158 ms for 10, 100 and 1,000 providers."""
    for nodes, measured_s in ((10, 0.029), (100, 0.043), (1_000, 0.158)):
        async with running(nodes=nodes, stages="nova-2026") as compute:
            began_ns = compute.clock.now_ns()
            await compute.ok("GET", "/placement/allocation_candidates?resources=VCPU:1", as_="admin", version="1.39")
            assert (compute.clock.now_ns() - began_ns) / 1e9 == pytest.approx(measured_s, rel=0.06), nodes
