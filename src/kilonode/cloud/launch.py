"""Bringing an emulated cloud up and down, and looking at it: what `kilonode cloud` does, as functions.

A cloud is a state folder (`kilonode.cloud.folder`) and a detached supervisor process that runs its roles. `up` returns
when the cloud answers as it should: a token can be had and all nodes are up. A later `up` of the same name goes on with
the data that is there. Whatever a crash of the machine or of a process left behind, `up` and `down` work from it.
"""

import contextlib
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock, RealClock
from kilonode.base.errors import InputError, LabError
from kilonode.base.processes import ProcessIdentity, identify, is_alive, module_command, start_detached
from kilonode.cloud.access import access_facts, clouds_file
from kilonode.cloud.context import CloudSettings, Secrets
from kilonode.cloud.ending import end_cloud
from kilonode.cloud.folder import CloudRecord, ProcessState, StateFolder, known_clouds
from kilonode.cloud.operating import check_stages, of_table
from kilonode.cloud.plan import DEFAULT_NAME, UpSettings, check_name, plan, public_url
from kilonode.cloud.ports import listen, listen_anywhere
from kilonode.cloud.probe import Answer, ask
from kilonode.cloud.sites import all_nodes, of_each_site, port_of, urls_of, with_sites
from kilonode.cloud.status import CloudStatus, describe, describe_layout, how_to_use
from kilonode.cloud.usage import usage_of

__all__ = ["CloudStatus", "Report", "UpSettings", "describe", "down", "status", "up"]

Report = Callable[[str], None]
"""Called with lines for people."""

SUPERVISOR_MODULE: Final = "kilonode.cloud.supervisor"
LOOK_EVERY_S: Final = 0.2
NODES_PER_SECOND: Final = 200
"""How fast nodes come up at the very least; a large cloud has that much more time."""
LOG_LINES_SHOWN: Final = 8


async def up(wanted: UpSettings, report: Report) -> CloudStatus:
    """Bring a cloud up and return when it is ready. Raises InputError, or LabError when it does not come up."""
    check_name(wanted.name)
    clock = RealClock()
    folder = StateFolder(wanted.state, wanted.name)
    with folder.locked():
        await _clear(folder, wanted, clock, report)
        record = _with_free_port(plan(wanted, folder.read_record()))
        check_stages(record.settings.stages)
        settings = _keep(folder, record)
        layout = describe_layout(all_in_one=record.all_in_one)
        nodes = f"{settings.nodes} nodes" + (f" at each of {len(settings.sites)} sites" if settings.sites else "")
        report(f"cloud {wanted.name}: {nodes}, stages {settings.stages}, store {record.store}, {layout}")
        started_ns = clock.now_ns()
        pid = start_detached(
            module_command(SUPERVISOR_MODULE, str(folder.state), wanted.name), folder.log("supervisor")
        )
        supervisor = identify(pid)
        try:
            found = await _until_ready(folder, record, settings, supervisor, clock, wanted.timeout_s)
        except BaseException:
            await end_cloud(folder, clock, supervisor)
            raise
    report(f"ready after {(clock.now_ns() - started_ns) / NANOSECONDS_PER_SECOND:.1f} s: {found.url}")
    for line in how_to_use(found):
        report(line)
    return found


async def down(state: Path, name: str, report: Report, *, purge: bool = False) -> None:
    """End a cloud; with `purge` also remove its data. Raises InputError when there is nothing to do."""
    check_name(name)
    folder = StateFolder(state, name)
    if not folder.exists:
        raise no_such_cloud(state, name)
    with folder.locked():
        ended = await end_cloud(folder, RealClock())
        if purge:
            folder.remove()
            folder.remove_lock()
    if ended:
        report(f"cloud {name} is down")
    elif not purge:
        raise InputError(
            f"cloud {name!r} is not running",
            where=str(folder.path),
            hint="its data is kept; start it with: kilonode cloud up, or remove it with: kilonode cloud down --purge",
        )
    if purge:
        report(f"its data was removed from {folder.path}")


async def status(state: Path, name: str) -> CloudStatus:
    """Look at a cloud. Raises InputError when there is none of this name."""
    check_name(name)
    folder = StateFolder(state, name)
    record = folder.read_record()
    if record is None:
        raise no_such_cloud(state, name)
    settings = msgspec.structs.replace(record.settings, secrets=folder.secrets() or Secrets())
    table = folder.read_processes()
    if table is None or not is_alive(table.supervisor):
        return _status(folder, record, Answer(problem="the cloud is down"), running=False)
    found = _status(folder, record, await _ask(settings), running=True)
    return msgspec.structs.replace(found, usage=await usage_of(folder, RealClock()))


def no_such_cloud(state: Path, name: str) -> InputError:
    """The error for a name that has no state."""
    known = known_clouds(state)
    hint = f"there is: {', '.join(known)}" if known else "start one with: kilonode cloud up"
    return InputError(f"there is no emulated cloud {name!r}", where=str(state / "cloud"), hint=hint)


