"""What `kilonode cleanup` does: find the run, log in to its cloud, remove what is the run's own.

The cloud of a run that brought up its own emulated cloud is itself something the run made: it goes as a whole.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil

from kilonode.base.clock import RealClock
from kilonode.base.errors import InputError
from kilonode.cli.connecting import Connections, real_access
from kilonode.cli.output import say
from kilonode.cli.state import state_folder
from kilonode.run.cleanup import CleanupReport, clean
from kilonode.run.folder import LAST_STATES, RunFolder, RunRecord, find_run, list_runs
from kilonode.run.leftovers import Found, find_leftovers


def target_of(run: str, cloud: str | None, runs: Path) -> tuple[str, str | None, RunFolder | None]:
    """Run id, cloud and folder of what the user named. Raises InputError."""
    folder = find_run(runs, run)
    record = folder.record()
    return record.run_id, cloud or record.cloud or None, folder


async def look(cloud: str | None, runs: Path, run_id: str | None = None) -> Found:
    """What runs have left on a cloud; without a cloud's name, on every cloud that a run of this machine says it left
    something on.
    """
    clouds = [cloud] if cloud else sorted({record.cloud for record in _unfinished(runs) if not record.emulated})
    leftovers: list[Found] = []
    for name in clouds:
        async with Connections(RealClock()) as connections:
            connection = await connections.connect(real_access(name))
            leftovers.append(await find_leftovers(connection, run_id))
    own_clouds = tuple(
        f"emulated cloud {record.cloud} of run {record.run_id}: remove it with: kilonode cleanup {record.run_id}"
        for record in _unfinished(runs)
        if record.emulated and not cloud and run_id in (None, record.run_id)
    )
    found = tuple(leftover for one in leftovers for leftover in one.leftovers)
    return Found(found, own_clouds + tuple(line for one in leftovers for line in one.unseen))


async def clean_run(run_id: str, cloud: str | None, folder: RunFolder | None) -> CleanupReport:
    """Remove all that the run made. Raises InputError when its cloud is not known."""
    record = folder.record() if folder else None
    if record is not None and record.emulated:
        from kilonode.cloud import launch

        try:
            await launch.down(state_folder(), record.cloud, say, purge=True)
        except InputError as error:
            say(f"nothing to take down: {error.problem.what}")
        report = CleanupReport(run_id, {"cloud": 1}, (), (), ())
    else:
        if not cloud:
            raise InputError(
                "the run does not say on which cloud it ran",
                where=run_id,
                hint="name it: kilonode cleanup RUN_ID --cloud NAME (a name in clouds.yaml)",
            )
        clock = RealClock()
        async with Connections(clock) as connections:
            connection = await connections.connect(real_access(cloud))
            report = await clean(connection, run_id, clock, lambda op: None)
    if folder is not None and record is not None and report.complete:
        folder.write_record(msgspec.structs.replace(record, left_behind=False))
    return report


def describe_leftovers(found: Found) -> Iterator[str]:
    """Lines for people."""
    for run_id, count in sorted(Counter(leftover.run_id for leftover in found.leftovers).items()):
        kinds = Counter(leftover.kind for leftover in found.leftovers if leftover.run_id == run_id)
        yield f"run {run_id} left {count}: {', '.join(f'{number} {kind}' for kind, number in kinds.items())}"
    yield from found.unseen
    if not found.leftovers and not found.unseen:
        yield "no run has left anything behind"


def describe_report(report: CleanupReport) -> Iterator[str]:
    """Lines for people."""
    if report.deleted:
        yield f"removed {', '.join(f'{count} {kind}' for kind, count in report.deleted.items())}"
    elif report.complete:
        yield f"run {report.run_id} has left nothing behind"
    for leftover in report.remaining:
        yield f"still there: {leftover.kind} {leftover.name} ({leftover.id})"
    yield from report.problems
    yield from (f"not looked for: {line}" for line in report.unseen)


def _unfinished(runs: Path) -> list[RunRecord]:
    """The records of runs that say they left something, or that were killed."""
    records = [folder.record() for folder in list_runs(runs)]
    return [record for record in records if record.left_behind or _was_killed(record)]


def _was_killed(record: RunRecord) -> bool:
    return record.state not in LAST_STATES and not psutil.pid_exists(record.pid) and bool(record.cloud)
