"""Real `kilonode` processes for tests: started, looked at, interrupted, killed; and what stands on a cloud beside them.

Only processes that were started here, or are their descendants, are ever sent a signal.
"""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
import yaml

from tests.cli.forking import run_to_its_end

PATIENCE_S = 240.0
"""How long anything may take that a test waits for."""
LOOK_EVERY_S = 0.05

Found = TypeVar("Found")

Thing = tuple[str, str, str]
"""Kind, id and name of something on a cloud."""


def until(probe: Callable[[], Found | None], what: str, patience_s: float = PATIENCE_S) -> Found:
    """Look again and again until there is something to see; bounded."""
    deadline_s = time.monotonic() + patience_s
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline_s:
            raise AssertionError(f"{what}: not within {patience_s:g} s")
        time.sleep(LOOK_EVERY_S)


def is_gone(pid: int) -> bool:
    """Whether the process has ended; the remains of one that nobody has waited for count as ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Words:
    """What a command says, in two files of this folder."""

    def __init__(self, folder: Path) -> None:
        self.out, self.err = folder / f"out-{time.monotonic_ns()}", folder / f"err-{time.monotonic_ns()}"

    @property
    def said(self) -> str:
        """What it has said for people so far."""
        return self.err.read_text(errors="replace")

    @property
    def data(self) -> Any:
        """The JSON that it printed."""
        return json.loads(self.out.read_bytes())


class Command(Words):
    """One `kilonode` process in a process group of its own, as a terminal's foreground job is."""

    def __init__(
        self, arguments: tuple[str, ...], folder: Path, environment: dict[str, str], wrapper: tuple[str, ...] = ()
    ) -> None:
        super().__init__(folder)
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self._process = subprocess.Popen(
                [*wrapper, sys.executable, "-m", "kilonode.cli.main", *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it has come to its end."""
        return self._process.poll() is not None

    def until(self, probe: Callable[[], Found | None], what: str) -> Found:
        """Look again and again until there is something to see; bounded, and over when the command is."""

        def probe_while_it_runs() -> Found | None:
            ended = self.ended
            found = probe()
            assert found or not ended, f"{what}: the command ended before:\n{self.said}"
            return found

        return until(probe_while_it_runs, what)

    def press_ctrl_c(self) -> None:
        """What a terminal does: the whole process group gets the signal."""
        os.killpg(self.pid, signal.SIGINT)

    def terminate(self) -> None:
        """SIGTERM to the process alone, as a service manager or a job runner sends it."""
        self._process.terminate()

    def kill(self) -> None:
        """End it without a chance to do anything."""
        self._process.kill()
        self._process.wait()

    def wait(self, patience_s: float = PATIENCE_S) -> int:
        """Its exit code."""
        return self._process.wait(patience_s)

    def workers(self) -> list[int]:
        """Its worker processes."""
        return [
            child.pid
            for child in psutil.Process(self.pid).children()
            if "kilonode.load.worker_process" in " ".join(child.cmdline())
        ]

    def discard(self) -> None:
        """End it if it still runs."""
        if not self.ended:
            self.kill()


TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
"""Makes standard input the controlling terminal, then becomes the command: what a terminal's window does."""


class TerminalCommand(Command):
    """One `kilonode` process with a terminal of its own, whose window can be closed."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, environment: dict[str, str]) -> None:
        self._window, terminal = os.openpty()
        command = [sys.executable, "-c", TAKE_TERMINAL, sys.executable, "-m", "kilonode.cli.main", *arguments]
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self.pid = self._process.pid
        self._shown = b""
        self._closing = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        """All that was on the screen."""
        return self._shown.decode(errors="replace")

    def close_terminal(self) -> None:
        """The window goes: the kernel tells the processes of the terminal, and nobody can write there any more."""
        if not self._closing.is_set():
            self._closing.set()
            self._reader.join()
            os.close(self._window)

    def discard(self) -> None:
        """End it if it still runs."""
        super().discard()
        self.close_terminal()

    def _read(self) -> None:
        while not self._closing.is_set():
            if select.select([self._window], [], [], LOOK_EVERY_S)[0]:
                try:
                    self._shown += os.read(self._window, 65_536)
                except OSError:  # nobody has the other side any more
                    return


class Laboratory:
    """A folder with experiments, runs and state of its own, and the `kilonode` command in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.runs = folder / "runs"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "KILO"))}
        self.environment |= {
            "KILONODE_STATE": str(self.state),
            "TERM": "dumb",
            "COLUMNS": "200",
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }
        self._commands: list[Command] = []

    def start(self, *arguments: str, **environment: str) -> Command:
        """Start `kilonode` with these arguments."""
        command = Command(arguments, self.folder, self.environment | environment)
        self._commands.append(command)
        return command

    def start_in_terminal(self, *arguments: str, **environment: str) -> TerminalCommand:
        """Start `kilonode` in a terminal of its own."""
        command = TerminalCommand(arguments, self.folder, self.environment | environment)
        self._commands.append(command)
        return command

    def start_without_hangup(self, *arguments: str, **environment: str) -> Command:
        """Start `kilonode` so that it is to outlive the terminal."""
        command = Command(arguments, self.folder, self.environment | environment, ("nohup",))
        self._commands.append(command)
        return command

    def run(self, *arguments: str, **environment: str) -> tuple[int, Words]:
        """Start it and wait for its end; the exit code comes first."""
        words = Words(self.folder)
        code = run_to_its_end(arguments, self.folder, self.environment | environment, words.out, words.err)
        return code, words

    def write(self, text: str, name: str = "experiment.yaml") -> str:
        """Write an experiment file."""
        (self.folder / name).write_text(text)
        return name

    def record(self) -> dict[str, Any]:
        """What the only run's `run.json` says."""
        (file,) = [*self.runs.glob("*/run.json"), *self.runs.glob("*/*/run.json")]
        record: dict[str, Any] = json.loads(file.read_bytes())
        return record

    def verdict(self) -> dict[str, Any]:
        """The results in the only run's `verdict.json`."""
        (file,) = self.runs.glob("*/verdict.json")
        results: dict[str, Any] = json.loads(file.read_bytes())["results"]
        return results

    def wait_for_load(self, command: Command, run: int = 1, flushed_bytes: int = 1000) -> None:
        """Wait until a worker of this run, counted from one, has written something of the load into its journal."""

        def loaded() -> bool:
            records = sorted([*self.runs.glob("*/run.json"), *self.runs.glob("*/*/run.json")])
            return len(records) >= run and any(
                file.stat().st_size > flushed_bytes for file in records[run - 1].parent.glob("journal/worker-*")
            )

        command.until(loaded, f"the load of run {run}")

    def clouds(self) -> list[str]:
        """The emulated clouds that have anything here, be it a lock."""
        return sorted(path.name for path in (self.state / "cloud").glob("*"))

    def cloud_processes(self) -> list[int]:
        """Every process of emulated clouds whose state is here."""
        found = []
        for process in psutil.process_iter(["pid", "cmdline"]):
            words = process.info["cmdline"] or []
            if str(self.state) in words and process.info["pid"] != os.getpid() and not is_gone(process.info["pid"]):
                found.append(process.info["pid"])
        return found

    def discard(self) -> None:
        """End everything that was started here."""
        for command in self._commands:
            command.discard()
        for name in self.clouds():
            if name.startswith("."):
                continue
            self.run("cloud", "down", "--purge", "--name", name)


