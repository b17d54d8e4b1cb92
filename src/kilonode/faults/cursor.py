"""A place in a row of tokens that remembers what could have stood there.

Whoever reads asks for one thing after another; each question that is answered with no is kept for the farthest token
that was reached. So the same grammar gives values, errors that say what was expected, and completions.
"""

from typing import Final, NoReturn

import msgspec

from kilonode.base.errors import InputError
from kilonode.base.units import Duration
from kilonode.faults.amounts import NUMBER, parse_bandwidth, parse_number
from kilonode.faults.tokens import Token

SHORTEST: Final = Duration(1e-6)
LONGEST: Final = Duration(30 * 86_400)


class Wanted(msgspec.Struct, frozen=True):
    """What could stand at a place: a word, or something of a sort."""

    words: str
    """For people: `for`, `a name`."""
    example: str = ""
    """Of a sort; empty: `words` is the word itself."""
    kind: str = ""
    """For names: of what, as in `model.Kind`."""


def name_of(kind: str, example: str) -> Wanted:
    """That the name of such a thing is wanted."""
    return Wanted(f"the name of a {kind}", example, kind)


class Refusal(Exception):  # noqa: N818  (a way to come back, not an error that anybody sees)
    """The tokens are no sentence: at this one."""

    def __init__(self, index: int, wanted: tuple[Wanted, ...], what: str = "", expected: str = "") -> None:
        super().__init__(what)
        self.index = index
        self.wanted = wanted
        self.what = what
        """Empty: something else should stand there."""
        self.expected = expected


class Cursor:
    """Reads tokens from left to right."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.tokens = tokens
        self.index = 0
        self._farthest = 0
        self._wanted: dict[Wanted, None] = {}

    @property
    def at_end(self) -> bool:
        """Whether every token was read."""
        return self.index == len(self.tokens)

    @property
    def wanted(self) -> tuple[int, tuple[Wanted, ...]]:
        """The farthest token reached, and what could have stood there."""
        return self._farthest, tuple(self._wanted)

    def word(self, *words: str) -> str:
        """Read one of these words; empty when another token is there. The first is the one that is offered."""
        self._want(Wanted(words[0]))
        if self.peek() in words:
            self.index += 1
            return self.tokens[self.index - 1].word
        return ""

    def one_of(self, words: tuple[str, ...]) -> str:
        """Read one of these words, all of which are offered."""
        for word in words:
            self._want(Wanted(word))
            if self._pass(self.peek() == word.lower()):
                return word
        return ""

    def need(self, *words: str) -> str:
        """Read one of these words, or refuse."""
        return self.word(*words) or self.refuse()

    def peek(self, ahead: int = 0) -> str:
        """The word there; empty when it is none."""
        place = self.index + ahead
        return self.tokens[place].word if place < len(self.tokens) else ""

    def is_name(self, ahead: int = 0) -> bool:
        """Whether a name stands there."""
        place = self.index + ahead
        return place < len(self.tokens) and self.tokens[place].name

    def comma(self) -> bool:
        """Read a comma."""
        return self._pass(self.peek() == ",")

    def name(self, kind: str, example: str) -> str:
        """Read a name; empty when there is none."""
        self._want(name_of(kind, example))
        return self.tokens[self.index - 1].text if self._pass(self.is_name()) else ""

    def offer(self, *words: str) -> None:
        """Say what could stand here without reading it."""
        for word in words:
            self._want(Wanted(word))

    def offer_name(self, kind: str, example: str) -> None:
        """Say that a name could stand here without reading it."""
        self._want(name_of(kind, example))

    def offer_after_comma(self, *wanted: Wanted) -> None:
        """Where a comma is the last token, say what could follow it. The comma is not read."""
        if self.peek() == "," and self.index + 1 == len(self.tokens):
            self.index += 1
            for each in wanted:
                self._want(each)
            self.index -= 1

    def whole_number(self, words: str, most: int = 100_000, example: str = "2") -> int:
        """Read a whole number from one on; zero when there is none."""
        self._want(Wanted(words, example))
        text = self.peek()
        if not (text.isascii() and text.isdigit()):
            return 0
        if len(text) > len(str(most)) or not 1 <= int(text) <= most:
            self.refuse("the number is out of range", f"1 to {most:,}")
        self.index += 1
        return int(text)

    def percent(self) -> float:
        """Read a percentage; zero when there is none."""
        self._want(Wanted("a percentage", "50%"))
        text, width = self.peek(), 1
        if self.peek(1) in ("%", "percent") and NUMBER.fullmatch(text):
            text, width = f"{text}%", 2
        if not text.endswith("%") or not NUMBER.fullmatch(text[:-1]):
            return 0.0
        value = parse_number(text[:-1])
        if not 0 < value <= 100:
            self.refuse("the percentage is out of range", "more than 0 and at most 100")
        self.index += width
        return value

    def duration(self, example: str = "10s") -> Duration:
        """Read a duration, or refuse."""
        self._want(Wanted("a duration", example))
        width = self._width_of_duration()
        if not width:
            self.refuse()
        text = "".join(token.word for token in self.tokens[self.index : self.index + width])
        try:
            value = Duration.parse(text)
        except (InputError, OverflowError):
            if NUMBER.fullmatch(text):
                self.index += width
                self._want(Wanted("a unit of time", "seconds"))
                self.refuse()
            self.refuse("not a duration", "a number and a unit, such as 250ms, 30 seconds or 1m30s")
        if not SHORTEST <= value <= LONGEST:
            self.refuse("the duration is out of range", "1us to 30d")
        self.index += width
        return value

    def signed_duration(self) -> float:
        """Read a duration with a sign, in seconds, or refuse."""
        self._want(Wanted("a sign", "+"))
        sign = self.peek()
        self._pass(sign in ("+", "-"))
        value = float(self.duration("5s"))
        return -value if sign == "-" else value

    def bandwidth(self) -> int:
        """Read a bandwidth in bits per second, or refuse."""
        self._want(Wanted("a bandwidth", "10Mbit/s"))
        for width in (1, 2):
            tokens = self.tokens[self.index : self.index + width]
            text = "".join(token.text for token in tokens if not token.quoted)
            value = parse_bandwidth(text)
            if value is not None:
                self.index += width
                return value
        return self.refuse()

    def refuse(self, what: str = "", expected: str = "") -> NoReturn:
        """Give up: `what` is wrong with the token here, or something else should stand at the farthest one."""
        if what:
            raise Refusal(self.index, (), what, expected)
        raise Refusal(self._farthest, tuple(self._wanted))

    def _pass(self, there: bool) -> bool:
        self.index += there
        return there

    def _want(self, wanted: Wanted) -> None:
        if self.index > self._farthest:
            self._farthest = self.index
            self._wanted.clear()
        if self.index == self._farthest:
            self._wanted[wanted] = None

    def _width_of_duration(self) -> int:
        """How many tokens from here on are amounts of time, each a number and its unit, together or apart."""
        width = 0
        while (text := self.peek(width))[:1].isdigit():
            width += 1
            if NUMBER.fullmatch(text):
                unit = self.peek(width)
                if not unit.isalpha() or not is_unit_of_time(unit):
                    break
                width += 1
        return width


def is_unit_of_time(word: str) -> bool:
    """Whether a number can be followed by it to be a duration."""
    try:
        Duration.parse(f"1{word}")
    except InputError:
        return False
    return True
