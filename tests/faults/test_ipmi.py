"""Power by IPMI, against OpenIPMI's simulator of a controller: its own process, real RMCP+ over loopback."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.clock import RealClock
from kilonode.base.errors import FaultError, InputError
from kilonode.base.randomness import Randomness
from kilonode.faults import ipmi, power
from kilonode.faults.driver import State, Step
from kilonode.faults.healing import heal_left
from kilonode.faults.hosts import Power, plain_hosts
from kilonode.faults.injecting import Injector
from kilonode.faults.ipmi import Ipmi, cipher_refusal, split_address, understand
from kilonode.faults.journal import journals, new_journal
from kilonode.faults.os_faults import convert
from kilonode.faults.power import HostPower
from kilonode.faults.power_controls import Button
from kilonode.faults.registry import Drivers
from kilonode.faults.watching import see
from tests.faults.bmc import PASSWORD, VARIABLE, Bmc, free_port, needs_ipmi, running_bmc
from tests.faults.killed import left_by_one_who_was_killed
from tests.faults.lasting import in_effect, plan

CLOCK = RealClock()

pytestmark = pytest.mark.real_loop


@pytest.fixture(autouse=True)
def _known_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, PASSWORD)


@pytest.fixture
def bmc(tmp_path: Path) -> Iterator[Bmc]:
    with running_bmc(tmp_path / "bmc") as running:
        yield running


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not answer is given up after two seconds, not eighteen."""
    monkeypatch.setattr(ipmi, "RETRANSMIT_S", 1)
    monkeypatch.setattr(ipmi, "RETRIES", 1)


def hosts_file(folder: Path, entry: str) -> Path:
    file = folder / "hosts.yaml"
    file.write_text(f"hosts:\n  node-1:\n    address: 192.0.2.1\n    power: {entry}\n")
    return file


def drivers_of(file: Path) -> Drivers:
    return Drivers([HostPower(file, CLOCK)])


async def ask(entry: Power) -> str | None:
    async with Ipmi().open(entry, CLOCK) as controller:
        return await controller.state()


def at(port: int) -> Power:
    return Power("ipmi", f"127.0.0.1:{port}", "operator", VARIABLE)


@needs_ipmi
async def test_a_host_is_off_until_it_is_healed(bmc: Bmc, tmp_path: Path) -> None:
    drivers = drivers_of(hosts_file(tmp_path, bmc.entry()))
    async with in_effect(await plan("poweroff node node-1 for 1s", drivers), drivers, tmp_path / "journals"):
        assert not bmc.is_on()
    assert bmc.is_on()
    assert bmc.orders == ["power 0", "power 1"]
    assert PASSWORD not in "".join(path.read_text() for path in (tmp_path / "journals").iterdir())


@needs_ipmi
async def test_a_reset_is_one_order_and_leaves_nothing_to_heal(bmc: Bmc, tmp_path: Path) -> None:
    drivers = drivers_of(hosts_file(tmp_path, bmc.entry()))
    fault = await plan("reset node node-1", drivers)
    assert not fault.lasting
    with new_journal(tmp_path / "journals", "reset", CLOCK) as journal:
        await Injector(drivers, journal, CLOCK).inject(fault)
    assert bmc.orders == ["reset 1"]


