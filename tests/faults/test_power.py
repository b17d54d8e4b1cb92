"""The power of hosts, by Redfish: against the emulator that OpenStack's bare metal people test with, over real HTTP."""

import asyncio
import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import FaultError, InputError
from kilonode.faults.driver import State
from kilonode.faults.healing import heal_left
from kilonode.faults.hosts import Power
from kilonode.faults.injecting import Injector
from kilonode.faults.journal import journals, new_journal
from kilonode.faults.language import parse
from kilonode.faults.model import Kind, Target
from kilonode.faults.power import WAYS, HostPower
from kilonode.faults.redfish import Redfish
from kilonode.faults.registry import Drivers
from tests.faults.killed import left_by_one_who_was_killed
from tests.faults.lasting import in_effect, plan

CLOCK = RealClock()
PATIENCE_S = 30.0
PASSWORD = "open sesame"
needs_emulator = pytest.mark.skipif(
    importlib.util.find_spec("sushy_tools") is None, reason="sushy-tools is not installed: it is a dependency of tests"
)

pytestmark = pytest.mark.real_loop


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A controller of two machines, which wants a password; a hosts file for them."""
    import bcrypt

    folder = tmp_path_factory.mktemp("redfish")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    systems = [
        {"uuid": str(uuid.uuid4()), "name": f"machine-{number}", "power_state": "On", "nics": []} for number in (1, 2)
    ]
    (folder / "passwords").write_text("admin:" + bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode() + "\n")
    (folder / "emulator.conf").write_text(
        f"SUSHY_EMULATOR_STATE_DIR = {str(folder / 'state')!r}\nSUSHY_EMULATOR_FAKE_SYSTEMS = {systems!r}\n"
        f"SUSHY_EMULATOR_AUTH_FILE = {str(folder / 'passwords')!r}\n"
    )
    (folder / "state").mkdir()
    hosts = "".join(
        f"  node-{number}:\n    address: 192.0.2.{number}\n"
        f"    power: {{by: redfish, address: 'http://127.0.0.1:{port}', "
        f"name: {system['uuid']}, user: admin, password_variable: BMC_PASSWORD}}\n"
        for number, system in enumerate(systems, 1)
    )
    (folder / "hosts.yaml").write_text(f"hosts:\n{hosts}")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("sushy-emulator")), "--fake", "-i", "127.0.0.1", "-p", str(port),
             "--config", str(folder / "emulator.conf")],
            stdout=log, stderr=log,
        )  # fmt: skip
    os.environ["BMC_PASSWORD"] = PASSWORD
    try:
        deadline_s = time.monotonic() + PATIENCE_S
        while not _answers(f"http://127.0.0.1:{port}/redfish/v1/"):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline_s, (folder / "log").read_text()
            time.sleep(0.05)
        yield folder / "hosts.yaml"
    finally:
        del os.environ["BMC_PASSWORD"]
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310
            return True
    except OSError:
        return False


def said_in(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.iterdir())


def pressed(file: Path) -> int:
    """How often the emulator was told to switch something."""
    return (file.parent / "log").read_text().count("POST /redfish/v1/Systems/")


def drivers_of(file: Path) -> Drivers:
    return Drivers([HostPower(file, CLOCK)])


async def state(file: Path, host: str) -> str | None:
    async with Redfish().open(HostPower(file, CLOCK)._powers()[host], CLOCK) as controller:
        return await controller.state()


@needs_emulator
async def test_a_host_is_off_until_it_is_healed_and_no_other_is(emulator: Path, tmp_path: Path) -> None:
    drivers = drivers_of(emulator)
    fault = await plan("poweroff node node-1 for 1s", drivers)
    async with in_effect(fault, drivers, tmp_path):
        assert (await state(emulator, "node-1"), await state(emulator, "node-2")) == ("off", "on")
    assert await state(emulator, "node-1") == "on"
    assert PASSWORD not in said_in(tmp_path)


@needs_emulator
async def test_a_reset_leaves_a_host_on_and_nothing_to_heal(emulator: Path, tmp_path: Path) -> None:
    drivers = drivers_of(emulator)
    fault = await plan("reset node node-2", drivers)
    assert not fault.lasting
    before = pressed(emulator)
    with new_journal(tmp_path, "reset", CLOCK) as journal:
        await Injector(drivers, journal, CLOCK).inject(fault)
    assert pressed(emulator) == before + 1
    assert await state(emulator, "node-2") == "on"


@needs_emulator
async def test_a_host_is_shut_down_by_its_controller_only_for_a_time(emulator: Path, tmp_path: Path) -> None:
    drivers = drivers_of(emulator)
    with pytest.raises(InputError, match="nothing here can shutdown a node"):
        await plan("shutdown node node-1", drivers)
    fault = await plan("shutdown node node-1 for 1s", drivers)
    async with in_effect(fault, drivers, tmp_path):
        assert await state(emulator, "node-1") == "off"
    assert await state(emulator, "node-1") == "on"


@needs_emulator
async def test_whoever_is_not_let_in_leaves_nothing_to_heal(
    emulator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMC_PASSWORD", "wrong words")
    drivers = drivers_of(emulator)
    before = pressed(emulator)
    with new_journal(tmp_path, "off", CLOCK) as journal, pytest.raises(FaultError, match="the controller refuses"):
        await Injector(drivers, journal, CLOCK).inject(await plan("poweroff node node-1", drivers))
    assert not any(record.open for record in journals(tmp_path))
    assert pressed(emulator) == before


@needs_emulator
async def test_a_host_that_a_killed_process_left_off_is_switched_on_by_another(emulator: Path, tmp_path: Path) -> None:
    await left_by_one_who_was_killed(__name__, emulator, tmp_path, "poweroff node node-2")
    assert await state(emulator, "node-2") == "off"
    await heal_left(tmp_path, Drivers([HostPower(None, CLOCK)]), CLOCK, lambda words: None)
    assert not any(record.open for record in journals(tmp_path))
    assert await state(emulator, "node-2") == "on"


@needs_emulator
async def test_what_each_controller_can_do_is_told_without_its_password(
    emulator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {each.name: each for each in await HostPower(emulator, CLOCK).capabilities()}
    assert found["node-1"].state is State.WORKS
    monkeypatch.setenv("BMC_PASSWORD", "wrong words")
    refused = {each.name: each for each in await HostPower(emulator, CLOCK).capabilities()}["node-1"]
    assert refused.state is State.MISSING
    assert "401" in refused.why
    assert "wrong words" not in refused.why


async def test_a_controller_that_is_not_there_is_a_fault_that_was_not_done() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    async with Redfish().open(Power("redfish", address), CLOCK) as controller:
        with pytest.raises(FaultError, match="the controller does not answer"):
            await controller.state()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b'{"Members": []}', "has not exactly one machine"),
        (b'{"Members": [{"@odata.id": "//192.0.2.9/x"}]}', "sends us to another machine"),
        (b"<html>", "answers something else"),
    ],
)
async def test_a_controller_that_answers_nonsense_is_not_believed(answer: bytes, words: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with Redfish().open(Power("redfish", f"http://127.0.0.1:{port}"), CLOCK) as controller:
            with pytest.raises(FaultError, match=words):
                await controller.state()


async def test_a_password_never_crosses_the_network_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMC_PASSWORD", PASSWORD)
    power = Power("redfish", "http://192.0.2.1", user="admin", password_variable="BMC_PASSWORD")
    with pytest.raises(InputError, match="in the clear"):
        async with Redfish().open(power, CLOCK):
            pass


async def test_without_a_hosts_file_no_host_has_power() -> None:
    driver = HostPower(None, CLOCK)
    assert not driver.handles(parse("poweroff node a").parts[0].fault)
    assert await driver.find(Target(Kind.NODE)) == []


def test_every_way_that_a_hosts_file_may_name_is_there() -> None:
    assert set(WAYS) == set(get_args(get_type_hints(Power)["by"]))


@pytest.mark.parametrize(("by", "package"), [("ipmi", "ipmitool"), ("libvirt", "libvirt-clients")])
async def test_without_a_command_nothing_is_touched_and_the_doctor_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str, package: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    file = tmp_path / "hosts.yaml"
    file.write_text(f"hosts: {{node-1: {{address: 192.0.2.1, power: {{by: {by}, address: bmc-1}}}}}}\n")
    with pytest.raises(InputError, match=f"nothing here can switch host node-1 by {by}") as caught:
        await plan("poweroff node node-1", drivers_of(file))
    assert f"apt-get install {package}" in caught.value.problem.hint
    (with_hosts,) = await HostPower(file, CLOCK).capabilities()
    without = {each.name: each for each in await HostPower(None, CLOCK).capabilities()}[by]
    for each in (with_hosts, without):
        assert each.state is State.MISSING
        assert f"apt-get install {package}" in each.why


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{by: ipmi, address: 'https://bmc-1'}", "no address of a controller"),
        ("{by: ipmi, address: '-v'}", "no address of a controller"),
        ("{by: ipmi, address: 'bmc-1:99999'}", "no address of a controller"),
        ("{by: ipmi, address: bmc-1, name: one}", "ipmi has no name"),
        ("{by: libvirt, address: 'qemu:///system'}", "which of its machines is meant"),
        ("{by: libvirt, address: bmc-1, name: one}", "no URI of libvirt"),
        ("{by: libvirt, address: 'qemu:///system', name: one, user: me}", "libvirt has no user"),
        ("{by: redfish, address: bmc-1, cipher_suite: 17}", "redfish has no cipher_suite"),
        ("{by: ipmi, address: bmc-1, user: a-user-of-17-byte}", "IPMI has no such users"),
        ("{by: ipmi, address: bmc-1, user: a, password_variable: LONG}", "IPMI has no such passwords"),
        ("{by: ipmi, address: bmc-1, user: a, password_variable: NOBODY_SET_THIS}", "NOBODY_SET_THIS is empty"),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, words: str
) -> None:
    monkeypatch.setattr("kilonode.faults.ipmi.Ipmi.missing", lambda self: "")
    monkeypatch.setattr("kilonode.faults.libvirt.Libvirt.missing", lambda self: "")
    monkeypatch.setenv("LONG", "x" * 21)
    file = tmp_path / "hosts.yaml"
    file.write_text(f"hosts:\n  node-1:\n    address: 192.0.2.1\n    power: {entry}\n")
    with pytest.raises(InputError, match=words) as caught:
        await plan("poweroff node node-1 for 1s", drivers_of(file))
    assert "x" * 21 not in str(caught.value)
