"""Small programs that tests break: a process with children, and one that injects a fault and is killed."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from kilonode.base.processes import ProcessIdentity, identify

FAMILY = """
import os, sys, time
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        time.sleep(600)
        os._exit(0)
print("ready", flush=True)
time.sleep(600)
"""
"""A process with so many children."""

FORKS = """
import os, sys, time
print("ready", flush=True)
while True:
    if os.fork() == 0:
        time.sleep(0.3)
        os._exit(0)
    time.sleep(0.005)
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
"""
"""A process that makes children all the time."""

INJECTS = """
import asyncio, pathlib, sys
from kilonode.base.clock import RealClock
from kilonode.base.randomness import Randomness
from kilonode.faults.injecting import Injector
from kilonode.faults.journal import new_journal
from kilonode.faults.language import parse
from kilonode.faults.local_processes import LocalProcesses
from kilonode.faults.planning import plan_sentence
from kilonode.faults.registry import Drivers

async def main():
    clock = RealClock()
    drivers = Drivers([LocalProcesses(clock)])
    while True:
        plan = await plan_sentence(parse(sys.argv[2]), drivers, Randomness(1))
        with new_journal(pathlib.Path(sys.argv[1]), sys.argv[2], clock) as journal:
            print("ready", flush=True)
            await Injector(drivers, journal, clock).carry_out(plan, asyncio.Event())

asyncio.run(main())
"""
"""Injects the sentence of its second argument, journalled in its first, again and again."""

_REQUESTS = """
from kilonode.faults.request_faults import RequestFaults

class NoCloud:
    async def endpoints(self):
        return []
    async def doorkeepers(self, door, region):
        return {}
"""
INJECTS_REQUESTS = _REQUESTS + INJECTS.replace("LocalProcesses(clock)", "RequestFaults(NoCloud(), clock)")
"""The same with faults on requests."""


@contextlib.asynccontextmanager
async def running(program: str, *arguments: str) -> AsyncIterator[ProcessIdentity]:
    """A Python program that said `ready`; it and its children are killed in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *arguments, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None
        assert (await process.stdout.readline()).strip() == b"ready"
        identity = identify(process.pid)
        assert identity is not None
        yield identity
    finally:
        for pid in [process.pid, *_session(process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await process.wait()


def _session(leader: int) -> list[int]:
    """All processes of the session that a process leads: also those whose parents have ended."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                fields = (path / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == leader:
                    found.append(int(path.name))
    return found


_NETWORK = """
from kilonode.faults.network_faults import NetworkFaults

class NoCloud:
    async def located(self, kind):
        return []
"""
INJECTS_NETWORK = _NETWORK + INJECTS.replace("LocalProcesses(clock)", "NetworkFaults(NoCloud(), clock)")
"""The same with faults on the network."""

INJECTS_STRESS = "from kilonode.faults.machine_faults import MachineFaults\n" + INJECTS.replace(
    "LocalProcesses(clock)", "MachineFaults(clock)"
)
"""The same with faults on the machine."""
