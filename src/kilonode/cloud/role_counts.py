"""How many processes each role of a cloud has, and what the command line says about it: `api=2,scheduler=1,fleet=2`.

Pure. The names of roles and of processes are made of it in `kilonode.cloud.layout`.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from kilonode.base.errors import InputError, nearest

ProcessCount = Annotated[int, Meta(ge=1, le=64)]
OwnProcess = Annotated[int, Meta(ge=0, le=1)]

EXAMPLE: Final = "api=2,scheduler=1,fleet=2"


class RoleCounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many processes each role has. A controller with 0 shares one process with the others that have 0."""

    api: ProcessCount = 1
    """All answer on the one port."""
    scheduler: ProcessCount = 1
    """Each has a share of the servers."""
    fleet: ProcessCount = 1
    """Each has a share of the nodes."""
    volume: OwnProcess = 0
    """What takes volumes through their statuses."""
    network: OwnProcess = 0
    """What takes ports through their statuses."""
    image: OwnProcess = 0
    """What takes images through their statuses."""


def read_role_counts(text: str) -> dict[str, int]:
    """The counts in `api=2,fleet=4`; what is not named is not in it. Raises InputError."""
    counts: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if not equals or not number.isascii() or not number.isdecimal():
            raise InputError("not a number of processes", where="roles", expected=f"such as {EXAMPLE}", got=repr(part))
        if name in counts:
            raise InputError("a role is named twice", where="roles", got=name)
        counts[name] = int(number)
    if not counts:
        raise InputError("no role is named", where="roles", expected=f"such as {EXAMPLE}", got=repr(text))
    with_role_counts(RoleCounts(), counts)
    return counts


def with_role_counts(known: RoleCounts, wanted: Mapping[str, int]) -> RoleCounts:
    """`known` with other counts for the roles that are named. Raises InputError."""
    names = RoleCounts.__struct_fields__
    for name in wanted:
        if name not in names:
            raise InputError(
                "there is no such role",
                where=f"roles.{name}",
                expected=f"one of {', '.join(names)}",
                got=name,
                hint=nearest(name, names),
            )
    for name, count in wanted.items():
        try:
            msgspec.convert({name: count}, RoleCounts)
        except msgspec.ValidationError as error:
            raise InputError(
                "a role cannot have this many processes",
                where=f"roles.{name}",
                expected="0 (shared with other controllers) or 1" if getattr(RoleCounts(), name) == 0 else "1 to 64",
                got=str(count),
            ) from error
    return msgspec.structs.replace(known, **wanted)


@lru_cache(maxsize=256)
def names_of(role: str, count: int) -> tuple[str, ...]:
    """What the processes of a role are called: the role when there is one, numbered from 1 when there are several."""
    return (role,) if count == 1 else tuple(f"{role}-{number}" for number in range(1, count + 1))
