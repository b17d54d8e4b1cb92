"""What the command line says about the weights of the scheduler: `cpu=1,memory=-1`. Pure."""

from collections.abc import Mapping
from typing import Final

import msgspec

from kilonode.base.errors import InputError, nearest
from kilonode.cloud.context import Weights

EXAMPLE: Final = "cpu=1,memory=-1"


def read_weights(text: str) -> dict[str, float]:
    """The weights in `cpu=1,memory=-1`; what is not named is not in it. Raises InputError."""
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = (piece.strip() for piece in part.partition("="))
        try:
            value = float(number)
        except ValueError as error:
            raise InputError("not a weight", where="weights", expected=f"such as {EXAMPLE}", got=repr(part)) from error
        if name in found:
            raise InputError("a weight is said twice", where="weights", got=name)
        found[name] = value
    if not found:
        raise InputError("no weight is said", where="weights", expected=f"such as {EXAMPLE}", got=repr(text))
    with_weights(Weights(), found)
    return found


def with_weights(known: Weights, wanted: Mapping[str, float]) -> Weights:
    """`known` with other values for the weights that are named. Raises InputError."""
    names = Weights.__struct_fields__
    for name, value in wanted.items():
        if name not in names:
            raise InputError(
                "there is no such weight",
                where=f"weights.{name}",
                expected=f"one of {', '.join(names)}",
                got=name,
                hint=nearest(name, names),
            )
        try:
            msgspec.convert({name: value}, Weights)
        except msgspec.ValidationError as error:
            raise InputError("not a weight", where=f"weights.{name}", got=str(error)) from error
        if not -1e6 < value < 1e6:
            raise InputError("not a weight", where=f"weights.{name}", expected="a number below 1000000", got=str(value))
    return msgspec.structs.replace(known, **wanted)
