"""SIGKILL to randomly chosen role processes of an emulated cloud at random instants, while a run makes load on it.

Who is killed and when follows from a seed. Only processes that the cloud's own table names are killed, never its
supervisor, and never one whose start time is another than the table's.
"""

import os
import random
import signal
import time
from functools import partial
from typing import Any

from kilonode.base.processes import is_alive
from kilonode.cloud.folder import StateFolder
from tests.cli.laboratory import Command, Laboratory

ROLES = "api=2,scheduler=2,fleet=2"
EXPERIMENT = """
name: nothing lost
cloud: {{openstack: {cloud}}}
setup:
  projects: 2
  networks_per_project: 1
  flavors: {{small: {{vcpus: 1, disk: 1GiB}}, large: {{vcpus: 2, memory: 128MiB, disk: 1GiB}}}}
workloads:
{workloads}
criteria: [lost == 0, resurrected == 0, duplicated == 0, stuck == 0, leaked == 0, overbooked == 0, strayed == 0]
costs: unmeasured
drain: 10s
"""
WORKLOAD = """
  {name}:
    scenario: {scenario}
    args: {args}
    load: {{model: constant-arrival-rate, rate: {rate}/s, duration: {duration_s}s}}"""
ON_A_SERVER = "{flavor: small, image: cirros}"
SCENARIOS = {
    "compute.boot": ON_A_SERVER,
    "compute.boot_and_delete": ON_A_SERVER,
    "compute.resize": "{flavor: small, to_flavor: large, image: cirros}",
    "compute.stop_and_start": ON_A_SERVER,
    "volume.attach_and_detach_volume": ON_A_SERVER,
    "network.create_subnet": "{}",
    "network.create_and_delete_router": "{}",
    "network.create_port": "{}",
    "network.create_and_delete_floating_ip": "{}",
}
TWICE_AS_OFTEN = ("compute.boot", "compute.boot_and_delete")


def experiment(cloud: str, rate: int, duration_s: int) -> str:
    """Everything at once: boots at this rate, the rest at half of it."""
    workloads = [
        WORKLOAD.format(
            name=scenario.rpartition(".")[2],
            scenario=scenario,
            args=args,
            rate=rate if scenario in TWICE_AS_OFTEN else max(1, rate // 2),
            duration_s=duration_s,
        )
        for scenario, args in SCENARIOS.items()
    ]
    return EXPERIMENT.format(cloud=cloud, workloads="".join(workloads))


def run_and_kill(
    laboratory: Laboratory, kills: int, between_s: float, *, rate: int = 8, seed: int = 1, nodes: int = 100
) -> tuple[dict[str, Any], list[str]]:
    """A run with so many kills, on average `between_s` apart; its results, and who was killed."""
    name = "killed"
    code, command = laboratory.run(
        "cloud", "up", "--name", name, "--port", "0", "--nodes", str(nodes), "--stages", "fast", "--roles", ROLES
    )
    assert code == 0, command.said
    folder = StateFolder(laboratory.state, name)
    file = laboratory.write(experiment(name, rate, round(kills * between_s) + 2))
    run = laboratory.start(
        "run",
        file,
        "--runs",
        str(laboratory.runs),
        "--set",
        f"seed={seed}",
        OS_CLIENT_CONFIG_FILE=str(folder.path / "clouds.yaml"),
    )
    laboratory.wait_for_load(run)
    killed = kill_randomly(folder, run, kills, between_s, seed)
    run.wait(600)
    return laboratory.verdict(), killed


def kill_randomly(folder: StateFolder, run: Command, kills: int, between_s: float, seed: int) -> list[str]:
    """Kill `kills` processes of the cloud in `folder`; the names of those that were."""
    chance = random.Random(seed)
    killed: list[str] = []
    next_s = time.monotonic()
    while len(killed) < kills:
        next_s += between_s * chance.uniform(0.2, 1.8)
        run.until(partial(_is_over, next_s), "the instant of the next kill")
        alive = living(folder)
        if alive:
            process, pid = chance.choice(alive)
            os.kill(pid, signal.SIGKILL)
            killed.append(process)
    return killed


def _is_over(instant_s: float) -> bool:
    return time.monotonic() >= instant_s


def living(folder: StateFolder) -> list[tuple[str, int]]:
    """Name and pid of the role processes of a cloud that run."""
    table = folder.read_processes()
    return [
        (process.name, process.identity.pid)
        for process in (table.processes if table is not None else ())
        if process.identity is not None and is_alive(process.identity)
    ]
