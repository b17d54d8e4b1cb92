"""Reading a cloud with 10,000 servers at 500 requests per second: latency of one server, a page of 1,000, a name.

An open loop by Kilonode's own engine in a process of its own, every operation recorded: latency counts from the instant
at which a request was due, so an answer that is late because of the ones before it counts as late. The peer is the same
uvicorn with an application that answers a body of the same size, made beforehand: what serving costs when nothing is
looked up. Both in turn, in the same run; the cloud has one process per role and SQLite on disk.
Where the rate cannot be held the requests that were dropped or failed are said, and the latency is no figure of it.
"""

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import uvloop

from benchmarks import _clouds, _peers
from kilonode.cloud.role_counts import read_role_counts

NODES = 1_000
AT_ONCE = 1_000
"""Servers asked for by one request."""
LOOK_EVERY_S = 0.1
TIMEOUT_S = 120.0
MICROVERSION = "2.96"
PEER = Path(__file__).parent / "_uvicorn_peer.py"


class Subject(msgspec.Struct, frozen=True):
    """One kind of request."""

    name: str
    path: str
    size_bytes: int
    """Of its answer."""


class Figures(msgspec.Struct, frozen=True):
    """One repeat of one subject, or of the peer beside it."""

    p50_ms: float
    p99_ms: float
    answered: int
    not_ok: int
    cpu_ms: float
    """Of the processes that answer, for each request."""


async def fill(servers: int) -> dict[str, str]:
    """Make the servers, each with a port and an address; the headers with which they can be asked for."""
    async with _clouds.connection() as connected:
        wanted = await _clouds.wanted_server(connected, plugged=True)
        for number in range(0, servers, AT_ONCE):
            count = min(AT_ONCE, servers - number)
            body = {"server": {"name": f"s-{number // AT_ONCE}", "min_count": count, **wanted}}
            await connected.compute.request("POST", "/servers", json=body)
        deadline_s = time.monotonic() + TIMEOUT_S
        while (await connected.compute.get("/servers?status=BUILD&limit=1"))["servers"]:
            if time.monotonic() > deadline_s:
                raise SystemExit(f"not all servers were ACTIVE after {TIMEOUT_S:g} s")
            await asyncio.sleep(LOOK_EVERY_S)
        return {
            "x-auth-token": connected.token.text,
            "openstack-api-version": f"compute {MICROVERSION}",
            "accept": "application/json",
        }


async def subjects(servers: int) -> list[Subject]:
    """The requests, and how large their answers are."""
    name = f"s-0-{min(servers, AT_ONCE) // 2}"
    found = []
    async with _clouds.connection() as connected:
        compute = connected.compute
        newest = (await compute.get("/servers?limit=1"))["servers"][0]["id"]
        for label, path, items in (
            ("show", f"/servers/{newest}", None),
            ("list, 1,000 of them", "/servers?limit=1000", min(servers, 1_000)),
            ("list, by name", f"/servers?name=%5E{name}%24", 1),
        ):
            response = await compute.request("GET", path)
            body = response.json()
            if items is not None and len(body["servers"]) != items:
                raise SystemExit(f"{label}: {len(body['servers'])} servers instead of {items}")
            found.append(Subject(label, f"/compute/v2.1{path}", len(response.body)))
    return found


@contextlib.contextmanager
def peer() -> Iterator[tuple[str, psutil.Process]]:
    """The peer's address, and its process."""
    with subprocess.Popen([sys.executable, PEER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}", psutil.Process(process.pid)
        finally:
            process.kill()


def load(url: str, headers: dict[str, str], rate: int, duration_s: int, answering: list[psutil.Process]) -> Figures:
    """Ask for one address at a constant rate."""
    before_s = sum(_clouds.cpu_s(process) for process in answering)
    model: dict[str, Any] = {
        "model": "constant-arrival-rate", "rate": f"{rate}/s", "duration": f"{duration_s}s", "max_vus": 512,
    }  # fmt: skip
    found = _peers.kilonode(scenario="http.get", args={"url": url, "headers": headers}, load=model)
    used_s = sum(_clouds.cpu_s(process) for process in answering) - before_s
    answered = max(1, int(found["iterations"]))
    return Figures(
        found["latency_s_p50"] * 1e3, found["latency_s_p99"] * 1e3, answered, found["not_ok"], used_s / answered * 1e3
    )


Measured = list[tuple[Subject, list[Figures], list[Figures]]]
"""Each subject with the figures of the cloud and of the peer, repeat by repeat."""


async def run(arguments: argparse.Namespace) -> Measured:
    settings: dict[str, Any] = {"roles": read_role_counts(arguments.roles)} if arguments.roles else {}
    with _clouds.state_folder() as folder, peer() as (address, other):
        async with _clouds.cloud(folder, nodes=NODES, all_in_one=False, **settings) as status:
            headers = await fill(arguments.servers)
            measured: Measured = [(subject, [], []) for subject in await subjects(arguments.servers)]
            processes = _clouds.processes(folder)
            own = [process for name, process in processes.items() if name.startswith("api")]
            for _ in range(arguments.repeats):
                for subject, ours, theirs in measured:
                    mine = load(f"{status.url}{subject.path}", headers, arguments.rate, arguments.duration, own)
                    bare = load(f"{address}/{subject.size_bytes}", headers, arguments.rate, arguments.duration, [other])
                    ours.append(mine)
                    theirs.append(bare)
            return measured


def words(found: list[Figures]) -> str:
    """The medians of the repeats, and what went wrong."""
    p99s = sorted(figures.p99_ms for figures in found)
    text = (
        f"p50 {statistics.median(figures.p50_ms for figures in found):.2f} ms, p99 {statistics.median(p99s):.2f} ms "
        f"({p99s[0]:.2f} to {p99s[-1]:.2f}), {statistics.median(figures.cpu_ms for figures in found):.2f} ms of CPU"
    )
    not_ok = sum(figures.not_ok for figures in found)
    if not_ok:
        text += f"; NOT HELD: {not_ok:,} dropped or failed, {sum(figures.answered for figures in found):,} answered"
    return text


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api", description=__doc__)
    parser.add_argument("--servers", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=500, help="requests per second")
    parser.add_argument("--duration", type=int, default=8, help="of each load, in seconds")
    parser.add_argument("--roles", default="", help="how many processes roles have, such as api=2")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a smoke test: fewer servers, once")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.servers, arguments.duration, arguments.repeats = 1_000, 2, 1
    print(
        f"{arguments.servers:,} servers, {arguments.rate} requests/s, {arguments.repeats} times "
        f"{arguments.duration} s; latency from due, CPU of the answering processes for each request",
        flush=True,
    )
    for subject, ours, theirs in uvloop.run(run(arguments)):
        ratios = [mine.p99_ms / bare.p99_ms for mine, bare in zip(ours, theirs, strict=True)]
        print(f"{subject.name} ({subject.size_bytes:,} bytes)")
        print(f"    cloud:   {words(ours)}")
        print(f"    uvicorn: {words(theirs)}; p99 of the cloud {statistics.median(ratios):.1f} times", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
