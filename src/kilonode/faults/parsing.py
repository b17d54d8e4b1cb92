"""A text to what it says: the whole of it, or a refusal with the place. The grammar is in docs/faults.md.

    parse("freeze rabbitmq on one node for 30 seconds")  # Sentence

Nothing is skipped and nothing guessed: a word that has no meaning where it stands is an error, which says what was
expected there and names the nearest sentence that can be read.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import msgspec

from kilonode.base.units import Duration
from kilonode.faults.cursor import Cursor, Wanted
from kilonode.faults.model import (
    Action,
    Fault,
    Kind,
    Means,
    Part,
    Partition,
    Pick,
    Requests,
    Sentence,
    Shape,
    Stress,
    Target,
)
from kilonode.faults.phrases import EXAMPLES, group, link, members, names, nodes
from kilonode.faults.words import ISOLATE, KINDS, METHODS, PASSING, POWER, RESOURCES, SHAPES, TWO_WORDS, VERBS

MOST_PARTS: Final = 20
"""Of a sentence, and of what one part happens during."""
STATUSES: Final = (400, 599)

Readers = Mapping[str, Callable[[Cursor], object]]


def read_sentence(cursor: Cursor) -> Sentence:
    """The sentence that all tokens are. Raises Refusal."""
    parts = [_part(cursor)]
    while not cursor.at_end:
        cursor.offer_after_comma(Wanted("then"))
        if cursor.peek() == "," and cursor.peek(1) == "then":
            cursor.comma()
        cursor.need("then")
        if len(parts) == MOST_PARTS:
            cursor.refuse("the sentence has too many parts", f"at most {MOST_PARTS}")
        parts.append(_part(cursor))
    return Sentence(tuple(parts))


def _part(cursor: Cursor) -> Part:
    after = Duration(0)
    if cursor.word("after"):
        after = cursor.duration()
        cursor.comma()
    fault = _fault(cursor)
    during: list[Fault] = []
    while cursor.word("while"):
        if len(during) == MOST_PARTS:
            cursor.refuse("too many faults at once", f"at most {MOST_PARTS}")
        during.append(_fault(cursor))
    cursor.offer("then")
    return Part(fault, tuple(during), after)


def _fault(cursor: Cursor) -> Fault:
    action = _verb(cursor)
    if action is None:
        target = group(cursor, KINDS[Action.PARTITION])
        found = _modifiers(cursor, Action.PARTITION, {})
        return _fault_of(Action.PARTITION, target, found, partition=Partition(Shape.REST))
    if action in POWER:
        target = Target(Kind.NODE, nodes=nodes(cursor))
        return _fault_of(action, target, _modifiers(cursor, action, {}))
    return _SPECIAL.get(action, _members)(cursor, action)


def _verb(cursor: Cursor) -> Action | None:
    """The action; None: `isolate`."""
    for (first, second), action in TWO_WORDS.items():
        if cursor.peek() == first and cursor.peek(1) == second:
            cursor.index += 2
            return action
    for action in Action:
        if cursor.word(action.value, *(word for word, meaning in VERBS.items() if meaning is action)):
            return action
    cursor.need(ISOLATE)
    return None


def _modifiers(cursor: Cursor, action: Action, readers: Readers, needed: tuple[str, ...] = ()) -> dict[str, object]:
    """What follows, by its first word: in any order, each at most once; `for` wherever something lasts."""
    found: dict[str, object] = {}
    lasting: Readers = {} if action in PASSING else {"for": lambda cursor: cursor.duration()}
    everything = {**readers, **lasting}
    while word := next((word for word in everything if word not in found and cursor.word(word)), ""):
        found[word] = everything[word](cursor)
    if any(word not in found for word in needed):
        cursor.refuse()
    return found


def _fault_of(action: Action, target: Target, found: Mapping[str, object], **fields: object) -> Fault:
    """The fault, with the nodes and the duration that its modifiers say."""
    if "on" in found:
        target = msgspec.structs.replace(target, nodes=found["on"])
    return msgspec.structs.replace(Fault(action, target), duration=found.get("for"), **fields)


def _members(cursor: Cursor, action: Action) -> Fault:
    target = members(cursor, KINDS[action])
    readers: Readers = {"by": _means, "on": nodes} if action is Action.FREEZE else {"on": nodes}
    found = _modifiers(cursor, action, readers)
    return _fault_of(action, target, found, means=found.get("by"))


def _means(cursor: Cursor) -> Means:
    return Means(cursor.one_of(tuple(Means)) or cursor.refuse())


def _network(cursor: Cursor, action: Action) -> Fault:
    target = Target(Kind.NETWORK, names(cursor, Kind.NETWORK))
    cursor.need("network", "networks")
    return _fault_of(action, target, _modifiers(cursor, action, {"on": nodes}, ("on",)))


def _degrade(cursor: Cursor, action: Action) -> Fault:
    """Of a network on nodes, of everything that members send, or of what they send to others."""
    kinds, peer = KINDS[action], None
    readers: dict[str, Callable[[Cursor], object]] = {"on": partial(nodes, before_link=True), "with": link}
    needed: tuple[str, ...] = ("with",)
    if cursor.word("traffic"):
        if cursor.word("of"):
            target = members(cursor, kinds)
        else:
            cursor.need("from")
            target = group(cursor, kinds)
            cursor.need("to")
            peer = group(cursor, kinds)
            del readers["on"]  # each side says its own
    elif cursor.word("network"):
        target, needed = Target(Kind.NETWORK), ("on", "with")
    else:
        target = members(cursor, kinds)
        # Which network was meant shows only after its name.
        nameless = target.choice.pick is Pick.NAMED and target.kind is Kind.SERVICE
        if nameless and cursor.word("network", "networks"):
            target, needed = Target(Kind.NETWORK, target.names), ("on", "with")
    found = _modifiers(cursor, action, readers, needed)
    return _fault_of(action, target, found, peer=peer, link=found["with"])


def _partition(cursor: Cursor, action: Action) -> Fault:
    target, peer = group(cursor, KINDS[action]), None
    shape: Shape
    if cursor.word("into"):
        cursor.index += cursor.peek() in ("a", "an", "the")
        shape = next((shape for words, shape in SHAPES.items() if _words(cursor, words)), None) or cursor.refuse()
    elif cursor.need("from") and cursor.peek() == "the" and cursor.peek(1) == "rest":
        cursor.index += 2
        shape = Shape.REST
    else:
        cursor.offer("the rest")
        shape, peer = Shape.SETS, group(cursor, KINDS[action])
    one_way = shape in (Shape.SETS, Shape.REST) and _words(cursor, ("one", "way"))
    found = _modifiers(cursor, action, {})
    return _fault_of(action, target, found, peer=peer, partition=Partition(shape, one_way))


def _words(cursor: Cursor, words: tuple[str, ...]) -> bool:
    """Read these words, one after the other; nothing is read when the first is not there."""
    return bool(cursor.word(words[0])) and all(cursor.need(word) for word in words[1:])


def _stress(cursor: Cursor, action: Action) -> Fault:
    resource = RESOURCES[cursor.one_of(tuple(RESOURCES)) or cursor.refuse()]
    found = _modifiers(cursor, action, {"at": _percent, "on": nodes}, ("on",))
    stress = msgspec.convert({"resource": resource, "percent": found.get("at", 100.0)}, Stress)
    return _fault_of(action, Target(Kind.NODE), found, stress=stress)


def _percent(cursor: Cursor) -> float:
    return cursor.percent() or cursor.refuse()


def _fill(cursor: Cursor, action: Action) -> Fault:
    cursor.need("disk")
    path = cursor.name(Kind.DISK.value, EXAMPLES[Kind.DISK])
    found = _modifiers(cursor, action, {"to": _percent, "on": nodes}, ("on",))
    return _fault_of(action, Target(Kind.DISK, (path,) if path else ()), found, fill_percent=found.get("to"))


def _skew(cursor: Cursor, action: Action) -> Fault:
    """The clocks of nodes, or of what runs there."""
    cursor.need("clock", "clocks")
    needed: tuple[str, ...] = ("by", "on")
    target = Target(Kind.CLOCK)
    if cursor.word("of"):
        target, needed = members(cursor, KINDS[action]), ("by",)
    found = _modifiers(cursor, action, {"by": Cursor.signed_duration, "on": nodes}, needed)
    return _fault_of(action, target, found, skew_s=found["by"])


def _requests(cursor: Cursor, action: Action) -> Fault:
    percent = cursor.percent()
    if percent:
        cursor.word("of")
    method = cursor.one_of(METHODS)
    cursor.need("requests", "request")
    cursor.need("to")
    target = Target(Kind.ENDPOINT, names(cursor, Kind.ENDPOINT))
    readers: dict[str, Callable[[Cursor], object]] = {"under": _path}
    if action is Action.ABORT:
        found = _modifiers(cursor, action, {**readers, "with": _status})
        fields = {"status": found.get("with")}
    else:
        found = _modifiers(cursor, action, {**readers, "by": _held_back, "with": _jitter}, ("by",))
        fields = {"delay": found["by"], "jitter": found.get("with")}
    requests = msgspec.structs.replace(Requests(percent or 100.0, method), path=found.get("under", ""), **fields)
    return _fault_of(action, target, found, requests=requests)


def _path(cursor: Cursor) -> str:
    return cursor.name("path", "/v3/auth") or cursor.refuse()


def _status(cursor: Cursor) -> int:
    cursor.word("status")
    least, most = STATUSES
    status = cursor.whole_number("an HTTP status", most, example="503") or cursor.refuse()
    if status < least:
        cursor.index -= 1
        cursor.refuse("not a status of a failure", f"{least} to {most}")
    return status


def _held_back(cursor: Cursor) -> Duration:
    return cursor.duration("200ms")


def _jitter(cursor: Cursor) -> Duration:
    cursor.need("jitter")
    return cursor.duration("20ms")


_SPECIAL: Final[Mapping[Action, Callable[[Cursor, Action], Fault]]] = {
    Action.CONNECT: _network,
    Action.DISCONNECT: _network,
    Action.DEGRADE: _degrade,
    Action.PARTITION: _partition,
    Action.STRESS: _stress,
    Action.FILL: _fill,
    Action.SKEW: _skew,
    Action.ABORT: _requests,
    Action.DELAY: _requests,
}
