"""The small language of flavors' extra specs: `s== kvm`, `>= 4`, `<or> a <or> b`, `<in> x`, or a plain value.

And what a flavor takes of nodes by its extra specs instead of by its size: `resources:VCPU=0`.
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Final

_OF_NUMBERS: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
}
_OF_TEXTS: Final[dict[str, Callable[[str, str], bool]]] = {
    "s==": operator.eq,
    "s!=": operator.ne,
    "s<": operator.lt,
    "s<=": operator.le,
    "s>": operator.gt,
    "s>=": operator.ge,
}


_RESOURCES: Final = re.compile(r"resources[a-zA-Z0-9_-]{0,64}:([A-Z0-9_]+)", re.ASCII)
_AMOUNT: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


def amounts(specs: Mapping[str, str]) -> dict[str, int]:
    """What extra specs say is taken, by resource class: the sum over their groups. What is no amount is passed over."""
    found: dict[str, int] = {}
    for name, value in specs.items():
        asked = _RESOURCES.fullmatch(name)
        if asked is not None and _AMOUNT.fullmatch(value):
            found[asked[1]] = found.get(asked[1], 0) + int(value)
    return found


def matches(value: str, wanted: str) -> bool:
    """Whether a value is as an extra spec wants it."""
    word, _, rest = wanted.strip().partition(" ")
    rest = rest.strip()
    if word == "<or>":
        return value in [choice.strip() for choice in wanted.split("<or>")[1:]]
    if word == "<in>":
        return rest in value
    if word == "<all-in>":
        return all(part in value for part in rest.split("<all-in>")[0].split())
    if word in _OF_TEXTS and rest:
        return _OF_TEXTS[word](value, rest)
    if word in _OF_NUMBERS and rest:
        try:
            return _OF_NUMBERS[word](float(value), float(rest))
        except ValueError:
            return False
    return value == wanted
