"""The whole of `kilonode stack`, with real services: brought up, hurt, mended, measured, taken down.

One stack for all of it, as it takes a minute to come up; the tests stand in the order of its life.
"""

import ipaddress
import json
import os
import signal
import socket
import sys
import urllib.error
from collections.abc import Iterator

import psutil
import pytest

from kilonode.base.processes import identify
from kilonode.stack.needs import can_listen, programs
from tests.cli.laboratory import Cloud, Command, Laboratory, Thing, is_gone, until

MISSING = [need.name for need in programs() if not need.met]

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(bool(MISSING), reason=f"missing on this machine: {', '.join(MISSING)}"),
]

UP_PATIENCE_S = 600.0
EXPERIMENT = """
name: small load on real services
cloud: {stack: {name: stack}}
seed: 7
setup: {projects: 1, users_per_project: 1, networks_per_project: 1}
costs: {idle: 1s}
workloads:
  boots:
    scenario: compute.boot_and_delete
    args: {flavor: m1.tiny, image: cirros}
    load: {model: constant-vus, vus: 2, duration: 15s}
  tokens:
    scenario: identity.issue_token
    load: {model: constant-arrival-rate, rate: 2/s, duration: 15s}
criteria:
  - boots error_rate < 1%
  - tokens error_rate < 1%
  - lost == 0
  - resurrected == 0
  - duplicated == 0
  - stuck == 0
  - leaked == 0
  - overbooked == 0
"""


UPGRADE = """
name: one of two compute services started anew
cloud: {stack: {name: stack}}
seed: 7
setup: {projects: 1, users_per_project: 1}
costs: {idle: 0s}
workloads:
  tokens:
    scenario: identity.issue_token
    load: {model: constant-arrival-rate, rate: 2/s, duration: 30s}
disruptions:
  - at: 1s
    upgrade:
      steps:
        - {replace: [compute-001]}
        - {run: [KILONODE, -m, kilonode.cli.main, fault, restart memcached, --cloud, stack], kind: replace}
criteria:
  - upgrade rolling
"""


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    laboratory = Laboratory(tmp_path_factory.mktemp("stack"))
    yield laboratory
    laboratory.start("stack", "down", "--purge").wait(UP_PATIENCE_S)
    laboratory.discard()


def status(laboratory: Laboratory) -> tuple[int, Command]:
    command = laboratory.start("stack", "status", "--json")
    return command.wait(UP_PATIENCE_S), command


def processes(laboratory: Laboratory) -> list[int]:
    """Every process that carries the stack's mark, found without the code that is tested."""
    mark = f"KILONODE_STACK={laboratory.state / 'stack' / 'stack'}"
    found = []
    for process in psutil.process_iter():
        try:
            if f"{mark}" in [f"{name}={value}" for name, value in process.environ().items()]:
                found.append(process.pid)
        except psutil.Error:
            continue
    return [pid for pid in found if not is_gone(pid)]


def ports(laboratory: Laboratory) -> dict[str, int]:
    found: dict[str, int] = json.loads((laboratory.state / "stack" / "stack" / "stack.json").read_bytes())["ports"]
    return found


def service_pids(laboratory: Laboratory, name: str) -> list[int]:
    table = json.loads((laboratory.state / "stack" / "stack" / "services.json").read_bytes())["services"]
    return [service["identity"]["pid"] for service in table if service["name"] == name]


class Stack(Cloud):
    """The stack, seen with nothing but its own clouds.yaml and HTTP."""

    def __init__(self, laboratory: Laboratory) -> None:
        self.name = "stack"
        self.clouds_file = laboratory.state / "stack" / "stack" / "clouds.yaml"
        self._read_login()
        self._log_in()
        self._urls["identity"] = self._urls["identity"].rstrip("/").removesuffix("/v3")  # as paths have it


@pytest.fixture(scope="module")
def stack(laboratory: Laboratory) -> Stack:
    """Brought up in two goes: the first is killed half way."""
    first = laboratory.start("stack", "up", "--nodes", "4", "--computes", "2", "--clocks")
    folder = laboratory.state / "stack" / "stack"
    until(lambda: (folder / "done.json").exists() or first.ended, "a step that is done", UP_PATIENCE_S)
    first.kill()
    assert (folder / "done.json").exists(), first.said
    code, after_kill = status(laboratory)
    assert code == 3, after_kill.said
    second = laboratory.start("stack", "up")
    assert second.wait(UP_PATIENCE_S) == 0, second.said
    return Stack(laboratory)


def test_a_stack_whose_bringing_up_was_killed_comes_up_with_the_next_one(laboratory: Laboratory, stack: Stack) -> None:
    code, command = status(laboratory)
    assert code == 0, command.said
    assert command.data["nodes_up"] == 4
    assert all(service["pids"] for service in command.data["services"])
    hypervisors = stack.ask("compute", "GET", "/os-hypervisors")["hypervisors"]
    assert sorted(one["hypervisor_hostname"] for one in hypervisors) == [f"node-{number:04d}" for number in range(1, 5)]


