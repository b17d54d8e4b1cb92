"""Choosing nodes: decisions per second, and the latency of Placement's candidates, as clouds grow.

Decisions: each scheduler chooses and takes, for equal servers and for ones that differ, over empty nodes. Candidates:
the request of Placement's own performance gate (VCPU:1,DISK_GB:10,MEMORY_MB:256, with a trait and an aggregate), all of
them and the first 1,000 (what Nova asks for), before and after 99 allocations. The peer is Placement from PyPI over
SQLite on disk, in an environment of its own (`.bench-venv-placement`, or the Python that KILONODE_PLACEMENT_PYTHON
names). Both are called in their processes without a socket, in turn, and answer with the same number of candidates.
The peer's largest cloud is `--peer-nodes`, for it needs minutes beyond. `--chart FILE` draws how both grow with the
number of nodes; what is printed as growth is the power of the number of nodes with which the medians grow, over all
sizes: 0 is flat, 1 in proportion.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from benchmarks._growth_chart import Line, Panel, growth_svg
from kilonode.base.clock import RealClock
from kilonode.base.randomness import Randomness
from kilonode.cloud.context import Cloud, CloudSettings, NodeShape, Weights
from kilonode.cloud.fleet import register_nodes
from kilonode.cloud.openstack.compute.model import AGGREGATE, Aggregate
from kilonode.cloud.openstack.placement.routes import PLACEMENT
from kilonode.cloud.openstack.web.access import Access, Caller
from kilonode.cloud.openstack.web.application import Application
from kilonode.cloud.resources import NO_USAGE, NODE, Resources, make_node
from kilonode.cloud.schedulers import SCHEDULERS
from kilonode.cloud.scheduling import Request
from kilonode.control.mirror import Put
from kilonode.store.memory import MemoryStore

FOLDER = Path(__file__).parent
ENVIRONMENT = FOLDER.parent / ".bench-venv-placement"
PEER = "openstack-placement==16.0.0"
SIZES = (100, 1_000, 10_000, 100_000)
SHAPE = NodeShape(128, 1_048_576, 3_200, 16.0, 1.5, 1.0, 0, 32, 0)
AGGREGATE_ID = "5e7d4e25-4d3b-4a57-a3a6-0c0e5e5d7a11"
QUERY = f"resources=VCPU:1,DISK_GB:10,MEMORY_MB:256&required=COMPUTE_NODE&member_of={AGGREGATE_ID}"
QUERIES = (QUERY, f"{QUERY}&limit=1000")
DECISIONS = 2_000
AMOUNTS = (Resources(1, 256, 10), Resources(2, 2_048, 20), Resources(4, 8_192, 40), Resources(8, 512, 5))
Measured = dict[str, dict[str, dict[str, Any]]]


def decisions_per_s(name: str, nodes: int, *, mixed: bool) -> float:
    """How often a scheduler chooses and takes in a second."""
    settings = CloudSettings(nodes=nodes, node_shape=SHAPE)
    scheduler = SCHEDULERS[name](Randomness(1, "ties"), Weights(), lambda node: False)
    for number in range(nodes):
        scheduler.put_node(make_node(settings, number, 0), NO_USAGE, alive=True)
    requests = [Request(AMOUNTS[number % len(AMOUNTS) if mixed else 0]) for number in range(DECISIONS)]
    start = time.perf_counter()
    for request in requests:
        chosen = scheduler.choose(request)
        if chosen is None:
            raise SystemExit(f"{name}: no room on {nodes} nodes")
        scheduler.take(chosen, request.amount)
    return DECISIONS / (time.perf_counter() - start)


async def candidates(nodes: int, repeats: int) -> Measured:
    """The same requests to the emulated Placement."""
    settings = CloudSettings(nodes=nodes, node_shape=SHAPE, stages="instant")
    cloud = await Cloud.open(MemoryStore(), RealClock(), settings, "api", ())
    await register_nodes(cloud, "fleet")
    members = Aggregate(1, AGGREGATE_ID, "all", 0, nodes=tuple(cloud.mirror.all(NODE)))
    await cloud.mirror.commit([Put(AGGREGATE, members, "1")])
    administrator = Caller("u", roles=("admin",), access=Access.ADMIN)
    application = Application(cloud, (PLACEMENT,), lambda token: administrator)

    async def call(method: str, path: str, query: str = "", body: Any = None) -> bytes:
        data = b"" if body is None else json.dumps(body).encode()
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": data}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [
            (b"x-auth-token", b"t"),
            (b"openstack-api-version", b"placement 1.39"),
            (b"content-type", b"application/json"),
        ]
        scope = {
            "type": "http", "method": method, "path": f"/placement{path}", "query_string": query.encode(),
            "headers": headers,
        }  # fmt: skip
        await application(scope, receive, send)
        answer = b"".join(message.get("body", b"") for message in sent[1:])
        if sent[0]["status"] >= 300:
            raise SystemExit(f"{method} {path}: {sent[0]['status']} {answer[:500]!r}")
        return answer

    async def measure() -> dict[str, dict[str, Any]]:
        found = {}
        for query in QUERIES:
            times, answer = [], b"{}"
            for _ in range(repeats):
                start = time.perf_counter()
                answer = await call("GET", "/allocation_candidates", query)
                times.append(time.perf_counter() - start)
            found[query] = {"times_s": times, "candidates": len(json.loads(answer)["allocation_requests"])}
        return found

    await call("GET", "/allocation_candidates", f"{QUERY}&limit=1")  # what a role does once, when it is asked first
    before = await measure()
    uuids = [entry.value.uuid for entry in cloud.mirror.all(NODE).values()]
    for number in range(99):
        body = {
            "allocations": {uuids[number % nodes]: {"resources": {"VCPU": 1, "DISK_GB": 10, "MEMORY_MB": 256}}},
            "project_id": "p", "user_id": "u", "consumer_generation": None, "consumer_type": "INSTANCE",
        }  # fmt: skip
        await call("PUT", f"/allocations/00000000-0000-0000-0000-{number:012d}", body=body)
    after = await measure()
    await cloud.close()
    return {"before": before, "after": after}


def peer_python() -> str:
    """A Python that has Placement, made once."""
    named = os.environ.get("KILONODE_PLACEMENT_PYTHON")
    if named:
        return named
    python = ENVIRONMENT / "bin" / "python"
    done = ENVIRONMENT / ".installed"
    if not done.exists() or done.read_text() != PEER:
        print(f"installing {PEER} into {ENVIRONMENT.name}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PEER], check=True)
        done.write_text(PEER)
    return str(python)


def peer(nodes: int, repeats: int) -> Measured:
    """The same requests to Placement."""
    with tempfile.TemporaryDirectory() as folder:
        command = [peer_python(), str(FOLDER / "_placement_peer.py"), folder, str(nodes), str(repeats), AGGREGATE_ID]
        done = subprocess.run([*command, *QUERIES], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"Placement failed at {nodes} nodes:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout))


def show_candidates(nodes: int, own: Measured, other: Measured | None) -> None:
    for when in ("before", "after"):
        for query, label in zip(QUERIES, ("all", "limit=1000"), strict=True):
            mine = own[when][query]
            line = f"{nodes:>8,} nodes, {label:>10}, {when:>6} 99 allocations: {_ms(mine['times_s'])}"
            if other is not None:
                theirs = other[when][query]
                if theirs["candidates"] != mine["candidates"]:
                    raise SystemExit(f"{theirs['candidates']} candidates of Placement, {mine['candidates']} here")
                ratio = statistics.median(theirs["times_s"]) / statistics.median(mine["times_s"])
                line += f"; Placement {_ms(theirs['times_s'])}: {ratio:,.0f} times"
            print(f"{line}; {mine['candidates']:,} candidates", flush=True)


def _ms(times_s: list[float]) -> str:
    low, middle, high = (1e3 * value for value in (min(times_s), statistics.median(times_s), max(times_s)))
    return f"{middle:,.1f} ms ({low:,.1f} to {high:,.1f})"


def growth(points: list[tuple[float, float]]) -> str:
    """The power of the size with which seconds grow, by least squares over the logarithms."""
    if len({size for size, _ in points}) < 2:
        return "unknown"
    power = statistics.linear_regression(
        [math.log(size) for size, _ in points], [math.log(seconds) for _, seconds in points]
    ).slope
    return f"{power:.2f}"


def measure_decisions(sizes: tuple[int, ...], repeats: int) -> list[Line]:
    """Print and return what a decision takes."""
    print("decisions per second (choose and take), equal servers | servers that differ: median (lowest to highest)")
    lines = []
    for name in SCHEDULERS:
        points: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
        for nodes in sizes:
            cells = []
            for mixed, found in points.items():
                rates = sorted(decisions_per_s(name, nodes, mixed=mixed) for _ in range(repeats))
                found.append((nodes, 1 / statistics.median(rates)))
                cells.append(f"{statistics.median(rates):>9,.0f} ({rates[0]:,.0f} to {rates[-1]:,.0f})")
            print(f"{name:>17} {nodes:>8,} nodes: {' | '.join(cells)}", flush=True)
        print(f"{name:>17} growth: {growth(points[False])} | {growth(points[True])}")
        lines += [
            Line(f"{name}, servers that differ" if mixed else f"{name}, equal servers", tuple(found))
            for mixed, found in points.items()
        ]
    return lines


def measure_candidates(sizes: tuple[int, ...], repeats: int, peer_nodes: int) -> list[Line]:
    """Print and return what asking for candidates takes, here and of the peer."""
    print("GET /allocation_candidates: median (lowest to highest)")
    labels = dict(zip(QUERIES, ("all of them", "limit=1000"), strict=True))
    own_points: dict[str, list[tuple[float, float]]] = {query: [] for query in QUERIES}
    peer_points: dict[str, list[tuple[float, float]]] = {query: [] for query in QUERIES}
    for nodes in sizes:
        own = uvloop.run(candidates(nodes, repeats))
        other = peer(nodes, max(2, repeats // 2)) if nodes <= peer_nodes else None
        show_candidates(nodes, own, other)
        for query in QUERIES:
            own_points[query].append((nodes, statistics.median(own["before"][query]["times_s"])))
            if other is not None:
                peer_points[query].append((nodes, statistics.median(other["before"][query]["times_s"])))
    for query, label in labels.items():
        print(f"{label:>17} growth: {growth(own_points[query])}; Placement: {growth(peer_points[query])}")
    return [
        *(Line(f"candidates here, {label}", tuple(own_points[query])) for query, label in labels.items()),
        *(
            Line(f"Placement 16 over SQLite, {label}", tuple(peer_points[query]), peer=True)
            for query, label in labels.items()
            if peer_points[query]
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scheduler", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two sizes, two repeats: a smoke test")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peer-nodes", type=int, default=10_000, help="the largest cloud that the peer is given")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw the growth into this SVG file")
    arguments = parser.parse_args()
    sizes = SIZES[:2] if arguments.quick else SIZES
    repeats = 2 if arguments.quick else arguments.repeats
    decisions = measure_decisions(sizes, min(repeats, 3))
    asked = measure_candidates(sizes, repeats, arguments.peer_nodes)
    if arguments.chart:
        panels = [Panel("One decision of a scheduler", decisions), Panel("GET /allocation_candidates", asked)]
        arguments.chart.write_text(growth_svg(panels, "nodes"), encoding="utf-8")


if __name__ == "__main__":
    main()
