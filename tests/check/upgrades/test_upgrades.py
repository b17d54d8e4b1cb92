"""Upgrades whose truth is known: what four assertions say of them, in a history and as criteria."""

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from kilonode.base.errors import InputError
from kilonode.base.outcomes import Outcome
from kilonode.check.consistency import Breach, BreachCount, ConsistencyResults, Evidence
from kilonode.check.criteria import parse_criterion
from kilonode.check.evaluation import evaluate
from kilonode.check.facts import RunFacts
from kilonode.check.operations import OperationTable
from kilonode.check.results import Results, Verdict
from kilonode.check.upgrades.evaluation import evaluate_upgrades
from kilonode.check.upgrades.records import ASSERTIONS, Assertion, Held, Upgrade
from kilonode.history.records import Op, OpKind
from kilonode.history.upgrades import UpgradeAction, UpgradePart, is_upgrade, part_of_upgrade
from tests.check.histories import closed_workload, history, op, open_workload, rules, run, steady

SENTENCE = "upgrade api to B"
START, FINISH, END = 20.0, 30.0, 60.0
USUAL_S = 0.02
GOOD = (("api-1", "old", 20, 24), ("api-1", "new", 23.5, 30), ("api-2", "old", 20, 29), ("api-2", "new", 28, 30))


def upgrade_ops(
    served: Iterable[tuple[str, str, float, float]] = GOOD, outcome: str = Outcome.OK, error: str = "", number: int = 0
) -> list[Op]:
    kind = OpKind.DISRUPTION
    took = FINISH - START
    whole = op("", SENTENCE, number=number, due=START, took=took, kind=kind, outcome=outcome, error=error)
    steps = [
        op(
            "",
            str(UpgradePart(SENTENCE, what, UpgradeAction(action))),
            number=number,
            due=since,
            took=until - since,
            kind=kind,
        )
        for what, action, since, until in (*served, ("api-1", "replace", 20, 24), ("api-1", "verify", 24, 25))
    ]
    return [whole, *steps]


