"""The two ends of the language: `parse` a text, or say in one error where it is no sentence and what the nearest is."""

import difflib
from typing import Final

from kilonode.base.errors import InputError, Problem
from kilonode.faults.cursor import Cursor, Refusal, Wanted
from kilonode.faults.examples import EXAMPLES
from kilonode.faults.model import Sentence
from kilonode.faults.parsing import read_sentence
from kilonode.faults.repairing import nearest_sentence
from kilonode.faults.tokens import LONGEST_CHARACTERS, tokens_of

_MOST_OFFERED: Final = 12
_MOST_COMPARED: Final = 40
_LONGEST_SHOWN: Final = 60


def parse(text: str) -> Sentence:
    """What the text says. Raises InputError: the column, what was expected there, and the nearest right sentence."""
    if len(text) > LONGEST_CHARACTERS:
        raise InputError(
            "the sentence is too long", expected=f"at most {LONGEST_CHARACTERS:,} characters", got=f"{len(text):,}"
        )
    tokens, open_quote = tokens_of(text)
    if open_quote:
        raise _problem("a quote that is never closed", open_quote, expected="the same quote again", got=text)
    try:
        return read_sentence(Cursor(tokens))
    except Refusal as refusal:
        at_end = refusal.index >= len(tokens)
        column = len(text.rstrip()) + 1 if at_end else tokens[refusal.index].column
        got = "the end of the sentence" if at_end else repr(tokens[refusal.index].text[:_LONGEST_SHOWN])
        near = nearest_sentence(tokens, refusal)
        raise _problem(
            refusal.what or "not a sentence about faults",
            column,
            expected=refusal.expected or _offer(refusal.wanted, at_end=at_end),
            got=got,
            hint=f"the nearest right sentence: {near}" if near else f"such as: {_closest_example(text)}",
        ) from None


def _closest_example(text: str) -> str:
    """The example with the most in common, for what is too far from any sentence."""
    words = text.lower().split()[:_MOST_COMPARED]
    return max(EXAMPLES, key=lambda each: difflib.SequenceMatcher(None, words, each.split()).ratio())


def _problem(what: str, column: int, *, expected: str, got: str, hint: str = "") -> InputError:
    problem = Problem(what, column=column, path=f"column {column}", expected=expected, got=got, hint=hint)
    return InputError(what, problems=(problem,))


def _offer(wanted: tuple[Wanted, ...], *, at_end: bool) -> str:
    wanted = tuple(sorted(wanted, key=lambda each: not each.kind))  # names first: they are what is meant most often
    words = [f"{each.words} (such as {each.example})" if each.example else each.words for each in wanted]
    if not at_end and "then" in words:
        words.append("the end of the sentence")
    rest = len(words) - _MOST_OFFERED
    return ", ".join(words[:_MOST_OFFERED]) + (f" and {rest} more" if rest > 0 else "")
