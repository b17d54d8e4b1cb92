"""Which release each process of a stack is of, in which order they follow, what is refused, what counts as working."""

import asyncio
import configparser
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kilonode.base.clock import Clock, RealClock, SimulatedClock
from kilonode.base.errors import InputError, LabError
from kilonode.base.processes import ProcessIdentity, is_alive
from kilonode.stack import again, upgrading
from kilonode.stack.again import StackProcess, service_of, stack_processes
from kilonode.stack.bringing_up import configuration_digests, write_configuration
from kilonode.stack.configuration.site import Site
from kilonode.stack.environment import Environment
from kilonode.stack.folder import ServiceRecord
from kilonode.stack.launch import site_of
from kilonode.stack.migrations import MIGRATIONS, SERVICES
from kilonode.stack.running import processes_of
from kilonode.stack.services import Service
from tests.stack.stacks import NEW, OLD


def test_each_process_is_started_from_its_own_release(site: Site) -> None:
    for process, release in (("compute-001", OLD), ("compute-002", NEW), ("nova-api", OLD)):
        service = service_of(site, process)
        assert service.release == release
        assert f"/{release}-python" in service.command[0]
    files = service_of(site, "compute-002").command
    assert str(site.folder.configuration / f"release-{NEW}" / "nova" / "compute-002.conf") in files
    assert service_of(site, "mariadb").release == ""


def test_files_of_two_releases_lie_apart_and_differ_in_paths_alone(site: Site) -> None:
    write_configuration(site)
    write_configuration(site.of_release(NEW))
    names = {path.relative_to(site.folder.configuration) for path in site.folder.configuration.rglob("*.conf")}
    assert {Path("glance/glance-api.conf"), Path(f"release-{NEW}/glance/glance-api.conf")} <= names
    assert configuration_digests(site) == configuration_digests(site.of_release(NEW))


def test_compute_services_have_no_way_to_a_database(site: Site) -> None:
    write_configuration(site)
    parser = configparser.RawConfigParser(default_section="-")
    parser.read(site.folder.configuration / "nova" / "nova-compute.conf")
    assert not {"database", "api_database"} & {*parser.sections()}
    assert parser["upgrade_levels"]["compute"] == "auto"


def test_whom_others_ask_goes_first_and_compute_services_last(site: Site) -> None:
    to_come = upgrading.processes_to_come(site.settings)
    there = stack_processes(site.folder.state, "stack")
    assert {one.process for one in to_come} == {one.process for one in there}
    names = [one.process for one in upgrading.in_order(there)]
    assert names[4:] == [
        "keystone", "glance", "placement", "neutron-api", "neutron-rpc-server", "neutron-agents",
        "nova-conductor", "nova-scheduler", "nova-api", "compute-001", "compute-002",
    ]  # fmt: skip
    assert list(MIGRATIONS) == list(dict.fromkeys(SERVICES[one.services[0]] for one in upgrading.in_order(there)[4:]))


@pytest.mark.parametrize(
    ("now", "to", "refused"),
    [(OLD, NEW, ""), (NEW, "newest", ""), (NEW, NEW, ""), (NEW, OLD, "cannot be brought"),
     (OLD, "newest", "cannot be brought"), (OLD, "1999.1", "no release '1999.1'"), ("", NEW, "of no release")],
)  # fmt: skip
def test_only_the_next_release_may_follow(now: str, to: str, refused: str) -> None:
    process = StackProcess("keystone", ("keystone",), "", None, now)
    if not refused:
        upgrading.check(process, to)
        return
    with pytest.raises(InputError, match=refused):
        upgrading.check(process, to)


