"""Durations, rates and sizes as people write them: `250ms`, `1m30s`, `200/s`, `64MiB`.

`Duration` (seconds), `Rate` (per second) and `Size` (bytes) are plain numbers to every computation and keep their
meaning at the edges: parsing, printing, JSON Schema. Printing then parsing gives the same number back.
Grammar: a duration is one or more number-and-unit pairs, units in ns us µs ms s m h d (and their long words), written
together or apart, each unit at most once; a rate is a number, a slash and a unit of time; a size is a number and one of
B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024).
"""

import math
import re
from decimal import Decimal
from typing import Final, Self

from kilonode.base.errors import InputError, nearest

_SECONDS_BY_UNIT: Final[dict[str, float]] = {
    "ns": 1e-9, "nanosecond": 1e-9, "nanoseconds": 1e-9,
    "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "microsecond": 1e-6, "microseconds": 1e-6,
    "ms": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3,
    "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
}  # fmt: skip
_BYTES_BY_UNIT: Final[dict[str, int]] = {
    "B": 1,
    "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_LARGEST_SIZE: Final = 2**63
_NUMBER: Final = r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_DURATION_PART: Final = re.compile(rf"\s*({_NUMBER})\s*([^\W\d]+)\s*")
_RATE: Final = re.compile(rf"\s*({_NUMBER})\s*/\s*([^\W\d]+)\s*")
_SIZE: Final = re.compile(rf"\s*({_NUMBER})\s*([A-Za-z]+)\s*")


class Duration(float):
    """Seconds; never negative, never infinite."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a duration such as `250ms`, `60s` or `1m30s`. Raises InputError."""
        position, total, seen = 0, 0.0, set[float]()
        while position < len(text):
            match = _DURATION_PART.match(text, position)
            if match is None:
                break
            unit = _unit(match[2], text, "a duration", _SECONDS_BY_UNIT)
            if unit in seen:
                break
            seen.add(unit)
            total += float(match[1]) * unit if unit >= 1 else float(match[1]) / round(1 / unit)
            position = match.end()
        if position == 0 or position < len(text) or not math.isfinite(total):
            raise InputError(
                "not a duration", expected="a number and a unit, such as 250ms, 60s or 1m30s", got=repr(text)
            )
        return cls(total)

    def __str__(self) -> str:
        """The shortest exact form in one unit: `250ms`, `90s`."""
        seconds = float(self)
        for unit, per_second in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)):
            value = seconds * per_second
            if (seconds == 0 or value >= 1) and (value / per_second) == seconds:
                return f"{_plain(value)}{unit}"
        return f"{_plain(seconds)}s"


class Rate(float):
    """Events per second; never negative, never infinite."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a rate such as `200/s` or `30/min`. Raises InputError."""
        match = _RATE.fullmatch(text)
        if match is None or not math.isfinite(float(match[1])):
            raise InputError(
                "not a rate", expected="a number per unit of time, such as 200/s or 30/min", got=repr(text)
            )
        return cls(float(match[1]) / _unit(match[2], text, "a rate", _SECONDS_BY_UNIT))

    def __str__(self) -> str:
        return f"{_plain(float(self))}/s"


class Size(int):
    """Bytes; never negative."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a size such as `64MiB` or `10GB`. Raises InputError."""
        match = _SIZE.fullmatch(text)
        if match is None:
            raise InputError("not a size", expected="a number and a unit, such as 64MiB or 10GB", got=repr(text))
        # Decimal, because a float cannot hold every whole number of bytes.
        value = Decimal(match[1]) * int(_unit(match[2], text, "a size", _BYTES_BY_UNIT))
        if value >= _LARGEST_SIZE or value != int(value):
            raise InputError("not a size", expected="a whole number of bytes below 2^63", got=repr(text))
        return cls(int(value))

    def __str__(self) -> str:
        for unit in ("TiB", "TB", "GiB", "GB", "MiB", "MB", "KiB", "kB"):
            if self >= _BYTES_BY_UNIT[unit] and int(self) % _BYTES_BY_UNIT[unit] == 0:
                return f"{int(self) // _BYTES_BY_UNIT[unit]}{unit}"
        return f"{int(self)}B"


def format_seconds(seconds: float) -> str:
    """For people, three significant digits in the unit that fits: `412 µs`, `3.07 s`, `4 m 10 s`."""
    if not math.isfinite(seconds):
        return "unknown"
    sign, size = ("-" if seconds < 0 else ""), abs(seconds)
    if size == 0:
        return "0 s"
    if size >= 99.95:
        minutes, rest = divmod(round(size), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{sign}{hours} h {minutes} m {rest} s" if hours else f"{sign}{minutes} m {rest} s"
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6), ("ns", 1e9)):
        if size * scale >= 0.9995 or unit == "ns":
            return f"{sign}{_three_digits(size * scale)} {unit}"
    raise AssertionError(seconds)


def _three_digits(value: float) -> str:
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    text = f"{value:.{digits}f}"
    return text


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _unit(word: str, text: str, what: str, known: dict[str, float] | dict[str, int]) -> float:
    if word not in known:
        raise InputError(
            f"{word!r} is not a unit of {what}",
            expected=" ".join(list(known)[:16]),
            got=repr(text),
            hint=nearest(word, known),
        )
    return known[word]
