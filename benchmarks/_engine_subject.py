"""Kilonode's load engine, for other benchmarks: one worker, as a worker process runs it, measured from inside.

Takes one JSON object on the command line: `scenario`, `args`, `load` (a load model), `drain_s`. Prints one JSON object:
what was recorded, CPU seconds (user and system) while the load ran, lateness, and latency (from due). The history is
written to disk as always.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from kilonode.base.clock import RealClock
from kilonode.base.encoding import from_plain
from kilonode.clients.openstack.transports import open_transport
from kilonode.history.columns import Columns
from kilonode.history.reading import read_journal
from kilonode.load.models import LoadModel
from kilonode.load.plan import WorkerPlan, WorkloadPlan
from kilonode.load.worker import Worker
from kilonode.load.worker_process import quiet_collector

LEAD_NS = 100_000_000


async def measure(journal: Path, scenario: str, args: dict[str, Any], load: Any, drain_s: float) -> dict[str, float]:
    clock = RealClock()
    model: LoadModel = from_plain(load, LoadModel)
    workload = WorkloadPlan(name="benchmark", scenario=scenario, args=args, load=model)
    plan = WorkerPlan(run_id="0badcafe", seed=1, workloads=(workload,), journal=str(journal), drain_s=drain_s)
    worker = Worker(plan, clock, lambda access: open_transport(access, clock))
    await worker.prepare()
    quiet_collector()
    zero_ns = clock.now_ns() + LEAD_NS
    cpu_s = time.process_time()
    await worker.run(zero_ns, lambda progress: None)
    cpu_s = time.process_time() - cpu_s
    wall_s = (clock.now_ns() - zero_ns) / 1e9
    await worker.close()
    return {"cpu_s": cpu_s, "wall_s": wall_s}


def main() -> None:
    wanted = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "worker.journal"
        figures = uvloop.run(
            measure(journal, wanted["scenario"], wanted.get("args", {}), wanted["load"], wanted.get("drain_s", 5.0))
        )
        contents = read_journal(journal)
    columns = Columns.from_blocks([(block, 0) for block in contents.blocks])
    is_iteration = columns.kind == columns.kind_names.index("iteration")
    is_ok = columns.outcome == columns.outcome_names.index("ok")
    latency_s = (columns.finished_ns - columns.due_ns)[is_iteration & is_ok] / 1e9
    late_s = (columns.started_ns - columns.due_ns)[is_iteration & is_ok] / 1e9
    print(
        json.dumps(
            figures
            | {
                "iterations": int((is_iteration & is_ok).sum()),
                "not_ok": int((is_iteration & ~is_ok).sum()),
                "ops": len(columns),
                "lateness_s_p50": float(np.percentile(late_s, 50)),
                "lateness_s_p99": float(np.percentile(late_s, 99)),
                "lateness_s_max": float(late_s.max()),
                "latency_s_p50": float(np.percentile(latency_s, 50)),
                "latency_s_p99": float(np.percentile(latency_s, 99)),
            }
        )
    )


if __name__ == "__main__":
    main()
