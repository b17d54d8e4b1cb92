"""The library by which the wall clocks of OpenStack services can be told to be off: where it is, building it.

It is loaded before each of them where the stack was brought up so (`--clocks`). Built from `placed/wall_clock.c` by the
compiler that building the services needs anyway. MariaDB, RabbitMQ and memcached do without it: what they do by the
wall clock is theirs, and their servers are the system's. The faults that use it are elsewhere.
"""

import os
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Final

from kilonode.base.clock_file import LIBRARY
from kilonode.base.errors import InputError
from kilonode.base.files import PRIVATE, write_atomically
from kilonode.stack.commands import run_command
from kilonode.stack.configuration.site import Site

BUILD_TIMEOUT_S: Final = 60.0
_SOURCE: Final = files("kilonode.stack") / "placed" / "wall_clock.c"


def clock_library(site: Site) -> Path:
    """Where it is."""
    return site.data(LIBRARY)


async def build_clock_library(site: Site) -> None:
    """Build it; nothing where the stack is to have none. Raises InputError."""
    if not site.settings.clocks:
        return
    library, source = clock_library(site), site.data("wall_clock.c")
    write_atomically(source, _SOURCE.read_bytes(), PRIVATE)
    await compile_library(source, library, site.folder.commands_log)


async def compile_library(source: Path, library: Path, log: Path) -> None:
    """The same, anywhere. Raises InputError."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise InputError(
            "clocks of services can only be told with a compiler", where="--clocks", expected="gcc",
            hint="install it: apt-get install gcc libc6-dev",
        )  # fmt: skip
    # Beside its place, since services that run have the one that is there.
    new = library.with_suffix(".new")
    await run_command(
        [compiler, "-O2", "-shared", "-fPIC", "-o", new, source, "-ldl", "-lpthread"],
        log,
        timeout_s=BUILD_TIMEOUT_S,
        what="the library for clocks cannot be built",
    )
    os.replace(new, library)  # noqa: PTH105