@needs_ipmi
async def test_a_host_that_is_shut_down_for_a_time_is_seen_to_go_and_switched_on_again(
    bmc: Bmc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kilonode.faults.ipmi._IpmiController.look_every_s", 0.01)
    drivers = drivers_of(hosts_file(tmp_path, bmc.entry()))
    async with in_effect(await plan("shutdown node node-1 for 1s", drivers), drivers, tmp_path / "journals"):
        assert not bmc.is_on()
    assert bmc.is_on()
    assert bmc.orders == ["shutdown 1", "power 1"]


@needs_ipmi
async def test_a_host_that_does_not_go_down_is_a_fault_that_was_not_seen(
    bmc: Bmc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(power, "DOWN_TIMEOUT_S", 0.0)
    monkeypatch.setattr(power, "LATE_DOWN_S", 0.0)
    monkeypatch.setattr("kilonode.faults.ipmi._IpmiController.look_every_s", 0.01)
    (bmc.folder / "ignores").touch()
    drivers = drivers_of(hosts_file(tmp_path, bmc.entry()))
    fault = await plan("shutdown node node-1 for 1s", drivers)
    with (
        new_journal(tmp_path / "journals", "down", CLOCK) as journal,
        pytest.raises(FaultError, match="not to be seen"),
    ):
        await Injector(drivers, journal, CLOCK).inject(fault)
    assert bmc.is_on()
    assert not any(record.open for record in journals(tmp_path / "journals"))


@needs_ipmi
async def test_a_host_that_goes_down_while_it_is_healed_is_on_in_the_end(
    bmc: Bmc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kilonode.faults.ipmi._IpmiController.look_every_s", 0.01)
    driver = HostPower(hosts_file(tmp_path, bmc.entry()), CLOCK)
    fault = await plan("shutdown node node-1 for 1s", Drivers([driver]))
    told: list[Step] = []
    (step,) = fault.steps
    monkeypatch.setattr(power, "DOWN_TIMEOUT_S", -1.0)  # whoever told it does not wait
    (bmc.folder / "takes").write_text("look\n" * 5)
    with pytest.raises(FaultError):
        await driver.inject(step, told.append)
    assert bmc.is_on()
    await driver.heal(told[-1])
    assert bmc.is_on()
    assert bmc.orders == ["shutdown 1", "power 1"]


@needs_ipmi
async def test_a_host_that_is_off_already_is_left_alone(bmc: Bmc, tmp_path: Path) -> None:
    (bmc.folder / "power").write_text("0\n")
    drivers = drivers_of(hosts_file(tmp_path, bmc.entry()))
    for text, words in (("poweroff node node-1 for 1s", "off already"), ("reset node node-1", "is not on")):
        with new_journal(tmp_path / "journals", "off", CLOCK) as journal, pytest.raises(FaultError, match=words):
            await Injector(drivers, journal, CLOCK).inject(await plan(text, drivers))
    assert bmc.orders == []
    assert not bmc.is_on()
    assert not any(record.open for record in journals(tmp_path / "journals"))


@needs_ipmi
async def test_a_controller_that_refuses_an_order_is_said_to(bmc: Bmc, tmp_path: Path) -> None:
    (bmc.folder / "broken").touch()
    drivers = drivers_of(hosts_file(tmp_path, bmc.entry()))
    with new_journal(tmp_path / "journals", "reset", CLOCK) as journal, pytest.raises(FaultError, match="refuses"):
        await Injector(drivers, journal, CLOCK).inject(await plan("reset node node-1", drivers))


@needs_ipmi
@pytest.mark.parametrize(
    ("user", "secret", "suite", "words"),
    [
        ("operator", "wrong words", 3, "does not accept the password"),
        ("somebody", PASSWORD, 3, "does not know the user"),
        ("operator", PASSWORD, 17, "refuses cipher suite 17"),
    ],
)
async def test_who_is_not_let_in_does_nothing_and_leaves_nothing_to_heal(
    bmc: Bmc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str, secret: str, suite: int, words: str
) -> None:
    file = hosts_file(tmp_path, bmc.entry(f"cipher_suite: {suite}").replace("operator", user))
    drivers = drivers_of(file)
    monkeypatch.setenv(VARIABLE, secret)
    with new_journal(tmp_path / "journals", "off", CLOCK) as journal, pytest.raises(FaultError, match=words) as caught:
        await Injector(drivers, journal, CLOCK).inject(await plan("poweroff node node-1 for 1s", drivers))
    (capability,) = await HostPower(file, CLOCK).capabilities()
    assert caught.value.exit_code == 3
    assert secret not in str(caught.value) + capability.why
    assert capability.state is State.MISSING
    assert words in capability.why
    assert bmc.orders == []
    assert not any(record.open for record in journals(tmp_path / "journals"))


@needs_ipmi
async def test_a_wrong_password_is_refused_each_time_and_the_right_one_accepted_after_it(
    bmc: Bmc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "wrong")
    for _ in range(3):
        with pytest.raises(FaultError, match="does not accept the password"):
            await ask(at(bmc.port))
    monkeypatch.setenv(VARIABLE, PASSWORD)
    assert await ask(at(bmc.port)) == "on"


@needs_ipmi
@pytest.mark.usefixtures("impatient")
async def test_a_controller_that_does_not_answer_is_said_to_and_nothing_is_left_to_heal(tmp_path: Path) -> None:
    drivers = drivers_of(hosts_file(tmp_path, Bmc(tmp_path, free_port()).entry("cipher_suite: 3")))
    with new_journal(tmp_path / "journals", "off", CLOCK) as journal, pytest.raises(FaultError, match="not answer"):
        await Injector(drivers, journal, CLOCK).inject(await plan("poweroff node node-1", drivers))
    assert not any(record.open for record in journals(tmp_path / "journals"))


@needs_ipmi
async def test_a_controller_with_a_name_that_nobody_knows_is_said_to_be_unknown() -> None:
    with pytest.raises(FaultError, match="the controller's address is not known"):
        await ask(Power("ipmi", "bmc.invalid", "operator", VARIABLE))


async def ipmitool_of(asker: psutil.Process) -> psutil.Process:
    """The command that somebody has begun, or is about to."""

    def running() -> list[psutil.Process]:
        return [each for each in asker.children() if each.name() == "ipmitool"]

    await see("ipmitool runs", lambda: bool(running()), CLOCK, 30)
    return running()[0]


@needs_ipmi
async def test_the_password_is_no_argument_and_a_question_that_is_given_up_leaves_no_process() -> None:
    asking = asyncio.ensure_future(ask(at(free_port())))
    process = await ipmitool_of(psutil.Process())
    assert PASSWORD not in " ".join(process.cmdline())
    assert process.environ()["IPMI_PASSWORD"] == PASSWORD
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not process.is_running()


ASKS = """
import asyncio, sys
from tests.faults.test_ipmi import ask, at
asyncio.run(ask(at(int(sys.argv[1]))))
"""


@needs_ipmi
async def test_a_command_does_not_outlive_whoever_was_killed_while_it_ran() -> None:
    asker = await asyncio.create_subprocess_exec(sys.executable, "-c", ASKS, str(free_port()))
    process = await ipmitool_of(psutil.Process(asker.pid))
    asker.kill()
    await asker.wait()
    _, left = psutil.wait_procs([process], timeout=5)
    assert left == []  # its order would come after the heal


@needs_ipmi
async def test_a_host_that_a_killed_process_left_off_is_switched_on_by_another(bmc: Bmc, tmp_path: Path) -> None:
    file = hosts_file(tmp_path, bmc.entry())
    await left_by_one_who_was_killed(__name__, file, tmp_path / "journals", "poweroff node node-1")
    assert not bmc.is_on()
    file.unlink()
    await heal_left(tmp_path / "journals", Drivers([HostPower(None, CLOCK)]), CLOCK, lambda words: None)
    assert not any(record.open for record in journals(tmp_path / "journals"))
    assert bmc.is_on()


REPEATS = """
import asyncio, pathlib, sys
from kilonode.faults.injecting import Injector
from kilonode.faults.journal import new_journal
from tests.faults.test_ipmi import CLOCK, drivers_of, plan

async def main():
    drivers = drivers_of(pathlib.Path(sys.argv[1]))
    fault = await plan("poweroff node node-1", drivers)
    print("ready", flush=True)
    while True:
        with new_journal(pathlib.Path(sys.argv[2]), "off", CLOCK) as journal:
            injector = Injector(drivers, journal, CLOCK)
            await injector.heal(await injector.inject(fault))

asyncio.run(main())
"""


@needs_ipmi
@pytest.mark.soak
async def test_a_host_is_on_after_a_heal_whenever_whoever_switched_it_was_killed(bmc: Bmc, tmp_path: Path) -> None:
    file = hosts_file(tmp_path, bmc.entry())
    random = Randomness(1).stream()
    left_off = 0
    for _ in range(50):
        injector = await asyncio.create_subprocess_exec(
            sys.executable, "-c", REPEATS, str(file), str(tmp_path / "journals"), stdout=asyncio.subprocess.PIPE
        )
        assert injector.stdout is not None
        assert (await injector.stdout.readline()).strip() == b"ready"
        await CLOCK.sleep(random.uniform(0.0, 1.0))
        injector.kill()
        await injector.wait()
        left_off += not bmc.is_on()
        await heal_left(tmp_path / "journals", Drivers([HostPower(None, CLOCK)]), CLOCK, lambda words: None)
        assert not any(record.open for record in journals(tmp_path / "journals"))
        assert bmc.is_on()
    assert left_off > 0


@needs_ipmi
async def test_a_configuration_of_os_faults_becomes_a_hosts_file_that_works(
    bmc: Bmc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mac = "aa:bb:cc:dd:ee:01"
    theirs = {
        "cloud_management": {"driver": "universal"},
        "node_discover": {"driver": "node_list", "args": [{"fqdn": "n1.example", "ip": "192.0.2.1", "mac": mac}]},
        "power_managements": [
            {"driver": "ipmi", "args": {"mac_to_bmc": {
                mac: {"address": f"127.0.0.1:{bmc.port}", "username": "operator", "password": PASSWORD}}}}
        ],
    }  # fmt: skip
    (tmp_path / "os-faults.yaml").write_text(json.dumps(theirs))
    conversion = convert(tmp_path / "os-faults.yaml")
    assert conversion.lost == ()
    file = tmp_path / "hosts.yaml"
    file.write_text(json.dumps(plain_hosts(conversion.hosts)))
    drivers = drivers_of(file)
    variable = "KILONODE_BMC_AA_BB_CC_DD_EE_01"
    with pytest.raises(InputError, match=f"{variable} is empty"):
        await plan("poweroff node n1.example for 1s", drivers)
    monkeypatch.setenv(variable, PASSWORD)
    async with in_effect(await plan("poweroff node n1.example for 1s", drivers), drivers, tmp_path / "journals"):
        assert not bmc.is_on()
    assert bmc.is_on()


@needs_ipmi
async def test_every_host_is_asked_for_the_doctor(bmc: Bmc, tmp_path: Path) -> None:
    (capability,) = await HostPower(hosts_file(tmp_path, bmc.entry()), CLOCK).capabilities()
    assert (capability.state, capability.why) == (State.WORKS, "by ipmi: it is on")


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("bmc-1", "bmc-1", 623), ("192.0.2.1:6230", "192.0.2.1", 6230), ("2001:db8::1", "2001:db8::1", 623),
        ("[2001:db8::1]:6230", "2001:db8::1", 6230), ("[::1]", "::1", 623),
    ],
)  # fmt: skip
def test_an_address_is_a_host_and_perhaps_a_port(address: str, host: str, port: int) -> None:
    assert split_address(address) == (host, port)


@given(st.text(max_size=30))
def test_no_address_becomes_an_option_of_the_command(address: str) -> None:
    try:
        host, port = split_address(address)
    except InputError:
        return
    assert host
    assert not host.startswith("-")
    assert 0 < port < 2**16


@given(st.text(), st.sampled_from(["", "RAKP 2 HMAC is invalid", "RAKP 2 message indicates an error : unauthorized"]))
def test_whatever_the_command_complains_of_is_put_in_words(around: str, complaint: str) -> None:
    assert understand(around + complaint).startswith(("the controller", "the user"))


def test_only_a_refusal_of_the_cipher_is_one() -> None:
    said = "Error in open session response message : "
    assert cipher_refusal(said + "invalid integrity algorithm") == "invalid integrity algorithm"
    assert cipher_refusal(said + "insufficient resources for session") == ""
    assert understand(said + "insufficient resources for session") == "the controller does not let us in"


def test_every_button_has_a_verb() -> None:
    assert set(ipmi.VERBS) == set(Button)
