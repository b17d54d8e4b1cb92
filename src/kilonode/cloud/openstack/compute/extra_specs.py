"""The small language of flavors' extra specs: `s== kvm`, `>= 4`, `<or> a <or> b`, `<in> x`, or a plain value."""

import operator
from collections.abc import Callable
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
