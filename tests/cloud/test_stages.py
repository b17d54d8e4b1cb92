"""Stages as data: golden life cycles, the distributions, and what a profile may say."""

import statistics
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.encoding import from_plain
from kilonode.base.errors import InputError
from kilonode.base.units import Duration
from kilonode.cloud.delays import Delay, Empirical, Fixed, LogNormal, Mixture, Part, Triangular, Uniform
from kilonode.cloud.profiles import known_profiles, load_profile
from kilonode.cloud.stages import Stages

CASES = Path(__file__).parent / "stage_cases"
LIFE_LIMIT = 20


class Start(msgspec.Struct, frozen=True):
    """A `.input.yaml`: who, in what state, under what profile and seed."""

    profile: str
    seed: int
    keys: tuple[str, ...]
    state: str
    task: str
    turn: int = 1
    kind: str = "server"


def lives(start: Start) -> dict[str, list[dict[str, Any]]]:
    """What each key goes through until it rests: stage, when it ends (µs after the beginning) and in what."""
    profile = load_profile(start.profile if "/" not in start.profile else str(CASES / start.profile))
    stages = Stages(profile.stages, start.seed)
    found: dict[str, list[dict[str, Any]]] = {}
    for key in start.keys:
        state, task, at_us = start.state, start.task, 0
        moves: list[dict[str, Any]] = []
        while (stage := stages.find(start.kind, state, task)) is not None and len(moves) < LIFE_LIMIT:
            at_us += stages.delay_us(stage, key, start.turn)
            failure = stages.failure(stage, key, start.turn)
            state = "error" if failure else state if stage.next.state == "*" else stage.next.state
            task = None if failure else stage.next.task  # type: ignore[assignment]
            move: dict[str, Any] = {"stage": stage.name, "ends_us": at_us, "state": state, "task": task}
            moves.append({**move, "fault": failure} if failure else move)
        found[key] = moves
    return found


@pytest.mark.parametrize("case", sorted(path.name.removesuffix(".input.yaml") for path in CASES.glob("*.input.yaml")))
def test_a_life_is_as_it_was(case: str) -> None:
    start = from_plain(yaml.safe_load((CASES / f"{case}.input.yaml").read_text()), Start)
    expected = yaml.safe_load((CASES / f"{case}.output.yaml").read_text())
    assert lives(start) == expected


def test_there_are_golden_cases() -> None:
    assert len(list(CASES.glob("*.input.yaml"))) >= 5


@given(st.floats(0, 1, exclude_max=True))
def test_draws_stay_within_their_bounds(fraction: float) -> None:
    second, minute = Duration(1), Duration(60)
    assert 1 <= Uniform(second, minute).quantile_s(fraction) <= 60
    assert 1 <= Triangular(second, Duration(2), minute).quantile_s(fraction) <= 60
    assert 0 < LogNormal(second, Duration(3), Duration(10)).quantile_s(fraction) <= 10.000001


def test_a_log_normal_has_the_median_and_the_percentile_it_names() -> None:
    delay = LogNormal(Duration(8.5), Duration(19.347), Duration(60))
    assert delay.quantile_s(0.5) == pytest.approx(8.5, rel=0.01)
    assert delay.quantile_s(0.95) == pytest.approx(19.347, rel=0.01)


def test_a_log_normal_with_a_least_value_has_the_median_and_the_percentile_it_names() -> None:
    delay = LogNormal(Duration(2), Duration(5), Duration(500), Duration(1.5))
    assert delay.quantile_s(0.5) == pytest.approx(2, rel=0.001)
    assert delay.quantile_s(0.95) == pytest.approx(5, rel=0.001)
    assert delay.quantile_s(0.0) >= 1.5
    assert delay.share_up_to(5) == pytest.approx(0.95, abs=0.001)


@given(st.floats(0.001, 0.999), st.floats(0.05, 0.95))
def test_a_mixture_has_as_many_draws_below_a_delay_as_its_parts_have(fraction: float, share: float) -> None:
    fast = Part(share, Duration(0.1), Duration(0.2), Duration(10))
    slow = Part(1 - share, Duration(3), Duration(4), Duration(10), Duration(2))
    delay_s = Mixture((fast, slow)).quantile_s(fraction)
    below = share * fast.delay().share_up_to(delay_s) + (1 - share) * slow.delay().share_up_to(delay_s)
    assert below == pytest.approx(fraction, abs=1e-3)


@given(st.lists(st.floats(0, 100), min_size=2, max_size=50), st.floats(0, 1))
def test_a_measured_delay_stays_between_its_neighbours(values: list[float], fraction: float) -> None:
    ordered = sorted(values)
    delay = Empirical(tuple(Duration(value) for value in ordered))
    assert ordered[0] <= delay.quantile_s(fraction) <= ordered[-1]
    assert delay.quantile_s(0) == ordered[0]
    assert delay.quantile_s(1) == ordered[-1]


