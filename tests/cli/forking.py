"""`kilonode` commands that are forks of one process that has loaded Kilonode: each takes a second less of a processor.

For commands that a test only waits for. What is watched, sent a signal or killed is started as a user starts it.

Run as a script it reads one JSON object per line, what to run and where, and answers each with the exit code.
`run_to_its_end` is the other end of it.
"""

import atexit
import contextlib
import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

PATIENCE_S = 240.0


def run_to_its_end(arguments: Sequence[str], folder: Path, environment: dict[str, str], out: Path, err: Path) -> int:
    """The exit code of a command; what it says goes into two files."""
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    asked = {
        "arguments": list(arguments),
        "folder": str(folder),
        "environment": environment,
        "out": str(out),
        "err": str(err),
    }
    server.stdin.write(json.dumps(asked).encode() + b"\n")
    pid = int(server.stdout.readline())
    if not select.select([server.stdout], [], [], PATIENCE_S)[0]:
        os.kill(pid, signal.SIGKILL)
        server.stdout.readline()
        raise AssertionError(f"kilonode {' '.join(arguments)}: no end within {PATIENCE_S:g} s\n{err.read_text()}")
    return int(server.stdout.readline())


@cache
def _server() -> subprocess.Popen[bytes]:
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__))],
        env={**os.environ, "TERM": "dumb", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,  # who reads one line has not read the next one too: it is still to be waited for
        start_new_session=True,
    )
    atexit.register(_end, server)
    return server


def _end(server: subprocess.Popen[bytes]) -> None:
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.close()
    server.wait(PATIENCE_S)
    server.stdout.close()


def serve() -> None:
    """Answer until the input ends. Returns in each fork, which then is to be the command."""
    _load()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        child = os.fork()
        if not child:
            answers.close()
            _become(json.loads(line))
            return
        print(child, file=answers, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)
    sys.exit(0)


def _load() -> None:
    """All that commands load, and what the command line loads only when it is used."""
    import kilonode.cli
    from kilonode.cli.main import application

    for module in pkgutil.iter_modules(kilonode.cli.__path__, "kilonode.cli."):
        importlib.import_module(module.name)
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        application(["run", "--help"], prog_name="kilonode", standalone_mode=False)


def _become(asked: dict[str, object]) -> None:
    """Make this fork a process like one that was started for the command."""
    os.setsid()
    os.chdir(str(asked["folder"]))
    os.environ.clear()
    environment, arguments = asked["environment"], asked["arguments"]
    assert isinstance(environment, dict)
    assert isinstance(arguments, list)
    os.environ.update(environment)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, (name, how) in enumerate(((os.devnull, os.O_RDONLY), (asked["out"], flags), (asked["err"], flags))):
        opened = os.open(str(name), how, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["kilonode", *arguments]


if __name__ == "__main__":
    serve()
    from kilonode.cli.main import main

    main()
