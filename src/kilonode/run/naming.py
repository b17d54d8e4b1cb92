"""The names of what setup makes, and what makes something a run's own.

Every resource has a name `kn-<run id>-…`; the run id is eight lowercase hexadecimal characters. Cleanup trusts this
prefix and nothing else, so it is parsed here, in one place, strictly: no other case, no other length, no other letters,
and something after the last dash.
"""

import re
from typing import Final

from kilonode.base.errors import InputError
from kilonode.scenarios.naming import run_prefix

_RUN_ID: Final = re.compile(r"[0-9a-f]{8}")
_OWN_NAME: Final = re.compile(r"kn-([0-9a-f]{8})-[^\s].*", re.ASCII | re.DOTALL)


def resource_name(run_id: str, noun: str, *numbers: int) -> str:
    """`kn-<run_id>-<noun>-<number>-…`."""
    return run_prefix(run_id) + "-".join([noun, *(str(number) for number in numbers)])


def run_of(name: object) -> str:
    """The run id in a resource's name, or empty when no run made it."""
    match = _OWN_NAME.fullmatch(name) if isinstance(name, str) else None
    return match[1] if match else ""


def check_run_id(run_id: str) -> str:
    """The run id itself. Raises InputError when it is none."""
    if not _RUN_ID.fullmatch(run_id):
        raise InputError("not a run id", expected="eight characters out of 0-9 and a-f", got=repr(run_id))
    return run_id
