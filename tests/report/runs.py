"""Results and metadata of a small run, for tests of what is written about it."""

from datetime import UTC, datetime

from kilonode.base.outcomes import Outcome
from kilonode.check.evaluation import evaluate
from kilonode.check.facts import Abortion
from kilonode.check.results import Results
from kilonode.history.records import OpKind, Sample
from kilonode.report.metadata import RunMetadata
from tests.check.histories import closed_workload, health, history, ns, op, open_workload, rules, run, steady

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&\"'"
"""What a service under test could say in an error message."""


EARLY_END = Abortion(at_s=4.25, reason="the user (Ctrl-C)")


def results(error: str = "503 from backend-7", criteria: tuple[str, ...] = ()) -> Results:
    """A run with a valid, an invalid and an unknown criterion, errors, parts, stages and a disruption."""
    ops = [op("projects", "create", due=-3.0, took=0.5, kind=OpKind.SETUP)]
    ops += steady(rate=50, took=0.02)
    ops += [op(number=500 + n, due=5.0 + n / 50, took=0.3, outcome=Outcome.HTTP_5XX, error=error) for n in range(5)]
    for number in range(30):
        due = number / 3
        ops.append(op("boots", number=number, due=due, took=1.9))
        ops.append(op("boots", "boot", number=number, due=due, took=1.5, resolution=0.05))
        ops.append(op("boots", "boot.accepted", number=number, due=due, took=0.1))
        ops.append(op("boots", "boot.active", number=number, due=due + 0.1, took=1.4, resolution=0.05))
        ops.append(op("boots", "delete", number=number, due=due + 1.5, took=0.4))
    ops.append(op("kill one scheduler", "api-1", due=3.0, took=2.0, kind=OpKind.DISRUPTION))
    ops.append(op("projects", "delete", due=13.0, took=0.2, kind=OpKind.CLEANUP, outcome=Outcome.HTTP_4XX, error=error))
    samples = [
        *health("cpu_fraction", [0.2] * 10),
        *health("loop_lag_s_max", [0.001] * 10),
        *health("memory_bytes", [8e7] * 10),
    ]
    ops += [
        op("", "idle", due=-9.0, took=4.0, kind=OpKind.PHASE),
        op("", "setup", due=-5.0, took=5.0, kind=OpKind.PHASE),
    ]
    ops += [
        op("", "load", due=0.0, took=10.0, kind=OpKind.PHASE),
        op("", "drain", due=10.0, took=2.0, kind=OpKind.PHASE),
    ]
    samples += services()
    wanted = criteria or ("mix p(99) < 1s", "mix error_rate < 0.1%", "boots.boot p(99) < 5s", "mix throughput > 9/s")
    return evaluate(history(ops, samples), run(open_workload(rate=50), closed_workload(), criteria=rules(*wanted)))


def services() -> list[Sample]:
    """Ten services, a database and a broker, read each second; and the sampler."""
    found = []
    for at_s in range(-9, 14):
        loaded_s = min(max(at_s, 0), 12)
        for place in range(10):
            values = {
                "cpu_s_total": 0.01 * (at_s + 9) + 0.1 * loaded_s / (place + 1),
                "memory_bytes": 2.0**26 + 2.0**20 * place,
                "threads": 4.0,
                "processes": 1.0,
                "connections": float(place) if place else 12.0,
            }
            found += [Sample(f"service-{place}", metric, ns(at_s), value) for metric, value in values.items()]
        database = {"queries_total": 90.0 * loaded_s, "reads_total": 60.0 * loaded_s, "writes_total": 20.0 * loaded_s}
        broker = {
            "messages_ready": 31.0 * (at_s == 4),
            "messages_unacknowledged": 2.0,
            "published_total": 9.0 * loaded_s,
        }
        found += [Sample("mariadb", metric, ns(at_s), value) for metric, value in database.items()]
        found += [Sample("rabbitmq", metric, ns(at_s), value) for metric, value in broker.items()]
        own = {"duration_s": 0.007, "cpu_s_total": 0.004 * (at_s + 10)}
        found += [Sample("sampler", metric, ns(at_s), value) for metric, value in own.items()]
    return found


def metadata(**more: object) -> RunMetadata:
    facts: dict[str, object] = {
        "run_id": "0badcafe",
        "name": "A small run",
        "seed": 7,
        "state": "done",
        "created_utc": datetime(2030, 1, 1, tzinfo=UTC),
        "zero_utc": datetime(2030, 1, 1, 0, 0, 5, tzinfo=UTC),
        "cloud": "test-cloud",
        "experiment": "name: A small run\n# a comment\nworkloads:\n  mix: {scenario: noop}\n",
        "environment": {"machine": {"processors": 2, "memory_bytes": 2**30}, "simulated": False},
        "kilonode_version": "0.1.0",
    }
    return RunMetadata(**{**facts, **more})  # type: ignore[arg-type]
