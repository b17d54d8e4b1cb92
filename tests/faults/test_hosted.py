"""Faults on hosts by ssh: real sshds in namespaces, with processes, networks, boots and host keys of their own.

systemd is a stand-in there (`tests/faults/sshd.py`), as few machines that test have it; everything else is real.
"""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import FaultError, InputError
from kilonode.faults import ssh
from kilonode.faults.driver import State
from kilonode.faults.healing import heal_left
from kilonode.faults.hosted import HostFaults
from kilonode.faults.hosts import Become
from kilonode.faults.injecting import Injection, Injector
from kilonode.faults.journal import journals, new_journal
from kilonode.faults.language import parse
from kilonode.faults.local_processes import LocalProcesses
from kilonode.faults.model import Kind, Target
from kilonode.faults.registry import Drivers
from tests.faults.killed import left_by_one_who_was_killed
from tests.faults.lasting import in_effect, plan
from tests.faults.sshd import SshHost, missing, ssh_hosts

CLOCK = RealClock()
MISSING = missing()
needs_hosts = pytest.mark.skipif(bool(MISSING), reason=MISSING or "there are hosts")

pytestmark = pytest.mark.real_loop


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[SshHost]]:
    folder = tmp_path_factory.mktemp("hosts")
    with ssh_hosts(folder, 2) as found:
        entries = "".join(
            f"  node-{number}: {{address: {host.address}, login: {{user: root, key_file: host-{number}/key, "
            f"known_hosts: host-{number}/known_hosts}}}}\n"
            for number, host in enumerate(found, 1)
        )
        services = (
            "services:\n  demo: {unit: demo}\n"
            "  naps: {process: 'sleep 77', hosts: [node-1], start: 'setsid sleep 777 >/dev/null 2>&1 </dev/null &'}\n"
        )
        (folder / "hosts.yaml").write_text(f"hosts:\n{entries}{services}")
        yield found


def file_of(hosts: list[SshHost]) -> Path:
    return hosts[0].folder.parent / "hosts.yaml"


def drivers_of(file: Path) -> Drivers:
    return Drivers([HostFaults(file, CLOCK), LocalProcesses(CLOCK)])


def sleeps(host: SshHost, seconds: int) -> None:
    """A process with a child, which both sleep so long."""
    script = f"setsid sh -c 'sleep {seconds} & exec sleep {seconds}' >/dev/null 2>&1 </dev/null &"
    assert host.inside("sh", "-c", script).returncode == 0


def states(host: SshHost, pattern: str) -> list[str]:
    """The states of the processes with this in their command lines."""
    words = host.inside("ps", "-eo", "stat,args").stdout.splitlines()
    return [line.split()[0][0] for line in words if pattern in line and "ps -eo" not in line]


async def inject(text: str, drivers: Drivers, folder: Path) -> tuple[Injector, Injection]:
    with new_journal(folder / "faults", text, CLOCK) as journal:
        injector = Injector(drivers, journal, CLOCK)
        return injector, await injector.inject(await plan(text, drivers))


@needs_hosts
async def test_a_process_is_killed_with_its_children_on_the_node_that_is_named_alone(
    hosts: list[SshHost], tmp_path: Path
) -> None:
    for host in hosts:
        sleeps(host, 501)
    await inject("kill all 'sleep' processes on node node-2", drivers_of(file_of(hosts)), tmp_path)
    assert states(hosts[1], "sleep 501") == []
    assert len(states(hosts[0], "sleep 501")) == 2
    await inject("kill all sleep processes on all nodes", drivers_of(file_of(hosts)), tmp_path)
    assert states(hosts[0], "sleep 501") == []


