"""Numbers as sentences have them: plain numbers, percentages, bandwidths, signed durations; read and printed.

A bandwidth is whole bits per second; kbit, Mbit and Gbit are powers of 1,000. Printing then parsing gives the same
number back.
"""

import math
import re
from decimal import Decimal
from typing import Final

from kilonode.base.units import Duration

NUMBER: Final = re.compile(r"\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
MOST_BITS_PER_S: Final = 10**13
_BANDWIDTH: Final = re.compile(rf"({NUMBER.pattern})([kKmMgG]?)(?:bits?/s|bps|bit/sec)", re.ASCII | re.IGNORECASE)
_BITS_BY_UNIT: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}


def parse_number(text: str) -> float:
    """A number that `NUMBER` matches."""
    return float(text)


def parse_bandwidth(text: str) -> int | None:
    """Bits per second, or None when it is no bandwidth from 1bit/s to 10000Gbit/s in whole bits."""
    match = _BANDWIDTH.fullmatch(text)
    if match is None:
        return None
    bits = Decimal(match[1]) * _BITS_BY_UNIT[match[2].lower()]
    return int(bits) if 1 <= bits <= MOST_BITS_PER_S and bits == int(bits) else None


def write_number(value: float) -> str:
    """The shortest text that reads back as the same number."""
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)


def write_bandwidth(bits_per_s: int) -> str:
    """In the largest unit that divides it."""
    for unit, size in (("Gbit/s", 10**9), ("Mbit/s", 10**6), ("kbit/s", 10**3)):
        if bits_per_s % size == 0:
            return f"{bits_per_s // size}{unit}"
    return f"{bits_per_s}bit/s"


def write_signed_duration(seconds: float) -> str:
    """With its sign."""
    return f"{'-' if seconds < 0 else '+'}{Duration(abs(seconds))}"