def probes(
    name: str = "probe",
    *,
    seed: int = 1,
    rate: float = 20.0,
    slower: float = 1.0,
    lost: Callable[[float], bool] = lambda due_s: False,
) -> list[Op]:
    """Probes with a scatter of latencies; `slower` is how many times as long they take from the upgrade on."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(round(rate * END)):
        due_s = number / rate
        took_s = USUAL_S * float(np.exp(0.3 * random.standard_normal())) * (slower if due_s >= START else 1.0)
        gone = lost(due_s)
        outcome = Outcome.HTTP_5XX if gone else Outcome.OK
        found.append(op(name, number=number, due=due_s, took=took_s, outcome=outcome))
    return found


def facts(*names: str) -> RunFacts:
    return run(*(open_workload(name, rate=20.0, end=END) for name in names or ("probe",)))


def nothing_lost(**counts: int | None) -> ConsistencyResults:
    return ConsistencyResults(
        counts=tuple(
            BreachCount(breach=one, count=counts.get(one.value, 0), note="not seen" if one.value in counts else "")
            for one in Breach
        ),
        findings=(), asked=5, created=5, deleted=0, uncertain=0, there=5, failed=0, settled=True, settling_s=0.0,
        unseen=(),
    )  # fmt: skip


def each_second(due_s: float) -> bool:
    """One of twenty probes."""
    return round(due_s * 20) % 20 == 0


def only_upgrade(
    ops: Iterable[Op],
    about: RunFacts | None = None,
    consistency: ConsistencyResults | None = None,
    control: Iterable[Op] | None = None,
) -> Upgrade:
    about = about or facts()
    other = None if control is None else OperationTable(history(control).columns)
    windows = {one.name: (one.start_s, one.end_s) for one in about.workloads}
    found = evaluate_upgrades(OperationTable(history(ops).columns), about, windows, consistency, other)
    assert found is not None
    (upgrade,) = found.upgrades
    assert [one.name for one in upgrade.assertions] == list(ASSERTIONS)
    return upgrade


def said(upgrade: Upgrade, name: str) -> Assertion:
    return next(one for one in upgrade.assertions if one.name == name)


def held(upgrade: Upgrade) -> dict[str, str]:
    return {one.name: one.held.value for one in upgrade.assertions}


def test_of_an_upgrade_that_nobody_notices_everything_holds_with_its_numbers() -> None:
    upgrade = only_upgrade([*probes(), *upgrade_ops()], consistency=nothing_lost())
    assert set(held(upgrade).values()) == {"held"}, upgrade.assertions
    assert said(upgrade, "accessible").evidence["requests"] == 800
    assert said(upgrade, "rolling").evidence == {"api_together_s": pytest.approx(5.5), "api_none_s": 0.0}
    assert said(upgrade, "zero_downtime").evidence == {
        "operations": 800.0, "failed": 0.0, "unseen": 0.0, "not_done": 0.0
    }  # fmt: skip
    assert [(one.what, one.action, one.start_s) for one in upgrade.steps] == [
        ("api-1", "replace", 20.0), ("api-1", "verify", 24.0)
    ]  # fmt: skip
    assert (upgrade.start_s, upgrade.finish_s, upgrade.observed_s) == (START, FINISH, END)


def test_failures_that_there_were_none_of_before_are_downtime_but_no_silence() -> None:
    upgrade = only_upgrade(
        [*probes(lost=lambda s: s >= START and each_second(s)), *upgrade_ops()], None, nothing_lost()
    )
    assert held(upgrade) | {"zero_impact": ""} == {
        "accessible": "held", "rolling": "held", "zero_downtime": "failed", "zero_impact": ""
    }  # fmt: skip
    assert "40 of 800 failed (40 http_5xx)" in said(upgrade, "zero_downtime").text


def test_of_an_upgrade_whose_run_was_killed_it_is_known_how_far_it_came() -> None:
    _, *steps = upgrade_ops(served=[("api-1", "begin", 20, 20), ("api-1", "begin", 24, 24), ("api-2", "begin", 26, 26)])
    upgrade = only_upgrade([*probes(lost=lambda s: s >= 26 and each_second(s)), *steps], None, nothing_lost())
    assert (upgrade.outcome, upgrade.start_s, upgrade.finish_s) == (Outcome.WRONG_STATE, START, END)
    assert upgrade.error == "the run was killed before its end, and what became of it is not known; under way: api-2"
    assert [(one.what, one.action) for one in upgrade.steps] == [("api-1", "replace"), ("api-1", "verify")]
    assert said(upgrade, "zero_downtime").held is Held.FAILED
    assert said(upgrade, "rolling").held is Held.UNKNOWN


def test_a_bad_version_that_stays_does_harm_after_its_upgrade_too() -> None:
    upgrade = only_upgrade([*probes(lost=lambda s: s >= 50 and each_second(s)), *upgrade_ops()], None, nothing_lost())
    assert said(upgrade, "zero_downtime").held is Held.FAILED


def test_failures_as_before_are_not_held_against_the_upgrade() -> None:
    def seldom(due_s: float) -> bool:
        return round(due_s * 20) % 40 == 0

    upgrade = only_upgrade([*probes(lost=seldom), *upgrade_ops()], None, nothing_lost())
    assert said(upgrade, "zero_downtime").held is Held.UNKNOWN
    assert "not clearly more" in said(upgrade, "zero_downtime").text
    worse = only_upgrade([*probes(lost=lambda s: seldom(s) or (s > START and s % 1 < 0.3)), *upgrade_ops()])
    assert said(worse, "zero_downtime").held is Held.FAILED


def test_a_second_without_a_good_answer_is_no_access() -> None:
    upgrade = only_upgrade([*probes(lost=lambda s: 25 <= s < 27), *upgrade_ops()], None, nothing_lost())
    assert said(upgrade, "accessible").held is Held.FAILED
    assert said(upgrade, "accessible").evidence["unanswered_s"] == 2.0
    assert "probe at 25.0 s" in said(upgrade, "accessible").text


def test_where_nobody_asked_by_a_schedule_it_is_not_known_whether_it_was_answered() -> None:
    closed = run(closed_workload("boots", end=END))
    upgrade = only_upgrade([*steady("boots", seconds=END), *upgrade_ops()], closed, nothing_lost())
    assert said(upgrade, "accessible").held is Held.UNKNOWN
    gone = [one for one in probes() if not 25e9 <= one.due_ns < 28e9]
    assert said(only_upgrade([*gone, *upgrade_ops()]), "accessible").held is Held.UNKNOWN


@pytest.mark.parametrize(
    ("served", "held_or_not", "word"),
    [
        ((), Held.UNKNOWN, "nobody saw"),
        ((("api-1", "old", 20, 24), ("api-1", "new", 26, 30)), Held.FAILED, "nobody served for 2.00 s"),
        ((("api-1", "old", 20, 24), ("api-1", "new", 24.05, 30)), Held.FAILED, "never served at the same time"),
        ((("api-1", "old", 20, 30),), Held.FAILED, "the new version never served"),
        ((*GOOD, ("scheduler", "old", 20, 22), ("scheduler", "new", 25, 30)), Held.FAILED, "scheduler: nobody"),
    ],
)
def test_rolling_is_who_was_seen_to_serve(
    served: tuple[tuple[str, str, float, float], ...], held_or_not: Held, word: str
) -> None:
    assertion = said(only_upgrade([*probes(), *upgrade_ops(served)]), "rolling")
    assert assertion.held is held_or_not
    assert word in assertion.text


def test_what_was_accepted_and_not_done_is_downtime_and_nobody_having_looked_is_unknown() -> None:
    ops = [*probes(), *upgrade_ops()]
    assert said(only_upgrade(ops, None, nothing_lost(stuck=2)), "zero_downtime").held is Held.FAILED
    assert said(only_upgrade(ops, None, nothing_lost(lost=None)), "zero_downtime").held is Held.UNKNOWN
    nobody = said(only_upgrade(ops), "zero_downtime")
    assert nobody.held is Held.UNKNOWN
    assert nobody.evidence["not_done"] is None


def test_slower_operations_are_an_impact_and_too_few_say_nothing() -> None:
    slower = said(only_upgrade([*probes(slower=1.5), *upgrade_ops()]), "zero_impact")
    assert slower.held is Held.FAILED
    assert "probe median during 1.5" in slower.text
    few = said(only_upgrade([*probes(rate=0.5), *upgrade_ops()]), "zero_impact")
    assert few.held is Held.UNKNOWN
    assert "too few" in few.text


def test_the_control_run_stands_for_what_was_before() -> None:
    slow_before = [*probes(slower=1.0), *upgrade_ops()]
    assert said(only_upgrade(slow_before, control=probes(seed=5)), "zero_impact").held is Held.HELD
    quick = [op("probe", number=n, due=n / 20, took=0.005 + n % 7 / 1e5) for n in range(1200)]
    assert said(only_upgrade(slow_before, control=quick), "zero_impact").held is Held.FAILED


def test_an_undisturbed_cloud_is_seldom_called_slower() -> None:
    called = [said(only_upgrade([*probes(seed=n), *upgrade_ops()]), "zero_impact").held for n in range(100)]
    assert called.count(Held.FAILED) <= 1
    assert called.count(Held.HELD) >= 95


def test_an_upgrade_ends_being_observed_where_the_next_disruption_begins() -> None:
    kill = op("", "kill one api", due=40.0, took=1.0, kind=OpKind.DISRUPTION)
    upgrade = only_upgrade([*probes(lost=lambda s: 40 <= s < 43), *upgrade_ops(), kill], None, nothing_lost())
    assert upgrade.observed_s == 40.0
    assert said(upgrade, "zero_downtime").held is Held.HELD


def results_of(ops: Iterable[Op], *criteria: str) -> Results:
    about = facts()
    return evaluate(
        history(ops), RunFacts(workloads=about.workloads, rules=rules(*criteria)), Evidence(asked=None, inventory=None)
    )


def test_criteria_hold_when_the_assertion_does_of_every_upgrade() -> None:
    ops = [*probes(), *upgrade_ops()]
    results = results_of(ops, "upgrade accessible", "upgrade rolling", "upgrade zero_downtime", "upgrade zero_impact")
    assert [one.verdict for one in results.criteria] == [
        Verdict.VALID, Verdict.VALID, Verdict.UNKNOWN, Verdict.VALID
    ]  # fmt: skip
    assert results.criteria[0].measured == 1.0
    assert results.upgrades is not None
    (band,) = results.disruptions
    assert (band.target, band.start_s, band.finish_s) == (SENTENCE, START, FINISH)
    assert results.recovery is not None
    assert {group.disruption for group in results.recovery.groups} == {SENTENCE}
    bad = results_of([*probes(lost=lambda s: 25 <= s < 27), *upgrade_ops()], "upgrade accessible")
    assert (bad.criteria[0].verdict, bad.criteria[0].measured) == (Verdict.INVALID, 0.0)
    assert "25.0 s" in bad.criteria[0].note
    none = results_of(probes(), "upgrade rolling")
    assert (none.criteria[0].verdict, none.criteria[0].note) == (Verdict.UNKNOWN, "nothing was upgraded")


def test_an_upgrade_that_did_not_come_to_its_end_makes_the_run_invalid() -> None:
    results = results_of([*probes(), *upgrade_ops(outcome=Outcome.WRONG_STATE, error="api-1 is not B; taken back")])
    assert results.verdict is Verdict.INVALID
    assert "did not come to its end: api-1 is not B; taken back" in results.reasons[0].text
    never = only_upgrade([*probes(), upgrade_ops(outcome=Outcome.DROPPED, error="the load was over")[0]])
    assert set(held(never).values()) == {"unknown"}


def test_an_upgrade_that_the_end_of_the_load_cut_short_is_not_known_to_be_good() -> None:
    ops = [*probes(), *upgrade_ops(outcome=Outcome.CANCELLED, error="the load was over before it was done")]
    results = results_of(ops)
    assert results.verdict is Verdict.UNKNOWN
    assert [reason.about for reason in results.reasons].count("upgrade") == 1
    assert "disruption" not in [reason.about for reason in results.reasons]


def test_words_of_ops_tell_upgrades_their_parts_and_faults_apart() -> None:
    part = UpgradePart("upgrade api to 2026.1", "RegionTwo.api-1", UpgradeAction.REPLACE)
    assert part_of_upgrade(str(part)) == part
    assert is_upgrade(part.upgrade)
    assert not is_upgrade(str(part))
    assert not is_upgrade("kill one api")
    assert part_of_upgrade("upgrade api to 2026.1") is None


@pytest.mark.parametrize(
    ("text", "part"),
    [("upgrade zero-downtime", "no comparison"), ("upgrade zero_downtim", "not an assertion"),
     ("zero_downtime == 1", "compared to nothing"), ("upgrade rolling == 1", "compared to nothing")],
)  # fmt: skip
def test_mistakes_in_criteria_about_upgrades_are_named(text: str, part: str) -> None:
    with pytest.raises(InputError, match=part):
        parse_criterion(text)