@needs_hosts
async def test_a_frozen_process_is_frozen_with_its_children_and_goes_on(hosts: list[SshHost], tmp_path: Path) -> None:
    sleeps(hosts[0], 502)
    drivers = drivers_of(file_of(hosts))
    fault = await plan("freeze sleep process on node node-1 for 1s", drivers)
    async with in_effect(fault, drivers, tmp_path / "faults") as injection:
        assert states(hosts[0], "sleep 502") == ["T", "T"]
        assert injection.resolution_ns > 0
    assert states(hosts[0], "sleep 502") == ["S", "S"]
    await inject("kill all sleep processes on node node-1", drivers, tmp_path)


@needs_hosts
@pytest.mark.parametrize("sentence", ["freeze all sleep processes on node node-1", "terminate demo on node node-1"])
async def test_what_one_process_did_before_it_was_killed_is_healed_by_another_without_the_hosts_file(
    hosts: list[SshHost], tmp_path: Path, sentence: str
) -> None:
    sleeps(hosts[0], 503)
    assert hosts[0].inside("systemctl", "start", "--", "demo").returncode == 0
    await left_by_one_who_was_killed(__name__, file_of(hosts), tmp_path, sentence)
    assert "T" in states(hosts[0], "sleep 503") or "S" not in states(hosts[0], "sleep 600")
    await heal_left(tmp_path, Drivers([HostFaults(None, CLOCK)]), CLOCK, lambda words: None)
    assert not any(record.open for record in journals(tmp_path))
    assert states(hosts[0], "sleep 503") == ["S", "S"]
    assert states(hosts[0], "sleep 600") == ["S"]
    await inject("kill all sleep processes on node node-1", drivers_of(file_of(hosts)), tmp_path)


@needs_hosts
async def test_a_unit_is_killed_and_healed_by_a_start_and_restarted(hosts: list[SshHost], tmp_path: Path) -> None:
    drivers = drivers_of(file_of(hosts))
    await inject("start demo", drivers, tmp_path)
    assert states(hosts[0], "sleep 600") == states(hosts[1], "sleep 600") == ["S"]
    fault = await plan("kill one demo service for 1s", drivers)
    (chosen,) = fault.chosen
    host = hosts[int(chosen.node[-1]) - 1]
    async with in_effect(fault, drivers, tmp_path / "faults"):
        assert states(host, "sleep 600") == []
    assert states(host, "sleep 600") == ["S"]
    (before,) = (await plan("restart demo on node node-1", drivers)).chosen
    await inject("restart demo on node node-1", drivers, tmp_path)
    (after,) = (await plan("restart demo on node node-1", drivers)).chosen
    assert before.identity != after.identity
    await inject("kill all sleep processes on all nodes", drivers, tmp_path)


@needs_hosts
async def test_a_service_without_a_unit_is_its_pattern_and_its_commands(hosts: list[SshHost], tmp_path: Path) -> None:
    drivers = drivers_of(file_of(hosts))
    await inject("start naps", drivers, tmp_path)
    assert states(hosts[0], "sleep 777") == ["S"]
    with pytest.raises(InputError, match="does not say how to restart naps"):
        await plan("restart naps", drivers)
    _, injection = await inject("kill naps", drivers, tmp_path)
    assert injection.planned.lasting
    assert states(hosts[0], "sleep 777") == []


@needs_hosts
async def test_what_a_start_leaves_in_the_background_may_keep_its_output(hosts: list[SshHost], tmp_path: Path) -> None:
    """As init scripts do: it is not waited for, and can go on writing."""
    line = "{ while sleep 0.1; do echo up; done; echo gone >/run/gone; } & sleep 0.3; echo begun; exit 3"
    text = file_of(hosts).read_text().replace("host-", f"{hosts[0].folder.parent}/host-")
    (tmp_path / "hosts.yaml").write_text(f"{text}  talks: {{process: 'echo up', start: '{line}', hosts: [node-1]}}\n")
    drivers = Drivers([HostFaults(tmp_path / "hosts.yaml", CLOCK)])
    with new_journal(tmp_path / "faults", "start", CLOCK) as journal, pytest.raises(FaultError, match="begun"):
        await Injector(drivers, journal, CLOCK).inject(await plan("start talks", drivers))
    assert states(hosts[0], "echo up"), "it goes on"
    await inject("kill all sh processes on node node-1", drivers_of(file_of(hosts)), tmp_path)


