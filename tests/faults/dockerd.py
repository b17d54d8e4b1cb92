"""An engine of Docker for tests: dockerd with folders and a socket of its own, and an image that only waits."""

import contextlib
import hashlib
import io
import os
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE_S = 60.0
WAITS = """
#include <signal.h>
#include <unistd.h>
static void end(int number) { _exit(0); }
int main(void) { signal(SIGTERM, end); for (;;) pause(); }
"""


def missing() -> str:
    """Why there can be no engine here; empty: there may."""
    for program, package in {"dockerd": "docker.io", "containerd": "containerd", "cc": "gcc libc6-dev"}.items():
        if shutil.which(program) is None:
            return f"{program} is not installed: apt-get install {package}"
    return "" if os.geteuid() == 0 else "only root can start an engine of Docker"


def image(folder: Path) -> bytes:
    """A root with one program in it."""
    (folder / "waits.c").write_text(WAITS)
    subprocess.run(["cc", "-static", "-Os", "-o", str(folder / "waits"), str(folder / "waits.c")], check=True)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(folder / "waits", "waits")
    return archive.getvalue()


def network(socket: Path, name: str) -> dict[str, object]:
    """What a network is made of, whose bridge goes with the engine."""
    return {"Name": name, "Driver": "bridge", "Options": {"com.docker.network.bridge.name": _bridge(socket)}}


def _bridge(socket: Path) -> str:
    return f"kn{hashlib.sha256(str(socket).encode()).hexdigest()[:8]}"


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[Path]:
    """The socket of an engine that is ended with all its containers; why there is none is raised."""
    socket = folder / "docker.sock"
    log = folder / "dockerd.log"
    with log.open("wb") as words:
        process = subprocess.Popen(
            ["dockerd", "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec"), "-H",
             f"unix://{socket}", "-p", str(folder / "pid"), "--bridge=none", "--iptables=false",
             "--storage-driver=vfs", "--containerd-namespace", "kilonode-test"],
            stdout=words, stderr=words, start_new_session=True,
        )  # fmt: skip
    try:
        deadline_s = time.monotonic() + PATIENCE_S
        while "API listen on" not in log.read_text():
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"dockerd does not start here: {log.read_text()[-500:]}")
            time.sleep(0.05)
        yield socket
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        # An engine leaves its bridges.
        subprocess.run(["ip", "link", "delete", _bridge(socket)], check=False, capture_output=True)
