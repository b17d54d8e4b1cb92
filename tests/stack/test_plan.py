from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.stack.plan import MOST_NODES_PER_COMPUTE, UpSettings, check_name, plan

STATE = Path("/nowhere")


def wish(**changes: object) -> UpSettings:
    return UpSettings(state=STATE, **changes)  # type: ignore[arg-type]


def test_a_new_stack_has_ten_nodes_on_one_compute_service() -> None:
    settings = plan(wish(), None)
    assert [(compute.host, compute.first, compute.count) for compute in settings.computes] == [("compute-001", 1, 10)]
    assert settings.release == "newest"


def test_a_thousand_nodes_are_twenty_services_of_fifty() -> None:
    settings = plan(wish(nodes=1000), None)
    assert [compute.count for compute in settings.computes] == [50] * 20
    assert settings.computes[-1].node_names()[-1] == "node-1000"


def test_computes_alone_mean_one_node_each() -> None:
    assert [compute.count for compute in plan(wish(computes=40), None).computes] == [1] * 40


def test_nodes_are_dealt_out_as_evenly_as_possible() -> None:
    assert [compute.count for compute in plan(wish(nodes=10, computes=3), None).computes] == [4, 3, 3]


def test_a_stack_grows_by_new_services_and_its_nodes_stay_where_they_are() -> None:
    small = plan(wish(nodes=10, computes=2), None)
    large = plan(wish(nodes=110), small)
    assert large.computes[:2] == small.computes
    assert large.nodes == 110
    assert [compute.first for compute in large.computes] == [1, 6, 11, 61]


def test_what_is_not_said_stays_as_it_was() -> None:
    known = plan(wish(nodes=5, workers=3, network=False), None)
    assert plan(wish(), known) == known


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"nodes": 5}, "--nodes"),
        ({"computes": 1, "nodes": 10}, "--computes"),
        ({"nodes": 11, "computes": 2}, "--computes"),
        ({"network": False}, "--network"),
        ({"release": "2026.1"}, "--release"),
    ],
)
def test_what_a_stack_cannot_become_is_refused_with_the_option(changes: dict[str, object], where: str) -> None:
    known = plan(wish(nodes=10, computes=2), None)
    with pytest.raises(InputError) as caught:
        plan(wish(**changes), known)
    assert caught.value.problem.path == where
    assert caught.value.problem.hint


def test_a_wrong_release_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"no release '2025\.3'") as caught:
        plan(wish(release="2025.3"), None)
    assert "newest" in caught.value.problem.expected
    assert caught.value.problem.hint == "did you mean '2025.2'?"


def test_more_nodes_than_a_service_can_look_after_are_refused() -> None:
    with pytest.raises(InputError, match="dealt out") as caught:
        plan(wish(nodes=1000, computes=2), None)
    assert "want 20 compute services" in caught.value.problem.hint


@pytest.mark.parametrize("name", ["", "Stack", "../up", "a" * 31, "1st"])
def test_names_that_could_lead_out_of_the_state_folder_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        check_name(name)


@given(st.integers(1, 3000), st.integers(1, 60), st.integers(0, 3000))
def test_every_node_belongs_to_exactly_one_service_however_a_stack_grows(nodes: int, computes: int, more: int) -> None:
    try:
        settings = plan(wish(nodes=nodes, computes=computes), None)
    except InputError:
        assert computes > nodes or nodes > computes * MOST_NODES_PER_COMPUTE
        return
    grown = plan(wish(nodes=nodes + more), settings)
    names = [name for compute in grown.computes for name in compute.node_names()]
    assert len(names) == len(set(names)) == nodes + more
    assert len({compute.host for compute in grown.computes}) == len(grown.computes)
    assert grown.computes[: len(settings.computes)] == settings.computes
