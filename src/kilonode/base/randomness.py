"""Seeded randomness: one seed per run, any number of independent streams named by what they are for.

A stream is made from the seed and its names, not from the streams made before it: the same name gives the same numbers
whatever else happens, in whatever process. It is for simulation and load, never for secrets (use `secrets` for those).
"""

import hashlib
import random
from typing import Final

_LOW_62_BITS: Final = 2**62 - 1


class Randomness:
    """A tree of named random streams under one seed."""

    def __init__(self, seed: int, *names: str | int) -> None:
        self.seed = seed
        self._names = names

    def child(self, *names: str | int) -> "Randomness":
        """The sub-tree for `names`."""
        return Randomness(self.seed, *self._names, *names)

    def integer(self) -> int:
        """A number of 64 bits that depends on the seed and the names alone."""
        text = "\x1f".join([str(self.seed), *(str(name) for name in self._names)])
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")

    def stream(self) -> random.Random:
        """A new random stream that begins at the beginning each time this is called."""
        return random.Random(self.integer())


def random_uuid(stream: random.Random) -> str:
    """A version 4 UUID from a seeded stream, in the canonical form with dashes."""
    # By hand: `uuid.UUID` takes four times as long, and an emulated cloud makes thousands a second.
    return _with_dashes(stream.getrandbits(128) & ~(0xF000 << 64 | 0xC000 << 48) | 4 << 76 | 0x8000 << 48)


def rising_uuid(stream: random.Random, at_ms: int) -> str:
    """A version 7 UUID (RFC 9562): it begins with the instant, in milliseconds since 1970 UTC.

    What is made one after the other then stands together in an index, so little of it has to be written anew.
    """
    chance = stream.getrandbits(74)
    return _with_dashes(at_ms << 80 | 7 << 76 | (chance >> 62) << 64 | 2 << 62 | chance & _LOW_62_BITS)


def _with_dashes(bits: int) -> str:
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