def test_coupled_stages_are_slow_together_and_each_by_itself_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: lifecycle\ndelays:\n"
        "  schedule: {distribution: uniform, min: 0s, max: 1s}\n  spawn: {distribution: uniform, min: 0s, max: 1s}\n"
        "couplings:\n  spawn: {stage: schedule, correlation: 0.8}\n"
    )
    stages = Stages(load_profile(str(path)).stages, 1)
    schedule, spawn = stages.find("server", "building", "scheduling"), stages.find("server", "building", "spawning")
    assert schedule is not None
    assert spawn is not None
    first = [stages.delay_us(schedule, f"s{n}", 1) / 1e6 for n in range(3000)]
    second = [stages.delay_us(spawn, f"s{n}", 1) / 1e6 for n in range(3000)]
    # Of uniform values the correlation is 6 / pi * asin(rho / 2).
    assert statistics.correlation(first, second) == pytest.approx(0.786, abs=0.03)
    assert statistics.fmean(second) == pytest.approx(0.5, abs=0.02)
    assert statistics.quantiles(second, n=20)[18] == pytest.approx(0.95, abs=0.02)


def test_a_stage_is_coupled_to_one_that_is_not_coupled_itself(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: fast\ncouplings:\n  plug: {stage: schedule, correlation: 0.1}\n"
        "  spawn: {stage: plug, correlation: 0.1}\n"
    )
    with pytest.raises(InputError, match="cannot be coupled"):
        load_profile(str(path))


def test_a_triangular_delay_has_the_mean_of_its_three_corners() -> None:
    delay = Triangular(Duration(1), Duration(2), Duration(6))
    draws = [delay.quantile_s((n + 0.5) / 10_000) for n in range(10_000)]
    assert statistics.fmean(draws) == pytest.approx(3.0, rel=0.001)


def test_draws_depend_on_seed_key_stage_and_turn_and_on_nothing_else() -> None:
    stages = load_profile("fast").stages
    one, other = Stages(stages, 1), Stages(stages, 2)
    spawn, plug = one.find("server", "building", "spawning"), one.find("server", "building", "networking")
    assert spawn is not None
    assert plug is not None
    draw = one.delay_us(spawn, "a", 1)
    assert draw == Stages(stages, 1).delay_us(spawn, "a", 1)
    others = {other.delay_us(spawn, "a", 1), one.delay_us(spawn, "b", 1), one.delay_us(spawn, "a", 2)}
    assert len(others | {draw, one.delay_us(plug, "a", 1)}) == 5


def test_failures_come_with_the_odds_they_have() -> None:
    stages = Stages(load_profile(str(CASES / "unreliable.yaml")).stages, 3)
    spawn = stages.find("server", "building", "spawning")
    assert spawn is not None
    failed = sum(bool(stages.failure(spawn, f"server-{number}", 1)) for number in range(10_000))
    assert 2_300 < failed < 2_700


@pytest.mark.parametrize(
    ("delay", "words"),
    [
        ({"distribution": "uniform", "min": "2s", "max": "1s"}, "min ≤ max"),
        ({"distribution": "triangular", "min": "1s", "mode": "5s", "max": "2s"}, "min ≤ mode ≤ max"),
        ({"distribution": "log-normal", "p50": "2s", "p95": "1s", "max": "9s"}, "p50 < p95 < max"),
        ({"distribution": "log-normal", "p50": "2s", "p95": "4s", "max": "9s", "min": "3s"}, "min < p50"),
        ({"distribution": "empirical", "quantiles": ["2s", "1s"]}, "do not fall"),
        ({"distribution": "empirical", "quantiles": ["2s"]}, "length"),
        (
            {
                "distribution": "mixture",
                "parts": [{"share": 0.5, "p50": "1s", "p95": "2s", "max": "9s"}] * 3,
            },
            "add up to 1",
        ),
        ({"distribution": "normal", "mean": "2s"}, "normal"),
        ({"distribution": "fixed", "value": 3}, "3"),
    ],
)
def test_a_delay_that_makes_no_sense_is_refused(delay: dict[str, Any], words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        from_plain(delay, Delay)


def test_a_delay_is_written_with_a_unit() -> None:
    assert from_plain({"distribution": "fixed", "value": "250ms"}, Delay) == Fixed(Duration(0.25))


def test_the_profiles_that_come_along_are_known_and_read() -> None:
    assert known_profiles() == ("fast", "instant", "liberty-1000", "nova-2026")
    for name in known_profiles():
        assert len(load_profile(name).stages) > 20


def test_an_unknown_profile_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InputError, match="did you mean 'fast'"):
        load_profile("fasst")


def test_a_profile_that_names_an_unknown_stage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: lifecycle\ndelays:\n  spwan: {distribution: fixed, value: 1s}\n")
    with pytest.raises(InputError, match="did you mean 'spawn'"):
        load_profile(str(path))


def test_profiles_that_extend_each_other_for_ever_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"extends: {path}\n")
    with pytest.raises(InputError, match="without end"):
        load_profile(str(path))


def test_a_profile_with_a_mistyped_word_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: lifecycle\ndelay: {}\n")
    with pytest.raises(InputError, match=r"mine.yaml:2:1: delay: unknown key\n.*\n  hint: did you mean 'delays'"):
        load_profile(str(path))


def test_two_stages_about_the_same_documents_are_refused() -> None:
    stage = load_profile("instant").stages[0]
    with pytest.raises(InputError, match="same documents"):
        Stages((stage, msgspec.structs.replace(stage, name="other")), 1)
