"""An iteration whose steps are kept in a list: for tests of steps, actions and scenarios."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kilonode.base.clock import Clock, SimulatedClock
from kilonode.base.errors import LabError
from kilonode.base.outcomes import Outcome
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.transport import HeaderPairs, Response, Transport
from kilonode.scenarios.declaration import Scenario
from kilonode.scenarios.iteration import Iteration, WorkloadContext, classify_exception
from kilonode.scenarios.tenant import Tenant

RUN_ID = "00c0ffee"


@dataclass(frozen=True)
class Recorded:
    kind: str
    step: str
    due_ns: int
    started_ns: int
    finished_ns: int
    outcome: str
    error: str
    resolution_ns: int


class NoTransport:
    """For scenarios that send nothing."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: HeaderPairs = (),
        body: object = b"",
        timeout_s: float = 0.0,
        receive: Callable[[bytes], object] | None = None,
    ) -> Response:
        raise LabError(f"nothing is to be sent here: {method} {url}")

    async def close(self) -> None:
        pass


@dataclass
class Recorder:
    """Makes iterations and keeps what they record."""

    clock: Clock = field(default_factory=lambda: SimulatedClock(asyncio.get_running_loop()))
    transport: Transport = field(default_factory=NoTransport)
    cloud: Connection | None = None
    tenant: Tenant | None = None
    workload: str = "work"
    seed: int = 7
    steps: list[Recorded] = field(default_factory=list)

    def iteration(self, number: int = 0, *, late_ns: int = 0) -> Iteration:
        """Iteration `number`, which starts now and was due `late_ns` ago."""
        context = WorkloadContext(self.workload, RUN_ID, self.seed, self.clock, self.transport)
        now_ns = self.clock.now_ns()
        return Iteration(context, number, now_ns - late_ns, now_ns, self.record, self.cloud, self.tenant)

    async def run(self, scenario: Scenario, values: dict[str, Any], number: int = 0) -> tuple[Outcome, str]:
        """One iteration as the load engine runs it: what fails is classified, and then cleaned up."""
        it = self.iteration(number)
        try:
            await scenario.function(it, **scenario.read_arguments(values))
        except Exception as error:
            if it.has_made:
                await it.clean_up()
            return classify_exception(error)
        return Outcome.OK, ""

    def record(
        self,
        kind: str,
        step: str,
        due_ns: int,
        started_ns: int,
        finished_ns: int,
        outcome: str,
        error: str,
        resolution_ns: int,
    ) -> None:
        self.steps.append(Recorded(kind, step, due_ns, started_ns, finished_ns, outcome, error, resolution_ns))

    @property
    def names(self) -> list[str]:
        """The steps' names in the order in which they ended."""
        return [step.step for step in self.steps]

    def one(self, name: str) -> Recorded:
        """The only step of that name."""
        (found,) = [step for step in self.steps if step.step == name]
        return found
