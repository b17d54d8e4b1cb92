"""Whatever anybody asks, in any order: no 500, the service's own words, and nothing of another project."""

import logging
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kilonode.base.clock import SimulatedClock
from kilonode.base.simulation import run_simulated
from tests.cloud.fuzz.asking import ROUTES, Asked, make_up
from tests.cloud.fuzz.holding import OF_USERS, check_answer, check_documents, check_quotas
from tests.cloud.fuzz.world import MARK, build
from tests.cloud.openstack.harness import Answer, openstack

OUTSIDERS = ("member", "member", "member", "manager", "manager", "none")
NUMBERS = st.lists(st.integers(0, 2**32 - 1), min_size=50, max_size=250)
QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink])


def play(numbers: Sequence[int], who: Sequence[str], *, outsiders: bool = False, harmless: bool = False) -> None:
    """Ask these requests one after another in a new cloud, and check each."""

    async def run(clock: SimulatedClock) -> None:
        logging.disable(logging.CRITICAL)
        try:
            async with openstack(nodes=2) as cloud:
                world = await build(cloud)
                theirs = await world.victims_documents()
                ours = await world.our_documents()
                for number in numbers:
                    asked = make_up(number, world, who)
                    answer = await world.ask(
                        asked.who, asked.route.method, asked.path, asked.body, headers=asked.headers
                    )
                    check_answer(asked, answer, hidden=outsiders)
                    if answer.status < 300:
                        world.own.learn(answer)
                        if asked.route.method != "GET" and outsiders:
                            check_documents(asked, answer, theirs, await world.victims_documents())
                        if asked.route.method != "GET" and harmless:
                            check_documents(asked, answer, ours, await world.our_documents(), OF_USERS)
                    await clock.sleep(0.5)
                if outsiders:
                    check_documents("all of them", None, theirs, await world.victims_documents())
                    await check_quotas(world)
        finally:
            logging.disable(logging.NOTSET)

    run_simulated(run)


async def test_what_is_checked_would_be_noticed() -> None:
    async with openstack(nodes=2) as cloud:
        world = await build(cloud)
        asked = Asked("member", *ROUTES[0], "/network/v2.0/networks", b"", [])
        seen = await world.ask("victim", "GET", "/network/v2.0/networks")
        with pytest.raises(AssertionError, match=MARK):
            check_answer(asked, seen)
        with pytest.raises(AssertionError):
            check_answer(asked, Answer(500, [], b""))
        with pytest.raises(AssertionError):
            check_answer(asked, Answer(404, [(b"content-type", b"application/json")], b'{"other": {}}'))
        before = await world.victims_documents()
        assert {kind for kind, _ in before} >= {"server", "volume", "network", "port", "image", "router", "snapshot"}
        body = {"network": {"name": "other"}}
        network = next(key for kind, key in before if kind == "network")
        answer = await world.ask("victim", "PUT", f"/network/v2.0/networks/{network}", body)
        assert answer.status == 200
        with pytest.raises(AssertionError, match=network):
            check_documents(asked, answer, before, await world.victims_documents())


@settings(QUIET, max_examples=8)
@given(NUMBERS)
def test_members_and_managers_break_nothing_and_reach_nothing_of_another_project(numbers: list[int]) -> None:
    play(numbers, OUTSIDERS, outsiders=True)


@settings(QUIET, max_examples=4)
@given(NUMBERS)
def test_readers_change_nothing(numbers: list[int]) -> None:
    play(numbers, ("reader",), outsiders=True, harmless=True)


@settings(QUIET, max_examples=5)
@given(NUMBERS)
def test_administrators_break_nothing(numbers: list[int]) -> None:
    play(numbers, ("admin", "member"))


@pytest.mark.soak
@settings(QUIET, max_examples=1_000)
@given(NUMBERS)
def test_members_break_nothing_for_a_long_time(numbers: list[int]) -> None:
    play(numbers, OUTSIDERS, outsiders=True)


@pytest.mark.soak
@settings(QUIET, max_examples=500)
@given(NUMBERS)
def test_administrators_break_nothing_for_a_long_time(numbers: list[int]) -> None:
    play(numbers, ("admin", "member"))


@pytest.mark.soak
@settings(QUIET, max_examples=300)
@given(NUMBERS)
def test_readers_change_nothing_for_a_long_time(numbers: list[int]) -> None:
    play(numbers, ("reader",), outsiders=True, harmless=True)
