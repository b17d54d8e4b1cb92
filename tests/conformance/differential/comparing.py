"""Two recordings of the same sequences, field by field; what differs is accepted only with a reason. Pure."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.conformance.differential.recording import Exchange, Recording

REASONS: Final = Path(__file__).with_name("reasons.yaml")
ABSENT: Final = "absent"


class Difference(msgspec.Struct, frozen=True):
    """One field of one answer that is not as the real service gave it."""

    step: str
    field: str
    real: str
    emulated: str

    def __str__(self) -> str:
        return f"{self.step} | {self.field} | real {self.real} | emulated {self.emulated}"


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why some differences remain. Each is a pattern with `*` for any text."""

    reason: str
    field: str
    step: str = "*"
    real: str = "*"
    emulated: str = "*"

    def explains(self, difference: Difference) -> bool:
        """Whether this is about that one."""
        return all(
            _fits(getattr(self, name), getattr(difference, name)) for name in ("field", "step", "real", "emulated")
        )


class Comparison(msgspec.Struct, frozen=True):
    """What was found."""

    service: str
    requests: int
    bad_requests: int
    fields: int
    """How many fields of the real answers were compared."""
    differences: list[Difference]


def read_reasons() -> list[Reason]:
    """The reasons that people wrote. Raises msgspec.ValidationError."""
    return msgspec.yaml.decode(REASONS.read_bytes(), type=list[Reason])


def compare(real: Recording, emulated: Recording) -> Comparison:
    """Every field of every answer. Raises ValueError when these are not the same sequences."""
    if [one.step for one in real.exchanges] != [one.step for one in emulated.exchanges]:
        raise ValueError(f"the sequences of {real.service} changed since real services were recorded")
    fields = 0
    differences: list[Difference] = []
    for left, right in zip(real.exchanges, emulated.exchanges, strict=True):
        fields += sum(1 for _ in _leaves(_whole(left)))
        found = _differences(_whole(left), _whole(right), "", ordered=left.ordered)
        differences += [Difference(left.step, *one) for one in found]
    bad = sum(one.status >= 400 for one in real.exchanges)
    return Comparison(real.service, len(real.exchanges), bad, fields, differences)


def sort_out(differences: list[Difference], reasons: list[Reason]) -> tuple[list[Difference], dict[int, int]]:
    """The differences that no reason explains, and how many each reason does: the first that fits."""
    rest: list[Difference] = []
    used: dict[int, int] = {}
    for difference in differences:
        number = next((number for number, reason in enumerate(reasons) if reason.explains(difference)), None)
        if number is None:
            rest.append(difference)
        else:
            used[number] = used.get(number, 0) + 1
    return rest, used


def _whole(exchange: Exchange) -> dict[str, Any]:
    return {
        "status": exchange.status,
        "headers": exchange.headers,
        "body": exchange.body,
        **({"states": exchange.states} if exchange.states else {}),
    }


def _differences(real: Any, emulated: Any, place: str, *, ordered: bool) -> Iterator[tuple[str, str, str]]:
    """Field, real and emulated value of each difference."""
    if place == "states" and isinstance(emulated, list) and _passes(emulated, real):
        return
    if isinstance(real, dict) and isinstance(emulated, dict):
        for name in sorted({*real, *emulated}):
            inner = f"{place}.{name}" if place else name
            if name not in emulated:
                yield inner, _shown(real[name]), ABSENT
            elif name not in real:
                yield inner, ABSENT, _shown(emulated[name])
            else:
                yield from _differences(real[name], emulated[name], inner, ordered=ordered)
    elif isinstance(real, list) and isinstance(emulated, list) and len(real) == len(emulated) and place != "states":
        for left, right in zip(real, emulated if ordered else _alike(real, emulated), strict=True):
            yield from _differences(left, right, f"{place}[]", ordered=ordered)
    elif type(real) is not type(emulated) or real != emulated:
        yield place, _shown(real), _shown(emulated)


def _alike(real: list[Any], emulated: list[Any]) -> list[Any]:
    """The emulated items in the order of those real ones that each differs from least."""
    left = list(emulated)
    found = []
    for item in real:
        best = min(left, key=lambda one: sum(1 for _ in _differences(item, one, "", ordered=False)))
        left.remove(best)
        found.append(best)
    return found


def _passes(emulated: list[Any], real: list[Any]) -> bool:
    """Whether all that was seen of the real states comes in that order here: a poll may have missed some of them."""
    rest = iter(emulated)
    return all(state in rest for state in real)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict) and value:
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list) and value:
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _shown(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _fits(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text, re.DOTALL) is not None
