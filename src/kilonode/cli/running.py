"""Doing an experiment: one run, or the runs of a campaign; the wiring, the exit code, the words at the end."""

import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import uvloop

from kilonode.base.clock import Clock, RealClock
from kilonode.base.encoding import encode_json_for_people
from kilonode.base.errors import AbortError, InputError, KilonodeError, LabError, OperationError
from kilonode.base.files import write_atomically
from kilonode.base.outcomes import Outcome
from kilonode.base.randomness import Randomness
from kilonode.base.simulation import run_simulated
from kilonode.check.results import Results, Verdict
from kilonode.cli.campaigning import campaign_document, figures_of, report_campaign
from kilonode.cli.fault_targets import journal_folder
from kilonode.cli.generators import open_generator
from kilonode.cli.output import give_json, say
from kilonode.cli.reporting import report_run
from kilonode.cli.signals import finishing_despite_signals, listening_for_signals, minding_signals
from kilonode.cli.stacks import StackKeeper
from kilonode.cli.state import state_folder
from kilonode.cli.target import Target, cloud_name, target_of
from kilonode.clients.openstack.connections import Connections
from kilonode.faults.healing import left_open
from kilonode.faults.journal import Event
from kilonode.report.campaign_words import flat_facts
from kilonode.report.live import LiveView
from kilonode.run.campaign import Campaign, PointResult, open_campaign, run_campaign
from kilonode.run.conductor import Conductor
from kilonode.run.environment import describe_cloud, describe_environment
from kilonode.run.evaluation import evaluate_run
from kilonode.run.experiment import Experiment
from kilonode.run.facts import workload_facts
from kilonode.run.folder import RunFolder, RunRecord, RunState, create_run_folder
from kilonode.run.interruption import Interruption
from kilonode.run.loading import choose_workers
from kilonode.run.reading import Point, ReadExperiment, read_experiment
from kilonode.run.setbacks import hint_for
from kilonode.run.surroundings import Surroundings

EXIT_CODES: Final = {Verdict.VALID: 0, Verdict.INVALID: 1, Verdict.UNKNOWN: 3}
ABORTED: Final = 4
LARGEST_DRAWN_SEED: Final = 2**32

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Wishes:
    """How the user wants experiments to be done."""

    simulated: bool
    runs: Path
    workers: int | None
    fresh: bool
    plain: bool
    as_json: bool


def run_file(file: Path, sets: Sequence[str], wishes: Wishes) -> int:
    """Do the experiment in `file`, or every point of its matrix; the exit code. Raises InputError."""
    read = read_experiment(file, sets)
    refuse_imported(read, file)
    if not wishes.simulated:
        say_what_is_broken()
    if not read.axes:
        interruption = Interruption()
        with minding_signals(interruption):
            record, results = _run_point(read.points[0], file, wishes.runs, wishes, lambda folder: None, interruption)
        if wishes.as_json and results is not None:
            give_json(results)
        return exit_code(record, results)
    campaign = open_campaign(wishes.runs, read, datetime.now(UTC), simulated=wishes.simulated, fresh=wishes.fresh)
    keeper = StackKeeper(f"sweep-{campaign.index.identity[:12]}")
    pending = len(campaign.pending())
    say(f"campaign {campaign.path}: {len(read.points)} runs, {len(read.points) - pending} done before")

    async def run_point(point: Point, campaign: Campaign) -> PointResult | None:
        facts = ", ".join(f"{path}={value}" for path, value in flat_facts(point.facts))
        say(f"\nrun {point.number + 1} of {len(read.points)}: {facts}")
        # Each run has an event loop of its own, real or simulated; this one only keeps the order of the campaign.
        interruption = Interruption()

        def started(folder: RunFolder) -> None:
            campaign.started(point, folder.name)

        with minding_signals(interruption):
            record, results = _run_point(
                point, file, campaign.path, wishes, started, interruption, campaign.name, keeper
            )
        if record.state is RunState.ABORTED and interruption.by_user and not record.aborted_by:
            return None
        code = exit_code(record, results)
        verdict = results.verdict if results is not None else Verdict.UNKNOWN
        result = PointResult(verdict, code, figures_of(results))
        if interruption.by_user:
            campaign.ended(point, result)  # its load was over already: it counts, but no other begins
            return None
        return result

    try:
        _drive(run_campaign(campaign, run_point))
    finally:
        asyncio.run(keeper.let_go(say))
    report = report_campaign(campaign)
    if wishes.as_json:
        give_json(campaign_document(campaign, report))
    if campaign.pending():
        say("the campaign is not finished; the same command goes on where it was")
        return ABORTED
    campaign.close()
    return campaign.exit_code()


