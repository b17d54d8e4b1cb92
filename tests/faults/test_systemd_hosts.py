"""Faults on whole machines whose first process is the real systemd: units, reboots, going down."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import FaultError, InputError
from kilonode.faults.driver import State
from kilonode.faults.healing import heal_left
from kilonode.faults.hosted import HostFaults
from kilonode.faults.hosted_machines import HostedMachines
from kilonode.faults.hosted_network import HostedNetwork
from kilonode.faults.injecting import Injection, Injector
from kilonode.faults.journal import journals, new_journal
from kilonode.faults.registry import Drivers
from tests.faults.lasting import in_effect, plan
from tests.faults.machines import Machine, machines, missing

CLOCK = RealClock()
MISSING = missing()

pytestmark = [
    pytest.mark.stack,
    pytest.mark.real_loop,
    pytest.mark.skipif(bool(MISSING), reason=MISSING or "there are machines"),
]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machines")
    try:
        with machines(folder, 1) as (found,):
            (folder / "hosts.yaml").write_text(
                "login: {user: root, key_file: machine-1/key, known_hosts: machine-1/known_hosts}\n"
                f"hosts: {{node-1: {{address: {found.address}}}}}\n"
                "services:\n"
                "  demo: {unit: demo}\n  again: {unit: again.service}\n"
                "  absent: {unit: absent}\n  broken: {unit: broken}\n"
            )
            yield found
    except RuntimeError as error:
        pytest.skip(str(error))


def drivers_of(machine: Machine) -> Drivers:
    return Drivers([HostFaults(machine.folder.parent / "hosts.yaml", CLOCK)])


async def inject(text: str, machine: Machine, folder: Path) -> tuple[Injector, Injection]:
    drivers = drivers_of(machine)
    with new_journal(folder / "faults", text, CLOCK) as journal:
        injector = Injector(drivers, journal, CLOCK)
        return injector, await injector.inject(await plan(text, drivers))


def active(machine: Machine, unit: str) -> str:
    return machine.command("systemctl", "is-active", unit).stdout.strip()


def pids(machine: Machine, unit: str) -> list[str]:
    """All processes of a unit, as the kernel counts them."""
    group = machine.command("systemctl", "show", "--value", "--property=ControlGroup", unit).stdout.strip()
    words = machine.command("cat", f"/sys/fs/cgroup/unified{group}/cgroup.procs", f"/sys/fs/cgroup{group}/cgroup.procs")
    return words.stdout.split() if group else []


def states(machine: Machine, unit: str) -> set[str]:
    """The states of a unit's processes."""
    words = machine.command("ps", "-o", "stat=", "-p", ",".join(pids(machine, unit))).stdout
    return {word[0] for word in words.split()}


async def test_a_killed_unit_has_failed_with_its_children_and_runs_again_when_healed(
    machine: Machine, tmp_path: Path
) -> None:
    assert machine.command("systemctl", "start", "demo").returncode == 0
    drivers = drivers_of(machine)
    async with in_effect(await plan("kill demo for 10s", drivers), drivers, tmp_path / "faults"):
        assert pids(machine, "demo") == []
        assert active(machine, "demo") == "failed"
    assert active(machine, "demo") == "active"
    assert len(pids(machine, "demo")) == 2


async def test_a_unit_that_systemd_starts_again_is_killed_but_not_for_long(machine: Machine, tmp_path: Path) -> None:
    assert machine.command("systemctl", "start", "again").returncode == 0
    before = pids(machine, "again")
    drivers = drivers_of(machine)
    with pytest.raises(InputError, match="systemd starts again again by itself on node-1") as refused:
        await plan("kill again for 10s", drivers)
    assert "terminate" in refused.value.problem.hint
    _, injection = await inject("kill again", machine, tmp_path)
    assert not injection.planned.lasting
    for _ in range(100):
        if active(machine, "again") == "active":
            break
        await asyncio.sleep(0.1)
    after = pids(machine, "again")
    assert len(after) == 2
    assert not set(before) & set(after)


async def test_a_unit_that_systemd_would_start_again_stays_down_when_it_is_terminated(
    machine: Machine, tmp_path: Path
) -> None:
    assert machine.command("systemctl", "start", "again").returncode == 0
    drivers = drivers_of(machine)
    async with in_effect(await plan("terminate again for 10s", drivers), drivers, tmp_path / "faults"):
        await asyncio.sleep(0.5)
        assert active(machine, "again") == "inactive"
    assert active(machine, "again") == "active"


