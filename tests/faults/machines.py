"""Whole machines for tests: Debian with the real systemd as its first process, in a container of systemd-nspawn.

Each has its own processes, boots (a boot id each), network, control groups and files; the kernel is this machine's. It
reboots and goes down as systemd tells it to. What it is booted from is made once by debootstrap and kept in the user's
cache folder; what a machine writes is laid over that, and goes with the test.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.sshd import PATIENCE_S, SshHost

PACKAGES = "systemd,systemd-sysv,dbus,openssh-server,python3,iproute2,nftables"
BOOTING_S = 120.0
BASE_S = 900.0
RUN = """
base="$1" folder="$2" network="$3"
for root in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
    [ -e "$root/cgroup.procs" ] || continue
    mkdir -p "$root/$network"
    echo $$ >"$root/$network/cgroup.procs"
done
mount -t overlay overlay -o "lowerdir=$base,upperdir=$folder/written,workdir=$folder/work" "$folder/root"
while :; do
    code=0
    systemd-nspawn --quiet --boot --directory="$folder/root" --machine="$network" --register=no --keep-unit \
        --network-namespace-path="/run/netns/$network" --capability=CAP_NET_ADMIN --resolv-conf=off --timezone=off \
        --link-journal=no --console=pipe >>"$folder/console" 2>&1 </dev/null || code=$?
    echo "ended: $code" >>"$folder/console"
    [ "$code" = 133 ] || exit "$code"
done
"""
"""Ends when the machine goes down; one that reboots is booted again, as firmware does."""


def missing() -> str:
    """Why there can be no such machines here; empty: there may."""
    for program, package in {"debootstrap": "debootstrap", "systemd-nspawn": "systemd-container"}.items():
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            return f"{program} is not installed: apt-get install {package}"
    from tests.faults import sshd

    return sshd.missing()


def base_system() -> Path:
    """The folder that machines are booted from, made when it is not there. Raises RuntimeError where it cannot be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "kilonode"
    line = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(CODENAME)", "Created-By: Packages"],
        capture_output=True, text=True, check=False,
    ).stdout.partition("\n")[0]  # fmt: skip
    site, _, codename = line.partition(" ")
    if not codename:
        raise RuntimeError("apt knows no mirror")
    base = cache / f"machine-{codename}"
    if base.is_dir():
        return base
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = cache / f"machine-{codename}.{os.getpid()}"
    try:
        done = subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", codename, str(unfinished), site],
            capture_output=True, text=True, check=False, timeout=BASE_S,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"debootstrap: {done.stdout[-300:]} {done.stderr[-300:]}")
        shutil.rmtree(unfinished / "var/cache/apt", ignore_errors=True)
        with contextlib.suppress(OSError):  # another was faster
            unfinished.rename(base)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"debootstrap took longer than {BASE_S:g} s") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return base


UNIT = """[Service]
ExecStart=/bin/sh -c 'sleep 601 & exec sleep 600'
Restart={restart}
RestartSec=100ms
[Install]
WantedBy=multi-user.target
"""


class Machine(SshHost):
    """One machine, with two units: `demo`, and `again`, which systemd starts again when it was killed."""

    def __init__(self, folder: Path, number: int, base: Path) -> None:
        super().__init__(folder, number)
        self._base = base
        for name in ("written", "work", "root"):
            (folder / name).mkdir()
        self._runs: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        """Switch it on; its keys and units are put on its disk at the first time."""
        written = self.folder / "written"
        if not (written / "root").exists():
            _write(written / "root/.ssh/authorized_keys", self.key.with_suffix(".pub").read_bytes(), 0o600)
            (written / "root").chmod(0o700)
            (written / "root/.ssh").chmod(0o700)
            _write(written / "etc/ssh/ssh_host_ed25519_key", self.host_key.read_bytes(), 0o600)
            for name, restart in {"demo": "no", "again": "always"}.items():
                _write(written / f"etc/systemd/system/{name}.service", UNIT.format(restart=restart).encode(), 0o644)
        with (self.folder / "errors").open("wb") as errors:
            self._runs = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-ec", RUN, "machine",
                 str(self._base), str(self.folder), self.network],
                stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
            )  # fmt: skip
        deadline_s = time.monotonic() + BOOTING_S
        while not self._answers():
            if self._runs.poll() is not None or time.monotonic() > deadline_s:
                said = (self.folder / "errors").read_text() + self.console()[-600:]
                raise RuntimeError(f"no machine boots here: {said}")
            time.sleep(0.1)

    def console(self) -> str:
        """What it said while it booted."""
        file = self.folder / "console"
        return file.read_text(errors="replace") if file.exists() else ""

    def wait_until_down(self) -> None:
        """Return when nothing runs on it any more."""
        assert self._runs is not None
        self._runs.wait(PATIENCE_S)

    def stop(self) -> None:
        """Pull the plug; nothing is left of it."""
        if self._runs is not None:
            self._runs.kill()
            self._runs.wait()
        super().stop()
        for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"):
            _remove_groups(Path(root, self.network))

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.address, 22), 1) as connection:
                connection.settimeout(5)
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False


@contextlib.contextmanager
def machines(folder: Path, count: int) -> Iterator[list[Machine]]:
    """So many machines that run; nothing is left of them. Raises RuntimeError where they cannot."""
    base = base_system()
    found: list[Machine] = []
    try:
        for number in range(count):
            place = folder / f"machine-{number + 1}"
            place.mkdir()
            found.append(Machine(place, number, base))
            found[-1].start()
        yield found
    finally:
        for machine in found:
            machine.stop()


def _write(file: Path, data: bytes, mode: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    file.chmod(mode)


def _remove_groups(group: Path) -> None:
    """Control groups, once their processes have ended."""
    deadline_s = time.monotonic() + PATIENCE_S
    while group.is_dir() and time.monotonic() < deadline_s:
        for path, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                Path(path).rmdir()
        time.sleep(0.05)
