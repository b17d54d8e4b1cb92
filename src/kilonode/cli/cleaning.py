"""What `kilonode cleanup` does: find the run, log in to its cloud, remove what is the run's own.

The cloud of a run that brought up its own emulated cloud is itself something the run made: it goes as a whole.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import psutil

from kilonode.base.clock import RealClock
from kilonode.base.errors import InputError, OperationError, trim
from kilonode.cli.connecting import real_access
from kilonode.cli.fault_targets import drivers_for
from kilonode.cli.faulting import describe_healed
from kilonode.cli.output import say
from kilonode.cli.stacks import remove_own_stack, stack_access
from kilonode.cli.state import state_folder
from kilonode.cli.target import own_cloud_name
from kilonode.clients.openstack.connections import Connections
from kilonode.cloud import launch
from kilonode.cloud.folder import StateFolder
from kilonode.faults.healing import heal_left
from kilonode.run.cleanup import CleanupReport, clean
from kilonode.run.folder import LAST_STATES, RunFolder, RunRecord, find_run, list_runs, readable_records
from kilonode.run.leftovers import Found, find_leftovers

CLOCK_STEP_S: Final = 60.0
"""How far the clock may have been set between the start of a process and of its run; far less than process numbers need
to come round."""


def target_of(run: str, cloud: str | None, runs: Path) -> tuple[str, str | None, RunFolder | None]:
    """Run id, cloud and folder of what the user named; no cloud where the run had one of its own. Raises InputError."""
    folder = find_run(runs, run)
    record = folder.record()
    return record.run_id, cloud or (None if _own(record) else record.cloud or None), folder


async def look(cloud: str | None, runs: Path, run_id: str | None = None) -> Found:
    """What runs have left on a cloud; without a cloud's name, on every cloud that a run of this machine says it left
    something on. Of those, one that cannot be asked is not in the way of the others.
    """
    unfinished = [] if cloud else _unfinished(runs)
    clouds = [cloud] if cloud else sorted({record.cloud for record in unfinished if not _own(record)})
    stacks = {record.cloud: _state_of(record) for record in unfinished if record.stack}
    leftovers: list[Found] = []
    for name in clouds:
        try:
            async with Connections(RealClock()) as connections:
                connection = await connections.connect(
                    stack_access(name, stacks[name]) if name in stacks else real_access(name)
                )
                leftovers.append(await find_leftovers(connection, run_id))
        except (InputError, OperationError) as error:
            if cloud:
                raise
            left = ", ".join(record.run_id for record in unfinished if record.cloud == name)
            leftovers.append(Found((), (f"cloud {name}, with what is left of run {left}: {trim(str(error))}",)))
    own_clouds = tuple(
        f"{'stack' if record.own_stack else 'emulated cloud'} {record.cloud} of run {record.run_id}: "
        f"remove it with: kilonode cleanup {record.run_id}"
        for record in unfinished
        if _own(record) and run_id in (None, record.run_id)
    )
    found = tuple(leftover for one in leftovers for leftover in one.leftovers)
    return Found(found, own_clouds + tuple(line for one in leftovers for line in one.unseen))


async def clean_run(run_id: str, cloud: str | None, folder: RunFolder | None) -> CleanupReport:
    """Remove all that the run made. Raises InputError when its cloud is not known, or when the run still goes on."""
    record = folder.record() if folder else None
    if record is not None and is_led(record):
        raise InputError(
            "the run is still going on",
            where=run_id,
            got=f"it is in {record.state}, led by process {record.pid}",
            hint=f"it cleans up by itself; to end it now: kill -INT {record.pid}",
        )
    if folder is not None and record is not None and not record.simulated:
        await _heal(folder, record.cloud)
    if record is not None and record.own_stack:
        removed = await remove_own_stack(record.cloud, _state_of(record), say)
        report = CleanupReport(run_id, {"stack": 1} if removed else {}, (), (), ())
    elif record is not None and record.emulated:
        report = await _remove_own_cloud(record)
    else:
        report = await _remove_from(run_id, cloud, _state_of(record) if record is not None and record.stack else None)
    if folder is not None and record is not None and report.complete:
        folder.write_record(msgspec.structs.replace(record, left_behind=False, removed_utc=RealClock().utc()))
    return report


async def _heal(folder: RunFolder, cloud: str) -> None:
    """What the run left broken goes on first: a frozen service could not be asked to remove anything."""
    if folder.faults_folder.is_dir():
        clock = RealClock()
        healed = await heal_left(folder.faults_folder, drivers_for(cloud, clock), clock, say)
        for line in describe_healed(healed) if healed else ():
            say(line)


async def _remove_own_cloud(record: RunRecord) -> CleanupReport:
    """The cloud of a run that brought up its own goes as a whole, if it is still there."""
    state = _state_of(record)
    if record.cloud != own_cloud_name(record.run_id):
        return CleanupReport(record.run_id, {}, (), (), ())
    if not StateFolder(state, record.cloud).exists:
        hint = (
            f"cloud {record.cloud}: the run does not say where its state was, and it is not in {state}; "
            "if it was elsewhere, name that folder in KILONODE_STATE"
        )
        return CleanupReport(record.run_id, {}, (), (), () if record.state_folder else (hint,))
    await launch.down(state, record.cloud, say, purge=True)
    return CleanupReport(record.run_id, {"cloud": 1}, (), (), ())


async def _remove_from(run_id: str, cloud: str | None, stacks: Path | None) -> CleanupReport:
    """On a cloud that stays, everything with the run's name goes. `stacks`: it is a stack, with its state there."""
    if not cloud:
        raise InputError(
            "the run does not say on which cloud it ran",
            where=run_id,
            hint="name it: kilonode cleanup RUN_ID --cloud NAME (a name in clouds.yaml)",
        )
    clock = RealClock()
    async with Connections(clock) as connections:
        connection = await connections.connect(stack_access(cloud, stacks) if stacks else real_access(cloud))
        return await clean(connection, run_id, clock, lambda op: None)


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
    """The records of runs that say they left something, or that were killed, and were not cleaned up since."""
    records = [record for _, record in readable_records(list_runs(runs))]
    return [
        record
        for record in records
        if _has_cloud(record) and record.removed_utc is None and (record.left_behind or _was_killed(record))
    ]


def _has_cloud(record: RunRecord) -> bool:
    return bool(record.cloud) and not record.simulated


def _state_of(record: RunRecord) -> Path:
    """Where the state of the run's emulated cloud or stack is: where it was then, whatever is set now."""
    return Path(record.state_folder) if record.state_folder else state_folder()


def _own(record: RunRecord) -> bool:
    """The cloud was brought up for the run, so it goes as a whole."""
    return record.emulated or record.own_stack


def _was_killed(record: RunRecord) -> bool:
    return record.state not in LAST_STATES and not is_led(record)


def is_led(record: RunRecord) -> bool:
    """Whether the process that leads the run still works on it.

    After a crash another process may have its number: one that began after the run did is not the run's.
    """
    if record.state in LAST_STATES:
        return False
    try:
        process = psutil.Process(record.pid)
        began_s = process.create_time()
        return process.status() != psutil.STATUS_ZOMBIE and began_s < record.created_utc.timestamp() + CLOCK_STEP_S
    except psutil.NoSuchProcess:
        return False
