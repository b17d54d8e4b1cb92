"""The nearest right sentence to one that is none: a few small changes where it went wrong, tried until all is read.

A change puts a word that was expected there in place of the one that stands there, or before it, or leaves the one that
stands there out, or puts it in quotes. Each change has a price, and the cheapest sentence is the nearest. The number of
tries is bounded, so a long text costs no more than a short one.
"""

import difflib
from typing import Final

from kilonode.faults.cursor import Cursor, Refusal, Wanted
from kilonode.faults.parsing import read_sentence
from kilonode.faults.printing import print_sentence
from kilonode.faults.tokens import Token, is_name
from kilonode.faults.words import MEMBERS, NODES

MOST_CHANGES: Final = 4
MOST_TRIES: Final = 600
MOST_TOKENS: Final = 60
_WIDTH: Final = 12
"""How many half-mended sentences are gone on with."""
_ALIKE: Final = 0.6
_EXTRA: Final = {"then": 0.0, "and": 0.7, "while": 0.5, "all": 0.3, "nodes": 1.3}
"""What is cheap to put in and changes much costs more, the more the less often it is meant: `all` is not guessed."""
_NOUNS: Final = frozenset({*NODES, *(word for both in MEMBERS.values() for word in both)})
_PUNCTUATION: Final = ".;:!?()[]"

Tokens = tuple[Token, ...]


def nearest_sentence(tokens: Tokens, refusal: Refusal) -> str:
    """A sentence that can be read, as near as can be found; empty when none is near."""
    if len(tokens) > MOST_TOKENS:
        return ""
    tries = 0
    front = [(0.0, tokens, refusal)]
    best: tuple[float, str] | None = None
    for _ in range(MOST_CHANGES):
        found: list[tuple[float, Tokens, Refusal]] = []
        for cost, known, refused in front:
            for price, changed in _changes(known, refused):
                tries += 1
                total = cost + price
                if tries > MOST_TRIES or (best is not None and total >= best[0]):
                    break
                try:
                    best = total, print_sentence(read_sentence(Cursor(changed)))
                except Refusal as again:
                    # A change that gets no further is none.
                    if again.index > refused.index or len(changed) < len(known):
                        found.append((total, changed, again))
        found.sort(key=lambda each: each[0])
        front = found[:_WIDTH]
    return best[1] if best else ""


def _changes(tokens: Tokens, refusal: Refusal) -> list[tuple[float, Tokens]]:
    """Sentences one change away, each with its price, the cheapest first."""
    before, after = tokens[: refusal.index], tokens[refusal.index :]
    # Where a word stands that is like one that was wanted, it is that word, and none is missing before it.
    missing = 1.5 if after and any(_alike(after[0], wanted) >= _ALIKE for wanted in refusal.wanted) else 1.0
    found = [(missing + _EXTRA.get(wanted.words, 0.1), (*before, _token(wanted), *after)) for wanted in refusal.wanted]
    if after:
        here, rest = after[0], after[1:]
        found += [(_price(here, wanted), (*before, _token(wanted), *rest)) for wanted in refusal.wanted]
        found.append((1.0, (*before, *rest)))
        if not here.name and is_name(here.text) and any(wanted.kind for wanted in refusal.wanted):
            price = 0.6 if here.word in _NOUNS else 1.8
            found.append((price, (*before, Token(here.text, here.column, quoted=True), *rest)))
    for place in {refusal.index - 1, refusal.index}:
        if 0 <= place < len(tokens) and (bare := _without_punctuation(tokens[place])):
            found.append((0.2, (*tokens[:place], bare, *tokens[place + 1 :])))
    return sorted(found, key=lambda each: each[0])


def _price(here: Token, wanted: Wanted) -> float:
    """Of putting what was wanted in the place of what is there: the more alike, the cheaper."""
    if wanted.example:
        return 1.5
    alike = _alike(here, wanted)
    return 1.2 - alike if alike >= _ALIKE else 1.6 + _EXTRA.get(wanted.words, 0.1)


def _alike(here: Token, wanted: Wanted) -> float:
    return 0.0 if wanted.example else difflib.SequenceMatcher(None, here.text.lower()[:40], wanted.words).ratio()


def _without_punctuation(token: Token) -> Token | None:
    stripped = token.text.strip(_PUNCTUATION)
    return Token(stripped, token.column) if stripped and stripped != token.text and not token.quoted else None


def _token(wanted: Wanted) -> Token:
    return Token(wanted.example or wanted.words, 0)