@needs_hosts
async def test_a_reboot_is_over_when_the_host_runs_in_another_boot(hosts: list[SshHost], tmp_path: Path) -> None:
    host = hosts[1]
    before = host.inside("cat", "/proc/sys/kernel/random/boot_id").stdout

    async def switch_on() -> None:
        await asyncio.to_thread(host.wait_until_down)
        host.boot()

    switching = asyncio.ensure_future(switch_on())
    injector, injection = await inject("reboot node node-2", drivers_of(file_of(hosts)), tmp_path)
    await switching
    assert host.inside("cat", "/proc/sys/kernel/random/boot_id").stdout != before
    assert not injection.planned.lasting
    assert injector.results[0].took_effect_ns is not None


@needs_hosts
async def test_words_of_a_sentence_never_reach_a_shell(hosts: list[SshHost], tmp_path: Path) -> None:
    name = "$(touch ${HOME}/x); `touch y` \\ && *"
    assert await HostFaults(file_of(hosts), CLOCK).find(parse(f'kill all "{name}" processes on all nodes').parts[
        0].fault.target) == []  # fmt: skip
    assert hosts[0].command("ls", "x", "y", "$HOME/x", "$HOME/y").stdout == ""


@needs_hosts
async def test_a_host_with_another_key_than_is_known_is_not_spoken_to(hosts: list[SshHost], tmp_path: Path) -> None:
    other = (tmp_path / "known").absolute()
    other.write_text(hosts[0].known_hosts.read_text().replace(hosts[0].address, "192.0.2.1"))
    text = file_of(hosts).read_text().replace("host-1/known_hosts", str(other))
    text = text.replace("host-1/", f"{hosts[0].folder}/").replace("host-2/", f"{hosts[1].folder}/")
    (tmp_path / "hosts.yaml").write_text(text)
    driver = HostFaults(tmp_path / "hosts.yaml", CLOCK)
    with pytest.raises(InputError, match="does not have the key that is known of it"):
        await driver.find(parse("kill sleep process on node node-1").parts[0].fault.target)
    states_here = {each.name: each.state for each in await driver.capabilities()}
    assert states_here["node-1"] is State.MISSING
    other.unlink()
    with pytest.raises(InputError, match="no file of known host keys"):
        await driver.find(parse("kill sleep process on node node-1").parts[0].fault.target)


@needs_hosts
async def test_a_login_with_another_key_is_refused_as_the_user_s_mistake(hosts: list[SshHost], tmp_path: Path) -> None:
    text = file_of(hosts).read_text().replace("key_file: host-1/key", f"key_file: {hosts[1].key}")
    text = text.replace("known_hosts: host-", f"known_hosts: {hosts[0].folder.parent}/host-")
    (tmp_path / "hosts.yaml").write_text(text)
    with pytest.raises(InputError, match="host node-1 does not let us in"):
        await HostFaults(tmp_path / "hosts.yaml", CLOCK).find(Target(Kind.SERVICE, ("naps",)))


@needs_hosts
async def test_what_cannot_be_done_to_hosts_is_refused_before_anything_is_touched(hosts: list[SshHost]) -> None:
    drivers = drivers_of(file_of(hosts))
    sleeps(hosts[0], 504)
    with pytest.raises(InputError, match="nothing can bring sleep"):
        await plan("kill all sleep processes on node node-1 for 1s", drivers)
    with pytest.raises(InputError, match="there is no process 'nobody'"):
        await plan("kill nobody process on node node-1", drivers)
    with pytest.raises(InputError, match="there is no node 'node-3'"):
        await plan("reboot node node-3", drivers)
    assert len(states(hosts[0], "sleep 504")) == 2


