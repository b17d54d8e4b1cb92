"""Faults by another user than root: what needs no rights works, what needs them is refused with that reason."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonode.base.processes import identify, is_stopped
from tests.faults.other_user import folder_of_nobody, kilonode, missing, run

MISSING = missing()

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING or "nobody can run it")


@pytest.fixture
def folder() -> Iterator[Path]:
    with folder_of_nobody() as folder:
        yield folder


def test_what_is_missing_is_said_as_rights_not_as_packages(folder: Path) -> None:
    """Programs of administrators are in no other user's PATH, so whether they are installed is not the question."""
    engine = folder / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(engine))
        listening.listen()
        engine.chmod(0o600)
        done = run(
            folder,
            "-c",
            f"import os, sys; os.environ['DOCKER_HOST'] = 'unix://{engine}'; sys.argv[1:] = ['doctor', '--faults', "
            "'--json']; import runpy; runpy.run_module('kilonode.cli.main', run_name='__main__')",
        )
    found = {(each["driver"], each["name"]): each for each in json.loads(done.stdout)}
    for one in (("requests", "gate"), ("network", "cuts"), ("network", "degraded links"), ("network", "namespaces")):
        assert found[one]["state"] == "missing"
        assert found[one]["why"] == "needs root", one
    docker = found["containers", "Docker's engine"]
    assert docker["state"] == "missing"
    assert "Permission denied" in docker["why"]
    assert "docker.io" not in docker["why"], "it is installed"
    for one in (("requests", "door"), ("processes", "signals"), ("services", "signals")):
        assert found[one]["state"] == "works", one


MIXED = """
import os, sys, time
if os.fork() == 0:
    time.sleep(600)
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
print("ready", flush=True)
time.sleep(600)
"""
"""A process of nobody with a child of root."""


@contextlib.contextmanager
def running(program: str, *words: str) -> Iterator[int]:
    """A process, its children in its session; killed in the end."""
    process = subprocess.Popen([sys.executable, "-c", program, *words], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"ready"
        yield process.pid
    finally:
        os.killpg(process.pid, 9)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.processes
@pytest.mark.parametrize("verb", ["freeze", "kill"])
def test_processes_of_others_are_refused_before_anything_is_touched(folder: Path, verb: str) -> None:
    lasts = " for 1s" if verb == "freeze" else ""
    with running("print('ready', flush=True); import time; time.sleep(600)") as of_root, running(MIXED) as mixed:
        for pid in (of_root, mixed):
            done = kilonode(folder, "fault", f"{verb} '{pid}' process{lasts}")
            assert done.returncode == 2, done.stderr
            assert "belongs to another user" in done.stderr
        for pid in (of_root, mixed):
            identity = identify(pid)
            assert identity is not None
            assert not is_stopped(identity)


THAWS = """
import asyncio, json, sys
from kilonode.base.clock import RealClock
from kilonode.base.processes import identify
from kilonode.faults import signalling

family = [identify(int(pid)) for pid in sys.argv[1:]]
print(asyncio.run(signalling.thaw(family, "it", RealClock())).words)
"""


@pytest.mark.processes
def test_who_became_anothers_does_not_keep_the_rest_from_going_on(folder: Path) -> None:
    """A process that was ours when it was stopped may be root's now: another program runs in it."""
    sleeps = "print('ready', flush=True); import time; time.sleep(600)"
    with running(MIXED) as nobodys, running(sleeps) as of_root:
        os.kill(nobodys, 19)
        done = run(folder, "-c", THAWS, str(nobodys), str(of_root))
        assert done.returncode == 0, done.stderr
        identity = identify(nobodys)
        assert identity is not None
        assert not is_stopped(identity)


@pytest.mark.processes
def test_a_folder_of_another_user_is_an_error_that_says_so(folder: Path, tmp_path: Path) -> None:
    (folder / "state").mkdir(mode=0o700)  # root's
    for words in (("fault", "list"), ("fault", "heal"), ("fault", "kill api"), ("doctor", "--faults")):
        done = kilonode(folder, *words)
        assert "Kilonode itself failed" not in done.stderr, done.stderr
        if words[0] == "fault":
            assert done.returncode == 2, done.stderr
            assert "ermission" in done.stderr


@pytest.mark.soak
@pytest.mark.processes
def test_an_emulated_cloud_is_broken_and_healed_by_whoever_runs_it(folder: Path) -> None:
    up = kilonode(folder, "cloud", "up", "--nodes", "1", "--stages", "instant", "--port", "0")
    try:
        assert up.returncode == 0, up.stderr
        for sentence, words in {
            "abort requests to nova with status 503 for 100ms": "all of api go by the rule",
            "freeze scheduler for 100ms": "is stopped",
        }.items():
            done = kilonode(folder, "fault", sentence)
            assert done.returncode == 0, done.stderr
            assert words in done.stderr
        done = kilonode(folder, "fault", "freeze scheduler by cgroup for 1s")
        assert done.returncode == 2, done.stderr
        assert "leave out `by cgroup`" in done.stderr
        assert "nothing is left to heal" in kilonode(folder, "fault", "heal").stderr
    finally:
        down = kilonode(folder, "cloud", "down")
        assert down.returncode == 0, down.stderr
