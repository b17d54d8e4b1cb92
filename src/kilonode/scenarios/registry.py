"""Finding scenarios: those of the library, of installed packages and of the user's files.

The library is declared when this module is imported. An installed package names a module with scenarios as an entry
point of the group `kilonode.scenarios`; such modules are imported when scenarios are first looked for. A file is run
when it is asked for, once in each process.
"""

from importlib import metadata
from pathlib import Path
from typing import Final

from kilonode.base.errors import InputError, KilonodeError, nearest
from kilonode.scenarios import compute, http, identity, image, network, noop, placement, probe, volume
from kilonode.scenarios.declaration import DECLARED, Scenario, scenario
from kilonode.scenarios.files import declare_file

__all__ = ["LIBRARY", "all_scenarios", "find", "load_file", "scenario"]

ENTRY_POINTS: Final = "kilonode.scenarios"
LIBRARY: Final = (noop, http, probe, identity, compute, network, image, volume, placement)
"""The modules of the library."""

_FILES: Final[dict[Path, tuple[Scenario, ...]]] = {}
_PACKAGES: Final[dict[str, str]] = {}
"""Entry points that were loaded: name to module."""


def find(name: str) -> Scenario:
    """The scenario of that name. Raises InputError that names the nearest one."""
    found = DECLARED.get(name)
    if found is None:
        load_packages()
        found = DECLARED.get(name)
    if found is None:
        known = DECLARED.names()
        hint = nearest(name, known) or "kilonode scenarios lists them; your own come from scenarios: [file.py]"
        raise InputError(f"there is no scenario {name!r}", hint=hint)
    return found


def all_scenarios() -> tuple[Scenario, ...]:
    """Every scenario known, by name in the order of the alphabet."""
    load_packages()
    return tuple(find(name) for name in sorted(DECLARED.names()))


def load_file(path: Path | str) -> tuple[Scenario, ...]:
    """The scenarios that a Python file declares, at least one; each file is run once. Raises InputError."""
    file = Path(path).expanduser().resolve()
    if file not in _FILES:
        load_packages()  # so that a name that a package has is found taken whatever is loaded first
        _FILES[file] = declare_file(file)
    return _FILES[file]


def load_packages() -> None:
    """Import the modules that installed packages name, each once. Raises InputError for one that cannot be."""
    for point in metadata.entry_points(group=ENTRY_POINTS):
        if point.name in _PACKAGES:
            continue
        before = DECLARED.names()
        try:
            point.load()
        except Exception as error:
            DECLARED.keep_only(before)
            if isinstance(error, KilonodeError):
                raise
            raise InputError(
                f"the package with the scenarios {point.name!r} cannot be loaded",
                where=f"entry point {ENTRY_POINTS}: {point.value}",
                got=f"{type(error).__name__}: {error}",
            ) from error
        _PACKAGES[point.name] = point.value