async def _clear(folder: StateFolder, wanted: UpSettings, clock: Clock, report: Report) -> None:
    """Refuse to start a second time; end what a crash left running; with `fresh`, remove the data."""
    table = folder.read_processes()
    if table is not None and is_alive(table.supervisor):
        option = "" if wanted.name == DEFAULT_NAME else f" --name {wanted.name}"
        raise InputError(
            f"cloud {wanted.name!r} is already up",
            where=str(folder.path),
            got=f"its supervisor runs as pid {table.supervisor.pid}",
            hint=f"look with: kilonode cloud status{option}; end it with: kilonode cloud down{option}; "
            "or start another beside it with --name and --port",
        )
    if table is not None:
        left = await end_cloud(folder, clock)
        report("it was not ended properly last time; going on from its data" + (f" ({left} ended)" if left else ""))
    if wanted.fresh:
        folder.remove()


def _with_free_port(record: CloudRecord) -> CloudRecord:
    """Find the port of each site free, or find a free one. Raises InputError."""
    ports: list[int] = []
    with contextlib.ExitStack() as taken:
        for told in of_each_site(record.settings):
            wanted = port_of(told)
            listener = listen(record.host, wanted) if wanted else listen_anywhere(record.host)
            ports.append(taken.enter_context(listener).getsockname()[1])
    settings = with_sites(record.settings, [public_url(record.host, port) for port in ports])
    return msgspec.structs.replace(record, port=ports[0], settings=settings)


def _keep(folder: StateFolder, record: CloudRecord) -> CloudSettings:
    """Write all that the cloud's processes and clients read; return the settings with their secrets."""
    folder.make()
    folder.turn_logs()
    kept = folder.secrets()
    if kept is None:
        kept = Secrets(admin_password=secrets.token_urlsafe(18), token_key=secrets.token_hex(32))
        folder.write_secrets(kept)
    folder.write_record(record)
    settings = msgspec.structs.replace(record.settings, secrets=kept)
    folder.write_clouds_file(clouds_file(settings))
    return settings


async def _until_ready(
    folder: StateFolder,
    record: CloudRecord,
    settings: CloudSettings,
    supervisor: ProcessIdentity | None,
    clock: Clock,
    timeout_s: float,
) -> CloudStatus:
    nodes = all_nodes(settings)
    timeout_s += nodes / NODES_PER_SECOND
    deadline_ns = clock.now_ns() + int(timeout_s * NANOSECONDS_PER_SECOND)
    while True:
        if supervisor is None or not is_alive(supervisor):
            raise _broken(folder, "supervisor", "the cloud's supervisor ended at once")
        table = folder.read_processes()
        for process in table.processes if table else ():
            if process.state == ProcessState.FAILED:
                raise _broken(folder, process.name, f"{process.name} cannot run", process.last_exit)
        answer = await _ask(settings)
        # One process may answer for all: whoever then freezes or kills it counts on the others to be there.
        waits = [process.name for process in table.processes if not process.ready] if table else ["the supervisor"]
        if answer.nodes_up >= nodes and not answer.problem and not waits:
            return _status(folder, record, answer, running=True)
        if clock.now_ns() > deadline_ns:
            raise LabError(
                f"the cloud did not come up within {timeout_s:g} s",
                where=str(folder.path),
                expected=f"{nodes} nodes up, and every process at its work",
                got=answer.problem or f"{answer.nodes_up} nodes up; waiting for {', '.join(waits) or 'none'}",
                hint=f"look at the logs in {folder.logs}",
            )
        await clock.sleep(LOOK_EVERY_S)


def _broken(folder: StateFolder, process: str, what: str, last_exit: str = "") -> InputError | LabError:
    """What a process said before it ended. Its own words about bad input are for the user; anything else is a bug."""
    lines = folder.log(process).read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
    said = "\n".join(lines) or "nothing"
    by_input = last_exit == f"exit status {InputError.exit_code}"
    kind = InputError if by_input else LabError
    return kind(what, where=str(folder.path), got=said, hint=f"look at the log: {folder.log(process)}")


def _status(folder: StateFolder, record: CloudRecord, answer: Answer, *, running: bool) -> CloudStatus:
    table = folder.read_processes() if running else None
    nodes = all_nodes(record.settings)
    missing = nodes - answer.nodes_up
    problem = answer.problem or (f"{missing} nodes are not up" if missing > 0 else "")
    return CloudStatus(
        name=folder.name,
        url=record.settings.public_url,
        folder=str(folder.path),
        clouds_file=str(folder.clouds_file),
        nodes=nodes,
        sites=record.settings.sites,
        stages=record.settings.stages,
        store=record.store,
        all_in_one=record.all_in_one,
        running=running,
        ready=running and not problem,
        nodes_up=answer.nodes_up,
        problem=problem,
        processes=of_table(table, record.settings.roles),
    )


async def _ask(settings: CloudSettings) -> Answer:
    """What all sites say together."""
    facts = access_facts(settings)
    urls = urls_of(settings)
    answers = [await ask(url, facts.username, facts.password, facts.project_name) for url in urls]
    problems = [answer.problem for answer in answers if answer.problem]
    return Answer(sum(answer.nodes_up for answer in answers), "; ".join(problems))