@pytest.mark.real_loop
async def test_a_question_that_hangs_is_given_up_so_that_it_can_be_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(again, "ANSWER_TIMEOUT_S", 0.05)
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            writer.write(b"HTTP/1.1 300 Multiple Choices\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            writer.close()
        else:
            await reader.read()
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        assert await again._answer_missing(url, RealClock())
        monkeypatch.setattr(again, "ANSWER_TIMEOUT_S", 10.0)
        assert await again._answer_missing(url, RealClock()) == ""


class Starts:
    """Stands in for processes: which were ended and started, and from which release."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, cannot: str = "") -> None:
        """`cannot`: the release from which nothing comes up."""
        self.done: list[str] = []
        self._cannot = cannot
        monkeypatch.setattr(again, "end", self._end)
        monkeypatch.setattr(again, "start_again", self._start)

        async def build(environment: Environment) -> dict[str, str]:
            return {"nova": environment.release.name}

        monkeypatch.setattr(Environment, "build", build)

    async def _end(self, state: Path, name: str, process: str, clock: Clock) -> None:
        self.done.append(f"end {process}")

    async def _start(self, state: Path, name: str, process: str, clock: Clock, tell: again.Tell) -> ProcessIdentity:
        release = service_of(site_of(state, name), process).release
        self.done.append(f"start {process} of {release}")
        if release == self._cannot:
            raise InputError(f"{process} ended at once")
        return ProcessIdentity(1, 2, "boot")


async def test_what_does_not_come_up_from_the_new_release_is_started_from_the_old_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = Starts(monkeypatch, cannot=NEW)
    clock = SimulatedClock(asyncio.get_running_loop())
    with pytest.raises(LabError, match=f"keystone did not come up from release {NEW}; it runs from {OLD} again"):
        await upgrading.replace(site.folder.state, "stack", "keystone", NEW, clock)
    assert starts.done == [
        "end keystone", f"start keystone of {NEW}", "end keystone", f"start keystone of {OLD}"
    ]  # fmt: skip
    assert site_of(site.folder.state, "stack").releases == {"compute-002": NEW}


async def test_when_the_last_process_has_come_over_the_stack_has(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = Starts(monkeypatch)
    clock = SimulatedClock(asyncio.get_running_loop())
    state = site.folder.state
    old = [one for one in upgrading.in_order(stack_processes(state, "stack")) if one.release == OLD]
    for number, one in enumerate(old):
        now = site_of(state, "stack")
        assert (now.settings.release, len(now.releases)) == (OLD, number + 1)
        await upgrading.replace(state, "stack", one.process, NEW, clock)
    record = site.folder.read_record()
    assert record is not None
    assert (record.settings.release, record.releases, record.packages) == (NEW, {}, {"nova": NEW})
    after = site_of(state, "stack")
    for one in old:
        assert service_of(after, one.process).release == NEW
    assert f"{NEW}-python" in (site.folder.configuration / "glance" / "glance-api.conf").read_text()
    await upgrading.replace(state, "stack", "keystone", OLD, clock)  # taken back
    assert starts.done[-1] == f"start keystone of {OLD}"
    assert site_of(state, "stack").releases == {"keystone": OLD}
    assert (site.folder.configuration / f"release-{OLD}" / "keystone" / "keystone.conf").exists()


def test_a_database_is_contracted_once_nothing_old_is_left_and_only_once(site: Site) -> None:
    state = site.folder.state

    def words(*processes: str, after: bool) -> list[str]:
        return [command.words for _, command in upgrading.migrations(state, "stack", processes, NEW, after=after)]

    assert words("keystone", "mariadb", after=False) == [
        "keystone-manage db_sync --expand", "keystone-manage db_sync --migrate"
    ]  # fmt: skip
    assert words("compute-002", after=False) == []
    assert words("compute-002", after=True) == []
    record = site.folder.read_record()
    assert record is not None
    nova = dict.fromkeys(("nova-conductor", "nova-scheduler", "nova-api", "compute-001", "compute-002"), NEW)
    site.folder.write_record(msgspec.structs.replace(record, releases=nova))
    assert words("compute-001", after=True) == ["nova-manage db online_data_migrations"]
    site.folder.write_done(frozenset({f"nova-manage db online_data_migrations of {NEW}"}))
    assert words("compute-001", after=True) == []


class Conductor:
    """Stands in for a service: it is connected to the bus from the beginning, and lives until it is told to end."""

    def __init__(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        self._told = site.folder.path / "told"
        os.mkfifo(self._told)
        service = Service("nova-conductor", ("/bin/sh", "-c", f"read x < {self._told}"))

        async def connected(site: Site, record: ServiceRecord) -> str:
            return ""

        monkeypatch.setattr(again, "service_of", lambda site, process: service)
        monkeypatch.setattr(again, "_bus_missing", connected)

    def end(self) -> None:
        self._told.write_text("now")


@pytest.fixture
def conductor(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Conductor]:
    found = Conductor(site, monkeypatch)
    yield found
    if processes_of(site.folder):
        found.end()


@pytest.mark.real_loop
async def test_what_dies_a_moment_after_it_was_connected_does_not_count_as_working(
    site: Site, conductor: Conductor
) -> None:
    told: list[bool] = []

    def tell(works: bool) -> None:
        told.append(works)
        if works:
            conductor.end()

    with pytest.raises(InputError, match="nova-conductor ended soon after it had begun to work"):
        await again.start_again(site.folder.state, "stack", "nova-conductor", RealClock(), tell)
    assert told == [True, False]


async def test_what_stays_works_from_the_instant_at_which_it_was_connected(site: Site, conductor: Conductor) -> None:
    clock = SimulatedClock(asyncio.get_running_loop())
    told: list[tuple[bool, int]] = []
    began_ns = clock.now_ns()
    identity = await again.start_again(
        site.folder.state, "stack", "nova-conductor", clock, lambda works: told.append((works, clock.now_ns()))
    )
    assert is_alive(identity)
    assert told == [(True, began_ns)]