def refuse_imported(read: ReadExperiment, file: Path) -> None:
    """Raise InputError for the stand-in of a run that another tool made."""
    for name, workload in read.points[0].experiment.workloads.items():
        if workload.imported is not None:
            raise InputError(
                f"the workload {name} was imported from {workload.imported.tool}",
                where=str(file),
                expected="workloads with a scenario of Kilonode",
                hint="kilonode report judges an imported run; to run the like, name a scenario",
            )


def say_what_is_broken() -> None:
    """Say what runs and commands that were killed have left broken: it could be the reason of anything."""
    for record in left_open(journal_folder(), RealClock()):
        faults = ", ".join(entry.step.words for entry in record.open if entry.step is not None)
        if all(entry.event is Event.NOT_HEALED for entry in record.open):
            left, helps = "left something broken that could not be healed so far", "try again with"
        else:
            left, helps = "was killed and left something broken", "heal it with"
        say(f"{record.head.words} {left} ({faults}); {helps}: kilonode fault heal")


def exit_code(record: RunRecord, results: Results | None) -> int:
    """The exit code that the end of one run deserves."""
    if record.state is RunState.ABORTED:
        return ABORTED
    return EXIT_CODES[results.verdict] if results is not None else LabError.exit_code


def is_on_this_machine(experiment: Experiment) -> bool:
    """Whether Kilonode itself keeps the state of the experiment's cloud, where cleanup has to find it again."""
    return experiment.cloud is not None and experiment.cloud.openstack is None


