"""A cloud from nothing until all its nodes report, and what a node costs: time, CPU, memory of each process.

`up` returns when a token can be had and every node is up by its fleet's heartbeat; the documents are in SQLite on disk.
Two floors in the same run, for no other cloud can be had that does this: bare Python processes that import what the
cloud's processes import, as many and all at once; then one transaction in a bare SQLite file that writes the same rows.
Memory is resident, process by process. What a node costs is the growth from the smallest cloud of the run.
"""

import argparse
import asyncio
import os
import sqlite3
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from benchmarks import _clouds
from kilonode.cloud.folder import StateFolder
from kilonode.cloud.launch import status
from kilonode.cloud.layout import API, FLEET, IMAGE, NETWORK, SCHEDULER, VOLUME, role_of
from kilonode.cloud.role_counts import read_role_counts
from kilonode.cloud.usage import SUPERVISOR

SIZES = (100, 1_000, 10_000, 100_000)
WATCHED_S = 20.0
"""How long a cloud is left alone to see what it uses at rest: two heartbeats."""
MODULES = {
    SUPERVISOR: "kilonode.cloud.supervisor",
    API: "kilonode.cloud.role_process, kilonode.cloud.openstack.application, kilonode.cloud.serving",
    SCHEDULER: "kilonode.cloud.role_process, kilonode.cloud.openstack.compute.placing",
    FLEET: "kilonode.cloud.role_process, kilonode.cloud.openstack.compute.lifecycle",
    VOLUME: "kilonode.cloud.role_process, kilonode.cloud.openstack.volume.reconcile",
    NETWORK: "kilonode.cloud.role_process, kilonode.cloud.openstack.network.reconcile",
    IMAGE: "kilonode.cloud.role_process, kilonode.cloud.openstack.image.reconcile",
}
"""What the processes of a role import; those that have all controllers, or all roles, import what the api does."""


class Figures(msgspec.Struct, frozen=True):
    """One cloud."""

    ready_s: float
    cpu_s: dict[str, float]
    memory_bytes: dict[str, int]
    rows: int
    store_bytes: int
    rest_cpu: float
    """Of one processor, while nothing is asked."""
    imports_s: float
    insert_s: float

    @property
    def floor_s(self) -> float:
        """What the two floors take, one after the other."""
        return self.imports_s + self.insert_s


async def measure(nodes: int, settings: dict[str, Any], *, watch: bool) -> Figures:
    """Bring one cloud up, look at it, take it down, and measure the floors."""
    with _clouds.state_folder() as folder:
        began_s = time.perf_counter()
        async with _clouds.cloud(folder, nodes=nodes, **settings) as first:
            ready_s = time.perf_counter() - began_s
            processes = _clouds.processes(folder)
            cpu_s = {name: _clouds.cpu_s(process) for name, process in processes.items()}
            memory_bytes = {name: int(process.memory_info().rss) for name, process in processes.items()}
            rest_cpu = 0.0
            if watch:
                await asyncio.sleep(WATCHED_S)
                used_s = sum(_clouds.cpu_s(process) - cpu_s[name] for name, process in processes.items())
                rest_cpu = used_s / WATCHED_S
                first = await status(folder, _clouds.NAME)
            if first.nodes_up != nodes:
                raise SystemExit(f"{first.nodes_up:,} of {nodes:,} nodes are up")
        store = StateFolder(folder, _clouds.NAME).store
        rows, insert_s = insert_again(store, folder / "floor")
        return Figures(
            ready_s, cpu_s, memory_bytes, rows, store.stat().st_size, rest_cpu, import_all(list(processes)), insert_s
        )


def insert_again(store: Path, target: Path) -> tuple[int, float]:
    """Write the rows of a store into a bare SQLite file; how many there are, and the seconds it took."""
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as source:
        rows = source.execute("SELECT kind, key, revision, value FROM documents").fetchall()
    source.close()
    began_s = time.perf_counter()
    connection = sqlite3.connect(target)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE documents (kind, key, revision, value, PRIMARY KEY (kind, key)) WITHOUT ROWID")
    with connection:
        connection.executemany("INSERT INTO documents VALUES (?, ?, ?, ?)", rows)
    taken_s = time.perf_counter() - began_s
    connection.close()
    return len(rows), taken_s


def import_all(names: list[str]) -> float:
    """Seconds until as many processes as the cloud has, started all at once, have imported what the cloud's import."""
    began_s = time.perf_counter()
    started = [
        subprocess.Popen([sys.executable, "-c", f"import {MODULES.get(role_of(name), MODULES[API])}"]) for name in names
    ]
    codes = [process.wait() for process in started]
    if any(codes):
        raise SystemExit("a process could not import what the cloud's processes import")
    return time.perf_counter() - began_s


def show(nodes: int, found: list[Figures], smallest: tuple[int, Figures] | None) -> None:
    """The medians of the repeats, and the memory of the last."""
    ready = sorted(figures.ready_s for figures in found)
    last = found[-1]
    cpu_s = statistics.median(sum(figures.cpu_s.values()) for figures in found)
    ratio = statistics.median(figures.ready_s / figures.floor_s for figures in found)
    print(
        f"{nodes:>8,} nodes: ready after {statistics.median(ready):.1f} s ({ready[0]:.1f} to {ready[-1]:.1f}), "
        f"{cpu_s:.1f} s of CPU; floors: imports {statistics.median(figures.imports_s for figures in found):.1f} s, "
        f"SQLite {statistics.median(figures.insert_s for figures in found):.2f} s for {last.rows:,} rows "
        f"({last.store_bytes / 2**20:.0f} MiB): {ratio:.1f} times the floors; "
        f"at rest {last.rest_cpu * 100:.1f} % of one processor"
    )
    for name, memory_bytes in last.memory_bytes.items():
        line = f"{name:>20}: {memory_bytes / 2**20:>5.0f} MiB, CPU {last.cpu_s[name]:.2f} s"
        if smallest is not None:
            less, figures = smallest
            line += f", {(memory_bytes - figures.memory_bytes[name]) / (nodes - less):,.0f} bytes for each node"
        print(line)
    print(f"{'together':>20}: {sum(last.memory_bytes.values()) / 2**20:>5.0f} MiB", flush=True)


async def run(arguments: argparse.Namespace) -> None:
    settings: dict[str, Any] = {"all_in_one": arguments.all_in_one}
    if arguments.roles:
        settings["roles"] = read_role_counts(arguments.roles)
    smallest: tuple[int, Figures] | None = None
    for nodes in sorted(arguments.nodes):
        last = arguments.repeats - 1
        found = [await measure(nodes, settings, watch=repeat == last) for repeat in range(arguments.repeats)]
        show(nodes, found, smallest)
        smallest = smallest or (nodes, found[-1])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cloud_up", description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=list(SIZES), help="the sizes of the clouds")
    parser.add_argument("--roles", default="", help="how many processes roles have, such as api=2,fleet=2")
    parser.add_argument("--all-in-one", action="store_true", help="all roles in one process")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a smoke test: two small clouds, once")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.nodes, arguments.repeats = [100, 1_000], 1
    print(f"{os.cpu_count()} processors; processes: {arguments.roles or ('one' if arguments.all_in_one else 'each')}")
    uvloop.run(run(arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
