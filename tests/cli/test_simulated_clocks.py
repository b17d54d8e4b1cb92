"""The clocks of a simulated cloud's processes skewed: what its users see of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from kilonode.base.clock import SimulatedClock
from kilonode.base.randomness import Randomness
from kilonode.cli.simulated_faults import simulated_drivers
from kilonode.clients.application import ApplicationTransport
from kilonode.cloud.context import CloudSettings
from kilonode.cloud.role_counts import RoleCounts
from kilonode.cloud.simulated import SimulatedCloud
from kilonode.faults.driver import Effect, Step
from kilonode.faults.language import parse
from kilonode.faults.planning import plan_sentence


class Lab:
    """A cloud with two api processes, each of which can be asked."""

    def __init__(self) -> None:
        self.clock = SimulatedClock(asyncio.get_running_loop())
        settings = CloudSettings(nodes=3, stages="instant", seed=3, roles=RoleCounts(api=2))
        self.cloud = SimulatedCloud(settings, self.clock, apart=True)
        self.drivers = simulated_drivers(self.cloud, self.clock)

    @asynccontextmanager
    async def skewed(self, sentence: str) -> AsyncIterator[list[Effect]]:
        (part,) = await plan_sentence(parse(sentence), self.drivers, Randomness(1))
        driver = self.drivers.named("simulated")

        async def all_of(steps: tuple[Step, ...]) -> list[Effect]:
            return [await driver.inject(step, lambda fuller: None) for step in steps]

        yield await all_of(part.fault.steps)
        for step in part.fault.steps:
            await driver.heal(step)
            await driver.heal(step)  # twice does no harm

    async def ask(
        self, process: str, method: str, path: str, token: str = "", body: Any = None
    ) -> tuple[int, Any, Any]:
        (life,) = [one.life for one in self.cloud.processes if one.name == process]
        assert life is not None
        headers = [("x-auth-token", token)] if token else []
        headers += [("content-type", "application/json")]
        transport = ApplicationTransport(life.application)
        try:
            base = self.cloud.settings.public_url
            data = json.dumps(body).encode() if body is not None else b""
            response = await transport.request(method, base + path, headers=headers, body=data)
        finally:
            await transport.close()
        return response.status, dict(response.headers), json.loads(response.body) if response.body else None

    async def log_in(self, process: str) -> tuple[str, dict[str, Any]]:
        facts = self.cloud.access
        user = {"name": facts.username, "domain": {"name": facts.user_domain_name}, "password": facts.password}
        project = {"name": facts.project_name, "domain": {"name": facts.project_domain_name}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": {"project": project}}}
        status, headers, answer = await self.ask(process, "POST", "/identity/v3/auth/tokens", body=body)
        assert status == 201
        token = next(value for name, value in headers.items() if name.lower() == "x-subject-token")
        return token, answer["token"]

    async def status(self, process: str, token: str) -> int:
        return (await self.ask(process, "GET", "/compute/v2.1/servers", token))[0]


async def test_tokens_are_held_for_expired_early_by_a_clock_that_is_ahead() -> None:
    lab = Lab()
    async with lab.cloud:
        token, _ = await lab.log_in("api-1")
        assert [await lab.status(process, token) for process in ("api-1", "api-2")] == [200, 200]
        async with lab.skewed("skew clock of api-2 by 2d") as (effect,):
            assert "api-2 is +172800s off" in effect.words
            assert [await lab.status(process, token) for process in ("api-1", "api-2")] == [200, 401]
        assert await lab.status("api-2", token) == 200


async def test_tokens_are_held_for_good_late_by_a_clock_that_is_behind() -> None:
    lab = Lab()
    async with lab.cloud:
        token, shown = await lab.log_in("api-1")
        async with lab.skewed("skew clock of api-2 by -2d"):
            await lab.clock.sleep(26 * 3600)
            assert shown["expires_at"] < lab.clock.utc().isoformat()
            assert [await lab.status(process, token) for process in ("api-1", "api-2")] == [401, 200]
        assert await lab.status("api-2", token) == 401


async def test_timestamps_are_those_of_the_clock_of_who_wrote_them() -> None:
    lab = Lab()
    async with lab.cloud, lab.skewed("skew clock of api-2 by -90s"):
        for process, late in (("api-1", 0), ("api-2", 90)):
            _, shown = await lab.log_in(process)
            issued = shown["issued_at"]
            wanted = lab.clock.utc().timestamp() - late
            assert abs(datetime.fromisoformat(issued).timestamp() - wanted) < 5


async def test_several_skews_of_one_clock_add_up_and_a_new_life_goes_by_them() -> None:
    lab = Lab()
    async with lab.cloud, lab.skewed("skew clock of api-2 by 1h"), lab.skewed("skew clock of all api by 1d"):
        offsets = {one.name: one.offset_s for one in lab.cloud.processes if one.name.startswith("api")}
        assert offsets == {"api-1": 86_400, "api-2": 90_000}
        (process,) = [one for one in lab.cloud.processes if one.name == "api-2"]
        await process.kill()
        await lab.clock.sleep(5)
        assert process.life is not None
        assert process.life.clock is not None
        assert process.life.clock.offset_s == 90_000