def _drive(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that never waits for anything: campaigns are sequential."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: Result = end.value
        return result
    raise LabError("a campaign waited for something outside its runs")


def _run_point(
    point: Point,
    file: Path,
    runs: Path,
    wishes: Wishes,
    started: Callable[[RunFolder], None],
    interruption: Interruption,
    campaign: str = "",
    keeper: StackKeeper | None = None,
) -> tuple[RunRecord, Results | None]:
    """Do one run in a new folder; its last record, and its results if there is anything to judge."""
    if point.experiment.seed is None:
        point = point.with_seed(secrets.randbelow(LARGEST_DRAWN_SEED))
    experiment, seed = point.experiment, point.experiment.seed or 0
    if wishes.workers is not None:
        experiment = msgspec.structs.replace(experiment, workers=wishes.workers)
    stack = experiment.cloud.stack if experiment.cloud is not None else None
    created = datetime.now(UTC)
    folder = create_run_folder(runs, experiment.name, created)
    started(folder)
    write_atomically(folder.experiment_file, point.text.encode())
    run_id = _new_run_id(seed, simulated=wishes.simulated)
    record = RunRecord(
        run_id=run_id,
        name=experiment.name,
        state=RunState.PREPARING,
        pid=os.getpid(),
        created_utc=created,
        seed=seed,
        # Named before it is there: should this process be killed on the way, cleanup knows where to look.
        cloud=cloud_name(experiment, run_id, keeper, simulated=wishes.simulated),
        emulated=experiment.cloud is not None and experiment.cloud.emulated is not None,
        stack=stack is not None,
        own_stack=stack is not None and not stack.name,
        state_folder=str(state_folder()) if is_on_this_machine(experiment) and not wishes.simulated else "",
        simulated=wishes.simulated,
        workers=choose_workers(experiment, simulated=wishes.simulated),
        facts=point.facts,
        campaign=campaign,
    )
    folder.write_record(record)
    say(f"{experiment.name}: run {record.run_id}, seed {seed}, in {folder.path}")
    facts = [workload_facts(name, workload) for name, workload in experiment.workloads.items()]
    view = LiveView(experiment.name, facts, sys.stderr, RealClock(), plain=wishes.plain)
    try:
        with point.placing():
            record = _conduct(experiment, file, folder, record, view, interruption, keeper)
    except AbortError:
        # Before there was a conductor: the cloud was not there yet.
        changes = {"state": RunState.ABORTED, "aborted_because": interruption.reason}
        record = msgspec.structs.replace(folder.record(), **changes, finished_utc=datetime.now(UTC))
        folder.write_record(record)
    except KilonodeError as error:
        record = folder.record()
        if record.state not in (RunState.FAILED, RunState.ABORTED):
            folder.write_record(msgspec.structs.replace(record, state=RunState.FAILED))
        if isinstance(error, OperationError):
            is_ours = error.outcome is Outcome.EXHAUSTED
            what_helps = hint_for(error)
            raise InputError(
                error.message if is_ours else f"the cloud failed before the load: {error.message}",
                where=record.cloud,
                got=str(error.outcome),
                hint=f"{what_helps}; what was done so far is in {folder.path}".removeprefix("; "),
            ) from error
        raise
    finally:
        view.close()
    results = None
    if record.zero_utc is not None:
        with finishing_despite_signals(interruption, "the report", f"kilonode report {folder.path}"):
            results = evaluate_run(folder)
            report_run(folder, results)
    else:
        say(f"ended before the load: {record.aborted_because or record.state}; nothing was measured")
    return record, results


def _conduct(
    experiment: Experiment,
    file: Path,
    folder: RunFolder,
    record: RunRecord,
    view: LiveView,
    interruption: Interruption,
    keeper: StackKeeper | None,
) -> RunRecord:
    async def on(clock: Clock) -> RunRecord:
        return await _conduct_on(clock, experiment, file, folder, record, view, interruption, keeper)

    return run_simulated(on) if record.simulated else uvloop.run(on(RealClock()))


async def _conduct_on(
    clock: Clock,
    experiment: Experiment,
    file: Path,
    folder: RunFolder,
    record: RunRecord,
    view: LiveView,
    interruption: Interruption,
    keeper: StackKeeper | None,
) -> RunRecord:
    with listening_for_signals(interruption, view.note):
        if experiment.cloud is not None:
            view.stage("cloud")
        async with (
            target_of(
                experiment, record.run_id, record.seed, clock, interruption, note=view.note, keeper=keeper
            ) as target,
            Connections(clock, target.open_transport) as connections,
        ):
            record = msgspec.structs.replace(record, cloud=target.name, emulated=target.emulated)
            folder.write_record(record)
            await interruption.unless_requested(_write_environment(clock, file, folder, target, connections))
            surroundings = Surroundings(
                clock=clock,
                access=target.access,
                connect=connections.connect,
                generator=open_generator(clock, target.open_transport),
                watcher=view,
                pid=os.getpid(),
                services=target.services,
                meters=target.meters,
                processes=target.processes,
                drivers=target.drivers,
                upgradable=target.upgradable,
                journals=None if clock.simulated else journal_folder(),
            )
            record = await Conductor(experiment, folder, record, surroundings, interruption).run()
            view.stage("end")
    if record.left_behind and (record.emulated or (record.own_stack and keeper is None)):
        # Its own cloud is gone, and with it everything the run made there.
        record = msgspec.structs.replace(record, left_behind=False)
        folder.write_record(record)
    return record


async def _write_environment(
    clock: Clock, file: Path, folder: RunFolder, target: Target, connections: Connections
) -> None:
    facts = None
    if target.access is not None:
        connection = await connections.connect(target.access)
        facts = await describe_cloud(connection, name=target.name, emulated=target.emulated)
        facts = msgspec.structs.replace(facts, services=target.software, settings=dict(target.settings))
    environment = await describe_environment(clock.utc(), simulated=clock.simulated, folder=file.parent, cloud=facts)
    write_atomically(folder.environment_file, encode_json_for_people(environment))


def _new_run_id(seed: int, *, simulated: bool) -> str:
    if simulated:
        return f"{Randomness(seed, 'run-id').integer() & 0xFFFFFFFF:08x}"
    return secrets.token_hex(4)
