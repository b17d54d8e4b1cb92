"""Hosts for tests: an sshd each, in a network and with processes of its own, as a machine has them."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin:/bin")
PATIENCE_S = 30.0
PROGRAMS = f"{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def missing() -> str:
    """Why there can be no such hosts here; empty: there can."""
    if SSHD is None:
        return "sshd is not installed: apt-get install openssh-server"
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        return "ip or unshare is not installed: apt-get install iproute2 util-linux"
    probe = subprocess.run(
        ["unshare", "--net", "--pid", "--mount", "--fork", "--mount-proc", "true"], check=False, capture_output=True
    )
    return "" if probe.returncode == 0 else f"no namespaces here: {probe.stderr.decode().strip()}"


SYSTEMCTL = """#!/bin/sh
# A stand-in for systemd's command on a machine without systemd: one unit, whose process sleeps; and the whole host.
pid=$(cat /run/demo.pid 2>/dev/null)
[ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || pid=0
end() { [ "$pid" = 0 ] || kill "$pid"; while [ "$pid" != 0 ] && kill -0 "$pid" 2>/dev/null; do sleep 0.02; done; }
begin() { setsid sleep 600 >/dev/null 2>&1 </dev/null & echo $! >/run/demo.pid; }
case "$1 $4 $3" in
    "show demo "*) echo LoadState=loaded; echo "MainPID=$pid"
        [ "$pid" = 0 ] && echo ActiveState=failed || echo ActiveState=active ;;
    show*) echo LoadState=not-found; echo ActiveState=inactive; echo MainPID=0 ;;
    "start  demo") [ "$pid" != 0 ] || begin ;;
    "stop  demo") end ;;
    "restart  demo") end; begin ;;
    "reboot  "|"poweroff  ") kill -TERM 1 ;;
    *) echo "what: $*"; exit 5 ;;
esac
"""
BOOT = """
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd /run/systemd/system
cp "$1/systemctl" /run/systemctl
chmod 755 /run/systemctl
mount --bind /run/systemctl /usr/bin/systemctl
cat /proc/sys/kernel/random/uuid >/run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
exec "$2" -D -e -f "$1/sshd_config"
"""


class SshHost:
    """One host: its own processes from pid 1 on, its own network behind one link, its own host key and boots."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder = folder
        self.network = f"kn{secrets.token_hex(3)}{number}"
        # Of 25,000 networks: several test runs may be on one machine.
        network = f"10.{secrets.randbelow(100) + 120}.{secrets.randbelow(250)}"
        self.ours, self.address = f"{network}.{number * 4 + 1}", f"{network}.{number * 4 + 2}"
        self.key, self.host_key = folder / "key", folder / "host_key"
        self.known_hosts = folder / "known_hosts"
        self._sshd: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        for key in (self.key, self.host_key):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        (self.folder / "authorized_keys").write_text(self.key.with_suffix(".pub").read_text())
        public = self.host_key.with_suffix(".pub").read_text().split()
        self.known_hosts.write_text(f"{self.address} {public[0]} {public[1]}\n")
        _run("ip", "netns", "add", self.network)
        link = f"v{self.network}"
        _run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", self.network)
        _run("ip", "address", "add", f"{self.ours}/30", "dev", link)
        _run("ip", "link", "set", link, "up")
        _run("ip", "-n", self.network, "address", "add", f"{self.address}/30", "dev", "eth0")
        _run("ip", "-n", self.network, "link", "set", "eth0", "up")
        _run("ip", "-n", self.network, "link", "set", "lo", "up")
        config = self.folder / "sshd_config"
        config.write_text(
            f"ListenAddress {self.address}\nHostKey {self.host_key}\nPidFile none\nStrictModes no\nUsePAM no\n"
            f"AuthorizedKeysFile {self.folder}/authorized_keys\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nPermitUserEnvironment no\n"
            # A home of its own: what this machine's user has a shell do at each start is no part of a host.
            f"SetEnv HOME={self.folder} PATH={PROGRAMS}\n"
        )
        (self.folder / "systemctl").write_text(SYSTEMCTL)
        self.boot()

    def wait_until_down(self) -> None:
        """Return when nothing runs on it any more."""
        assert self._sshd is not None
        self._sshd.wait(PATIENCE_S)

    def boot(self) -> None:
        """Switch it on: its first process becomes sshd."""
        assert SSHD is not None
        with (self.folder / "sshd.log").open("wb") as log:
            self._sshd = subprocess.Popen(
                ["ip", "netns", "exec", self.network, "unshare", "--pid", "--mount", "--fork", "--kill-child",
                 "--mount-proc", "sh", "-ec", BOOT, "boot", str(self.folder), SSHD],
                stdout=log, stderr=log,
            )  # fmt: skip
        deadline_s = time.monotonic() + PATIENCE_S
        while b"Server listening" not in (self.folder / "sshd.log").read_bytes():
            assert time.monotonic() < deadline_s, (self.folder / "sshd.log").read_text()
            assert self._sshd.poll() is None, (self.folder / "sshd.log").read_text()
            time.sleep(0.02)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run something on the host, by OpenSSH's own client."""
        options = ["-i", str(self.key), "-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "BatchMode=yes"]
        return subprocess.run(
            ["ssh", "-F", "none", *options, f"root@{self.address}", *words],
            capture_output=True, text=True, check=False, timeout=PATIENCE_S,
        )  # fmt: skip

    def inside(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run something on the host without logging in: what only looks needs no login."""
        assert self._sshd is not None
        (first,) = psutil.Process(self._sshd.pid).children()
        return subprocess.run(
            ["nsenter", f"--target={first.pid}", "--pid", "--mount", "--net", "--", *words],
            env={"HOME": str(self.folder), "PATH": PROGRAMS},
            capture_output=True, text=True, check=False, timeout=PATIENCE_S,
        )  # fmt: skip

    def stop(self) -> None:
        if self._sshd is not None:
            self._sshd.send_signal(signal.SIGKILL)
            self._sshd.wait()
        subprocess.run(["ip", "netns", "delete", self.network], check=False, capture_output=True)
        subprocess.run(["ip", "link", "delete", f"v{self.network}"], check=False, capture_output=True)


@contextlib.contextmanager
def ssh_hosts(folder: Path, count: int) -> Iterator[list[SshHost]]:
    """So many hosts, which know nothing of one another; nothing is left of them."""
    hosts: list[SshHost] = []
    try:
        for number in range(count):
            place = folder / f"host-{number + 1}"
            place.mkdir()
            hosts.append(SshHost(place, number))
            hosts[-1].start()
        yield hosts
    finally:
        for host in hosts:
            host.stop()


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
