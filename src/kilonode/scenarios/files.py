"""Scenarios from a Python file that the user names.

The file runs as a module of its own, is found by its path alone (nothing is added to the import path) and leaves no
compiled copy beside it. A file that is broken declares nothing. Whatever goes wrong is told with file and line. Since
the file is a program that the user asked to run, it can do whatever the user can.
"""

import hashlib
import inspect
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Final

from kilonode.base.errors import InputError, KilonodeError, Problem
from kilonode.scenarios.declaration import DECLARED, Scenario

LARGEST_FILE_BYTES: Final = 1_000_000
_DECORATOR: Final = '@scenario("my.name")'


def declare_file(path: Path) -> tuple[Scenario, ...]:
    """Run the file and give the scenarios it declared, at least one. Raises InputError."""
    source = _read(path)
    try:
        code = compile(source, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        problem = Problem(
            "not Python", file=str(path), line=error.lineno or 0, column=error.offset or 0, got=error.msg or ""
        )
        raise InputError("not Python", problems=[problem]) from error
    except ValueError as error:  # a null byte
        raise InputError("not Python", where=str(path), got=str(error)) from error
    module = ModuleType(_module_name(path))
    module.__file__ = str(path)
    before = DECLARED.names()
    sys.modules[module.__name__] = module  # records and type hints look their module up
    try:
        exec(code, module.__dict__)  # noqa: S102 - running the user's file is what was asked for
        found = tuple(name for name in DECLARED.names() if name not in before)
        if not found:
            raise _no_scenario(path, module)
    except BaseException as error:
        del sys.modules[module.__name__]
        DECLARED.keep_only(before)
        if isinstance(error, KilonodeError) or not isinstance(error, Exception | SystemExit):
            raise
        raise _failed(path, error) from error
    scenarios = (DECLARED.get(name) for name in found)
    return tuple(scenario for scenario in scenarios if scenario is not None)


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InputError("a folder, not a file with scenarios", where=str(path), expected="a Python file")
        with path.open("rb") as file:
            source = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(
            "cannot read the file with scenarios", where=str(path), got=error.strerror or str(error)
        ) from error
    if len(source) > LARGEST_FILE_BYTES:
        raise InputError("too large for a file with scenarios", where=str(path), expected="at most 1 MB")
    return source


def _module_name(path: Path) -> str:
    return f"kilonode_scenario_file_{hashlib.blake2b(str(path).encode(), digest_size=8).hexdigest()}"


def _no_scenario(path: Path, module: ModuleType) -> InputError:
    own = [
        value.__name__
        for value in vars(module).values()
        if inspect.iscoroutinefunction(value) and value.__module__ == module.__name__
    ]
    hint = f"put {_DECORATOR} above async def {own[0]}" if own else ""
    return InputError(
        "the file declares no scenario", where=str(path), expected=f"an async function under {_DECORATOR}", hint=hint
    )


def _failed(path: Path, error: BaseException) -> InputError:
    """The file raised: say where in the file itself, whatever deeper place it came from."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    problem = Problem(
        "the file with scenarios failed when it was loaded",
        file=str(path),
        line=(lines[-1] if lines else 0) or 0,
        got=f"{type(error).__name__}: {error}",
    )
    return InputError(problem.what, problems=[problem])
