"""Power by libvirt, against a libvirtd of the tests' own, with a machine of QEMU: real processes, that come and go."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import FaultError
from kilonode.faults import power
from kilonode.faults.driver import State
from kilonode.faults.healing import heal_left
from kilonode.faults.injecting import Injector
from kilonode.faults.journal import journals, new_journal
from kilonode.faults.power import HostPower
from kilonode.faults.registry import Drivers
from tests.faults.killed import left_by_one_who_was_killed
from tests.faults.lasting import in_effect, plan
from tests.faults.libvirtd import MACHINE, Libvirtd, needs_libvirt, running_libvirtd

CLOCK = RealClock()

pytestmark = [pytest.mark.real_loop, needs_libvirt]


@pytest.fixture(scope="module")
def libvirt() -> Iterator[Libvirtd]:
    with running_libvirtd() as daemon:
        yield daemon


def hosts_file(folder: Path, daemon: Libvirtd, name: str = "machine-1") -> Path:
    file = folder / "hosts.yaml"
    entry = f"{{by: libvirt, address: '{daemon.uri}', name: {name}}}"
    file.write_text(f"hosts:\n  node-1:\n    address: 192.0.2.1\n    power: {entry}\n")
    return file


def drivers_of(file: Path) -> Drivers:
    return Drivers([HostPower(file, CLOCK)])


async def test_a_machine_is_gone_until_it_is_healed(libvirt: Libvirtd, tmp_path: Path) -> None:
    before = libvirt.pid()
    drivers = drivers_of(hosts_file(tmp_path, libvirt))
    async with in_effect(await plan("poweroff node node-1 for 1s", drivers), drivers, tmp_path / "journals"):
        assert libvirt.pid() is None
    assert libvirt.pid() not in (None, before)


async def test_a_reset_is_done_to_the_machine_as_it_runs(libvirt: Libvirtd, tmp_path: Path) -> None:
    before = libvirt.pid()
    drivers = drivers_of(hosts_file(tmp_path, libvirt))
    fault = await plan("reset node node-1", drivers)
    listening = await asyncio.create_subprocess_exec(
        "virsh", "--connect", libvirt.uri, "event", "--event", "reboot", "--timeout", "30",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    heard = asyncio.ensure_future(listening.communicate())
    with new_journal(tmp_path / "journals", "reset", CLOCK) as journal:
        while not heard.done():  # again, until whoever listens has begun to
            await Injector(drivers, journal, CLOCK).inject(fault)
            await asyncio.wait([heard], timeout=0.2)
    assert b"event 'reboot' for domain 'machine-1'" in (await heard)[0]
    assert libvirt.pid() == before


async def test_a_machine_without_a_system_does_not_go_down_and_is_on(
    libvirt: Libvirtd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(power, "DOWN_TIMEOUT_S", 0.0)
    monkeypatch.setattr(power, "LATE_DOWN_S", 0.0)
    drivers = drivers_of(hosts_file(tmp_path, libvirt))
    fault = await plan("shutdown node node-1 for 1s", drivers)
    with new_journal(tmp_path / "journals", "down", CLOCK) as journal, pytest.raises(FaultError, match="to be seen"):
        await Injector(drivers, journal, CLOCK).inject(fault)
    assert libvirt.pid() is not None
    assert not any(record.open for record in journals(tmp_path / "journals"))


async def test_a_machine_that_would_be_forgotten_is_not_switched_off(libvirt: Libvirtd, tmp_path: Path) -> None:
    (tmp_path / "fleeting.xml").write_text(MACHINE.replace("machine-1", "fleeting"))
    libvirt.virsh("create", str(tmp_path / "fleeting.xml"))
    try:
        drivers = drivers_of(hosts_file(tmp_path, libvirt, "fleeting"))
        fault = await plan("poweroff node node-1 for 1s", drivers)
        with new_journal(tmp_path / "journals", "off", CLOCK) as journal, pytest.raises(FaultError, match="forget"):
            await Injector(drivers, journal, CLOCK).inject(fault)
        assert libvirt.virsh("domstate", "fleeting") == "running"
    finally:
        libvirt.virsh("destroy", "fleeting")


@pytest.mark.parametrize(
    ("name", "uri", "words"),
    [
        ("nobody", "", "libvirt knows no such machine"),
        ("machine-1", "qemu+unix:///session?socket=/nowhere", "not answer"),
    ],
)
async def test_what_is_not_there_is_said_and_leaves_nothing_to_heal(
    libvirt: Libvirtd, tmp_path: Path, name: str, uri: str, words: str
) -> None:
    file = hosts_file(tmp_path, libvirt, name)
    file.write_text(file.read_text().replace(libvirt.uri, uri or libvirt.uri))
    drivers = drivers_of(file)
    fault = await plan("poweroff node node-1 for 1s", drivers)
    with new_journal(tmp_path / "journals", "off", CLOCK) as journal, pytest.raises(FaultError, match=words):
        await Injector(drivers, journal, CLOCK).inject(fault)
    assert not any(record.open for record in journals(tmp_path / "journals"))
    (capability,) = await HostPower(file, CLOCK).capabilities()
    assert capability.state is State.MISSING
    assert words in capability.why


async def test_a_machine_that_a_killed_process_left_off_is_switched_on_by_another(
    libvirt: Libvirtd, tmp_path: Path
) -> None:
    file = hosts_file(tmp_path, libvirt)
    await left_by_one_who_was_killed(__name__, file, tmp_path / "journals", "poweroff node node-1")
    assert libvirt.pid() is None
    file.unlink()
    await heal_left(tmp_path / "journals", Drivers([HostPower(None, CLOCK)]), CLOCK, lambda words: None)
    assert not any(record.open for record in journals(tmp_path / "journals"))
    assert libvirt.pid() is not None
    (capability,) = await HostPower(hosts_file(tmp_path, libvirt), CLOCK).capabilities()
    assert (capability.state, capability.why) == (State.WORKS, "by libvirt: it is on")
