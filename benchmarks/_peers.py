"""The programs that benchmarks compare with: where they come from, how they are run, what they cost."""

import json
import math
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kilonode.load.processes import SINGLE_THREADED

FOLDER = Path(__file__).parent
ENVIRONMENT = FOLDER.parent / ".bench-venv"
DEBIAN_PACKAGES = {"nginx": "nginx-light", "wrk": "wrk", "hey": "hey"}
CONNECTIONS = 32


@dataclass(frozen=True)
class Cost:
    """What a program did and what it took."""

    iterations: float
    cpu_s: float
    """User and system time."""
    wall_s: float

    @property
    def per_s(self) -> float:
        """Per second passed."""
        return self.iterations / self.wall_s

    @property
    def per_cpu_s(self) -> float:
        """Per second of CPU time."""
        return self.iterations / self.cpu_s


def find_tool(name: str) -> str | None:
    """Where a Debian tool is, or None; /usr/sbin is not always on the path."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def missing_tools(*names: str) -> list[str]:
    """What to say about tools that are not installed."""
    return [f"{name} is missing: apt-get install {DEBIAN_PACKAGES[name]}" for name in names if not find_tool(name)]


def install_python_peers() -> None:
    """Make `.bench-venv` with Locust and Rally, once. Takes about half a minute and the network."""
    done = ENVIRONMENT / ".installed"
    wanted = (FOLDER / "requirements.txt").read_text()
    if done.exists() and done.read_text() == wanted:
        return
    print(f"installing the peers into {ENVIRONMENT.name}", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
    subprocess.run(
        [ENVIRONMENT / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r",
         FOLDER / "requirements.txt"],
        check=True,
    )  # fmt: skip
    done.write_text(wanted)


def kilonode(**arguments: Any) -> dict[str, Any]:
    """A worker of Kilonode in a process of its own: see `_engine_subject`."""
    command = [sys.executable, "-m", "benchmarks._engine_subject", json.dumps(arguments)]
    return dict(json.loads(_output(command, cwd=FOLDER.parent, environment=SINGLE_THREADED)))


def locust(kind: str, duration_s: float, address: str = "http://127.0.0.1:1") -> Cost:
    """One process of Locust with as many users as connections."""
    run_time = f"{math.ceil(duration_s) + 1}s"  # whole seconds; the first goes by until all users run
    command = [ENVIRONMENT / "bin" / "locust", "-f", FOLDER / "_locust_users.py", "--headless", "--only-summary",
               "-u", CONNECTIONS, "-r", CONNECTIONS, "-t", run_time, "--host", address.rstrip("/")]  # fmt: skip
    lines = _output(command, environment={"KILONODE_BENCHMARK": kind}).splitlines()
    return Cost(**json.loads(next(line for line in lines if line.startswith("{"))))


def rally(iterations: int) -> Cost:
    """Rally's Dummy.dummy with its constant runner in one process; what Rally itself says the load took."""
    runner = {"type": "constant", "times": iterations, "concurrency": CONNECTIONS, "max_cpu_count": 1}
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "rally.conf"
        configuration.write_text(f"[database]\nconnection = sqlite:///{folder}/rally.sqlite\n")
        (Path(folder) / "task.json").write_text(json.dumps({"Dummy.dummy": [{"args": {"sleep": 0}, "runner": runner}]}))
        (Path(folder) / "environment.json").write_text("{}")
        program = [ENVIRONMENT / "bin" / "rally", "--config-file", configuration]
        home = {"HOME": folder}
        _output([*program, "db", "create"], environment=home)
        _output([*program, "env", "create", "--name", "b", "--spec", f"{folder}/environment.json"], environment=home)
        cpu_s = _children_cpu_s()
        output = _output([*program, "task", "start", f"{folder}/task.json"], environment=home)
        cpu_s = _children_cpu_s() - cpu_s
    took = re.search(r"Load duration: ([\d.]+)", output)
    assert took, output
    return Cost(iterations, cpu_s, float(took[1]))


def wrk(address: str, duration_s: float) -> Cost:
    """The program wrk with one thread."""
    cost, output = _timed([find_tool("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(duration_s))}s", address])
    requests = re.search(r"(\d+) requests in", output)
    assert requests, output
    return Cost(int(requests[1]), cost.cpu_s, cost.wall_s)


def hey(address: str, duration_s: float) -> Cost:
    """The program hey on one CPU."""
    cost, output = _timed([find_tool("hey"), "-cpus", "1", "-z", f"{duration_s}s", "-c", str(CONNECTIONS), address])
    requests = re.search(r"\[200\]\s+(\d+) responses", output)
    assert requests, output
    return Cost(int(requests[1]), cost.cpu_s, cost.wall_s)


@contextmanager
def nginx() -> Iterator[str]:
    """One worker process of nginx on a free loopback port, answering every request with 15 bytes; gives its address."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as finder:
        port = finder.getsockname()[1]
        finder.close()
        configuration = Path(folder) / "nginx.conf"
        paths = " ".join(f"{kind}_temp_path {folder}/{kind};"
                         for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))  # fmt: skip
        configuration.write_text(
            f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
            "events { worker_connections 4096; }\n"
            f"http {{ access_log off; keepalive_requests 1000000000; {paths}\n"
            f"server {{ listen 127.0.0.1:{port}; location / "
            '{ default_type application/json; return 200 \'{"status":"ok"}\'; } } }\n'
        )
        command = [str(find_tool("nginx")), "-e", f"{folder}/error.log", "-c", str(configuration)]
        with subprocess.Popen(command) as server:
            try:
                _wait_for_port(port)
                yield f"http://127.0.0.1:{port}/"
            finally:
                server.terminate()
                server.wait(10)


def _wait_for_port(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("nginx did not start")


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _timed(command: list[Any]) -> tuple[Cost, str]:
    cpu_s, wall_s = _children_cpu_s(), time.monotonic()
    output = _output(command)
    return Cost(0, _children_cpu_s() - cpu_s, time.monotonic() - wall_s), output


def _output(command: list[Any], cwd: Path | None = None, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout
