"""Steps: names, dueness, outcomes; names of resources; undoing."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.history.records import OpKind
from kilonode.scenarios.iteration import STEP, Iteration
from kilonode.scenarios.naming import LONGEST_NAME, resource_name
from tests.scenarios.recording import RUN_ID, Recorder

SECOND = 1_000_000_000


def test_steps_are_recorded_as_the_kind_step() -> None:
    assert OpKind.STEP.value == STEP


async def test_a_step_is_recorded_when_it_ends() -> None:
    recorder = Recorder()
    it = recorder.iteration()
    with it.step("boot"):
        await it.sleep(2)
    boot = recorder.one("boot")
    assert (boot.kind, boot.started_ns, boot.finished_ns) == ("step", 0, 2 * SECOND)
    assert (boot.outcome, boot.error, boot.resolution_ns) == ("ok", "", 0)


async def test_steps_nest_with_dotted_names_and_return_to_the_outer_level() -> None:
    recorder = Recorder()
    it = recorder.iteration()
    with it.step("boot"):
        with it.step("accepted"):
            pass
        with it.step("active"), it.step("spawning"):
            pass
    with it.step("delete"):
        pass
    assert recorder.names == ["boot.accepted", "boot.active.spawning", "boot.active", "boot", "delete"]


async def test_the_lateness_of_the_generator_is_charged_to_the_first_step_and_the_first_one_inside_it() -> None:
    recorder = Recorder()
    await recorder.clock.sleep(10)
    it = recorder.iteration(late_ns=3 * SECOND)
    with it.step("boot"):
        with it.step("accepted"):
            await it.sleep(1)
        with it.step("active"):
            await it.sleep(1)
    with it.step("delete"):
        pass
    assert recorder.one("boot").due_ns == it.due_ns == 7 * SECOND
    assert recorder.one("boot.accepted").due_ns == 7 * SECOND
    assert recorder.one("boot.accepted").started_ns == 10 * SECOND
    assert recorder.one("boot.active").due_ns == recorder.one("boot.active").started_ns == 11 * SECOND
    assert recorder.one("delete").due_ns == recorder.one("delete").started_ns


async def test_what_a_scenario_does_before_its_first_step_is_charged_to_no_step() -> None:
    recorder = Recorder()
    await recorder.clock.sleep(10)
    it = recorder.iteration(late_ns=SECOND)
    await it.sleep(5)
    with it.step("list"):
        pass
    assert recorder.one("list").started_ns - recorder.one("list").due_ns == SECOND


async def test_steps_of_tasks_nest_under_the_step_that_started_them() -> None:
    recorder = Recorder()
    it = recorder.iteration()

    async def boot(seconds: float) -> None:
        with it.step("boot"):
            await it.sleep(seconds / 2)
            with it.step("active"):
                await it.sleep(seconds / 2)

    with it.step("pair"):
        await asyncio.gather(boot(2), boot(3))
    assert sorted(recorder.names) == ["pair", "pair.boot", "pair.boot", "pair.boot.active", "pair.boot.active"]
    assert recorder.one("pair").finished_ns == 3 * SECOND


async def test_a_task_can_name_its_parent_step_itself() -> None:
    recorder = Recorder()
    it = recorder.iteration()
    with it.step("outer") as outer, it.step("inner"), outer.step("beside"), it.step("below"):
        pass
    assert recorder.names == ["outer.beside.below", "outer.beside", "outer.inner", "outer"]


async def test_a_step_does_not_nest_under_a_step_of_another_iteration() -> None:
    recorder = Recorder()
    one, other = recorder.iteration(1), recorder.iteration(2)
    with one.step("a"), other.step("b"):
        pass
    assert recorder.names == ["b", "a"]


async def test_a_phase_that_was_seen_afterwards_is_recorded_under_its_step() -> None:
    recorder = Recorder()
    it = recorder.iteration()
    with it.step("active") as active:
        active.resolution_ns = 50
        active.record("spawning", 100, 200, 25)
    phase = recorder.one("active.spawning")
    assert (phase.due_ns, phase.started_ns, phase.finished_ns, phase.resolution_ns) == (100, 100, 200, 25)
    assert recorder.one("active").resolution_ns == 50


async def outcome_of(error: BaseException, *, timed_out: bool = False) -> tuple[str, str]:
    recorder = Recorder()
    it = recorder.iteration()
    it.timed_out = timed_out
    with pytest.raises(type(error)), it.step("step"):
        raise error
    return recorder.steps[0].outcome, recorder.steps[0].error


async def test_a_failed_operation_gives_its_class_and_message() -> None:
    assert await outcome_of(OperationError(Outcome.QUOTA, "no more\ncores")) == ("quota", "no more cores")


async def test_a_timeout_is_a_timeout() -> None:
    assert await outcome_of(TimeoutError()) == ("timeout", "took too long")


async def test_a_cancelled_step_is_cancelled() -> None:
    assert await outcome_of(asyncio.CancelledError()) == ("cancelled", "cut off by the end of the run")


async def test_an_iteration_cancelled_for_taking_too_long_timed_out() -> None:
    outcome, error = await outcome_of(asyncio.CancelledError(), timed_out=True)
    assert (outcome, error) == ("timeout", "the iteration took longer than its iteration_timeout")


async def test_any_other_exception_is_the_scenarios_own_and_says_where() -> None:
    outcome, error = await outcome_of(KeyError("server"))
    assert outcome == "scenario"
    assert error.startswith("KeyError: 'server' (test_iteration.py:")


async def test_outer_steps_get_the_outcome_of_the_exception_too() -> None:
    recorder = Recorder()
    it = recorder.iteration()
    with pytest.raises(OperationError), it.step("boot"), it.step("active"):
        raise OperationError(Outcome.WRONG_STATE, "ERROR: no valid host")
    assert [(step.step, step.outcome) for step in recorder.steps] == [
        ("boot.active", "wrong_state"),
        ("boot", "wrong_state"),
    ]


async def test_random_numbers_depend_on_seed_workload_and_number_alone() -> None:
    first, again, other = Recorder().iteration(4), Recorder().iteration(4), Recorder().iteration(5)
    with first.step("a step changes nothing"):
        pass
    assert first.random.random() == again.random.random() != other.random.random()
    assert first.random.random() == again.random.random()


async def test_an_iteration_without_a_cloud_says_so() -> None:
    with pytest.raises(InputError, match="needs a cloud") as raised:
        _ = Recorder().iteration().cloud
    assert raised.value.problem.path == "workloads.work"


async def test_names_are_new_each_time() -> None:
    it = Recorder().iteration(17)
    assert [it.name("server"), it.name("server"), it.name("floating-ip")] == [
        f"kn-{RUN_ID}-work-17-server",
        f"kn-{RUN_ID}-work-17-server2",
        f"kn-{RUN_ID}-work-17-floating-ip",
    ]


WORKLOADS = st.from_regex(r"[a-z][a-z0-9-]{0,29}", fullmatch=True)
NOUNS = st.from_regex(r"[a-z]{1,4}(-[a-z]{1,4}){0,2}", fullmatch=True)
THINGS = st.tuples(WORKLOADS, st.integers(0, 10**9), NOUNS, st.integers(1, 20))


@given(THINGS, THINGS)
def test_two_things_never_share_a_name(one: tuple[str, int, str, int], other: tuple[str, int, str, int]) -> None:
    names = resource_name(RUN_ID, *one), resource_name(RUN_ID, *other)
    assert (names[0] == names[1]) == (one == other)
    assert all(name.startswith(f"kn-{RUN_ID}-") and len(name) <= LONGEST_NAME for name in names)


def test_names_that_look_like_the_pattern_stay_apart() -> None:
    names = [
        resource_name(RUN_ID, "a", 1, "b-c"),
        resource_name(RUN_ID, "a-1", 2, "b"),
        resource_name(RUN_ID, "a", 1, "b", 2),
        resource_name(RUN_ID, "a-1-b", 2, "c"),
        resource_name(RUN_ID, "a", 1, "b"),
    ]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("noun", ["", "Server", "server2", "a_b", "a--b", "-a"])
def test_a_bad_noun_is_refused(noun: str) -> None:
    with pytest.raises(InputError, match="not a noun"):
        resource_name(RUN_ID, "work", 1, noun)


def test_a_noun_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(InputError, match="too long a noun"):
        resource_name(RUN_ID, "work" * 7, 1, "word" * 10)


def make(it: Iteration, log: list[str], *nouns: str) -> None:
    for noun in nouns:

        async def undo(noun: str = noun) -> None:
            await it.sleep(1)
            if noun == "stubborn":
                raise OperationError(Outcome.HTTP_5XX, "stays")
            log.append(noun)

        it.made(noun, "1", undo)


async def test_what_was_made_is_undone_last_first_as_a_step() -> None:
    recorder, log = Recorder(), list[str]()
    it = recorder.iteration()
    make(it, log, "network", "port", "server")
    it.unmade("port", "1")
    assert it.has_made
    await it.clean_up()
    assert log == ["server", "network"]
    assert recorder.names == ["cleanup.server", "cleanup.network", "cleanup"]
    assert not it.has_made


async def test_a_failure_to_undo_is_recorded_not_raised_and_the_rest_is_undone() -> None:
    recorder, log = Recorder(), list[str]()
    it = recorder.iteration()
    make(it, log, "network", "stubborn", "server")
    await it.clean_up()
    assert log == ["server", "network"]
    assert recorder.one("cleanup.stubborn").outcome == "http_5xx"
    assert recorder.one("cleanup").outcome == "wrong_state"
    assert recorder.one("cleanup").error == "1 of 3 could not be deleted"


async def test_undoing_takes_a_bounded_time() -> None:
    recorder = Recorder()
    it = recorder.iteration()
    it.made("server", "1", lambda: asyncio.sleep(10_000))
    it.made("volume", "1", lambda: asyncio.sleep(1))
    await it.clean_up()
    assert [(step.step, step.outcome) for step in recorder.steps] == [
        ("cleanup.volume", "ok"),
        ("cleanup.server", "timeout"),
        ("cleanup", "wrong_state"),
    ]
    assert recorder.clock.now_ns() == 120 * SECOND


async def test_cleaning_up_nothing_records_nothing() -> None:
    recorder = Recorder()
    await recorder.iteration().clean_up()
    assert recorder.steps == []
