"""The language: what can be said, that printing and parsing agree, and that nothing is ever half understood."""

import contextlib
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.base.units import Duration
from kilonode.faults.completing import complete
from kilonode.faults.examples import EXAMPLES
from kilonode.faults.language import parse
from kilonode.faults.model import Action, Choice, Fault, Kind, Nodes, Part, Pick, Sentence, Target
from kilonode.faults.printing import print_sentence
from kilonode.faults.tokens import LONGEST_CHARACTERS, tokens_of
from kilonode.faults.words import QUOTED, RESERVED, VERBS
from tests.faults.sentences import sentences

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def one(text: str) -> Fault:
    (part,) = parse(text).parts
    assert part == Part(part.fault)
    return part.fault


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse(text)
    return str(caught.value)


@given(sentences)
def test_what_is_printed_reads_back_as_the_same(sentence: Sentence) -> None:
    assert parse(print_sentence(sentence)) == sentence


@given(sentences)
def test_printing_is_stable(sentence: Sentence) -> None:
    text = print_sentence(sentence)
    assert print_sentence(parse(text)) == text


@given(st.text(max_size=200))
def test_any_text_is_a_sentence_or_an_input_error(text: str) -> None:
    try:
        sentence = parse(text)
    except InputError:
        return
    assert parse(print_sentence(sentence)) == sentence


WORDS = sorted(
    {*RESERVED, *QUOTED, *VERBS, "api", "10s", "30", "5%", ",", "+", "-5s", "'", '"', "10Mbit/s", "503", "a"}
)


@given(st.lists(st.sampled_from(WORDS), max_size=14))
def test_any_row_of_the_languages_own_words_is_a_sentence_or_an_input_error(words: list[str]) -> None:
    try:
        sentence = parse(" ".join(words))
    except InputError as error:
        near = re.search(r"nearest right sentence: (.*)", str(error))
        assert near is None or print_sentence(parse(near[1])) == near[1]
        return
    assert parse(print_sentence(sentence)) == sentence


@given(sentences, st.data())
def test_a_sentence_with_one_token_lost_or_doubled_is_never_anything_but_read_whole_or_refused(
    sentence: Sentence, data: st.DataObject
) -> None:
    words = print_sentence(sentence).split(" ")
    place = data.draw(st.integers(0, len(words) - 1))
    for changed in ([*words[:place], *words[place + 1 :]], [*words[: place + 1], *words[place:]]):
        try:
            again = parse(" ".join(changed))
        except InputError:
            continue
        assert parse(print_sentence(again)) == again


@given(st.text(max_size=80))
def test_completing_never_fails(text: str) -> None:
    assert all(word for word in complete(text))


@settings(max_examples=300)
@given(sentences, st.data())
def test_every_next_word_of_a_sentence_without_names_and_amounts_is_offered(
    sentence: Sentence, data: st.DataObject
) -> None:
    text = print_sentence(sentence)
    tokens, _ = tokens_of(text)
    token = data.draw(st.sampled_from(tokens))
    note(token)
    known = {*RESERVED, *(action.value for action in Action)} - {"minority", "majority"}  # these follow an article
    if token.word not in known or (token.word == "one" and text[token.column - 1 :].startswith("one way")):
        return
    assert token.text in complete(text[: token.column - 1])


@pytest.mark.parametrize("text", EXAMPLES)
def test_each_example_is_printed_as_it_is_written(text: str) -> None:
    assert print_sentence(parse(text)) == text


def test_the_page_shows_every_example() -> None:
    page = PAGE.read_text()
    assert [text for text in EXAMPLES if f"| `{text}` |" not in page] == []


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("restart keystone service", "restart keystone"),
        ("Restart Keystone SERVICE on a.b.c node", "restart Keystone on node a.b.c"),
        ("kill nova-api service on random node", "kill nova-api on one node"),
        ("freeze nova-api service on single node for 10 seconds", "freeze nova-api on one node for 10s"),
        ("unfreeze x service on all nodes", "unfreeze x on all nodes"),
        ("terminate nova_api container on one node", "terminate nova_api container on one node"),
        ("reboot nodes", "reboot all nodes"),
        ("reboot every node", "reboot all nodes"),
        ("reboot any node", "reboot one node"),
        ("reset node-1.domain.tld node", "reset node node-1.domain.tld"),
        ("poweroff one node with mysql service", "poweroff one node with mysql"),
        ("stress cpu for 10 seconds on all nodes", "stress cpu on all nodes for 10s"),
        ("stress kernel for 10 seconds on one node with x service", "stress kernel on one node with x for 10s"),
        ("disconnect management network on nodes with rabbitmq service",
         "disconnect management network on all nodes with rabbitmq"),
        ("stop api", "terminate api"),
        ("thaw api", "unfreeze api"),
        ("power off one node", "poweroff one node"),
        ("kill container nova_api", "kill nova_api container"),
        ("isolate a, b nodes", "partition nodes a and b from the rest"),
        ("kill 50 percent of api", "kill 50% of api"),
        ("kill two of three api", "kill 2 of 3 api"),
        ("kill two of a and b containers", "kill 2 of a and b containers"),
        ("degrade api with loss 1 % and delay 1 second", "degrade api with delay 1s and loss 1%"),
        ("degrade traffic of api with bandwidth 0.5 Mbps", "degrade api with bandwidth 500kbit/s"),
        ("skew clock by 5s on node a", "skew clock by +5s on node a"),
        ("kill api then kill scheduler", "kill api, then kill scheduler"),
        ("kill 'one'", "kill 'one'"),
        ("kill \"it's\"", "kill \"it's\""),
    ],
)  # fmt: skip
def test_there_are_several_ways_to_say_it_and_one_to_print_it(text: str, printed: str) -> None:
    assert print_sentence(parse(text)) == printed


