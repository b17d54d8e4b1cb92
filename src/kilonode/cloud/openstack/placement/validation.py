"""Checks plain values against a form, and says what is wrong in the words of JSON Schema, as Placement's clients know.

Bodies and queries of Placement differ from microversion to microversion by a field more or less, so their forms are
values here, put together from smaller ones, and not types. A form is a function that raises `Refused`.
"""

import math
import re
import uuid as uuids
from collections.abc import Callable, Mapping
from typing import Any, Final

Form = Callable[[Any], None]
_DASHED: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Refused(Exception):  # noqa: N818  it is not an error of the program
    """A value has not the form it should have; `rule` is JSON Schema's word for what it breaks."""

    def __init__(self, message: str, rule: str, place: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.rule = rule
        self.place = place
        """The way through the form to the rule."""

    def __str__(self) -> str:
        place = "".join(f"[{step!r}]" for step in self.place)
        return f"{self.message}  Failed validating {self.rule!r} in schema{place}"

    def below(self, *steps: str) -> "Refused":
        """The same, as seen from further up."""
        return Refused(self.message, self.rule, (*steps, *self.place))


def is_uuid(text: Any) -> bool:
    """Whether a value is a UUID, with dashes or without."""
    if not isinstance(text, str):
        return False
    if _DASHED.fullmatch(text):
        return True
    try:
        plain = uuids.UUID(text).hex
    except ValueError:
        return False
    return text.lower().replace("urn:", "").replace("uuid:", "").strip("{}").replace("-", "") == plain


def uuid(value: Any) -> None:
    """A UUID."""
    _of_type(value, str, "string")
    if not is_uuid(value):
        raise Refused(f"{value!r} is not a 'uuid'", "format")


def uuid_or_null(value: Any) -> None:
    """A UUID or null."""
    if value is not None and not is_uuid(value):
        raise Refused(f"{value!r} is not valid under any of the given schemas", "anyOf")


def text(*, least: int = 0, most: int | None = None, pattern: str = "") -> Form:
    """A string, of so many characters."""
    compiled = re.compile(pattern)

    def check(value: Any) -> None:
        _of_type(value, str, "string")
        if len(value) < least:
            raise Refused(f"{value!r} should be non-empty" if least == 1 else f"{value!r} is too short", "minLength")
        if most is not None and len(value) > most:
            raise Refused(f"{value!r} is too long", "maxLength")
        if pattern and not compiled.search(value):
            raise Refused(f"{value!r} does not match {pattern!r}", "pattern")

    return check


def one_of(*values: str) -> Form:
    """One of these strings."""

    def check(value: Any) -> None:
        _of_type(value, str, "string")
        if value not in values:
            raise Refused(f"{value!r} is not one of {list(values)!r}", "enum")

    return check


def integer(*, least: int | None = None, most: int | None = None, null: bool = False) -> Form:
    """A whole number; true and false are none."""

    def check(value: Any) -> None:
        if null and value is None:
            return
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if not whole or isinstance(value, bool):
            raise Refused(f"{value!r} is not of type " + ("'integer', 'null'" if null else "'integer'"), "type")
        _in_range(value, least, most)

    return check


def number(*, most: float | None = None) -> Form:
    """Any number."""

    def check(value: Any) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value):
            raise Refused(f"{value!r} is not of type 'number'", "type")
        _in_range(value, None, most)

    return check


def array(items: Form, *, least: int = 0, unique: bool = False) -> Form:
    """A list of values of one form."""

    def check(value: Any) -> None:
        _of_type(value, list, "array")
        if len(value) < least:
            raise Refused(f"{value!r} should be non-empty", "minItems")
        for item in value:
            try:
                items(item)
            except Refused as refusal:
                raise refusal.below("items") from None
        if unique and any(item in value[:index] for index, item in enumerate(value)):
            raise Refused(f"{value!r} has non-unique elements", "uniqueItems")

    return check


def record(
    fields: Mapping[str, Form] | None = None,
    *,
    required: tuple[str, ...] = (),
    keys: Mapping[str, Form] | None = None,
    least: int = 0,
    open_: bool = False,
) -> Form:
    """An object: `fields` by name, `keys` by regular expression of the name; others are refused unless it is open."""
    known = fields or {}
    patterns = [(re.compile(pattern), form) for pattern, form in (keys or {}).items()]

    def check(value: Any) -> None:
        _of_type(value, dict, "object")
        if len(value) < least:
            raise Refused(f"{value!r} should be non-empty", "minProperties")
        unexpected = []
        for name, inner in value.items():
            form = known.get(name)
            steps = ("properties", name)
            if form is None:
                for pattern, one in patterns:
                    if pattern.search(name):
                        form, steps = one, ("patternProperties", pattern.pattern)
                        break
            if form is not None:
                try:
                    form(inner)
                except Refused as refusal:
                    raise refusal.below(*steps) from None
            elif not open_:
                unexpected.append(name)
        for name in required:
            if name not in value:
                raise Refused(f"{name!r} is a required property", "required")
        if unexpected:
            raise Refused(_unexpected(unexpected, list(keys or ())), "additionalProperties")

    return check


def _unexpected(names: list[str], patterns: list[str]) -> str:
    named = ", ".join(repr(name) for name in sorted(names))
    if patterns:
        verb = "does" if len(names) == 1 else "do"
        return f"{named} {verb} not match any of the regexes: " + ", ".join(repr(one) for one in sorted(patterns))
    verb = "was" if len(names) == 1 else "were"
    return f"Additional properties are not allowed ({named} {verb} unexpected)"


def _of_type(value: Any, kind: type, name: str) -> None:
    if not isinstance(value, kind):
        raise Refused(f"{value!r} is not of type {name!r}", "type")


def _in_range(value: float, least: float | None, most: float | None) -> None:
    if least is not None and value < least:
        raise Refused(f"{value!r} is less than the minimum of {least!r}", "minimum")
    if most is not None and value > most:
        raise Refused(f"{value!r} is greater than the maximum of {most!r}", "maximum")
