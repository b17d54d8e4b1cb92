"""What processes use, of real ones: ourselves, and children that hold memory, sockets and time."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.connections import established_sockets, read_tables
from kilonode.base.processes import ProcessIdentity, identify, is_alive
from kilonode.base.usage import ProcessUsage, families, look, read_usages, ticks_since_boot, together

WAITING = "import sys; print('ready', flush=True); sys.stdin.read()"
PARENT = (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import sys; print(1, flush=True); sys.stdin.read()'],"
    " stdin=sys.stdin, stdout=subprocess.PIPE)\n"
    "child.stdout.readline(); print(child.pid, flush=True); sys.stdin.read()\n"
)


@contextlib.contextmanager
def child(program: str) -> Iterator[tuple[ProcessIdentity, str]]:
    """A process that has said its first line, and that line."""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline().decode().strip()
        identity = identify(process.pid)
        assert identity is not None
        yield identity, line
        process.kill()


def own() -> ProcessIdentity:
    identity = identify(os.getpid())
    assert identity is not None
    return identity


def test_a_process_that_ended_and_one_that_has_its_number_now_are_left_out() -> None:
    with child(WAITING) as (identity, _):
        other = ProcessIdentity(identity.pid, identity.started_ticks + 1, identity.boot)
        assert set(read_usages([identity, other, own()])) == {identity, own()}
        os.kill(identity.pid, signal.SIGKILL)
        os.waitid(os.P_PID, identity.pid, os.WEXITED | os.WNOWAIT)
        assert set(read_usages([identity, own()])) == {own()}
    assert read_usages([]) == {}


def test_what_we_use_ourselves_is_about_right() -> None:
    usage = read_usages([own()])[own()]
    times = os.times()
    assert usage.cpu_s == pytest.approx(times.user + times.system, abs=0.5)
    assert usage.memory_bytes > 2**23
    assert usage.threads >= 1
    assert usage.descriptors is not None
    held = [os.dup(0) for _ in range(7)]
    more = read_usages([own()])[own()]
    for descriptor in held:
        os.close(descriptor)
    assert more.descriptors == usage.descriptors + 7


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_only_established_connections_are_counted(family: socket.AddressFamily) -> None:
    before = read_usages([own()])[own()].connections
    assert before is not None
    try:
        listener = socket.create_server(("", 0), family=family)
    except OSError:
        pytest.skip("this machine does not have that version of IP")
    with listener:
        address = "127.0.0.1" if family == socket.AF_INET else "::1"
        with socket.create_connection((address, listener.getsockname()[1])) as near, listener.accept()[0] as far:
            assert read_usages([own()])[own()].connections == before + 2
            inodes = {os.fstat(near.fileno()).st_ino, os.fstat(far.fileno()).st_ino}
            assert inodes <= established_sockets()
            assert inodes <= read_tables()
            assert os.fstat(listener.fileno()).st_ino not in established_sockets()


def test_where_the_kernel_has_no_diagnosis_its_tables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no netlink here")

    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as near:
        inode = os.fstat(near.fileno()).st_ino
        monkeypatch.setattr(socket, "socket", refuse)
        assert inode in established_sockets()


def test_descendants_belong_to_the_nearest_head_above_them() -> None:
    with child(PARENT) as (parent, line):
        grandchild = identify(int(line))
        assert grandchild is not None
        assert families({"service": (parent,)}) == {"service": (parent, grandchild)}
        found = families({"supervisor": (own(),), "service": (parent,)})
        assert set(found["service"]) == {parent, grandchild}
        assert own() in found["supervisor"]
        assert parent not in found["supervisor"]
        assert families({"other": (ProcessIdentity(parent.pid, parent.started_ticks - 1, parent.boot),)}) == {
            "other": ()
        }
        assert families({"nobody": ()}) == {"nobody": ()}
        os.kill(grandchild.pid, signal.SIGKILL)


@pytest.mark.real_loop
async def test_a_look_says_how_busy_a_service_is_now() -> None:
    with child("print('ready', flush=True)\nwhile True: pass") as (identity, _):
        found = await look({"busy": (identity,), "gone": ()}, RealClock(), over_s=0.3)
    assert set(found) == {"busy"}
    assert found["busy"].processes == 1
    assert found["busy"].cpu_fraction is not None
    assert found["busy"].cpu_fraction > 0


async def test_nobody_is_not_busy() -> None:
    assert await look({}, RealClock(), over_s=0.0) == {}
    await asyncio.sleep(0)


def test_what_is_not_known_of_one_is_not_known_of_all() -> None:
    known = ProcessUsage(cpu_s=1.0, memory_bytes=10, threads=2, descriptors=5, connections=1)
    hidden = ProcessUsage(cpu_s=2.0, memory_bytes=30, threads=1)
    both = together([known, hidden])
    assert (both.processes, both.cpu_s, both.memory_bytes, both.threads) == (2, 3.0, 40, 3)
    assert (both.descriptors, both.connections) == (None, None)
    assert together([known, known]).connections == 2
    nobody = together([])
    assert (nobody.processes, nobody.descriptors, nobody.connections) == (0, 0, 0)


def test_a_process_that_starts_later_has_more_ticks() -> None:
    before = ticks_since_boot()
    with child(WAITING) as (identity, _):
        assert before <= identity.started_ticks <= ticks_since_boot()
    assert own().started_ticks <= before


def test_a_process_whose_name_is_not_text_is_still_known() -> None:
    rename = "import sys; open('/proc/self/comm', 'wb').write(b'\\xff\\xfe) x'); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", rename], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = identify(process.pid)
        assert found is not None
        assert is_alive(found)
        process.communicate(b"")
