"""Runs Tempest's tests of one service by stestr, and says what became of each test that was selected.

Tempest's workspace (configuration, log, results) is a folder of the caller's.
"""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import msgspec

from kilonode.base.errors import InputError
from tests.conformance.tempest import environment

SERVICES: Final = {name: f"^tempest.api.{name}." for name in ("identity", "compute", "network", "image", "volume")}
"""The tests of each service, as stestr selects them."""
LIMIT_S: Final = 7_200
WORDS_LIMIT: Final = 400
_ERROR: Final = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Mismatch|Failure|NotFound|Conflict|Fault|Request): ")
_PREPARATION: Final = re.compile(r"^(?:setUpClass|tearDownClass) \((.*)\)$")


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one test."""

    test: str
    outcome: str
    """passed, failed or skipped."""
    words: str = ""
    """Tempest's own, of a test that did not pass: why it was skipped, or the last line of the traceback."""
    full_words: str = ""
    """The whole traceback."""


def write_workspace(workspace: Path) -> None:
    """Make the folder one that stestr works in."""
    workspace.mkdir(parents=True, exist_ok=True)
    (workspace / "lock").mkdir(exist_ok=True)
    tempest = environment.packages() / "tempest"
    (workspace / ".stestr.conf").write_text(
        f"[DEFAULT]\ntest_path={tempest / 'test_discover'}\ntop_dir={tempest.parent}\ngroup_regex=([^\\.]*\\.)*\n"
    )
    if not (workspace / ".stestr").exists():
        _stestr(workspace, "init")


def run(workspace: Path, selection: str, concurrency: int) -> list[Outcome]:
    """Run what a regular expression selects; the outcomes, by test. Raises InputError when it selects nothing."""
    selected = [
        line for line in _stestr(workspace, "list", selection).decode().splitlines() if line.startswith("tempest.")
    ]
    if not selected:
        raise InputError("no test of Tempest is selected", got=selection, hint="python -m tests.conformance.tempest -h")
    listed, stream = workspace / "selected", workspace / "results.subunit"
    listed.write_text("".join(f"{line}\n" for line in selected))
    # With the list it need not look for them again.
    stream.write_bytes(
        _stestr(workspace, "run", "--subunit", "--concurrency", str(concurrency), "--load-list", str(listed))
    )
    reader = Path(__file__).with_name("read_results.py")
    read = subprocess.run(
        [environment.program("python"), "-I", reader, stream], capture_output=True, check=True, timeout=LIMIT_S
    )
    return outcomes(selected, json.loads(read.stdout))


def outcomes(selected: list[str], results: list[dict[str, Any]]) -> list[Outcome]:
    """One outcome for each selected test. A class that ended in its preparation speaks for all its tests."""
    of_test: dict[str, Outcome] = {}
    of_class: dict[str, Outcome] = {}
    for result in results:
        if result["status"] == "exists":
            continue  # said of a test before its class is prepared
        preparation = _PREPARATION.match(result["id"])
        name = preparation.group(1) if preparation else _bare(result["id"])
        outcome = {"success": "passed", "skip": "skipped"}.get(result["status"], "failed")
        if outcome != "passed":
            (of_class if preparation else of_test)[name] = Outcome(
                name, outcome, _last_line(result["words"]), result["words"]
            )
        elif not preparation:
            of_test[name] = Outcome(name, outcome)
    found = []
    for line in sorted(selected):
        test = _bare(line)
        known = of_test.get(test) or of_class.get(test.rpartition(".")[0])
        if known is None:
            known = Outcome(test, "failed", "the test never ran: its worker ended before it")
        found.append(msgspec.structs.replace(known, test=test))
    return found


def _bare(test: str) -> str:
    """The name of a test without its identifiers and attributes in brackets."""
    return test.partition("[")[0]


def _last_line(words: str) -> str:
    """The line that names the error, with the cloud's own words where they follow; else the last line."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    for place in reversed(range(len(lines))):
        if _ERROR.match(lines[place]):
            details = [line for line in lines[place + 1 : place + 2] if line.startswith("Details: ")]
            return " ".join([lines[place], *details])[:WORDS_LIMIT]
    return (lines or [""])[-1][:WORDS_LIMIT]


def _stestr(workspace: Path, *arguments: str) -> bytes:
    """What stestr prints. Its exit code says only whether all tests passed."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(
        [environment.program("stestr"), *arguments],
        cwd=workspace,
        env={
            **inherited,
            "PATH": f"{environment.PATH / 'bin'}:{inherited.get('PATH', '')}",
            "TEMPEST_CONFIG_DIR": str(workspace),
            "TEMPEST_CONFIG": "tempest.conf",
            "OS_TEST_TIMEOUT": "300",
        },
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    (workspace / f"stestr-{arguments[0]}.err").write_bytes(done.stderr)
    return done.stdout
