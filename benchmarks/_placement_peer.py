"""Placement from PyPI, called in its own process without a socket, over SQLite on disk. Run by a Python that has it.

    python _placement_peer.py FOLDER NODES REPEATS AGGREGATE QUERY…     prints {"before": […], "after": […]}

Providers are entered by SQL, as many REST calls would take hours. It imports nothing of Kilonode.
"""

import importlib
import io
import json
import os
import sqlite3
import sys
import time
import uuid
from pathlib import Path

CONFIGURATION = """
[api]
auth_strategy = noauth2
[placement_database]
connection = sqlite:///{folder}/placement.sqlite
sync_on_startup = true
"""
ALLOCATIONS = 99


def fill(path: Path, nodes: int, aggregate: str) -> list[str]:
    uuids = [str(uuid.UUID(int=2**64 + number)) for number in range(1, nodes + 1)]
    with sqlite3.connect(path) as database:
        trait = database.execute("SELECT id FROM traits WHERE name = 'COMPUTE_NODE'").fetchone()[0]
        database.execute("INSERT INTO placement_aggregates (id, uuid) VALUES (1, ?)", (aggregate,))
        database.executemany(
            "INSERT INTO resource_providers (id, uuid, name, generation, root_provider_id) VALUES (?, ?, ?, 0, ?)",
            [(number, one, f"node-{number}", number) for number, one in enumerate(uuids, 1)],
        )
        rows = [(0, 128, 32, 16.0), (1, 1_048_576, 0, 1.5), (2, 3_200, 0, 1.0)]
        for of, total, reserved, ratio in rows:
            database.executemany(
                "INSERT INTO inventories (resource_provider_id, resource_class_id, total, reserved, min_unit, max_unit,"
                " step_size, allocation_ratio) VALUES (?, ?, ?, ?, 1, ?, 1, ?)",
                [(number, of, total, reserved, total, ratio) for number in range(1, nodes + 1)],
            )
        ids = [(number,) for number in range(1, nodes + 1)]
        database.executemany(
            "INSERT INTO resource_provider_traits (trait_id, resource_provider_id) VALUES (?, ?)",
            [(trait, number) for number in range(1, nodes + 1)],
        )
        database.executemany(
            "INSERT INTO resource_provider_aggregates (aggregate_id, resource_provider_id) VALUES (1, ?)", ids
        )
    return uuids


def main() -> None:
    folder, nodes, repeats, aggregate = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    queries = sys.argv[5:]
    (folder / "placement.conf").write_text(CONFIGURATION.format(folder=folder))
    os.environ["OS_PLACEMENT_CONFIG_DIR"] = str(folder)
    output, sys.argv, sys.stdout = sys.stdout, sys.argv[:1], sys.stderr
    application = importlib.import_module("placement.wsgi").init_application()
    uuids = fill(folder / "placement.sqlite", nodes, aggregate)

    def call(method: str, path: str, query: str = "", body: object = None) -> bytes:
        data = json.dumps(body).encode() if body is not None else b""
        environment = {
            "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "SCRIPT_NAME": "",
            "SERVER_NAME": "x", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(data), "wsgi.errors": sys.stderr, "wsgi.version": (1, 0),
            "wsgi.multithread": False, "wsgi.multiprocess": False, "wsgi.run_once": False,
            "CONTENT_LENGTH": str(len(data)), "CONTENT_TYPE": "application/json", "HTTP_X_AUTH_TOKEN": "admin",
            "HTTP_OPENSTACK_API_VERSION": "placement 1.39",
        }  # fmt: skip
        status = []
        answer = b"".join(application(environment, lambda text, headers, more=None: status.append(text)))
        if not status[0].startswith("2"):
            raise SystemExit(f"{method} {path}: {status[0]} {answer[:500]!r}")
        return answer

    def measure() -> dict[str, dict[str, object]]:
        found = {}
        for query in queries:
            times, answer = [], b"{}"
            for _ in range(repeats):
                start = time.perf_counter()
                answer = call("GET", "/allocation_candidates", query)
                times.append(time.perf_counter() - start)
            found[query] = {"times_s": times, "candidates": len(json.loads(answer)["allocation_requests"])}
        return found

    result = {"before": measure()}
    for number in range(ALLOCATIONS):
        body = {
            "allocations": {uuids[number % nodes]: {"resources": {"VCPU": 1, "DISK_GB": 10, "MEMORY_MB": 256}}},
            "project_id": "p", "user_id": "u", "consumer_generation": None, "consumer_type": "INSTANCE",
        }  # fmt: skip
        call("PUT", f"/allocations/{uuid.UUID(int=number + 1)}", body=body)
    result["after"] = measure()
    print(json.dumps(result), file=output)


if __name__ == "__main__":
    main()
