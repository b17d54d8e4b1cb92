"""Where words go: people read stderr, programs read stdout."""

import contextlib
import sys
from typing import Any

from kilonode.base.encoding import encode_json_for_people


def say(text: str) -> None:
    """A line for people. That nobody can read it, because the terminal is gone, ends nothing."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def give_text(text: str) -> None:
    """Data as text."""
    print(text, flush=True)


def give_json(value: Any) -> None:
    """Data as JSON: any record."""
    print(encode_json_for_people(value).decode().rstrip("\n"), flush=True)