def test_a_fault_is_a_record() -> None:
    assert one("freeze rabbitmq service for 30 seconds on one node") == Fault(
        Action.FREEZE, Target(names=("rabbitmq",), nodes=Nodes(Choice(Pick.NUMBER, 1))), Duration(30)
    )


# What os-faults makes of these is said at each.


def test_a_duration_before_the_nodes_does_not_lose_the_nodes() -> None:
    """There: every node is frozen."""
    assert one("freeze rabbitmq service for 30 seconds on one node") == one(
        "freeze rabbitmq service on one node for 30 seconds"
    )


def test_minutes_are_minutes() -> None:
    """There: frozen for ever."""
    assert one("freeze rabbitmq service for 5 minutes").duration == Duration(300)


def test_one_node_is_a_count_and_not_a_name() -> None:
    """There: a host named `one` is looked for."""
    assert one("reboot one node").target == Target(Kind.NODE, nodes=Nodes(Choice(Pick.NUMBER, 1)))


def test_node_without_saying_which_is_refused() -> None:
    """There: every node is rebooted."""
    assert "expected: the name of a node" in refusal("reboot node")


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("kill keystone service and its friends right now", 23),
        ("please kill keystone service", 1),
        ("freeze keystone service for 5 parsecs", 31),
        ("freeze keystone service for ever", 29),
        ("kill keystone service on seventeen nodes", 36),
        ("kill keystone service on several nodes", 26),
        ("reboot node x with", 19),
        ("restart keystone service for 10 seconds", 26),
        ("freeze keystone for 10s for 20s", 25),
        ("kill 4 of 3 api", 11),
        ("kill 101% of api", 6),
        ("kill 0 api", 6),
        ("freeze api for 0 seconds", 16),
        ("freeze api for 31 days", 16),
        ("abort requests to nova with status 200", 36),
        ("degrade api with jitter 5ms", 18),
        ("partition api into quarters", 20),
        ("reboot api", 11),
        ("stress cpu for 10s", 19),
        ("kill 'api", 6),
        ("", 1),
    ],
)
def test_nothing_is_dropped_the_place_is_named(text: str, column: int) -> None:
    """There: what is not understood is passed over."""
    assert refusal(text).startswith(f"column {column}: ")


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("freez api for 5 secods", "freeze api for 5s"),
        ("freeze rabbitmq for 30 on one node", "freeze rabbitmq on one node for 30s"),
        ("reboot nod", "reboot node nod"),
        ("kill api; restart scheduler", "kill api, then restart scheduler"),
        ("kill api.", "kill api"),
        ("please restart the keystone service", "restart keystone"),
        ("restart keystone for 10s", "restart keystone"),
        ("partition all nodes into halfs", "partition all nodes into halves"),
        ("kil", "kill scheduler"),
        ("degrade api for 5s", "degrade api with delay 100ms for 5s"),
        ("abort nova for 5s", "abort requests to nova for 5s"),
        ("stress cpu for 5s", "stress cpu on one node for 5s"),
    ],
)
def test_the_nearest_right_sentence_is_named(text: str, near: str) -> None:
    assert f"nearest right sentence: {near}" in refusal(text)


def test_what_is_far_from_any_sentence_is_shown_the_closest_example() -> None:
    assert "such as: fill disk" in refusal(
        "lots of junk up to 95% of the whole disk please for a while, fill all of it"
    )


def test_a_long_text_is_refused_unread() -> None:
    assert "too long" in refusal("kill api " * LONGEST_CHARACTERS)


def test_the_longest_texts_take_a_bounded_number_of_tries() -> None:
    """Not a benchmark: without a bound these take minutes."""
    began_s = time.process_time()
    for word in ("one ", "a, ", "for 5 ", "with delay ", "then ", "'a' and ", "1m", "9" * 50 + " "):
        with contextlib.suppress(InputError):
            parse(("kill " + word * LONGEST_CHARACTERS)[:LONGEST_CHARACTERS])
    assert time.process_time() - began_s < 60


NAMES = {Kind.SERVICE: ("api", "scheduler", "two words"), Kind.NODE: ("compute-0001", "compute-0002")}


@pytest.mark.parametrize(
    ("beginning", "offered"),
    [
        ("fr", ("freeze",)),
        ("freeze sch", ("scheduler",)),
        ("freeze two", ("'two words'",)),
        ("kill api on node compute-", ("compute-0001", "compute-0002")),
        ("freeze api fo", ("for",)),
        ("freeze api for ", ("10s",)),
        ("degrade network on one node with l", ("loss",)),
        ("partition api into m", ("minority", "majorities")),
        ("kill api, ", ("api", "scheduler", "'two words'", "then")),
        ("degrade api with delay 1s, ", ("jitter", "loss", "bandwidth", "then")),
        ("freeze api for 1s, ", ("then",)),
        ("xyz ", ()),
        ("kill api for 5 parsecs ", ()),
    ],
)
def test_what_may_follow_is_offered(beginning: str, offered: tuple[str, ...]) -> None:
    assert list(complete(beginning, NAMES)) == list(offered)