class Cloud:
    """An emulated cloud that no run started, seen with nothing but its own `clouds.yaml` and HTTP."""

    def __init__(self, laboratory: Laboratory, name: str, *options: str) -> None:
        self.name = name
        code, command = laboratory.run(
            "cloud", "up", "--name", name, "--port", "0", "--nodes", "20", "--all-in-one", "--stages", "fast", *options
        )
        assert code == 0, command.said
        self.clouds_file = laboratory.state / "cloud" / name / "clouds.yaml"
        self._read_login()
        self._log_in()

    @property
    def auth_url(self) -> str:
        """Of its identity service."""
        return str(self._auth["auth_url"])

    def _read_login(self) -> None:
        self._auth = yaml.safe_load(self.clouds_file.read_text())["clouds"][self.name]["auth"]

    def _log_in(self) -> None:
        domain = {"name": "Default"}
        identity = {
            "methods": ["password"],
            "password": {
                "user": {"name": self._auth["username"], "password": self._auth["password"], "domain": domain}
            },
        }
        scope = {"project": {"name": self._auth["project_name"], "domain": domain}}
        answer, headers = self._ask(
            "POST", self._auth["auth_url"] + "/auth/tokens", {"auth": {"identity": identity, "scope": scope}}
        )
        self._token = headers["X-Subject-Token"]
        self._urls = {
            service["type"]: next(end["url"] for end in service["endpoints"] if end["interface"] == "public")
            for service in answer["token"]["catalog"]
        }

    def ask(self, service: str, method: str, path: str, body: object = None) -> Any:
        """One request to a service, as the administrator."""
        return self._ask(method, self._urls[service].rstrip("/") + path, body)[0]

    def things(self) -> set[Thing]:
        """Everything that anybody has made and that can be listed."""
        found: set[Thing] = set()
        for service, path, collection in (
            ("compute", "/servers/detail?all_tenants=true&limit=1000", "servers"),
            ("compute", "/flavors/detail?is_public=None", "flavors"),
            ("network", "/v2.0/networks", "networks"),
            ("network", "/v2.0/subnets", "subnets"),
            ("network", "/v2.0/ports", "ports"),
            ("network", "/v2.0/routers", "routers"),
            ("network", "/v2.0/security-groups", "security_groups"),
            ("image", "/v2/images", "images"),
            ("identity", "/v3/users", "users"),
            ("identity", "/v3/projects", "projects"),
        ):
            answer = self.ask(service, "GET", path)
            found |= {(collection, str(item["id"]), str(item.get("name") or "")) for item in answer[collection]}
        return found

    def _ask(self, method: str, url: str, body: object) -> tuple[Any, Any]:
        request = urllib.request.Request(url, method=method, data=json.dumps(body).encode() if body else None)  # noqa: S310 - the cloud's own
        request.add_header("Content-Type", "application/json")
        if "auth/tokens" not in url:
            request.add_header("X-Auth-Token", self._token)
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - the cloud's own
            text = response.read()
            return (json.loads(text) if text else None), response.headers
