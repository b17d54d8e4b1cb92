import math
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.base.files import write_atomically
from kilonode.base.simulation import run_coroutine_simulated
from kilonode.run.campaign import (
    Campaign,
    PointResult,
    list_campaigns,
    open_campaign,
    read_campaign,
    run_campaign,
)
from kilonode.run.folder import create_run_folder
from kilonode.run.printing import print_plain
from kilonode.run.reading import Point, ReadExperiment, read_text

FILE = Path("experiment.yaml")
THEN = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
BASE: dict[str, Any] = {
    "name": "Swept",
    "parameters": {"vus": 1},
    "cloud": {"emulated": {"nodes": 1}},
    "workloads": {"idle": {"scenario": "noop", "load": {"model": "constant-vus", "vus": "${vus}", "duration": "1s"}}},
}
AXES = ("cloud.emulated.nodes", "parameters.vus", "seed", "workloads.idle.load.duration")


def swept(matrix: dict[str, list[Any]], sets: tuple[str, ...] = ()) -> ReadExperiment:
    return read_text(print_plain(BASE | {"matrix": matrix}), FILE, sets)


TWICE = "matrix.cloud.emulated: a value stands twice"
sizes = st.lists(st.integers(1, 4), min_size=0, max_size=4)


@given(sizes)
def test_a_matrix_has_every_combination_once(sizes: list[int]) -> None:
    matrix: dict[str, list[Any]] = {
        axis: [f"{value}s" if axis.endswith("duration") else value for value in range(1, size + 1)]
        for axis, size in zip(AXES, sizes, strict=False)
    }
    read = swept(matrix)
    assert len(read.points) == math.prod(sizes)
    assert read.axes == tuple(matrix)
    assert len({point.text for point in read.points}) == len(read.points)
    assert [point.number for point in read.points] == list(range(len(read.points)))
    for point in read.points:
        assert tuple(point.facts) == tuple(matrix)
        assert point.experiment.matrix == {}
        load: Any = point.experiment.workloads["idle"].load
        assert load.vus == point.facts.get("parameters.vus", 1)
        assert point.experiment.cloud is not None
        assert point.experiment.cloud.emulated is not None
        assert point.experiment.cloud.emulated.nodes == point.facts.get("cloud.emulated.nodes", 1)


def test_the_last_path_changes_fastest() -> None:
    points = swept({"seed": [1, 2], "parameters.vus": [3, 4]}).points
    assert [tuple(point.facts.values()) for point in points] == [(1, 3), (1, 4), (2, 3), (2, 4)]


def test_values_may_be_mappings_that_change_together() -> None:
    points = swept({"cloud.emulated": [{"nodes": 3, "roles": "together"}, {"nodes": 4}], "seed": [1, 2]}).points
    clouds = [point.experiment.cloud.emulated for point in points if point.experiment.cloud is not None]
    assert [(cloud.nodes, cloud.roles) for cloud in clouds if cloud is not None] == [
        (3, "together"), (3, "together"), (4, "separate"), (4, "separate"),
    ]  # fmt: skip
    assert points[0].facts == {"cloud.emulated": {"nodes": 3, "roles": "together"}, "seed": 1}


def test_the_matrix_can_be_left_out_from_the_command_line() -> None:
    assert len(swept({"seed": [1, 2]}, ("matrix={}", "seed=9")).points) == 1


@pytest.mark.parametrize(
    ("matrix", "sets", "said"),
    [
        ({"seed": []}, (), "matrix.seed: nothing to sweep over"),
        ({"seed": 3}, (), "matrix.seed: nothing to sweep over"),
        ({"seed": [1, 2, 1]}, (), "matrix.seed: a value stands twice"),
        (
            {"cloud.emulated": [{"nodes": 1, "roles": "together"}, {"roles": "together", "nodes": 1}]},
            (),
            "stands twice",
        ),
        ({"a b": [1]}, (), "not a path"),
        ({"matrix.seed": [1]}, (), "a matrix cannot sweep itself"),
        ({"seed": list(range(50)), "parameters.vus": list(range(50))}, (), "got: 50 × 50 = 2500"),
        ({"seed": [1, 2]}, ("seed=3",), "swept by the matrix and set from the command line"),
        ({"name.x": [1]}, (), "cannot set 'x' here"),
        ({"seed": [1, "many"]}, (), "seed: wrong type"),
    ],
)
def test_a_wrong_matrix_is_refused(matrix: Any, sets: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError) as caught:
        swept(matrix, sets)
    assert said in str(caught.value)


def test_a_problem_that_all_points_share_is_said_once() -> None:
    with pytest.raises(InputError) as caught:
        swept({"seed": [1, 2, 3]}, ("drain=5",))
    assert len(caught.value.problems) == 1


