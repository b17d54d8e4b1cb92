import pytest

from kilonode.base.outcomes import Outcome
from kilonode.check.buckets import Buckets
from kilonode.check.failures import group_failures, without_variables
from kilonode.check.operations import OperationTable
from kilonode.check.phases import StepTree
from kilonode.check.stages import summarise_stages
from kilonode.history.records import OpKind
from tests.check.histories import history, op


def test_steps_come_in_the_order_in_which_they_begin_each_before_its_parts() -> None:
    ops = []
    for number in range(3):
        due = 10.0 * number
        ops += [
            op(number=number, due=due, took=9.0),
            op(step="zeta", number=number, due=due, took=1.0),
            op(step="alpha", number=number, due=due + 1, took=5.0),
            op(step="alpha.second", number=number, due=due + 3, took=3.0),
            op(step="alpha.first", number=number, due=due + 1, took=2.0),
            op(step="alpha.second.inner", number=number, due=due + 4, took=1.0),
        ]
    tree = StepTree(OperationTable(history(ops).columns), "mix")
    assert tree.paths == ["zeta", "alpha", "alpha.first", "alpha.second", "alpha.second.inner"]
    whole, alpha = tree.phases(Buckets(0.0, 10.0, 3))
    assert [part.step for part in whole.parts] == ["zeta", "alpha"]
    assert [part.step for part in alpha.parts] == ["alpha.first", "alpha.second.inner"]
    assert alpha.parts[0].mean_share == pytest.approx(0.4)
    assert alpha.mean_s["alpha.first"] == (2.0, 2.0, 2.0)


def test_a_step_without_a_recorded_parent_stands_alone() -> None:
    ops = [op(due=1.0, took=2.0), op(step="deep.inside", due=1.5, took=1.0)]
    tree = StepTree(OperationTable(history(ops).columns), "mix")
    assert tree.paths == ["deep.inside"]
    assert tree.phases(Buckets(0.0, 1.0, 3)) == ()


def test_messages_that_differ_by_ids_and_numbers_are_one_group() -> None:
    ops = [
        op(number=n, due=float(n), outcome=Outcome.QUOTA, error=f"quota of {n} for kn-0badcafe-boots-{n}-server used")
        for n in range(5)
    ]
    ops.append(op(number=9, due=2.5, outcome=Outcome.TIMEOUT, error="no answer within 60 s"))
    table = OperationTable(history(ops).columns)
    groups, count = group_failures(table.of(OpKind.ITERATION, "mix"))
    assert count == 2
    assert [(group.outcome, group.count, group.message) for group in groups] == [
        ("quota", 5, "quota of 0 for kn-0badcafe-boots-0-server used"),
        ("timeout", 1, "no answer within 60 s"),
    ]
    assert [groups[0].first_at_s, groups[0].last_at_s] == pytest.approx([0.1, 4.1])


def test_the_same_message_with_another_outcome_is_another_group() -> None:
    ops = [op(number=n, outcome=outcome, error="gone") for n, outcome in enumerate([Outcome.RESET, Outcome.REFUSED])]
    _, count = group_failures(OperationTable(history(ops).columns).of(OpKind.ITERATION, "mix"))
    assert count == 2


def test_only_the_most_frequent_groups_are_listed_and_all_are_counted() -> None:
    words = [f"{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(50)]
    ops = [op(number=n, outcome=Outcome.RESET, error=f"broken {words[n // 2]}") for n in range(100)]
    groups, count = group_failures(OperationTable(history(ops).columns).of(OpKind.ITERATION, "mix"))
    assert (len(groups), count) == (20, 50)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("server 9e107d9d-372b-4a3e-8a7c-2f6f1a0b3c4d is gone", "server 01234567-89ab-cdef-0123-456789abcdef is gone"),
        ("no route to 10.0.0.7:8774", "no route to 192.168.1.12:9696"),
        ("request req-0123456789abcdef failed", "request req-fedcba9876543210 failed"),
    ],
)
def test_ids_and_addresses_are_variables(one: str, other: str) -> None:
    assert without_variables(one) == without_variables(other)


def test_stages_come_in_the_order_in_which_they_began_with_their_first_error() -> None:
    ops = [
        op("users", "create", due=-2.0, took=0.5, kind=OpKind.SETUP),
        op("projects", "create", due=-5.0, took=1.0, kind=OpKind.SETUP),
        op("projects", "grant", due=-4.5, took=0.5, kind=OpKind.SETUP, outcome=Outcome.HTTP_4XX, error="second"),
        op("projects", "create", due=-4.8, took=0.2, kind=OpKind.SETUP, outcome=Outcome.HTTP_5XX, error="first"),
        op("projects", "delete", due=11.0, took=0.2, kind=OpKind.CLEANUP),
    ]
    stages = summarise_stages(OperationTable(history(ops).columns))
    assert [(stage.part, stage.stage, stage.failed) for stage in stages] == [
        ("setup", "projects", 2),
        ("setup", "users", 0),
        ("cleanup", "projects", 0),
    ]
    assert stages[0].error == "first"
    assert [action.action for action in stages[0].actions] == ["create", "grant"]
    assert (stages[0].start_s, stages[0].finish_s) == (-5.0, -4.0)
