"""Which of what was found is meant: as many as said, or refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.base.randomness import Randomness
from kilonode.faults.choosing import choose, number_of
from kilonode.faults.driver import Found
from kilonode.faults.language import parse
from kilonode.faults.model import Choice, Kind, Pick, Target
from tests.faults.sentences import counts

SEED = Randomness(1)


def target(text: str) -> Target:
    return parse(text).parts[0].fault.target


def found(kind: Kind, *names: str) -> list[Found]:
    """Each name is `service`, `service@node` or `service/instance@node`."""
    things = []
    for name in names:
        what, _, node = name.partition("@")
        group, _, own = what.partition("/")
        things.append(Found(kind, own or what, (group,) if own else (), node))
    return things


def chosen(text: str, things: list[Found], having: dict[str, set[str]] | None = None, seed: int = 1) -> list[str]:
    some = choose(target(text), things, Randomness(seed), having=having or {})
    return sorted(f"{each.name}@{each.node}" if each.node else each.name for each in some)


API = found(Kind.SERVICE, "api/api-1", "api/api-2", "api/api-3")
NODES = found(Kind.NODE, "a", "b", "c", "d", "e")
SPREAD = found(Kind.SERVICE, "keystone@a", "keystone@b", "keystone@c")


def test_a_service_without_a_count_is_all_of_it() -> None:
    assert chosen("kill api", API) == ["api-1", "api-2", "api-3"]


def test_one_is_one_and_the_seed_says_which() -> None:
    picks = {chosen("kill one api", API, seed=seed)[0] for seed in range(30)}
    assert picks == {"api-1", "api-2", "api-3"}
    assert chosen("kill one api", API, seed=5) == chosen("kill one api", list(reversed(API)), seed=5)


@pytest.mark.parametrize(
    ("text", "number"),
    [("a minority of", 2), ("a majority of", 3), ("40% of", 2), ("41% of", 3), ("1% of", 1), ("all", 5), ("4 of 5", 4)],
)
def test_counts_of_five(text: str, number: int) -> None:
    assert len(chosen(f"reboot {text} nodes", NODES)) == number


@pytest.mark.parametrize(
    ("text", "things", "words"),
    [
        ("kill 2 of 4 api", API, "not as many as the sentence says"),
        ("kill 4 api", API, "there are not so many"),
        ("kill scheduler", API, "there is no service 'scheduler'"),
        ("kill a minority of api", API[:2], "that is nobody"),
        ("reboot node x", NODES, "there is no node 'x'"),
        ("reboot one node with mysql", NODES, "there is no such node"),
        ("kill keystone on node d", SPREAD, "node 'd' has none of it"),
        ("kill one role", [], "nothing is there"),
        ("kill mysqld process", found(Kind.PROCESS, "mysqld", "mysqld"), "more than one is called 'mysqld'"),
        ("reboot nodes a and b", [*NODES, *NODES], "more than one is called 'a'"),
    ],
)  # fmt: skip
def test_nothing_and_more_than_said_are_refused(text: str, things: list[Found], words: str) -> None:
    named = target(text)
    names = (named.nodes.names if named.nodes and named.kind is Kind.NODE else named.names) or ()
    things = [each for each in things if not names or {each.name, *each.groups} & set(names)]
    with pytest.raises(InputError, match=words):
        chosen(text, things)


def test_nodes_are_chosen_among_those_that_have_it() -> None:
    on = {
        name.partition("@")[2] for seed in range(30) for name in chosen("kill keystone on one node", SPREAD, seed=seed)
    }
    assert on == {"a", "b", "c"}
    assert len(chosen("kill keystone on 2 of 3 nodes", SPREAD)) == 2


def test_nodes_with_a_service_are_those_that_have_all_that_are_said() -> None:
    having = {"keystone": {"a", "b"}, "mysql": {"b", "c"}}
    assert chosen("reboot all nodes with keystone and mysql", NODES, having) == ["b"]


def test_a_name_that_is_nearly_right_is_hinted_at() -> None:
    with pytest.raises(InputError, match="did you mean 'scheduler'"):
        choose(target("kill schedler"), [], SEED, having={}, known=["api", "scheduler"])


@given(counts, st.integers(0, 1000))
def test_a_count_is_between_one_and_what_is_there_or_refused(choice: Choice, there: int) -> None:
    try:
        number = number_of(choice, there, "it")
    except InputError:
        return
    assert 1 <= number <= there


@given(st.integers(3, 1000))
def test_minorities_and_majorities_are_the_largest_and_smallest(there: int) -> None:
    assert number_of(Choice(Pick.MINORITY), there, "it") == math.ceil(there / 2) - 1
    assert number_of(Choice(Pick.MAJORITY), there, "it") == math.floor(there / 2) + 1


def test_of_many_names_some_are_offered_and_the_rest_counted() -> None:
    known = [f"compute-{number:04}" for number in range(50)]
    with pytest.raises(InputError) as refused:
        choose(target("reboot node compute-9999"), found(Kind.NODE, *known), SEED, having={}, known=known)
    assert refused.value.problem.expected.endswith("compute-0011 and 38 more")
    with pytest.raises(InputError) as refused:
        choose(target("kill nowa"), API, SEED, having={}, known=["api", "nova"])
    assert refused.value.problem.expected == "api, nova"