class CutError(Exception):
    """The machine lost power."""


@given(st.integers(0, 40))
def test_a_campaign_cut_anywhere_goes_on_where_it_was(cut: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        check_resumption(Path(name), cut)


def check_resumption(runs: Path, cut: int) -> None:
    """Cut the campaign at its `cut`-th durable step, go on, and see that each point has one result."""
    read = swept({"seed": [1, 2, 3], "parameters.vus": [1, 2]})
    steps_left = cut
    done: list[int] = []

    def step() -> None:
        nonlocal steps_left
        if steps_left == 0:
            steps_left = -1
            raise CutError
        steps_left -= 1

    original = write_atomically

    def failing_write(path: Path, data: bytes) -> None:
        step()
        original(path, data)
        step()

    async def run_point(point: Point, campaign: Campaign) -> PointResult:
        folder = create_run_folder(campaign.path, point.experiment.name, THEN)
        campaign.started(point, folder.name)
        step()
        done.append(point.number)
        return PointResult("valid", 0, {"idle latency_s_p99": float(point.number)})

    patch = pytest.MonkeyPatch()
    with patch.context() as context:
        context.setattr("kilonode.run.campaign.write_atomically", failing_write)
        for _ in range(3):
            try:
                campaign = open_campaign(runs, read, THEN)
                run_coroutine_simulated(run_campaign(campaign, run_point))
            except CutError:
                continue
            break
    table = max((campaign.table() for campaign in list_campaigns(runs)), key=lambda table: bool(table.figures))
    assert [record.result is not None for record in table.rows] == [True] * 6
    assert table.figures == ("idle latency_s_p99",)
    assert sorted(set(done)) == list(range(6))
    assert len(done) <= 7, "at most the point that was cut is done again"
    for record in table.rows:
        assert 1 <= len(record.runs) <= 2


async def test_a_finished_campaign_is_not_taken_up_again(tmp_path: Path) -> None:
    read = swept({"seed": [1, 2]})

    async def run_point(point: Point, campaign: Campaign) -> PointResult:
        return PointResult("valid", 0)

    first = open_campaign(tmp_path, read, THEN)
    await run_campaign(first, run_point)
    assert open_campaign(tmp_path, read, THEN).pending() == [], "it has not been reported yet"
    first.close()
    assert open_campaign(tmp_path, read, THEN).path != first.path


async def test_a_campaign_cut_short_by_the_user_has_no_result_for_that_point(tmp_path: Path) -> None:
    read = swept({"seed": [1, 2, 3]})

    async def run_point(point: Point, campaign: Campaign) -> PointResult | None:
        return PointResult("invalid", 1) if point.number == 0 else None

    campaign = open_campaign(tmp_path, read, THEN)
    await run_campaign(campaign, run_point)
    again = open_campaign(tmp_path, read, THEN)
    assert again.path == campaign.path
    assert [point.number for point in again.pending()] == [1, 2]
    assert again.exit_code() == 1


def test_another_setting_is_another_campaign(tmp_path: Path) -> None:
    first = open_campaign(tmp_path, swept({"seed": [1, 2]}), THEN)
    assert open_campaign(tmp_path, swept({"seed": [1, 2]}), THEN).path == first.path
    assert open_campaign(tmp_path, swept({"seed": [1, 2]}, ("drain=5s",)), THEN).path != first.path
    assert open_campaign(tmp_path, swept({"seed": [1, 2]}), THEN, fresh=True).path != first.path
    assert open_campaign(tmp_path, swept({"seed": [1, 2]}), THEN, simulated=True).path != first.path


def test_a_broken_index_is_not_in_the_way(tmp_path: Path) -> None:
    first = open_campaign(tmp_path, swept({"seed": [1]}), THEN)
    (first.path / "campaign.json").write_text("{")
    assert open_campaign(tmp_path, swept({"seed": [1]}), THEN).path != first.path
    with pytest.raises(InputError, match="a broken campaign index"):
        read_campaign(first.path)


@pytest.mark.parametrize(("codes", "worst"), [([0, 0], 0), ([0, 3], 3), ([3, 1], 1), ([1, 4], 4), ([4, 2, 5], 5)])
async def test_the_exit_code_is_the_worst_of_the_points(tmp_path: Path, codes: list[int], worst: int) -> None:
    async def run_point(point: Point, campaign: Campaign) -> PointResult:
        return PointResult("valid", codes[point.number])

    campaign = open_campaign(tmp_path, swept({"seed": list(range(len(codes)))}), THEN)
    await run_campaign(campaign, run_point)
    assert campaign.exit_code() == worst
