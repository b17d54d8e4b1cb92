"""Hosts as machines, used up by ssh: real sshds in namespaces. Their processes are their own, the memory is ours."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import InputError
from kilonode.faults.healing import heal_left
from kilonode.faults.hosted_machines import HostedMachines
from kilonode.faults.journal import journals
from kilonode.faults.machine_faults import MachineFaults
from kilonode.faults.registry import Drivers
from tests.faults.killed import left_by_one_who_was_killed
from tests.faults.lasting import in_effect, plan
from tests.faults.sshd import SshHost, missing, ssh_hosts

CLOCK = RealClock()
MISSING = missing()

pytestmark = [pytest.mark.real_loop, pytest.mark.skipif(bool(MISSING), reason=MISSING or "there are hosts")]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHost]:
    folder = tmp_path_factory.mktemp("machines")
    with ssh_hosts(folder, 1) as (found,):
        (folder / "hosts.yaml").write_text(
            "login: {user: root, key_file: host-1/key, known_hosts: host-1/known_hosts}\n"
            f"hosts: {{node-1: {{address: {found.address}}}}}\n"
        )
        assert found.inside("sh", "-c", "mkdir /run/data && mount -t tmpfs -o size=16m tmpfs /run/data").returncode == 0
        yield found


def drivers_of(folder: Path) -> Drivers:
    return Drivers([HostedMachines(folder / "hosts.yaml", CLOCK), MachineFaults(CLOCK)])


def workers(host: SshHost) -> int:
    """How many processes there are that use the host up: of those, each carries a token."""
    words = host.inside("ps", "-eo", "args").stdout
    return sum(bool(re.search("kilonode-[0-9a-f]{8}", line)) for line in words.splitlines())


@pytest.mark.parametrize("sentence", ["stress cpu at 5% on node node-1 for 9s", "stress memory at 60% on node node-1"])
async def test_a_host_is_used_up_as_long_as_it_is_said(host: SshHost, tmp_path: Path, sentence: str) -> None:
    drivers = drivers_of(host.folder.parent)
    fault = await plan(sentence.replace("60%", f"{_used_memory_percent() + 4:.1f}%"), drivers)
    async with in_effect(fault, drivers, tmp_path) as injection:
        assert workers(host) > 0
        assert injection.resolution_ns > 0
    assert workers(host) == 0


def _used_memory_percent() -> float:
    import psutil

    return float(psutil.virtual_memory().percent)


@pytest.mark.parametrize("sentence", ["stress disk at 1% on node node-1", "fill disk /run/data to 75% on node node-1"])
async def test_what_one_process_did_before_it_was_killed_is_healed_by_another_without_the_hosts_file(
    host: SshHost, tmp_path: Path, sentence: str
) -> None:
    await left_by_one_who_was_killed(__name__, host.folder.parent, tmp_path, sentence)
    filled = host.inside("ls", "/run/data").stdout
    assert workers(host) > 0 or "kilonode-" in filled
    await heal_left(tmp_path, Drivers([HostedMachines(None, CLOCK)]), CLOCK, lambda words: None)
    assert not any(record.open for record in journals(tmp_path))
    assert workers(host) == 0
    assert host.inside("ls", "/run/data").stdout == ""


async def test_a_disk_of_a_host_is_as_full_as_was_asked_for(host: SshHost, tmp_path: Path) -> None:
    drivers = drivers_of(host.folder.parent)
    fault = await plan("fill disk /run/data to 50% on node node-1 for 9s", drivers)
    async with in_effect(fault, drivers, tmp_path):
        assert "50%" in host.inside("df", "--output=pcent", "/run/data").stdout
    assert " 0%" in host.inside("df", "--output=pcent", "/run/data").stdout


async def test_what_cannot_be_done_to_a_host_is_refused_before_anything_is_touched(host: SshHost) -> None:
    drivers = drivers_of(host.folder.parent)
    for sentence, words in {
        "fill disk /nothing/there on node node-1": "not a folder of node-1",
        "fill disk data on node node-1": "not a folder of node-1",
        "stress memory at 99% on node node-1": "no memory left",
        "stress memory at 1% on node node-1": "is used already",
        "stress cpu on node node-2": "there is no node 'node-2'",
    }.items():
        with pytest.raises(InputError, match=words):
            await plan(sentence, drivers)
    assert workers(host) == 0
    local = await plan("stress cpu at 5% on node localhost", drivers)
    assert local.driver == "machine", "this machine is not among the hosts"


def test_only_files_and_folders_of_ours_are_ever_removed() -> None:
    from kilonode.faults.ssh import HELPER

    names: dict[str, object] = {}
    exec(HELPER.read_text().rpartition("main()")[0], names)  # noqa: S102
    own = names["own"]
    assert callable(own)
    assert own("kilonode-1a2b3c4d.fill") == "kilonode-1a2b3c4d.fill"
    for name in ("", ".", "../etc", "kilonode-1a2b3c4d/..", "kilonode-", "data"):
        with pytest.raises(ValueError, match="not a name of ours"):
            own(name)
