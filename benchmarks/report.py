"""Judging and reporting a million operations: required under 10 s, 600 MB of memory, a page below 3 MB.

The history is that of three workloads of an hour with boots in parts, errors with messages of their own, timeouts, and
the generator's health. Each repeat is a process of its own, so that its peak memory can be told, and goes all the way a
run goes at its end: journals to Parquet, numbers, verdict.json, junit.xml, report.html. The peer is DuckDB reading the
same Parquet files for nothing but the exact percentiles of every step, by SQL: what a report costs at least.
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np

from kilonode.base.outcomes import Outcome
from kilonode.check.criteria import CriterionRule, parse_criterion
from kilonode.check.evaluation import evaluate
from kilonode.check.facts import Point, RunFacts, WorkloadFacts
from kilonode.history.archive import compact
from kilonode.history.journal import JournalHeader, JournalWriter
from kilonode.history.records import OpKind, Sample
from kilonode.report.documents import write_report
from kilonode.report.metadata import RunMetadata

REQUIRED_S = 10.0
REQUIRED_MB = 600.0
REQUIRED_FILE_MB = 3.0
LOAD_S = 3600.0
LEAST_NS = np.array([50, 2_000, 3_000]) * 10**6
MOST_NS = np.array([200, 2_500, 4_000]) * 10**6
"""When a boot is accepted, active, and its server gone again."""
PERCENTILES = "[0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999]"


def write_journals(folder: Path, operations: int) -> None:
    """About this many Ops in the journals of two workers."""
    (folder / "journal").mkdir(parents=True)
    random = np.random.default_rng(7)
    start = datetime(2030, 1, 1, tzinfo=UTC)
    for worker in range(2):
        header = JournalHeader(run_id="0badcafe", name=f"worker-{worker}", worker=worker, zero_ns=0, zero_utc=start)
        writer = JournalWriter(folder / "journal" / f"worker-{worker}.journal", header)
        # An iteration of a list is two Ops, one of a boot six.
        write_lists(writer, random, operations // 8, worker)
        write_boots(writer, random, operations // 48, worker)
        write_lists(writer, random, operations // 16, worker, name="tokens")
        for second in range(round(LOAD_S)):
            for metric in (
                "cpu_fraction",
                "loop_lag_s_max",
                "lateness_s_p99",
                "open_files",
                "memory_bytes",
                "active_vus",
            ):
                writer.add_sample(Sample(f"generator-{worker}", metric, second * 10**9, float(random.random())))
        writer.close()


def write_lists(
    writer: JournalWriter, random: np.random.Generator, count: int, worker: int, name: str = "lists"
) -> None:
    due_ns = (np.arange(count) * (LOAD_S * 1e9 / count)).astype(np.int64).tolist()
    late_ns = random.exponential(3e5, count).astype(np.int64).tolist()
    took_ns = (random.lognormal(-3.5, 0.6, count) * 1e9).astype(np.int64).tolist()
    kind = random.random(count).tolist()
    for number in range(count):
        started = due_ns[number] + late_ns[number]
        outcome, error, finished = Outcome.OK.value, "", started + took_ns[number]
        if kind[number] < 0.01:
            outcome, error = (
                Outcome.HTTP_5XX.value,
                f"503 from backend-{number % 977}: request req-{number:012x} failed",
            )
        elif kind[number] < 0.011:
            outcome, error, finished = Outcome.TIMEOUT.value, "no answer within 30 s", started + 30 * 10**9
        numbers = (number * 2 + worker, due_ns[number], started, finished, outcome, error, 0)
        writer.add_op((OpKind.ITERATION.value, name, "", *numbers))
        writer.add_op((OpKind.STEP.value, name, "list", *numbers))
        if number % 10_000 == 0:
            writer.flush()


def write_boots(writer: JournalWriter, random: np.random.Generator, count: int, worker: int) -> None:
    for number in range(count):
        at = round(number * LOAD_S * 1e9 / count)
        accepted, active, gone = (at + random.integers(LEAST_NS, MOST_NS)).tolist()
        numbers, ok, iteration = (at, at), Outcome.OK.value, number * 2 + worker
        writer.add_op((OpKind.ITERATION.value, "boots", "", iteration, *numbers, gone, ok, "", 0))
        writer.add_op((OpKind.STEP.value, "boots", "boot", iteration, *numbers, active, ok, "", 5 * 10**7))
        writer.add_op((OpKind.STEP.value, "boots", "boot.accepted", iteration, *numbers, accepted, ok, "", 0))
        writer.add_op(
            (OpKind.STEP.value, "boots", "boot.active", iteration, accepted, accepted, active, ok, "", 5 * 10**7)
        )
        middle = (accepted + active) // 2
        writer.add_op(
            (OpKind.STEP.value, "boots", "boot.active.spawning", iteration, middle, middle, active, ok, "", 0)
        )
        writer.add_op((OpKind.STEP.value, "boots", "delete", iteration, active, active, gone, ok, "", 5 * 10**7))
        if number % 10_000 == 0:
            writer.flush()


def facts() -> RunFacts:
    def workload(name: str) -> WorkloadFacts:
        return WorkloadFacts(
            name=name,
            scenario=name,
            load="constant-arrival-rate",
            open_model=True,
            start_s=0.0,
            end_s=LOAD_S,
            asked_per_s=(Point(0.0, 60.0), Point(LOAD_S, 60.0)),
            max_vus=10_000,
        )

    texts = ("lists p(99.9) < 1s", "tokens error_rate < 5%", "boots.boot p(99) < 5s", "throughput > 10/s")
    return RunFacts(
        workloads=(workload("lists"), workload("tokens"), workload("boots")),
        rules=tuple(CriterionRule(parse_criterion(text)) for text in texts),
        workers=2,
    )


def measure(folder: Path) -> dict[str, float]:
    """What the end of a run costs, stage by stage, in this process."""
    metadata = RunMetadata(run_id="0badcafe", name="A million", seed=7, state="done", created_utc=datetime.now(UTC))
    began = time.perf_counter()
    history = compact(folder)
    compacted = time.perf_counter()
    results = evaluate(history, facts())
    evaluated = time.perf_counter()
    page = write_report(folder, results, metadata)
    written = time.perf_counter()
    return {
        "operations": len(history.columns),
        "compact_s": compacted - began,
        "evaluate_s": evaluated - compacted,
        "write_s": written - evaluated,
        "total_s": written - began,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "page_mb": page.stat().st_size / 1e6,
    }


def measure_peer(folder: Path) -> float:
    """DuckDB: the exact percentiles of every step, and nothing else, in seconds."""
    began = time.perf_counter()
    with duckdb.connect() as connection:
        connection.read_parquet(str(folder / "history.parquet")).create_view("ops")
        rows = connection.execute(
            f"SELECT workload, step, count(*), quantile_disc(finished_ns - due_ns, {PERCENTILES}) "  # noqa: S608
            "FROM ops WHERE outcome = 'ok' GROUP BY ALL"
        ).fetchall()
    assert rows
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer operations and repeats: a smoke test, not a figure")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return 0
    operations, repeats = (100_000, 1) if arguments.quick else (1_000_000, 3)
    found, peers = [], []
    with tempfile.TemporaryDirectory(prefix="kilonode-report-") as place:
        fresh = Path(place, "fresh")
        write_journals(fresh, operations)
        for number in range(repeats):
            folder = Path(place, f"run-{number}")
            shutil.copytree(fresh, folder)
            command = [sys.executable, "-m", "benchmarks.report", "--measure", str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append(json.loads(done.stdout))
            peers.append(measure_peer(folder))
            shutil.rmtree(folder)
    for figures, peer_s in zip(found, peers, strict=True):
        words = ", ".join(f"{name} {value:,.2f}" for name, value in figures.items())
        print(f"  {words}; DuckDB percentiles alone {peer_s:.2f} s")
    total_s = statistics.median(figures["total_s"] for figures in found)
    memory_mb = max(figures["memory_mb"] for figures in found)
    page_mb = max(figures["page_mb"] for figures in found)
    numbers_s = statistics.median(figures["evaluate_s"] for figures in found)
    print(
        f"report of {found[0]['operations']:,.0f} operations: {total_s:.2f} s, "
        f"{total_s / REQUIRED_S:.2f} of what is allowed"
    )
    print(f"  peak memory {memory_mb:.0f} MB, {memory_mb / REQUIRED_MB:.2f} of what is allowed")
    print(f"  page {page_mb:.2f} MB, {page_mb / REQUIRED_FILE_MB:.2f} of what is allowed")
    ratio = numbers_s / statistics.median(peers)
    print(f"  all numbers take {ratio:.1f} times what DuckDB takes for the percentiles alone")
    return int(total_s > REQUIRED_S or memory_mb > REQUIRED_MB or page_mb > REQUIRED_FILE_MB)


if __name__ == "__main__":
    sys.exit(main())
