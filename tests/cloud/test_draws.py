"""What documents draw under rules: without a cloud, for any rules."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from kilonode.base.clock import RealClock
from kilonode.base.units import Duration
from kilonode.cloud.context import Cloud
from kilonode.cloud.delays import Fixed, Uniform
from kilonode.cloud.draws import Draw, Draws, Position
from kilonode.cloud.rules import Condition, Facts, Rule
from kilonode.cloud.stages import Failure, Next, Selector, Stage, Stages

SPAWN = Stage(
    "spawn", Selector("server", "spawning"), Next("active"), delay=Uniform(Duration(1), Duration(5)),
    failure=Failure(0.1, "its own"),
)  # fmt: skip
FACTS = Facts(name=("web",), host=("compute-0001",))
DELAYS = st.floats(0, 100).map(lambda seconds: Fixed(Duration(seconds)))


class Bare:
    """As much of a cloud as draws need where nothing is counted."""

    def __init__(self, rules: Sequence[Rule], seed: int) -> None:
        self.clock = RealClock()  # nobody's clock is off, so it is not looked at
        self.stages = Stages((SPAWN,), seed)
        self.rules = {"spawn": tuple(rules)} if rules else {}


def draw(rules: Sequence[Rule], key: str = "a", seed: int = 1, stage: Stage = SPAWN) -> Draw:
    def position(value: Any) -> Position:
        return Position("building", "spawning", 1, 1_000_000)

    return Draws(cast("Cloud", Bare(rules, seed)), "server", position, lambda value: FACTS).of(stage, key, None)


def delay_s(rules: Sequence[Rule]) -> float:
    return (draw(rules).ends_us - 1_000_000) / 1e6


@given(st.text(max_size=5), st.integers(0, 99))
def test_without_a_rule_that_matches_a_draw_is_the_stages_own(key: str, seed: int) -> None:
    own = Stages((SPAWN,), seed)
    other = Rule("other", "spawn", when=Condition(name="db*"), factor=7.0, failure=Failure(1.0, "never"))
    for rules in ((), (other,)):
        found = draw(rules, key, seed)
        assert found.ends_us == 1_000_000 + own.delay_us(SPAWN, key, 1)
        assert found.fault == own.failure(SPAWN, key, 1)


@given(st.lists(st.tuples(st.floats(0, 3), DELAYS), max_size=5), st.randoms(use_true_random=False))
def test_factors_and_additions_come_to_the_same_in_any_order(effects: list[tuple[float, Fixed]], chance: Any) -> None:
    rules = [Rule(f"r{number}", "spawn", factor=factor, add=add) for number, (factor, add) in enumerate(effects)]
    mixed = chance.sample(rules, len(rules))
    assert delay_s(mixed) == pytest.approx(delay_s(rules), abs=1e-5)


@given(st.lists(DELAYS, min_size=1, max_size=5))
def test_of_several_delays_the_last_holds(delays: list[Fixed]) -> None:
    rules = [Rule(f"r{number}", "spawn", delay=delay) for number, delay in enumerate(delays)]
    assert delay_s(rules) == pytest.approx(float(delays[-1].value), abs=1e-6)


def test_each_rule_is_a_cause_of_failure_by_itself() -> None:
    rules = [Rule(name, "spawn", failure=Failure(0.2, name)) for name in ("first", "second")]
    faults = [draw(rules, f"s{number}").fault for number in range(20_000)]
    share = {fault: faults.count(fault) / len(faults) for fault in set(faults)}
    assert share["its own"] == pytest.approx(0.1, abs=0.01)
    assert share["first"] == pytest.approx(0.9 * 0.2, abs=0.01)
    assert share["second"] == pytest.approx(0.9 * 0.8 * 0.2, abs=0.01)


def test_a_rule_without_odds_leaves_the_stages_failure_and_its_elsewhere() -> None:
    stage = replace(SPAWN, failure=Failure(1.0, "gone", elsewhere=True))
    found = draw([Rule("r", "spawn", delay=Fixed(Duration(1)))], stage=stage)
    assert (found.fault, found.elsewhere, found.ends_us) == ("gone", True, 2_000_000)
