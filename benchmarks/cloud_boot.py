"""Boots per second of the emulated cloud: 5,000 servers, one request each, until all are ACTIVE on 1,000 nodes.

Profile `instant` (nothing waits, so what is measured is the cloud's own work), documents in SQLite on disk, the load by
Kilonode's own client on the same cores. Each repeat is a new, empty cloud for each layout of processes, one after the
other. Beside the rate stands what the cloud's processes used, in seconds of CPU, which other work on the machine
troubles less. The peer is the rate that CIAO's authors claimed in 2016: 5,000 servers and 10,000 containers "in one
minute", 250 starts/s; their method was never published. Measured from the first request until a list shows that nothing
is building any more; afterwards all are counted.
"""

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import uvloop

from benchmarks import _clouds
from kilonode.cloud.role_counts import read_role_counts

PUBLISHED_PER_S = 250.0
REQUIRED_PER_S = 1_000.0
AIMED_PER_S = 2_000.0
LOOK_EVERY_S = 0.05
TIMEOUT_S = 300.0
LAYOUTS: dict[str, dict[str, Any]] = {
    "one": {"all_in_one": True},
    "each": {"all_in_one": False},
}


class Figures(msgspec.Struct, frozen=True):
    """One repeat."""

    accepted_per_s: float
    active_per_s: float
    cpu_s: dict[str, float]
    """Of each of the cloud's processes."""
    generator_cpu_s: float
    answer_ms: tuple[float, float]
    """The median and the 99th percentile of what a POST took."""

    @property
    def cloud_cpu_s(self) -> float:
        """Of all of them."""
        return sum(self.cpu_s.values())


async def measure(folder: Path, arguments: argparse.Namespace, settings: dict[str, Any]) -> Figures:
    """Boot the servers on a cloud of their own."""
    async with _clouds.cloud(folder, nodes=arguments.nodes, **settings), _clouds.connection() as connected:
        wanted = await _clouds.wanted_server(connected, plugged=arguments.networks == "port")
        numbers = iter(range(arguments.servers))
        compute = connected.compute
        answers_ms: list[float] = []

        async def boot() -> None:
            for number in numbers:
                asked_s = time.perf_counter()
                await compute.request("POST", "/servers", json={"server": {"name": f"s-{number}", **wanted}})
                answers_ms.append((time.perf_counter() - asked_s) * 1e3)

        processes = _clouds.processes(folder, supervisor=False)
        before_s = {name: _clouds.cpu_s(process) for name, process in processes.items()}
        generator_s = time.process_time()
        began_s = time.perf_counter()
        await asyncio.gather(*(boot() for _ in range(arguments.at_once)))
        accepted_s = time.perf_counter() - began_s
        while (await compute.get("/servers?status=BUILD&limit=1"))["servers"]:
            if time.perf_counter() - began_s > TIMEOUT_S:
                raise SystemExit(f"not all servers were ACTIVE after {TIMEOUT_S:g} s")
            await asyncio.sleep(LOOK_EVERY_S)
        active_s = time.perf_counter() - began_s
        figures = Figures(
            arguments.servers / accepted_s,
            arguments.servers / active_s,
            {name: _clouds.cpu_s(process) - before_s[name] for name, process in processes.items()},
            time.process_time() - generator_s,
            (float(np.percentile(answers_ms, 50)), float(np.percentile(answers_ms, 99))),
        )
        booted = await compute.list_all("/servers", "servers", query=[("status", "ACTIVE")])
        if len(booted) != arguments.servers:
            raise SystemExit(f"{len(booted)} of {arguments.servers} servers are ACTIVE")
        return figures


async def run(arguments: argparse.Namespace, layouts: list[str]) -> dict[str, list[Figures]]:
    """All repeats, the layouts in turn within each, so that a noisy machine troubles all of them."""
    found: dict[str, list[Figures]] = {layout: [] for layout in layouts}
    for repeat in range(arguments.repeats):
        for layout in layouts:
            settings = LAYOUTS.get(layout) or {"roles": read_role_counts(layout)}
            settings = {**settings, "synchronous": arguments.synchronous}
            with _clouds.state_folder() as folder:
                figures = await measure(folder, arguments, settings)
            found[layout].append(figures)
            each = ", ".join(f"{name} {value:.2f}" for name, value in figures.cpu_s.items())
            print(
                f"  {repeat + 1}, {layout:>8}: {figures.active_per_s:6,.0f} boots/s "
                f"({figures.accepted_per_s:,.0f}/s accepted); answers p50 {figures.answer_ms[0]:.0f} ms, "
                f"p99 {figures.answer_ms[1]:.0f} ms; CPU s: cloud {figures.cloud_cpu_s:.2f} ({each}), "
                f"generator {figures.generator_cpu_s:.2f}",
                flush=True,
            )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cloud_boot", description=__doc__)
    parser.add_argument("--servers", type=int, default=5_000)
    parser.add_argument("--nodes", type=int, default=1_000)
    parser.add_argument("--at-once", type=int, default=64, help="requests under way at a time")
    parser.add_argument("--networks", choices=("none", "port"), default="port", help="what each server is plugged into")
    parser.add_argument(
        "--layout",
        action="append",
        metavar="one|each|ROLES",
        help="processes: all roles in one, one for each role, or as many as ROLES says, such as api=2,scheduler=2; "
        "may be given several times, and is by default one, each and api=2",
    )
    parser.add_argument(
        "--synchronous", choices=("normal", "full"), default="normal", help="full: the disk has what was answered"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a smoke test: fewer servers and repeats")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.servers, arguments.nodes, arguments.repeats = 300, 100, 1
    layouts = arguments.layout or ["one", "each", "api=2"]
    print(
        f"{arguments.servers:,} servers on {arguments.nodes:,} nodes, {arguments.at_once} requests at a time, "
        f"networks: {arguments.networks}"
    )
    for layout, found in uvloop.run(run(arguments, layouts)).items():
        rates = sorted(figures.active_per_s for figures in found)
        median = statistics.median(rates)
        cpu_ms = statistics.median(figures.cloud_cpu_s for figures in found) / arguments.servers * 1e3
        answers = [statistics.median(figures.answer_ms[place] for figures in found) for place in (0, 1)]
        print(
            f"{layout:>8}: median {median:,.0f} boots/s (from {rates[0]:,.0f} to {rates[-1]:,.0f}), "
            f"{cpu_ms:.2f} ms of CPU for each boot, answers p50 {answers[0]:.0f} ms, p99 {answers[1]:.0f} ms; "
            f"{median / PUBLISHED_PER_S:.1f} × CIAO's published "
            f"{PUBLISHED_PER_S:g}/s; required {REQUIRED_PER_S:,g}/s, aimed {AIMED_PER_S:,g}/s"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
