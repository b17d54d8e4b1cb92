"""Management controllers for tests: OpenIPMI's `ipmi_sim`, each of one machine whose power is a file."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PATIENCE_S = 30.0
PASSWORD = "open/sesame"
VARIABLE = "IPMI_BMC_PASSWORD"

CHASSIS = """#!/bin/sh
# How the controller switches its machine: get power; set power 0, power 1, reset 1 or shutdown 1.
cd "${0%/*}"
if [ "$1" = get ]; then
    # Going off takes as many looks as there are lines in `going`.
    if [ -s going ]; then
        sed -i 1d going
        [ -s going ] || echo 0 >power
    fi
    echo "power:$(cat power)"
    exit 0
fi
echo "$2 $3" >>orders
case "$2 $3" in
    "power "*) echo "$3" >power ;;
    "reset 1") [ ! -e broken ] || exit 1 ;;
    "shutdown 1") [ -e ignores ] || cp takes going ;;
esac
"""


def missing() -> str:
    """Why there can be no such controller here; empty: there can."""
    lacks = [name for name in ("ipmi_sim", "ipmitool") if shutil.which(name) is None]
    return f"not installed: {' '.join(lacks)}: apt-get install openipmi ipmitool" if lacks else ""


needs_ipmi = pytest.mark.skipif(bool(missing()), reason=missing() or "nothing")


class Bmc:
    """A running controller, and its machine."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port

    def is_on(self) -> bool:
        """What its machine is, whatever the controller says."""
        return (self.folder / "power").read_text().strip() == "1"

    @property
    def orders(self) -> list[str]:
        """What the controller had its machine do."""
        return (self.folder / "orders").read_text().splitlines()

    def entry(self, more: str = "") -> str:
        """What a hosts file says of it."""
        return (
            f"{{by: ipmi, address: '127.0.0.1:{self.port}', user: operator, password_variable: {VARIABLE}"
            f"{', ' + more if more else ''}}}"
        )


def free_port() -> int:
    """A port for datagrams that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextlib.contextmanager
def running_bmc(folder: Path) -> Iterator[Bmc]:
    """A controller with an operator, whose machine is on. It knows cipher suite 3, not 17."""
    folder.mkdir()
    (folder / "state").mkdir()
    (folder / "power").write_text("1\n")
    (folder / "orders").write_text("")
    (folder / "takes").write_text("look\nlook\n")
    (folder / "chassis").write_text(CHASSIS)
    (folder / "chassis").chmod(0o755)
    bmc = Bmc(folder, free_port())
    auths = "".join(f"  allowed_auths_{rank} md5\n" for rank in ("callback", "user", "operator", "admin"))
    user = f'user 2 true "operator" "{PASSWORD}" operator 10 md5\n'
    (folder / "lan.conf").write_text(
        f'name "tested"\nset_working_mc 0x20\nstartlan 1\n  addr 127.0.0.1 {bmc.port}\n  priv_limit admin\n{auths}'
        f'  guid a123456789abcdefa123456789abcdef\nendlan\nchassis_control "{folder / "chassis"}"\n{user}'
    )
    (folder / "commands").write_text(
        "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n"
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["ipmi_sim", "-c", str(folder / "lan.conf"), "-f", str(folder / "commands"), "-s", str(folder / "state"),
             "-n"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        deadline_s = time.monotonic() + PATIENCE_S
        while not _listens(bmc.port):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline_s, (folder / "log").read_text()
            time.sleep(0.02)
        yield bmc
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    wanted = f"0100007F:{port:04X}"
    return any(wanted in line.split()[1:2] for line in Path("/proc/net/udp").read_text().splitlines())
