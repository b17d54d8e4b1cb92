"""Runs `openstack` commands in a process of its own: python-openstackclient as it is, loaded once and forked.

Run as a script it reads one JSON list of arguments per line and answers each with one JSON object: exit code, what went
to stdout, what went to stderr. `OpenStackCommands` is the other end of it.
"""

import contextlib
import gc
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

TIMEOUT_S = 120


class CommandFailed(Exception):  # noqa: N818
    """A command ended with another exit code than 0; the message is what it said."""


class OpenStackCommands:
    """The commands of one user of one cloud."""

    def __init__(self, clouds_file: Path, cloud: str) -> None:
        self._cloud = cloud
        environment = {
            "OS_CLIENT_CONFIG_FILE": str(clouds_file),
            "PATH": "/usr/bin:/bin",
            "HOME": str(clouds_file.parent),
        }
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
        )  # fmt: skip

    def run(self, line: str, *, cloud: str = "") -> str:
        """What a command, written as in a shell without quotes, says. Raises CommandFailed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        arguments = ["--os-cloud", cloud or self._cloud, *line.split()]
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if answer["code"]:
            raise CommandFailed(answer["error"] or answer["output"])
        output: str = answer["output"]
        return output

    def json(self, line: str, *, cloud: str = "") -> Any:
        """The decoded answer of a command that can answer in JSON."""
        return json.loads(self.run(f"{line} -f json", cloud=cloud))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(TIMEOUT_S)
        self._process.stdout.close()


def serve() -> None:
    """Answer until the input ends. Each command runs in a fork: the client keeps a user's session for its process."""
    import openstack.connection  # noqa: F401 - loaded once for all forks
    from openstackclient.shell import OpenStackShell

    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        OpenStackShell().run(["help"])  # loads every command once, too: in a fork that takes longer than the command
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            continue
        output, error = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(error):
            try:
                code = OpenStackShell().run(json.loads(line))
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
        os.write(1, json.dumps({"code": code, "output": output.getvalue(), "error": error.getvalue()}).encode() + b"\n")
        os._exit(0)


if __name__ == "__main__":
    serve()
