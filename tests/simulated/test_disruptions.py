"""Experiments with disruptions on virtual time: when they happen, what the history has of them, that all is healed."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from kilonode.base.errors import InputError
from kilonode.check.results import Verdict
from kilonode.faults.journal import journals
from kilonode.history.archive import query
from kilonode.run.folder import RunState
from tests.simulated.runs import Run, do_run

EXPERIMENT = """
name: disrupted
cloud: {emulated: {nodes: 5, stages: instant, roles: {api: 2}}}
costs: unmeasured
workloads:
  lists:
    scenario: compute.list_servers
    load: {model: constant-vus, vus: 1, duration: 30s, think_time: {min: 1s, max: 1s}}
  api: {probe: {endpoint: compute, rate: 10/s, timeout: 1s}}
disruptions: [DISRUPTIONS]
"""


@dataclass(frozen=True)
class Happened:
    """A disruption as the history has it, in seconds."""

    name: str
    sentence: str
    due: float
    started: float
    finished: float
    outcome: str
    error: str


def disrupted(folder: Path, *disruptions: str, seed: int = 7, interrupt_at_s: float = 0.0, times: int = 1) -> Run:
    text = EXPERIMENT.replace("DISRUPTIONS", ", ".join(f"{{{one}}}" for one in disruptions))
    return do_run(text, folder, seed=seed, interrupt_at_s=interrupt_at_s, times=times)


def happened(run: Run) -> list[Happened]:
    rows = query(
        run.folder.path,
        "select workload, step, due_ns, started_ns, finished_ns, outcome, error from ops "
        "where kind = 'disruption' order by due_ns, step",
    )
    return [Happened(str(a), str(b), c / 1e9, d / 1e9, e / 1e9, str(f), str(g)) for a, b, c, d, e, f, g in rows]


def nothing_is_open(run: Run) -> bool:
    return not any(record.open for record in journals(run.folder.faults_folder))


def outcomes(run: Run) -> Counter[str]:
    return Counter(run.step("api").outcomes)


def test_a_freeze_takes_effect_when_it_is_due_and_is_healed_when_its_time_is_over(tmp_path: Path) -> None:
    run = disrupted(tmp_path, "name: frost, at: 10s, fault: freeze api for 5s")
    (frost,) = happened(run)
    assert (frost.name, frost.sentence, frost.outcome) == ("frost", "freeze api for 5s", "ok")
    assert (frost.due, frost.started, frost.finished) == pytest.approx((10.0, 10.0, 15.0), abs=0.01)
    assert outcomes(run)["timeout"] == pytest.approx(40, abs=2), "of five seconds the last one's requests came through"
    assert nothing_is_open(run)
    assert run.record.state is RunState.DONE


def test_what_is_killed_is_away_for_a_while_and_refuses(tmp_path: Path) -> None:
    run = disrupted(tmp_path, "at: 10s, fault: kill api")
    (kill,) = happened(run)
    assert (kill.started, kill.finished) == pytest.approx((10.0, 10.0), abs=0.01)
    assert outcomes(run)["refused"] == pytest.approx(8, abs=1)


def test_a_node_without_power_is_turned_on_again(tmp_path: Path) -> None:
    run = disrupted(tmp_path, "at: 10s, fault: poweroff one of 5 nodes for 5s")
    (off,) = happened(run)
    assert off.outcome == "ok"
    assert (off.started, off.finished) == pytest.approx((10.0, 15.0), abs=0.3)


def test_a_restart_in_good_order_loses_nothing(tmp_path: Path) -> None:
    run = disrupted(tmp_path, "at: 10s, fault: restart api")
    assert happened(run)[0].outcome == "ok"
    assert set(outcomes(run)) == {"ok"}


def test_the_same_seed_gives_the_same_instants_and_another_gives_others(tmp_path: Path) -> None:
    drawn = "random: {times: 3, between: 5s..25s}, fault: freeze one api for 100ms"
    first, same, other = (
        happened(disrupted(tmp_path / str(place), drawn, seed=seed)) for place, seed in enumerate((7, 7, 8))
    )
    assert first == same
    assert [one.due for one in first] != [one.due for one in other]
    assert len(first) == 3
    assert all(5 <= one.due <= 25 for one in first)


def test_it_is_done_again_and_again(tmp_path: Path) -> None:
    run = disrupted(tmp_path, "every: 8s, start: 3s, fault: freeze scheduler for 1s")
    assert [one.due for one in happened(run)] == pytest.approx([3, 11, 19, 27], abs=0.01)


def test_an_iteration_of_an_open_model_is_met_exactly(tmp_path: Path) -> None:
    run = disrupted(tmp_path, "at_iteration: api 100, fault: kill scheduler")
    assert happened(run)[0].started == pytest.approx(10.0, abs=0.01)


def test_an_iteration_of_a_closed_model_is_met_within_a_tenth_of_a_second(tmp_path: Path) -> None:
    run = disrupted(tmp_path, "at_iteration: lists 10, fault: kill scheduler")
    ((begun,),) = query(
        run.folder.path,
        "select started_ns / 1e9 from ops where kind = 'iteration' and workload = 'lists' and iteration = 10",
    )
    assert isinstance(begun, float)
    assert begun <= happened(run)[0].started <= begun + 0.11


def test_a_condition_begins_it_once(tmp_path: Path) -> None:
    run = disrupted(tmp_path, "when: api count > 150, fault: kill scheduler", "when: api count > 9000, fault: kill api")
    met, never = sorted(happened(run), key=lambda one: one.started)
    assert met.started == pytest.approx(15.05, abs=0.11)
    assert (never.sentence, never.outcome) == ("kill api", "dropped")
    assert run.results.verdict is Verdict.UNKNOWN
    assert "did not happen" in run.results.reasons[0].text


def test_several_are_in_effect_at_once(tmp_path: Path) -> None:
    run = disrupted(tmp_path, "at: 5s, fault: freeze api-1 for 10s", "at: 8s, fault: freeze scheduler for 3s")
    assert [(one.started, one.finished) for one in happened(run)] == [
        pytest.approx((5, 15), abs=0.01),
        pytest.approx((8, 11), abs=0.01),
    ]


def test_each_part_of_a_sentence_is_an_operation_of_its_own(tmp_path: Path) -> None:
    run = disrupted(tmp_path, 'at: 5s, fault: "freeze api-1 for 2s, then after 3s kill scheduler"')
    assert [(one.sentence, round(one.started)) for one in happened(run)] == [
        ("freeze api-1 for 2s", 5),
        ("kill scheduler", 10),
    ]


def test_without_a_duration_it_lasts_until_the_end_of_the_load(tmp_path: Path) -> None:
    run = disrupted(tmp_path, "at: 20s, fault: freeze scheduler")
    assert happened(run)[0].finished == pytest.approx(30.0, abs=0.05)
    assert happened(run)[0].outcome == "ok"


@pytest.mark.parametrize("times", [1, 2])
def test_who_ends_the_load_early_ends_what_is_broken_too(times: int, tmp_path: Path) -> None:
    run = disrupted(
        tmp_path, "at: 5s, fault: freeze api-1 for 20s", "at: 25s, fault: kill api", interrupt_at_s=10, times=times
    )
    frozen, killed = happened(run)
    assert frozen.outcome == "cancelled"
    assert frozen.finished == pytest.approx(10, abs=1)
    assert (killed.outcome, killed.error) == ("dropped", "the load was over before it was due")
    assert nothing_is_open(run)


@pytest.mark.parametrize(
    ("disruption", "what"),
    [
        ("at: 5s, fault: kill one schedular", "there is no service 'schedular'"),
        ("at: 5s, fault: kill one of 3 api", "not as many as the sentence says"),
        ("at: 5s, fault: kill api, expect: {found: 1}", "not what was expected to be found"),
        ("at: 5s, fault: poweroff node compute-9999 for 5s", "there is no node 'compute-9999'"),
        ("at: 5s, fault: kill api for 5s", "nothing here can start it again"),
        ("every: 5s, fault: freeze api", "it lasts until the end of the load"),
        ("at_iteration: api 5000, fault: kill api", "api has no iteration 5000"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_made(disruption: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        disrupted(tmp_path, disruption)
    assert what in str(caught.value)
    assert "disruptions[0]" in str(caught.value)
    assert not list(tmp_path.glob("*/faults"))


def test_what_fails_during_the_run_is_in_the_history_and_leaves_the_verdict_unknown(tmp_path: Path) -> None:
    run = disrupted(tmp_path, "at: 5s, fault: kill scheduler", "at: 5.1s, fault: freeze scheduler for 1s")
    killed, frozen = happened(run)
    assert killed.outcome == "ok"
    assert (frozen.outcome, frozen.error) == ("dropped", "freeze scheduler: scheduler does not run")
    assert run.results.verdict is Verdict.UNKNOWN
    assert [reason.about for reason in run.results.reasons] == ["disruption"]


def test_what_was_done_is_measured(tmp_path: Path) -> None:
    run = disrupted(tmp_path, "at: 10s, fault: freeze api for 5s")
    recovery = run.results.recovery
    assert recovery is not None
    (group,) = [one for one in recovery.groups if one.workload == "api"]
    (episode,) = group.episodes
    assert episode.unavailable_s.value == pytest.approx(4.0, abs=0.3)
    before, during, after = episode.spreads
    assert (before.part, before.lost, after.lost) == ("before", 0, 0)
    assert during.lost == sum(episode.lost.values())
    assert before.samples + during.samples + during.lost + after.samples == 300


@pytest.mark.parametrize(
    ("began", "ended"),
    [("poweroff node compute-0001", "poweron node compute-0001"), ("freeze scheduler", "unfreeze scheduler")],
)
def test_a_disruption_can_be_ended_by_another_one_wherever_it_stands_in_the_file(
    tmp_path: Path, began: str, ended: str
) -> None:
    run = disrupted(tmp_path, f"at: 10s, fault: {ended}", f"at: 5s, fault: {began} for 60s")
    first, second = happened(run)
    assert (first.sentence, first.outcome, first.error) == (f"{began} for 60s", "ok", "")
    assert (second.sentence, second.outcome) == (ended, "ok")
    assert first.finished == second.started
    assert 10 <= first.finished < 25
    assert nothing_is_open(run)


def test_what_would_end_nothing_is_refused_before_the_load(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is nothing to unfreeze"):
        disrupted(tmp_path, "at: 10s, fault: unfreeze scheduler", "at: 15s, fault: freeze scheduler for 2s")


BOOTS = """
name: skewed
cloud: {emulated: {nodes: 5, stages: fast, roles: {api: 1}, service_down_time: 60s, heartbeat: 10s}}
costs: unmeasured
workloads:
  boots:
    scenario: compute.boot_and_delete
    args: {flavor: m1.tiny, image: cirros}
    load: {model: constant-arrival-rate, rate: 1/s, duration: 20s}
