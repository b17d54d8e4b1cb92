"""Runs that break hosts by ssh: sshd in a network namespace as the host, with a small HTTP service to be probed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.laboratory import Laboratory, until
from tests.faults.sshd import SshHost, missing, ssh_hosts

MISSING = missing()

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(bool(MISSING), reason=MISSING or "there are hosts"),
]

SERVES = "python3 -m http.server 8080 --bind ADDRESS"
HOSTS = """
login: {user: root, key_file: host-1/key, known_hosts: host-1/known_hosts}
hosts: {node-1: {address: ADDRESS}}
services:
  web: {process: 'http.server 8080', start: 'cd /run; setsid SERVES &', hosts: [node-1]}
"""
EXPERIMENT = """
name: a service on a host
seed: 5
hosts: hosts.yaml
costs: unmeasured
workloads:
  web: {probe: {endpoint: "http://ADDRESS:8080/", rate: 20/s, connections: new, duration: 12s, timeout: 1s}}
disruptions:
  - {at: 3s, fault: kill web for 2s, expect: {found: 1}}
criteria: [web unavailable < 60s after kill web for 2s]
"""
FROZEN = EXPERIMENT.replace("kill web for 2s", "freeze all web on node node-1 for 200s").replace("12s", "300s")


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[Laboratory]:
    laboratory = Laboratory(tmp_path)
    yield laboratory
    laboratory.discard()


@pytest.fixture
def host(laboratory: Laboratory) -> Iterator[SshHost]:
    """A host whose service answers, with its hosts file and experiments beside it."""
    with ssh_hosts(laboratory.folder, 1) as (host,):
        serves = SERVES.replace("ADDRESS", host.address)
        laboratory.write(HOSTS.replace("SERVES", serves).replace("ADDRESS", host.address), "hosts.yaml")
        for name, text in {"experiment.yaml": EXPERIMENT, "frozen.yaml": FROZEN}.items():
            laboratory.write(text.replace("ADDRESS", host.address), name)
        assert host.inside("sh", "-c", f"cd /run; setsid {serves} >/dev/null 2>&1 </dev/null &").returncode == 0
        yield host


def states(host: SshHost) -> set[str]:
    """The states of the service's processes."""
    words = host.inside("ps", "-eo", "stat,args").stdout.splitlines()
    return {line.split()[0][0] for line in words if "http.server" in line}


def test_a_service_of_a_host_is_killed_during_the_load_and_started_again(laboratory: Laboratory, host: SshHost) -> None:
    """Without any cloud: what is probed and broken is the user's own."""
    code, planned = laboratory.run("run", "--dry-run", "experiment.yaml")
    assert code == 0, planned.said
    assert "SIGKILL to web" in planned.said
    assert states(host) == {"S"}
    code, run = laboratory.run("run", "experiment.yaml")
    assert code in (0, 3), run.said  # a busy machine may leave it unknown
    (disruption,) = laboratory.verdict()["disruptions"]
    assert disruption["outcome"] == "ok", disruption
    assert disruption["start_s"] >= disruption["due_s"]
    (group,) = laboratory.verdict()["recovery"]["groups"]
    (episode,) = group["episodes"]
    assert episode["lost"]["refused"] > 0
    assert episode["unavailable_s"]["value"] > 0
    assert states(host) in ({"S"}, {"R"}), "it was started again"
    assert laboratory.run("fault", "list", "--open", "--json")[1].data == []


@pytest.mark.soak
def test_what_a_killed_run_left_frozen_on_a_host_is_healed_without_its_hosts_file(
    laboratory: Laboratory, host: SshHost
) -> None:
    run = laboratory.start("run", "frozen.yaml")
    run.until(lambda: states(host) == {"T"}, "the freeze")
    run.kill()
    assert states(host) == {"T"}
    (laboratory.folder / "hosts.yaml").unlink()
    code, healing = laboratory.run("fault", "heal")
    assert code == 0, healing.said
    assert "1 healed" in healing.said
    until(lambda: states(host) == {"S"}, "the thaw")


def test_a_host_that_cannot_be_reached_is_said_before_anything_is_made(laboratory: Laboratory, host: SshHost) -> None:
    host.known_hosts.write_text("")
    code, run = laboratory.run("run", "experiment.yaml")
    assert code == 2, run.said
    assert "does not have the key that is known of it" in run.said
    code, checked = laboratory.run("check", "experiment.yaml")
    assert code == 0, checked.said