async def test_a_frozen_unit_is_stopped_but_active_and_goes_on(machine: Machine, tmp_path: Path) -> None:
    assert machine.command("systemctl", "restart", "demo").returncode == 0
    drivers = drivers_of(machine)
    async with in_effect(await plan("freeze demo for 10s", drivers), drivers, tmp_path / "faults"):
        assert states(machine, "demo") == {"T"}
        assert active(machine, "demo") == "active"
    assert states(machine, "demo") == {"S"}


async def test_a_unit_is_started_and_restarted_and_is_another_process_then(machine: Machine, tmp_path: Path) -> None:
    machine.command("systemctl", "stop", "demo")
    await inject("start demo", machine, tmp_path)
    before = pids(machine, "demo")
    await inject("restart demo on node node-1", machine, tmp_path)
    after = pids(machine, "demo")
    assert len(before) == len(after) == 2
    assert not set(before) & set(after)


async def test_what_systemd_refuses_is_said_with_its_words(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no service 'absent'"):
        await plan("start absent", drivers_of(machine))
    unit = "[Service]\\nExecStart=/bin/false\\nType=oneshot\\n"
    assert machine.command(f"printf '{unit}' >/etc/systemd/system/broken.service").returncode == 0
    assert machine.command("systemctl", "daemon-reload").returncode == 0
    with pytest.raises(FaultError, match="broken"):
        await inject("start broken", machine, tmp_path)


async def test_a_reboot_is_another_boot_and_what_was_frozen_before_it_has_nothing_to_heal(
    machine: Machine, tmp_path: Path
) -> None:
    assert machine.command("systemctl", "start", "demo").returncode == 0
    await inject("freeze demo for 10s", machine, tmp_path)
    boot = machine.command("cat", "/proc/sys/kernel/random/boot_id").stdout
    injector, injection = await inject("reboot node node-1", machine, tmp_path / "reboot")
    assert machine.command("cat", "/proc/sys/kernel/random/boot_id").stdout != boot
    assert machine.console().count("ended: 133") == 1
    assert not injection.planned.lasting
    assert injector.results[0].took_effect_ns is not None
    assert active(machine, "demo") == "inactive"
    await heal_left(tmp_path / "faults", Drivers([HostFaults(None, CLOCK)]), CLOCK, lambda words: None)
    assert not any(record.open for record in journals(tmp_path / "faults"))


async def test_what_uses_a_machine_up_outlives_the_login_that_began_it(machine: Machine, tmp_path: Path) -> None:
    drivers = Drivers([HostedMachines(machine.folder.parent / "hosts.yaml", CLOCK)])
    async with in_effect(await plan("stress cpu at 2% on node node-1 for 60s", drivers), drivers, tmp_path):
        assert "kilonode-" in machine.command("ps", "-eo", "args").stdout
    assert "kilonode-" not in machine.command("ps", "-eo", "args").stdout


async def test_a_machine_is_cut_off_by_its_own_packet_filter(machine: Machine, tmp_path: Path) -> None:
    drivers = Drivers([HostedNetwork(machine.folder.parent / "hosts.yaml", CLOCK)])
    async with in_effect(await plan("isolate node node-1 for 60s", drivers), drivers, tmp_path):
        assert "drop" in machine.command("nft", "list", "ruleset").stdout
    assert "drop" not in machine.command("nft", "list", "ruleset").stdout


async def test_such_a_host_lacks_nothing_but_what_is_not_installed(machine: Machine) -> None:
    driver = HostFaults(machine.folder.parent / "hosts.yaml", CLOCK)
    (capability,) = await driver.capabilities()
    assert capability.state is State.PARTLY
    assert capability.why == "no stress-ng: its kernel cannot be stressed"
    assert machine.command("ln -s /bin/true /usr/bin/stress-ng").returncode == 0
    (capability,) = await driver.capabilities()
    assert capability.state is State.WORKS, capability.why
    assert machine.command("rm /usr/bin/stress-ng").returncode == 0


async def test_a_host_that_is_shut_down_answers_no_more_and_is_switched_on_by_somebody(
    machine: Machine, tmp_path: Path
) -> None:
    injector, _ = await inject("shutdown node node-1", machine, tmp_path)
    machine.wait_until_down()
    assert machine.console().rstrip().endswith("ended: 0")
    assert injector.results[0].took_effect_ns is not None
    with pytest.raises(InputError, match="node-1"):
        await plan("kill demo", drivers_of(machine))
    await asyncio.to_thread(machine.boot)
    assert machine.command("systemctl", "is-active", "ssh").stdout.strip() == "active"
