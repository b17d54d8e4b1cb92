import asyncio
import itertools
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import InputError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.history.records import Op, OpKind
from kilonode.run.actions import Actions
from kilonode.run.addresses import MOST_SUBNETS, subnet_range
from kilonode.run.naming import check_run_id, resource_name, run_of
from tests.run.recorder import Recorder

run_ids = st.text("0123456789abcdef", min_size=8, max_size=8)


@given(run_ids, st.from_regex(r"\A[a-z][a-z0-9_-]{0,20}\Z"), st.lists(st.integers(0, 10**6), max_size=3))
def test_a_name_tells_its_run(run_id: str, noun: str, numbers: list[int]) -> None:
    assert run_of(resource_name(run_id, noun, *numbers)) == run_id


@pytest.mark.parametrize(
    "name",
    [
        "", "kn-", "kn-x", "kn-deadbeef", "kn-deadbeef-", "kn-deadbee-x", "kn-deadbeef0-x", "kn-DEADBEEF-x",
        "KN-deadbeef-x", "xkn-deadbeef-x", " kn-deadbeef-x", "kn_deadbeef_x",
        "kn-deadbeeg-x", "kn-deadbeef x",
        "kn--deadbeef-x", "kn-deadbeef- ", "kn-१२३४५६७८-x", None, 7, ["kn-deadbeef-x"],
    ],
)  # fmt: skip
def test_a_name_that_only_looks_alike_belongs_to_no_run(name: object) -> None:
    assert run_of(name) == ""


def test_what_is_no_run_id_is_refused() -> None:
    assert check_run_id("0badcafe") == "0badcafe"
    for text in ("", "deadbee", "deadbeef0", "DEADBEEF", "deadbeef-", "deadbeeg", "deadbeef\n"):
        with pytest.raises(InputError, match="not a run id"):
            check_run_id(text)


@given(st.integers(1, MOST_SUBNETS), st.data())
def test_subnets_never_overlap(count: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, count - 1))
    second = data.draw(st.integers(0, count - 1))
    one, other = subnet_range(first, count), subnet_range(second, count)
    assert one.overlaps(other) == (first == second)
    assert one.is_private
    assert one.num_addresses >= 256


def test_few_subnets_are_big_and_too_many_are_refused() -> None:
    assert str(subnet_range(0, 1)) == "10.0.0.0/16"
    assert str(subnet_range(255, 256)) == "10.255.0.0/16"
    assert str(subnet_range(MOST_SUBNETS - 1, MOST_SUBNETS)) == "10.255.255.0/24"
    with pytest.raises(InputError, match="too many subnets"):
        subnet_range(0, MOST_SUBNETS + 1)


def actions(concurrency: int) -> tuple[Actions, list[Op]]:
    clock = SimulatedClock(asyncio.get_running_loop())
    recorder = Recorder()
    return Actions(clock, recorder, OpKind.SETUP, concurrency), recorder.ops


async def test_no_more_than_the_concurrency_run_at_once() -> None:
    doer, ops = actions(3)
    running = itertools.count()
    most = 0
    active = 0

    async def job(number: int) -> int:
        nonlocal most, active
        next(running)
        active += 1
        most = max(most, active)
        await doer.do("stage", "step", number, asyncio.sleep(1 + number % 2))
        active -= 1
        return number * 10

    assert await doer.each([partial(job, number) for number in range(10)]) == [n * 10 for n in range(10)]
    assert most == 3
    assert len(ops) == 10
    assert {op.finished_ns - op.started_ns for op in ops} == {1_000_000_000, 2_000_000_000}
    assert {(op.kind, op.workload, op.step, op.outcome) for op in ops} == {("setup", "stage", "step", "ok")}


async def test_after_a_failure_nothing_new_begins_and_what_runs_comes_to_its_end() -> None:
    doer, ops = actions(2)
    ended: list[int] = []

    async def fail() -> None:
        await asyncio.sleep(1)
        raise OperationError(Outcome.HTTP_5XX, "out of order", status=503)

    async def job(number: int) -> None:
        await doer.do("stage", "step", number, fail() if number == 0 else asyncio.sleep(5))
        ended.append(number)

    jobs: list[Callable[[], Awaitable[None]]] = [partial(job, number) for number in range(10)]
    with pytest.raises(OperationError, match="out of order"):
        await doer.each(jobs)
    assert ended == [1]
    assert [(op.iteration, op.outcome, op.error) for op in ops] == [(0, "http_5xx", "out of order"), (1, "ok", "")]


async def fail_with(errors: list[Exception]) -> Exception:
    """What all these failures of one stage are raised as."""
    doer, _ = actions(len(errors))

    async def job(number: int) -> None:
        await asyncio.sleep(1)
        raise errors[number]

    with pytest.raises(Exception) as caught:
        await doer.each([partial(job, number) for number in range(len(errors))])
    return caught.value


async def test_everything_that_failed_in_a_stage_is_said_once_with_how_often_and_what_helps() -> None:
    full = [OperationError(Outcome.QUOTA, f"network 409: Quota exceeded for kn-0badcafe-net-{n}") for n in range(7)]
    late = OperationError(Outcome.TIMEOUT, "compute: no answer within 60 s")
    lacking = InputError("the image is too large", where="setup.images", hint="make it smaller")
    error = await fail_with([*full, late, lacking])
    assert isinstance(error, InputError)
    first, second, third = error.problems
    assert first.what.endswith("Quota exceeded for kn-0badcafe-net-0 (7 times)")
    assert "quotas: unlimited" in first.hint
    assert (second.got, "in time" in second.hint) == ("timeout", True)
    assert third == lacking.problem


async def test_what_is_said_about_failures_is_bounded() -> None:
    error = await fail_with([OperationError(Outcome.HTTP_5XX, f"broken: {'x' * n}") for n in range(25)])
    assert isinstance(error, InputError)
    assert len(error.problems) == 11
    assert error.problems[-1].what == "and 15 more kinds of failure"


async def test_a_mistake_of_ours_among_failures_is_not_hidden_by_them() -> None:
    mistake = ValueError("a mistake")
    assert await fail_with([OperationError(Outcome.TIMEOUT, "late"), mistake]) is mistake


async def test_a_mistake_of_ours_is_recorded_too() -> None:
    doer, ops = actions(1)

    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await doer.do("stage", "step", 0, fail())
    assert (ops[0].outcome, ops[0].error) == ("scenario", "ValueError: no")


async def test_nothing_to_do_is_nothing_done() -> None:
    doer, ops = actions(5)
    assert await doer.each([]) == []
    assert ops == []
