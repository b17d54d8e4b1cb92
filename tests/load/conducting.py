"""What tests of the engine share: scenarios that need no cloud, and a run of local workers in simulated time."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock, SimulatedClock
from kilonode.base.errors import LabError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connections import OpenTransport
from kilonode.clients.transport import Response, Transport
from kilonode.history.columns import Columns, Samples
from kilonode.history.reading import read_journal
from kilonode.history.records import Op, OpKind
from kilonode.load.local import LocalWorkers
from kilonode.load.models import LoadModel
from kilonode.load.plan import WorkerPlan, WorkloadPlan
from kilonode.load.progress import Progress
from kilonode.scenarios.declaration import scenario
from kilonode.scenarios.iteration import Iteration
from kilonode.scenarios.tenant import Tenant

OUTAGE_FROM_S = 20.0
OUTAGE_TO_S = 23.0


@scenario("tests.sleep")
async def sleep_a_while(it: Iteration, *, seconds: float = 0.01) -> None:
    """Wait.

    Arguments:
        seconds: How long.
    """
    with it.step("sleep"):
        await it.clock.sleep(seconds)


@scenario("tests.outage")
async def use_what_hangs(it: Iteration) -> None:
    """Use a service that takes 10 ms, but hangs from the 20th to the 23rd second."""
    with it.step("call"):
        second = it.clock.now_ns() / NANOSECONDS_PER_SECOND - 1
        if OUTAGE_FROM_S <= second < OUTAGE_TO_S:
            await it.clock.sleep(OUTAGE_TO_S - second)
        await it.clock.sleep(0.01)


@scenario("tests.fail")
async def fail_every_third(it: Iteration) -> None:
    """Fail in one way or another."""
    await it.clock.sleep(0.01)
    if it.number % 3 == 1:
        raise OperationError(Outcome.QUOTA, "no more")
    if it.number % 3 == 2:
        raise ValueError("a mistake")


@scenario("tests.stubborn")
async def refuse_to_stop(it: Iteration) -> None:
    """Swallow every cancellation for some hours."""
    while it.clock.now_ns() < 10_000 * NANOSECONDS_PER_SECOND:
        try:
            await it.clock.sleep(1000)
        except asyncio.CancelledError:
            continue


@scenario("tests.make")
async def make_and_hang(it: Iteration) -> None:
    """Make something that takes a second to delete, then take for ever."""

    async def undo() -> None:
        await it.clock.sleep(1)

    it.made("thing", "1", undo)
    await it.clock.sleep(1_000_000)


@scenario("tests.exponential")
async def take_a_random_time(it: Iteration, *, mean_s: float) -> None:
    """Wait for an exponential time.

    Arguments:
        mean_s: Its mean, in seconds.
    """
    await it.clock.sleep(it.random.expovariate(1 / mean_s))


@scenario("tests.block")
async def block_everybody(it: Iteration) -> None:
    """Keep the event loop for some milliseconds, as a scenario that computes would."""
    time.sleep(0.003)  # noqa: ASYNC251


@scenario("tests.random")
async def wait_at_random(it: Iteration) -> None:
    """Wait for a time that depends on the iteration alone."""
    with it.step("wait"):
        await it.clock.sleep(it.random.expovariate(1 / 0.05))
    with it.step("again"):
        await it.clock.sleep(it.random.uniform(0, 0.01))


def no_transport(access: Access | None) -> Transport:
    """A transport factory where nobody may send."""
    return _NoTransport()


class _NoTransport:
    async def request(self, method: str, url: str, **_: object) -> Response:
        raise LabError("a test sent a request")

    async def close(self) -> None:
        pass


def workload(load: LoadModel, name: str = "load", scenario_name: str = "tests.sleep", **fields: object) -> WorkloadPlan:
    return WorkloadPlan(name=name, scenario=scenario_name, load=load, **fields)  # type: ignore[arg-type]


class Run:
    """A finished run: its history and what was reported."""

    def __init__(self, columns: Columns, samples: Samples, reports: list[Progress], journals: list[bytes]) -> None:
        self.columns = columns
        self.samples = samples
        self.reports = reports
        self.journals = journals

    def iterations(self, workload: str = "load") -> list[Op]:
        return [op for op in self.columns.ops() if op.kind == OpKind.ITERATION and op.workload == workload]

    def steps(self, step: str) -> list[Op]:
        return [op for op in self.columns.ops() if op.kind == OpKind.STEP and op.step == step]


async def conduct(
    folder: Path,
    *workloads: WorkloadPlan,
    workers: int = 1,
    seed: int = 1,
    drain_s: float = 30.0,
    stop_s: float | None = None,
    kill_s: float | None = None,
    clock: Clock | None = None,
    tenants: tuple[Tenant, ...] = (),
    open_transport: OpenTransport = no_transport,
) -> Run:
    """Run workloads from one second after now, on the simulated clock if no other is given; stop or kill them early
    when told to.
    """
    loop = asyncio.get_running_loop()
    clock = clock or SimulatedClock(loop)
    plan = WorkerPlan(
        run_id="0badcafe", seed=seed, workers=workers, workloads=workloads, tenants=tenants, journal="", drain_s=drain_s
    )
    paths = [folder / f"worker-{number}-of-{workers}.journal" for number in range(workers)]
    generator = LocalWorkers(clock, open_transport)
    try:
        await generator.prepare([plan.for_worker(number, str(path)) for number, path in enumerate(paths)])
        generator.begin(clock.now_ns() + NANOSECONDS_PER_SECOND)
        for at_s, action in ((stop_s, generator.stop), (kill_s, _killing(generator))):
            if at_s is not None:
                loop.call_later(1 + at_s, action)
        reports = [report async for report in generator.progress()]
    finally:
        await generator.close()
    contents = [read_journal(path) for path in paths]
    assert not any(one.torn for one in contents)
    columns = Columns.from_blocks(
        [(block, one.header.worker) for one in contents if one.header for block in one.blocks]
    )
    samples = Samples.from_samples([sample for one in contents for sample in one.samples])
    return Run(columns, samples, reports, [path.read_bytes() for path in paths])


def _killing(generator: LocalWorkers) -> Callable[[], None]:
    tasks: list[asyncio.Task[None]] = []

    def kill() -> None:
        tasks.append(asyncio.get_running_loop().create_task(generator.close()))

    return kill
