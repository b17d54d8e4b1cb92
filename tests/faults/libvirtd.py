"""A libvirt of the tests' own, with one machine of QEMU that has nothing to start from; it runs as nobody, not root."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PATIENCE_S = 60.0
SEARCHED = "/usr/sbin:/usr/bin:/sbin:/bin"
LIBVIRTD = shutil.which("libvirtd", path=SEARCHED)
QEMU = shutil.which("qemu-system-x86_64", path=SEARCHED)
MACHINE = f"""
<domain type='qemu'>
  <name>machine-1</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
  <devices><emulator>{QEMU}</emulator><memballoon model='none'/></devices>
</domain>
"""


def missing() -> str:
    """Why there can be no such libvirt here; empty: there can."""
    if LIBVIRTD is None or shutil.which("virsh") is None:
        return "libvirt is not installed: apt-get install libvirt-daemon libvirt-clients libvirt-daemon-driver-qemu"
    return "" if QEMU else "QEMU is not installed: apt-get install qemu-system-x86"


needs_libvirt = pytest.mark.skipif(bool(missing()), reason=missing() or "nothing")


class Libvirtd:
    """A running daemon, and its machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = f"qemu+unix:///session?socket={folder}/run/libvirt/libvirt-sock"

    def virsh(self, *arguments: str) -> str:
        """What it says to this."""
        command = ["virsh", "--quiet", "--connect", self.uri, *arguments]
        ran = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S)
        return ran.stdout.strip()

    def pid(self) -> int | None:
        """Of the machine's own process, whatever libvirt says; None: there is none."""
        try:
            pid = int((self.folder / "run/libvirt/qemu/run/machine-1.pid").read_text())
        except FileNotFoundError:
            return None
        return pid if Path(f"/proc/{pid}").exists() else None


@contextlib.contextmanager
def running_libvirtd() -> Iterator[Libvirtd]:
    """A daemon that knows a machine, which is on."""
    folder = Path(tempfile.mkdtemp(prefix="libvirt-"))  # with a short name, for its socket
    daemon = Libvirtd(folder)
    for name in ("run", "home", "home/libvirt"):
        (folder / name).mkdir()
    (folder / "home/libvirt/qemu.conf").write_text('stdio_handler = "file"\n')  # or it starts one more daemon
    (folder / "machine.xml").write_text(MACHINE)
    nobody = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    if nobody:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, "nobody", "nogroup")
    environment = {
        "PATH": SEARCHED, "HOME": str(folder / "home"), "XDG_RUNTIME_DIR": str(folder / "run"),
        "XDG_CONFIG_HOME": str(folder / "home"), "XDG_CACHE_HOME": str(folder / "home"),
    }  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([str(LIBVIRTD)], env=environment, stdout=log, stderr=log, **nobody)  # type: ignore[call-overload]
    try:
        deadline_s = time.monotonic() + PATIENCE_S
        while not (folder / "run/libvirt/libvirt-sock").exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline_s, (folder / "log").read_text()
            time.sleep(0.05)
        daemon.virsh("define", str(folder / "machine.xml"))
        daemon.virsh("start", "machine-1")
        yield daemon
    finally:
        if pid := daemon.pid():
            os.kill(pid, signal.SIGKILL)
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder)