disruptions: [{at: 4s, fault: "skew clock of SERVICE by OFFSET for 10s"}]
"""


@pytest.mark.parametrize(("service", "offset"), [("fleet", "-30s"), ("api", "30s"), ("scheduler", "-30s")])
def test_how_long_servers_take_to_boot_is_no_matter_of_anybodys_wall_clock(
    tmp_path: Path, service: str, offset: str
) -> None:
    run = do_run(BOOTS.replace("SERVICE", service).replace("OFFSET", offset), tmp_path)
    (skew,) = happened(run)
    assert skew.outcome == "ok"
    assert skew.finished - skew.started == pytest.approx(10.0, abs=0.01)
    steps = query(run.folder.path, "select (finished_ns - started_ns) / 1e9, outcome from ops where step = 'boot'")
    assert {str(outcome) for _, outcome in steps} == {"ok"}
    took = sorted(float(seconds) for seconds, _ in steps)
    assert (len(took), took[0] > 0.1, took[-1] < 5) == (20, True, True), took


@pytest.mark.parametrize("offset", ["-90s", "90s"])
def test_hosts_whose_heartbeats_are_stamped_by_a_wrong_clock_count_as_down_and_get_no_servers(
    tmp_path: Path, offset: str
) -> None:
    run = do_run(BOOTS.replace("SERVICE", "fleet").replace("OFFSET", offset), tmp_path)
    rows = query(run.folder.path, "select started_ns / 1e9, outcome from ops where step = 'boot' order by started_ns")
    failed = [float(at) for at, outcome in rows if outcome != "ok"]
    assert failed, "none of the hosts was up"
    assert min(failed) > 4
    assert nothing_is_open(run)
