"""The phrases that sentences are made of: counts, names, nodes, members, what becomes of links.

Each function reads one phrase at the cursor, or refuses. docs/faults.md has the same grammar in EBNF.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from kilonode.faults.cursor import Cursor, Wanted, name_of
from kilonode.faults.model import Choice, Kind, Link, Nodes, Pick, Target
from kilonode.faults.words import ALL, LINK, MEMBERS, NODES, NUMBERS, ONE, is_one

NAMED: Final = Choice()
EXAMPLES: Final = {
    Kind.SERVICE: "scheduler",
    Kind.ROLE: "scheduler",
    Kind.CONTAINER: "nova_api",
    Kind.PROCESS: "mysqld",
    Kind.NODE: "compute-0001",
    Kind.SITE: "east",
    Kind.NETWORK: "management",
    Kind.ENDPOINT: "keystone",
    Kind.DISK: "/var/lib/mysql",
}

_LINK_FIELDS: Final = {"loss": "loss_percent", "bandwidth": "bandwidth_bits_per_s"}


def choice(cursor: Cursor) -> Choice:
    """`one`, `all`, `2 of 3`, `50% of`, `a minority of`, or nothing."""
    if cursor.word(*ONE):
        return Choice(Pick.NUMBER, 1, _of(cursor))
    if cursor.word(*ALL):
        cursor.word("of")
        return Choice(Pick.ALL)
    if percent := cursor.percent():
        cursor.word("of")
        return Choice(Pick.PERCENT, percent=percent)
    if number := _number(cursor):
        most = _of(cursor)
        if most and number > most:
            cursor.index -= 1
            cursor.refuse("there cannot be more than there are", f"at least {number}")
        return Choice(Pick.NUMBER, number, most)
    article = cursor.peek() in ("a", "the") and cursor.peek(1) in ("minority", "majority")
    cursor.index += article
    if word := cursor.word("minority") or cursor.word("majority"):
        cursor.word("of")
        return Choice(Pick(word))
    return NAMED


def _of(cursor: Cursor) -> int:
    """The M of `of M`; an `of` before names is read too."""
    return _number(cursor) if cursor.word("of") else 0


def _number(cursor: Cursor) -> int:
    number = NUMBERS.get(cursor.peek(), 0)
    cursor.index += number > 0
    return number or cursor.whole_number("a number")


def names(cursor: Cursor, kind: Kind) -> tuple[str, ...]:
    """`a`, `a and b`, `a, b and c`; at least one."""
    found = [_name(cursor, kind) or cursor.refuse()]
    while _goes_on(cursor, kind):
        found.append(_name(cursor, kind) or cursor.refuse())
    return tuple(found)


def _name(cursor: Cursor, kind: Kind) -> str:
    return cursor.name(kind.value, EXAMPLES[kind])


def _goes_on(cursor: Cursor, kind: Kind) -> bool:
    """Read the comma or the `and` between two of a list; a comma before anything but a name is not of the list."""
    cursor.offer_after_comma(name_of(kind.value, EXAMPLES[kind]))
    if cursor.peek() == "," and (cursor.is_name(1) or cursor.peek(1) == "and"):
        cursor.comma()
        cursor.word("and")
        return True
    return bool(cursor.word("and"))


def nodes(cursor: Cursor, *, before_link: bool = False) -> Nodes:
    """`one node`, `node a`, `2 of 5 nodes`, `all nodes with keystone`, also `a node`; or refuse.

    `before_link`: a `with` after them may also begin what becomes of their traffic.
    """
    return nodes_after(cursor, choice(cursor), before_link=before_link)


def nodes_after(cursor: Cursor, how: Choice, *, before_link: bool = False) -> Nodes:
    """What follows the count of nodes."""
    named: tuple[str, ...] = ()
    cursor.offer(*_nodes_words(how))
    if word := cursor.word(*_nodes_words(how), *NODES):
        if _is_list(cursor):
            named = names(cursor, Kind.NODE)
        elif how.pick is Pick.NAMED and word == NODES[1]:
            how = Choice(Pick.ALL)
        elif how.pick is Pick.NAMED:
            names(cursor, Kind.NODE)  # a node, but which one?
    else:
        named = names(cursor, Kind.NODE)
        # One name before `nodes` is a count that is not understood rather than a name.
        cursor.need(NODES[0] if len(named) == 1 else NODES[1])
    return Nodes(how, named, _services(cursor, before_link=before_link))


def _nodes_words(how: Choice) -> tuple[str, ...]:
    """What nodes may be called after such a count; without one their names tell how many they are."""
    return NODES if how.pick is Pick.NAMED else NODES[:1] if is_one(how, 0) else NODES[1:]


def _is_list(cursor: Cursor) -> bool:
    cursor.offer_name(Kind.NODE.value, EXAMPLES[Kind.NODE])
    return cursor.is_name()


def _services(cursor: Cursor, *, before_link: bool) -> tuple[str, ...]:
    """`with keystone`; a `with` that begins something else is left."""
    if cursor.peek() == "with" and cursor.peek(1) in (*LINK, "status"):
        return ()
    if not cursor.word("with"):
        return ()
    if before_link:
        cursor.offer(*LINK)
    plural = cursor.word("service", "services")
    found = names(cursor, Kind.SERVICE)
    if not plural:
        cursor.word("service", "services")
    return found


def members(cursor: Cursor, kinds: frozenset[Kind]) -> Target:
    """`scheduler`, `one scheduler`, `2 of 3 nova_api containers`, `container nova_api`, `one role`."""
    how = choice(cursor)
    return members_after(cursor, kinds, how)


def members_after(cursor: Cursor, kinds: frozenset[Kind], how: Choice) -> Target:
    """What follows the count of members."""
    kind = _kind(cursor, kinds, is_one(how, 0))
    if kind is not None:
        cursor.offer_name(kind.value, EXAMPLES[kind])
        nameless = how.pick is not Pick.NAMED and kind is not Kind.PROCESS and not cursor.is_name()
        return Target(kind, () if nameless else names(cursor, kind), how)
    named = names(cursor, Kind.SERVICE)
    return Target(_kind(cursor, kinds, is_one(how, len(named))) or Kind.SERVICE, named, how)


def _kind(cursor: Cursor, kinds: frozenset[Kind], one: bool) -> Kind | None:
    for kind, both in MEMBERS.items():
        if kind in kinds and _plain_or_plural(cursor, both, one):
            return kind
    return None


def _plain_or_plural(cursor: Cursor, both: tuple[str, str], one: bool) -> str:
    """Read either; offer the one that fits."""
    return cursor.word(*(both if one else both[::-1]))


def group(cursor: Cursor, kinds: frozenset[Kind]) -> Target:
    """Members or nodes: one side of a partition. Nodes are known by the word that follows the count."""
    how = choice(cursor)
    if cursor.peek() in NODES or (cursor.is_name() and _nodes_follow(cursor)):
        return Target(Kind.NODE, nodes=nodes_after(cursor, how))
    cursor.offer(*_nodes_words(how))
    target = members_after(cursor, kinds, how)
    if cursor.word("on"):
        return msgspec.structs.replace(target, nodes=nodes(cursor))
    return target


def _nodes_follow(cursor: Cursor) -> bool:
    """Whether `node` ends the list of names that begins here."""
    ahead = 0
    while cursor.is_name(ahead) or cursor.peek(ahead) in (",", "and"):
        ahead += 1
    return cursor.peek(ahead) in NODES


def link(cursor: Cursor) -> Link:
    """`delay 100ms, jitter 20ms, loss 1% and bandwidth 10Mbit/s`: at least one of them, each at most once."""
    found = Link()
    readers: dict[str, Callable[[], object]] = {
        "delay": lambda: cursor.duration("100ms"),
        "jitter": lambda: cursor.duration("20ms"),
        "loss": lambda: cursor.percent() or cursor.refuse(),
        "bandwidth": cursor.bandwidth,
    }
    while True:
        word = cursor.one_of(_left(found)) or cursor.refuse()
        found = msgspec.structs.replace(found, **{_LINK_FIELDS.get(word, word): readers[word]()})
        cursor.offer_after_comma(*(Wanted(word) for word in _left(found)))
        if cursor.peek() == "," and cursor.peek(1) in (*LINK, "and"):
            cursor.comma()
            cursor.word("and")
        elif not cursor.word("and"):
            return found


def _left(link: Link) -> tuple[str, ...]:
    """What is not said yet. Jitter is of a delay, so it is not offered before there is one."""
    return tuple(
        word
        for word in LINK
        if getattr(link, _LINK_FIELDS.get(word, word)) is None and (word != "jitter" or link.delay is not None)
    )