def test_everything_listens_on_loopback_alone_and_secrets_are_the_owner_s(laboratory: Laboratory, stack: Stack) -> None:
    ours = set(processes(laboratory))
    listening = {
        connection.laddr.ip  # type: ignore[union-attr]
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.pid in ours
    }
    assert listening
    assert all(ipaddress.ip_address(address).is_loopback for address in listening)
    folder = laboratory.state / "stack" / "stack"
    assert not [path for path in folder.glob("*.json") if path.stat().st_mode & 0o077]
    assert not stack.clouds_file.stat().st_mode & 0o077


def test_no_secret_is_in_a_log_or_among_the_arguments_of_a_process(laboratory: Laboratory, stack: Stack) -> None:
    folder = laboratory.state / "stack" / "stack"
    secrets = json.loads((folder / "secrets.json").read_bytes()).values()
    logs = [*folder.glob("logs/*.log"), folder / "commands.log"]
    assert not [path.name for path in logs if any(secret in path.read_text(errors="replace") for secret in secrets)]
    commands = [" ".join(psutil.Process(pid).cmdline()) for pid in processes(laboratory)]
    assert not [command for command in commands if any(secret in command for secret in secrets)]


def test_an_experiment_measures_what_every_service_costs(laboratory: Laboratory, stack: Stack) -> None:
    before = stack.things()
    command = laboratory.start("run", laboratory.write(EXPERIMENT), "--json")
    assert command.wait(UP_PATIENCE_S) == 0, command.said
    (folder,) = laboratory.runs.iterdir()
    environment = json.loads((folder / "environment.json").read_bytes())
    software = {service["name"]: service for service in environment["cloud"]["services"]}
    assert software["nova"]["version"]
    assert len(software["nova"]["configuration_digest"]) == 12
    said = command.data
    services = {service["service"] for service in said["services"]["services"]}
    assert {"keystone", "nova-api", "nova-conductor", "nova-compute", "neutron-api", "mariadb", "rabbitmq"} <= services
    assert stack.things() == before


def test_a_run_that_was_killed_is_cleaned_up_to_the_last_thing(laboratory: Laboratory, stack: Stack) -> None:
    before = stack.things()
    command = laboratory.start("run", laboratory.write(EXPERIMENT))
    laboratory.wait_for_load(command, run=2)
    made = until(lambda: stack.things() - before, "something that the run made")
    assert {kind for kind, _, _ in made} >= {"networks", "projects", "users"}
    command.kill()
    run = max(laboratory.runs.iterdir())
    cleanup = laboratory.start("cleanup", str(run))
    assert cleanup.wait(UP_PATIENCE_S) == 0, cleanup.said

    def clean() -> bool:
        return not without_default_groups(stack.things() - before)

    until(clean, "nothing left", UP_PATIENCE_S)


def without_default_groups(things: set[Thing]) -> set[Thing]:
    """All but security groups named `default`: Neutron makes one whenever a project's are listed, even afterwards."""
    return {thing for thing in things if (thing[0], thing[2]) != ("security_groups", "default")}


def test_a_half_dead_stack_is_told_and_mended(laboratory: Laboratory, stack: Stack) -> None:
    (conductor,) = service_pids(laboratory, "nova-conductor")
    os.kill(conductor, signal.SIGKILL)
    until(lambda: identify(conductor) is None, "the end of the conductor")
    code, command = status(laboratory)
    assert code == 3
    assert "nova-conductor" in command.data["problems"][0]
    run = laboratory.start("run", laboratory.write(EXPERIMENT))
    assert run.wait(UP_PATIENCE_S) == 2, run.said
    assert "half dead" in run.said
    assert "mend it with: kilonode stack up" in run.said
    up = laboratory.start("stack", "up")
    assert up.wait(UP_PATIENCE_S) == 0, up.said
    assert status(laboratory)[0] == 0


def test_a_killed_service_stays_dead_until_the_fault_is_healed(laboratory: Laboratory, stack: Stack) -> None:
    (before,) = service_pids(laboratory, "keystone")
    fault = laboratory.start("fault", "kill keystone for 1s", "--cloud", "stack", "--json")
    until(lambda: identify(before) is None, "the end of Keystone")
    assert fault.wait(UP_PATIENCE_S) == 0, fault.said
    (one,) = fault.data["faults"]
    assert one["healed_ns"] - one["took_effect_ns"] >= 1_000_000_000
    assert service_pids(laboratory, "keystone") != [before]
    assert stack.ask("compute", "GET", "/os-hypervisors")["hypervisors"]


def test_a_service_that_a_killed_command_left_dead_is_started_by_heal(laboratory: Laboratory, stack: Stack) -> None:
    (before,) = service_pids(laboratory, "memcached")
    fault = laboratory.start("fault", "terminate memcached", "--cloud", "stack")
    until(lambda: identify(before) is None, "the end of memcached")
    fault.kill()
    heal = laboratory.start("fault", "heal")
    assert heal.wait(UP_PATIENCE_S) == 0, heal.said
    assert "memcached works" in heal.said
    (after,) = service_pids(laboratory, "memcached")
    assert identify(after) is not None
    # Services find their cache again by themselves.
    until(lambda: status(laboratory)[0] == 0, "a stack that is well", UP_PATIENCE_S)


