"""What services cost, from samples and the phases of a run."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.check.cost_results import ServiceCosts, ServicesResults
from kilonode.check.costs import MOST_DRAWN
from kilonode.check.evaluation import evaluate
from kilonode.check.facts import RunFacts
from kilonode.check.results import Results
from kilonode.history.records import Op, OpKind, Sample
from tests.check.histories import closed_workload, history, ns, op, run, steady

PHASES = {
    "idle": (-9.0, -5.0),
    "setup": (-5.0, 0.0),
    "load": (0.0, 10.0),
    "drain": (10.0, 12.0),
    "cleanup": (12.0, 15.0),
}
FIRST_S, LAST_S = -9, 15


def phases(*names: str) -> list[Op]:
    chosen = names or tuple(PHASES)
    return [
        op("", name, due=PHASES[name][0], took=PHASES[name][1] - PHASES[name][0], kind=OpKind.PHASE) for name in chosen
    ]


def line(source: str, metric: str, value: Callable[[float], float], times: Iterable[float] = ()) -> list[Sample]:
    """One metric, read each second from before the idle phase to after cleanup."""
    return [Sample(source, metric, ns(at_s), value(at_s)) for at_s in times or range(FIRST_S, LAST_S + 1)]


def busy(idle: float, loaded: float) -> Callable[[float], float]:
    """A processor time that grows by `idle` cores all the time and by `loaded` more during load and drain."""
    return lambda at_s: idle * (at_s - FIRST_S) + loaded * min(max(at_s, 0.0), 12.0)


def costs(samples: Iterable[Sample], ops: Iterable[Op] | None = None, facts: RunFacts | None = None) -> ServicesResults:
    results = whole(samples, ops, facts)
    assert results.services is not None
    return results.services


def whole(samples: Iterable[Sample], ops: Iterable[Op] | None = None, facts: RunFacts | None = None) -> Results:
    return evaluate(history([*phases(), *steady()] if ops is None else ops, samples), facts or run())


def only(results: ServicesResults) -> ServiceCosts:
    (service,) = results.services
    return service


@given(st.floats(0.0, 2.0), st.floats(0.0, 4.0))
def test_an_operation_costs_what_is_used_beyond_idle(idle: float, loaded: float) -> None:
    service = only(costs(line("api", "cpu_s_total", busy(idle, loaded))))
    assert service.idle_cores == pytest.approx(idle, abs=1e-9)
    assert service.cpu_s == pytest.approx(12 * (idle + loaded))
    assert service.cpu_s_per_operation_raw == pytest.approx(12 * (idle + loaded) / 100)
    assert service.cpu_s_per_operation == pytest.approx(12 * loaded / 100, abs=1e-6)


@given(st.lists(st.floats(0.0, 1.0), min_size=LAST_S - FIRST_S, max_size=LAST_S - FIRST_S))
def test_seconds_of_phases_add_up_to_all_there_were(grown: list[float]) -> None:
    total = [sum(grown[:place]) for place in range(len(grown) + 1)]
    service = only(costs(line("api", "cpu_s_total", lambda at_s: total[int(at_s) - FIRST_S])))
    assert sum(phase.cpu_s or 0.0 for phase in service.phases) == pytest.approx(total[-1])
    for phase in service.phases:
        cores = phase.spreads[0]
        assert cores.metric == "cpu_cores"
        assert cores.mean * phase.measured_s == pytest.approx(phase.cpu_s)


def test_without_an_idle_phase_the_raw_cost_is_the_cost() -> None:
    ops = [*phases("setup", "load", "drain", "cleanup"), *steady()]
    results = costs(line("api", "cpu_s_total", busy(0.5, 1.0)), ops)
    service = only(results)
    assert results.idle_s is None
    assert service.idle_cores is None
    assert service.cpu_s_per_operation == service.cpu_s_per_operation_raw == pytest.approx(0.18)


def test_several_workloads_share_one_divisor() -> None:
    facts = run(closed_workload("a"), closed_workload("b"))
    results = costs(
        line("api", "cpu_s_total", busy(0.0, 1.0)), [*phases(), *steady("a"), *steady("b", rate=2.0)], facts
    )
    assert results.workloads == ("a", "b")
    assert results.operations == 120
    assert only(results).cpu_s_per_operation == pytest.approx(12 / 120)


def test_a_run_that_finished_nothing_has_no_cost_per_operation() -> None:
    service = only(costs(line("api", "cpu_s_total", busy(0.0, 1.0)), phases()))
    assert service.cpu_s == pytest.approx(12.0)
    assert service.cpu_s_per_operation is None
    assert service.cpu_s_per_operation_raw is None


def test_a_load_of_which_half_was_not_sampled_has_no_cost() -> None:
    service = only(costs(line("api", "cpu_s_total", busy(0.0, 1.0), range(FIRST_S, 6))))
    assert service.cpu_s is None
    assert service.cpu_s_per_operation is None
    assert {phase.phase: phase.measured_s for phase in service.phases} == {"idle": 4.0, "setup": 5.0, "load": 5.0}


def test_a_killed_run_has_a_load_all_the_same() -> None:
    results = costs(line("api", "cpu_s_total", busy(0.0, 1.0), range(11)), steady())
    assert [stretch.phase for stretch in results.stretches] == ["load"]
    assert only(results).cpu_s == pytest.approx(10.0)


def test_what_a_database_and_a_broker_count_is_put_beside_operations() -> None:
    samples = [
        *line("mariadb", "queries_total", lambda at_s: 1000 + 10 * (at_s - FIRST_S) + 50 * min(max(at_s, 0), 12)),
        *line("mariadb", "reads_total", lambda at_s: 30 * min(max(at_s, 0), 12)),
        *line("mariadb", "writes_total", lambda at_s: 10 * min(max(at_s, 0), 12)),
        *line("rabbitmq", "messages_ready", lambda at_s: 7.0 if at_s == 3 else 500.0 if at_s == 14 else 0.0),
        *line("rabbitmq", "messages_unacknowledged", lambda at_s: 2.0),
        *line("rabbitmq", "published_total", lambda at_s: 5 * min(max(at_s, 0), 12)),
    ]
    database, broker = sorted(costs(samples).services, key=lambda one: one.service)
    counted = {one.metric: one for one in database.counted}
    assert counted["queries"].count == pytest.approx(720)
    assert counted["queries"].per_operation == pytest.approx(7.2)
    assert counted["queries"].per_operation_less_idle == pytest.approx(6.0)
    assert database.read_share == pytest.approx(0.75)
    assert database.cpu_s is None
    assert broker.queue_depth_max == 9.0
    assert broker.counted[0].per_operation == pytest.approx(0.6)
    assert broker.read_share is None


def test_the_services_that_used_most_come_first_and_the_others_are_drawn_together() -> None:
    count = MOST_DRAWN + 4
    samples = [
        sample
        for place in range(count)
        for sample in line(f"service-{place:02}", "cpu_s_total", busy(0.0, 0.1 * (place + 1)))
    ]
    results = costs(samples)
    assert [one.service for one in results.services] == [f"service-{place:02}" for place in reversed(range(count))]
    assert len({one.service for one in results.lines}) == results.drawn == MOST_DRAWN
    (rest,) = results.rest
    assert max(value or 0.0 for value in rest.value) == pytest.approx(0.1 + 0.2 + 0.3 + 0.4)


def test_the_sampler_accounts_for_itself() -> None:
    samples = [
        *line("api", "cpu_s_total", busy(0.0, 1.0)),
        *line("sampler", "cpu_s_total", lambda at_s: 0.005 * (at_s - FIRST_S)),
        *line("sampler", "duration_s", lambda at_s: 0.2 if at_s == 4 else 0.006),
    ]
    results = costs(samples)
    assert [one.service for one in results.services] == ["api"]
    assert results.every_s == pytest.approx(1.0)
    assert results.sampler is not None
    assert results.sampler.cpu_fraction == pytest.approx(0.005)
    assert results.sampler.duration_s_max == 0.2


def test_a_run_without_samples_has_no_services_unless_somebody_tried() -> None:
    assert whole([]).services is None
    tried = whole([], facts=RunFacts(workloads=run().workloads, unmeasured=("cannot measure rabbitmq: no",)))
    assert tried.services is not None
    assert tried.services.services == ()
    assert tried.services.problems == ("cannot measure rabbitmq: no",)
