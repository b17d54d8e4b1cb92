"""Hosts cut off and divided by ssh: real sshds in network namespaces, with a link to us and one to each other."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import InputError
from kilonode.faults.healing import heal_left
from kilonode.faults.hosted_network import HostedNetwork
from kilonode.faults.injecting import Injector
from kilonode.faults.journal import journals, new_journal
from kilonode.faults.language import parse
from kilonode.faults.registry import Drivers
from tests.faults.lasting import in_effect, plan
from tests.faults.sshd import SshHost, missing, ssh_hosts

CLOCK = RealClock()
MISSING = missing() or ("" if shutil.which("nft") else "nft is not installed: apt-get install nftables")
PEERS = ("10.214.7.1", "10.214.7.2")

pytestmark = [pytest.mark.real_loop, pytest.mark.skipif(bool(MISSING), reason=MISSING or "there are hosts")]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[SshHost]]:
    folder = tmp_path_factory.mktemp("hosts")
    with ssh_hosts(folder, 2) as found:
        first, second = (host.network for host in found)
        ip = ("ip", "link", "add", "pair0", "netns", first, "type", "veth", "peer", "name", "pair0", "netns", second)
        subprocess.run(ip, check=True)
        for host, address in zip(found, PEERS, strict=True):
            there = ("ip", "-n", host.network)
            subprocess.run([*there, "address", "add", f"{address}/24", "dev", "pair0"], check=True)
            subprocess.run([*there, "link", "set", "pair0", "up"], check=True)
        entries = "".join(
            f"  node-{number}: {{address: {host.address}, login: {{user: root, key_file: host-{number}/key, "
            f"known_hosts: host-{number}/known_hosts}}}}\n"
            for number, host in enumerate(found, 1)
        )
        (folder / "hosts.yaml").write_text(f"hosts:\n{entries}")
        yield found


def drivers_of(hosts: list[SshHost]) -> Drivers:
    return Drivers([HostedNetwork(hosts[0].folder.parent / "hosts.yaml", CLOCK)])


def reaches_us(host: SshHost) -> bool:
    """Whether the host answers us on a port where nobody listens."""
    try:
        socket.create_connection((host.address, 9), 0.5).close()
    except ConnectionError:
        return True
    except OSError:
        return False
    return True


def reach_each_other(hosts: list[SshHost]) -> list[bool]:
    """Whether the first host hears the second's answer, and the other way round."""
    words = "import socket,sys\ntry: socket.create_connection((sys.argv[1], 9), 0.5)\nexcept ConnectionError: print(1)"
    said = [
        subprocess.run(
            ["ip", "netns", "exec", host.network, "python3", "-c", words, peer],
            capture_output=True, text=True, check=False,
        ).stdout
        for host, peer in zip(hosts, reversed(PEERS), strict=True)
    ]  # fmt: skip
    return [bool(each.strip()) for each in said]


async def test_a_host_that_is_cut_off_still_answers_by_ssh_and_is_healed_by_it(
    hosts: list[SshHost], tmp_path: Path
) -> None:
    drivers = drivers_of(hosts)
    assert reaches_us(hosts[0])
    fault = await plan("isolate node node-1 for 9s", drivers)
    async with in_effect(fault, drivers, tmp_path):
        assert not reaches_us(hosts[0])
        assert reaches_us(hosts[1])
        assert reach_each_other(hosts) == [False, False]
        assert hosts[0].command("true").returncode == 0, "ssh is spared"
    assert reaches_us(hosts[0])
    assert reach_each_other(hosts) == [True, True]


async def test_two_hosts_are_divided_from_each_other_alone_and_healed_by_another_process(
    hosts: list[SshHost], tmp_path: Path
) -> None:
    drivers = drivers_of(hosts)
    assert reach_each_other(hosts) == [True, True]
    with new_journal(tmp_path, "partition", CLOCK) as journal:
        injection = await Injector(drivers, journal, CLOCK).inject(
            await plan("partition node node-1 from node node-2", drivers)
        )
    assert injection.planned.lasting
    assert reach_each_other(hosts) == [False, False]
    assert reaches_us(hosts[0])
    await heal_left(tmp_path, Drivers([HostedNetwork(None, CLOCK)]), CLOCK, lambda words: None)
    assert not any(record.open for record in journals(tmp_path))
    assert reach_each_other(hosts) == [True, True]


async def test_a_network_of_a_host_is_disconnected_by_its_name_or_subnet(hosts: list[SshHost], tmp_path: Path) -> None:
    drivers = drivers_of(hosts)
    fault = await plan("disconnect 10.214.7.0/24 network on node node-1 for 9s", drivers)
    assert fault.chosen[0].name == "pair0"
    async with in_effect(fault, drivers, tmp_path):
        assert reach_each_other(hosts)[0] is False
        assert reaches_us(hosts[0])
    assert reach_each_other(hosts) == [True, True]


async def test_what_cannot_be_cut_is_refused_before_anything_is_touched(hosts: list[SshHost], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no network 'eth7'"):
        await plan("disconnect eth7 network on all nodes", drivers_of(hosts))
    cannot = "mount --bind /bin/false $(command -v nft || echo /usr/sbin/nft)"
    assert hosts[1].inside("sh", "-c", cannot).returncode == 0
    with pytest.raises(InputError, match="the network of node-2 cannot be touched"):
        await plan("isolate node node-2", drivers_of(hosts))
    assert not HostedNetwork(None, CLOCK).handles(parse("isolate node node-2").parts[0].fault)
