"""Async tests run on the simulated event loop: no test waits for a wall clock. `real_loop` marks the exceptions."""

import asyncio
import gc
import inspect
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from kilonode.base.simulation import run_coroutine_simulated

REAL_TEST_TIMEOUT_S = 300

settings.register_profile("kilonode", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("kilonode")

if sys.dont_write_bytecode and sys.prefix != sys.base_prefix:
    # Nothing is to be written beside the source; hundreds of processes need not compile all of it each.
    sys.pycache_prefix = str(Path(sys.prefix, "bytecode"))
    sys.dont_write_bytecode = False
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """One more than processors: tests that wait for processes leave theirs idle."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_finish() -> None:
    """What is there now stays: the collector need not look at it again and again."""
    gc.freeze()


def pytest_sessionfinish() -> None:
    """At the end it is: libraries in C look whether all of theirs was given back."""
    gc.unfreeze()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test: on virtual time, or with the mark `real_loop` on a real event loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    coroutine = pyfuncitem.obj(**arguments)
    if pyfuncitem.get_closest_marker("real_loop"):
        asyncio.run(asyncio.wait_for(coroutine, REAL_TEST_TIMEOUT_S))
    else:
        run_coroutine_simulated(coroutine)
    return True
