"""What runs on hosts, asked here: no host is needed to see what it understands."""

import json
import subprocess
import sys
from typing import Any

from kilonode.faults.ssh import HELPER


def asked(request: dict[str, Any], **environment: str) -> dict[str, Any]:
    """Its answer."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", HELPER.read_text()],
        input=json.dumps(request) + "\n", env=environment, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_programs_of_administrators_are_found_whatever_the_login_has_in_its_path() -> None:
    found = asked({"do": "run", "command": ["ldconfig", "--version"]}, PATH="/usr/bin:/bin")
    assert (found["code"], "ldconfig" in found["words"]) == (0, True), found
