"""A text cut into tokens, and which tokens can be names.

Tokens are separated by white space; a comma, and a sign before a number, are each one by itself; quotes, single or
double, hold a name that may be any words. Nothing is escaped: a name has no quote of its own sort in it. Columns count
characters from 1.
"""

import re
from typing import Final

import msgspec

from kilonode.faults.words import QUOTED, RESERVED

LONGEST_CHARACTERS: Final = 2_000
"""Of a whole sentence; what is longer is refused unread."""
LONGEST_NAME: Final = 200

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<comma>,)|(?P<sign>[+-])|'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<bare>[^\s,'"]+))"""
)
_BARE_NAME: Final = re.compile(r"[\w/](?:[\w.:@/+=~%-]*[\w/])?")
_AMOUNT: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?:[^\W\d]+|%)?)+(?:/\w+)?")
"""A number, percent, duration or rate: never a name unless it is quoted."""


class Token(msgspec.Struct, frozen=True):
    """One token and where it begins."""

    text: str
    """Without its quotes."""
    column: int
    quoted: bool = False

    @property
    def word(self) -> str:
        """What it is as a word; empty when it is quoted."""
        return "" if self.quoted else self.text.lower()

    @property
    def name(self) -> bool:
        """Whether it can be a name."""
        if self.quoted:
            return is_name(self.text)
        return is_bare_name(self.text) and self.word not in RESERVED


def is_name(text: str) -> bool:
    """Whether something can be called so: printable, on one line, and quotable."""
    return 0 < len(text) <= LONGEST_NAME and text.isprintable() and not ("'" in text and '"' in text)


def is_bare_name(text: str) -> bool:
    """Whether it looks like a name without quotes."""
    return len(text) <= LONGEST_NAME and bool(_BARE_NAME.fullmatch(text)) and not _AMOUNT.fullmatch(text)


def write_name(name: str) -> str:
    """A name as it stands in a sentence: in quotes where it must be."""
    if is_bare_name(name) and name.lower() not in QUOTED:
        return name
    return f'"{name}"' if "'" in name else f"'{name}'"


def tokens_of(text: str) -> tuple[tuple[Token, ...], int]:
    """The tokens of a text, and the column of a quote that is never closed, or zero."""
    found: list[Token] = []
    position = 0
    while match := _TOKEN.match(text, position):
        group = match.lastgroup or ""
        begins = match.start(group) - (1 if group in ("single", "double") else 0)
        found.append(Token(match[group], begins + 1, quoted=group in ("single", "double")))
        position = match.end()
    rest = text[position:]
    return tuple(found), position + len(rest) - len(rest.lstrip()) + 1 if rest.strip() else 0
