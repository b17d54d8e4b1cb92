"""What may follow the beginning of a sentence, for shells and editors.

complete("freeze sch", {Kind.SERVICE: ("api", "scheduler")})  # ("scheduler",)
"""

from collections.abc import Mapping, Sequence
from typing import Final

from kilonode.faults.cursor import Cursor, Refusal, Wanted
from kilonode.faults.model import Kind
from kilonode.faults.parsing import read_sentence
from kilonode.faults.tokens import LONGEST_CHARACTERS, tokens_of, write_name

Names = Mapping[Kind, Sequence[str]]
"""What is there to be named, by kind."""

_RUNS_AS_SERVICE: Final = (Kind.ROLE, Kind.PROCESS, Kind.CONTAINER)
"""What has no names of its own is offered those of services."""


def complete(beginning: str, names: Names | None = None) -> tuple[str, ...]:
    """The words that may stand in place of the last one, or after it when white space follows it.

    Names are offered when they are known; for what cannot be listed, such as durations, one example is.
    Empty where nothing can follow, and where the beginning is none of a sentence.
    """
    if len(beginning) > LONGEST_CHARACTERS:
        return ()
    tokens, open_quote = tokens_of(beginning)
    if open_quote:
        return ()
    typed = "" if not tokens or beginning[-1].isspace() else tokens[-1].text
    if typed:
        tokens = tokens[:-1]
    cursor = Cursor(tokens)
    try:
        read_sentence(cursor)
    except Refusal as refusal:
        if refusal.what:
            return ()
    place, wanted = cursor.wanted
    if place != len(tokens):
        return ()
    words = (word for each in wanted for word in _words(each, names or {}))
    return tuple(dict.fromkeys(word for word in words if word.lstrip("'\"").lower().startswith(typed.lower())))


def _words(wanted: Wanted, names: Names) -> Sequence[str]:
    if not wanted.example:
        return (wanted.words,)
    if not wanted.kind:
        return (wanted.example,)
    kind = Kind(wanted.kind) if wanted.kind in tuple(Kind) else None
    if kind is None:
        return ()
    known = names.get(kind) or (names.get(Kind.SERVICE, ()) if kind in _RUNS_AS_SERVICE else ())
    return tuple(write_name(name) for name in known)