@needs_hosts
async def test_a_host_that_is_down_hides_nothing_of_the_others(hosts: list[SshHost], tmp_path: Path) -> None:
    text = file_of(hosts).read_text().replace("host-", f"{hosts[0].folder.parent}/host-")
    down = "hosts:\n  node-0: {address: 127.0.0.1, login: {port: 1, known_hosts: known}}\n"
    (tmp_path / "known").write_text("")
    (tmp_path / "hosts.yaml").write_text(text.replace("hosts:\n", down, 1))
    driver = HostFaults(tmp_path / "hosts.yaml", CLOCK)
    assert {each.node for each in await driver.find(Target(Kind.SERVICE))} == {"node-1", "node-2"}
    (found,) = await driver.find(parse("kill naps on node node-1").parts[0].fault.target)
    assert found.node == "node-1"
    with pytest.raises(InputError, match="host node-0 cannot be reached"):
        await driver.find(Target(Kind.SERVICE, ("demo",)))


async def test_an_unreachable_host_is_said_before_a_run(tmp_path: Path) -> None:
    (tmp_path / "known").write_text("")
    (tmp_path / "hosts.yaml").write_text(
        "login: {known_hosts: known, port: 1}\nhosts: {a: {address: 127.0.0.1}}\nservices: {s: {unit: s}}\n"
    )
    with pytest.raises(InputError, match="host a cannot be reached"):
        await HostFaults(tmp_path / "hosts.yaml", CLOCK).find(Target(Kind.SERVICE, ("s",)))


@needs_hosts
@pytest.mark.skipif(shutil.which("sudo") is None, reason="sudo is not installed: apt-get install sudo")
@pytest.mark.parametrize("secret", ["", ", password_variable: KILONODE_SUDO"])
async def test_the_helper_runs_as_whom_the_login_says(
    hosts: list[SshHost], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    """With a password that sudo has no need of, too: then the helper meets it, and passes it over."""
    monkeypatch.setenv("KILONODE_SUDO", "open sesame")
    text = file_of(hosts).read_text().replace("host-", f"{hosts[0].folder.parent}/host-")
    text = text.replace("{user: root,", f"{{user: root, become: {{user: nobody{secret}}},")
    (tmp_path / "hosts.yaml").write_text(text)
    found = {each.name: each for each in await HostFaults(tmp_path / "hosts.yaml", CLOCK).capabilities()}
    assert found["node-1"].state is State.PARTLY
    assert "not root" in found["node-1"].why


def test_a_password_is_told_to_sudo_on_its_standard_input_alone() -> None:
    words, before = ssh.helper_command(Become(password_variable="SECRET"), {"SECRET": "open sesame"})
    assert before == "open sesame\n"
    assert not any("sesame" in word for word in words)
    assert words[:2] == ["sudo", "-S"]
    with pytest.raises(InputError, match="the environment variable SECRET is empty"):
        ssh.helper_command(Become(password_variable="SECRET"), {})
    with pytest.raises(InputError, match="expected: sudo"):
        ssh.helper_command(Become(method="su"), {})


def test_without_a_hosts_file_there_are_no_hosts() -> None:
    driver = HostFaults(None, CLOCK)
    assert not driver.handles(parse("kill sleep process on node a").parts[0].fault)
    assert not driver.handles(parse("reboot node a").parts[0].fault)


async def test_a_host_that_goes_away_in_the_middle_is_a_fault_that_is_not_known() -> None:
    class Gone:
        async def readline(self) -> str:
            return ""

        async def read(self) -> str:
            return "python3: not found\n"

        def write(self, text: str) -> None:
            assert text.endswith("\n")

    class Process:
        stdin = stdout = stderr = Gone()

    with pytest.raises(FaultError, match="python3: not found"):
        await ssh.Helper("a", Process()).ask("facts", ssh.Failed)  # type: ignore[arg-type]
