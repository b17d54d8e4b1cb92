"""Roles killed and frozen at random instants on virtual time, for many seeds: what was acknowledged is there."""

import asyncio
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kilonode.base.clock import Clock
from kilonode.base.simulation import run_simulated
from kilonode.check.consistency import ConsistencyResults, check_consistency
from kilonode.cli.generators import open_generator
from kilonode.clients.openstack.connections import Connections
from kilonode.cloud.context import CloudSettings
from kilonode.cloud.role_counts import RoleCounts
from kilonode.run.conductor import Conductor
from kilonode.run.consistency import read_evidence
from kilonode.run.folder import RunRecord, RunState, create_run_folder
from kilonode.run.interruption import Interruption
from kilonode.run.reading import read_text
from kilonode.run.surroundings import Surroundings
from tests.simulated.killing import KillableCloud
from tests.simulated.runs import RUN_ID, Watcher

TEXT = """
name: killed
cloud: {emulated: {nodes: 6}}
setup:
  projects: 2
  networks_per_project: 1
  flavors: {small: {vcpus: 1, disk: 1GiB}, large: {vcpus: 2, memory: 128MiB, disk: 1GiB}}
workloads:
  keeps: {scenario: compute.boot, args: {flavor: small, image: cirros}, load: LOAD}
  cycles: {scenario: compute.boot_and_delete, args: {flavor: small, image: cirros}, load: LOAD}
  resizes: {scenario: compute.resize, args: {flavor: small, to_flavor: large, image: cirros}, load: LOAD}
  moves: {scenario: compute.stop_and_start, args: {flavor: small, image: cirros}, load: LOAD}
  volumes: {scenario: volume.attach_and_detach_volume, args: {flavor: small, image: cirros}, load: LOAD}
  routers: {scenario: network.create_and_delete_router, load: LOAD}
  subnets: {scenario: network.create_subnet, load: LOAD}
  addresses: {scenario: network.create_and_delete_floating_ip, load: LOAD}
criteria: [lost == 0, resurrected == 0, duplicated == 0, stuck == 0, leaked == 0, overbooked == 0, strayed == 0]
drain: 2s
""".replace("LOAD", "{model: constant-arrival-rate, rate: 2/s, duration: 4s}")
EVERY_S = 0.15


class DisruptingWatcher(Watcher):
    """Kills and freezes while the load lasts."""

    def __init__(self, interruption: Interruption, cloud: KillableCloud) -> None:
        super().__init__(interruption)
        self._cloud = cloud
        self.disrupting: asyncio.Task[None] | None = None

    def stage(self, name: str) -> None:
        super().stage(name)
        if name == "load":
            self.disrupting = asyncio.create_task(self._cloud.disrupt_at_random(EVERY_S), name="disruption")
        elif name == "settle":
            self._cloud.let_be()


def run_and_kill(folder: Path, seed: int) -> tuple[ConsistencyResults, int]:
    """A run on a cloud that is killed all the time; what it came to, and how often something was killed."""
    point = read_text(TEXT, folder / "experiment.yaml", ()).points[0].with_seed(seed)
    created = datetime(2030, 1, 1, tzinfo=UTC)
    kept = create_run_folder(folder, "killed", created)
    kept.experiment_file.write_text(point.text)
    record = RunRecord(RUN_ID, "killed", RunState.PREPARING, 0, created, seed, simulated=True)
    settings = CloudSettings(nodes=6, stages="fast", seed=seed, roles=RoleCounts(api=2, scheduler=2, fleet=2))

    async def conduct(clock: Clock) -> int:
        interruption = Interruption()
        async with (
            KillableCloud(settings, clock, random.Random(seed)) as cloud,
            Connections(clock, cloud.open_transport) as connections,
        ):
            watcher = DisruptingWatcher(interruption, cloud)
            generator = open_generator(clock, cloud.open_transport)
            around = Surroundings(clock, cloud.access, connections.connect, generator, watcher, 0)
            await Conductor(point.experiment, kept, record, around, interruption).run()
            assert watcher.disrupting is not None
            await watcher.disrupting
            assert cloud.freezes > 0
        return cloud.kills

    kills = run_simulated(conduct)
    return check_consistency(read_evidence(kept)), kills


def check(folder: Path, seeds: range) -> None:
    created = kills = 0
    for seed in seeds:
        consistency, killed = run_and_kill(folder / str(seed), seed)
        assert consistency.findings == (), f"seed {seed}"
        assert {one.count for one in consistency.counts} == {0}, f"seed {seed}: {consistency.counts}"
        assert consistency.failed == 0, f"seed {seed}"
        assert consistency.settled, f"seed {seed}"
        created += consistency.created
        kills += killed
    assert kills >= 8 * len(seeds)
    assert created >= 30 * len(seeds)


def test_roles_that_are_killed_and_frozen_all_the_time_lose_nothing(tmp_path: Path) -> None:
    check(tmp_path, range(8))


@pytest.mark.soak
@pytest.mark.parametrize("first", range(100, 600, 50))
def test_five_hundred_seeds_of_kills_and_freezes_lose_nothing(tmp_path: Path, first: int) -> None:
    check(tmp_path, range(first, first + 50))