def test_a_service_whose_clock_is_ahead_holds_tokens_for_expired_until_it_is_set_right(
    laboratory: Laboratory, stack: Stack
) -> None:
    def answers() -> bool:
        try:
            stack.ask("identity", "GET", "/v3/projects")
        except urllib.error.HTTPError as error:
            if error.code == 401:
                return False
            raise
        return True

    assert answers()
    fault = laboratory.start("fault", "skew clock of keystone by 1d for 10s", "--cloud", "stack", "--json")
    until(lambda: not answers(), "a token that is held for expired")
    assert fault.wait(UP_PATIENCE_S) == 0, fault.said
    assert answers()
    assert stack.ask("compute", "GET", "/os-hypervisors")["hypervisors"]


def test_a_conductor_whose_clock_is_behind_stamps_heartbeats_so_that_hosts_are_down(
    laboratory: Laboratory, stack: Stack
) -> None:
    def states() -> set[str]:
        return {one["state"] for one in stack.ask("compute", "GET", "/os-services?binary=nova-compute")["services"]}

    fault = laboratory.start("fault", "skew clock of nova-conductor by -10m", "--cloud", "stack")
    until(lambda: states() == {"down"}, "computes that are down", UP_PATIENCE_S)
    fault.kill()
    heal = laboratory.start("fault", "heal")
    assert heal.wait(UP_PATIENCE_S) == 0, heal.said
    assert "its clock is right" in heal.said
    until(lambda: states() == {"up"}, "computes that are up", UP_PATIENCE_S)


def test_what_has_no_library_for_its_clock_is_refused(laboratory: Laboratory, stack: Stack) -> None:
    fault = laboratory.start("fault", "skew clock of mysql by 5s for 5s", "--cloud", "stack")
    assert fault.wait(UP_PATIENCE_S) == 2, fault.said
    assert "--clocks" in fault.said


def test_a_compute_service_is_replaced_while_another_one_works(laboratory: Laboratory, stack: Stack) -> None:
    before = service_pids(laboratory, "nova-compute"), service_pids(laboratory, "memcached")
    text = UPGRADE.replace("KILONODE", sys.executable)
    foreseen = laboratory.start("run", laboratory.write(text), "--dry-run")
    assert foreseen.wait(UP_PATIENCE_S) == 0, foreseen.said
    assert "replace compute-001" in foreseen.said
    run = laboratory.start("run", laboratory.write(text), "--json")
    assert run.wait(UP_PATIENCE_S) == 0, run.said
    (upgrade,) = run.data["upgrades"]["upgrades"]
    assert (upgrade["outcome"], upgrade["error"]) == ("ok", "")
    assert [(one["what"], one["action"]) for one in upgrade["steps"]] == [
        ("compute-001", "replace"), ("compute-001", "verify"), ("commands", "replace")
    ]  # fmt: skip
    after = service_pids(laboratory, "nova-compute"), service_pids(laboratory, "memcached")
    assert len({*before[0]} & {*after[0]}) == 1
    assert before[1] != after[1]


def test_what_a_stack_cannot_be_brought_to_is_refused_before_the_load(laboratory: Laboratory, stack: Stack) -> None:
    step = 'to: {release: "2025.2"}\n      steps:'
    code, command = laboratory.run("run", laboratory.write(UPGRADE.replace("steps:", step)), "--dry-run")
    assert code == 2, command.said
    assert "cannot be brought from release newest to 2025.2" in command.said


def test_logs_are_shown_by_name_and_a_wrong_name_gets_the_nearest(laboratory: Laboratory, stack: Stack) -> None:
    code, command = laboratory.run("stack", "logs", "nova-scheduler", "--lines", "5")
    assert code == 0, command.said
    code, command = laboratory.run("stack", "logs", "nova-schedular")
    assert code == 2
    assert "did you mean 'nova-scheduler'?" in command.said


def test_down_leaves_no_process_no_port_and_no_file(laboratory: Laboratory, stack: Stack) -> None:
    taken = ports(laboratory)
    down = laboratory.start("stack", "down", "--purge")
    assert down.wait(UP_PATIENCE_S) == 0, down.said
    assert processes(laboratory) == []
    assert {name: can_listen(port) for name, port in taken.items()} == dict.fromkeys(taken, True)
    assert list((laboratory.state / "stack").iterdir()) == []
    code, command = laboratory.run("stack", "status")
    assert code == 2
    assert "there is no stack 'stack'" in command.said


def test_a_port_that_is_taken_stops_a_stack_before_anything_starts(laboratory: Laboratory, stack: Stack) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = min(listener.getsockname()[1], 65_000)
        up = laboratory.start("stack", "up", "--name", "other", "--port", str(port))
        assert up.wait(UP_PATIENCE_S) == 2
    assert f"port {port} for keystone" in up.said
    assert not (laboratory.state / "stack" / "other").exists()
