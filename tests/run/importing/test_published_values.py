"""The published raw data gives the published values to the printed digits, all the way from file to results."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kilonode.base.errors import InputError
from kilonode.check.recovery.records import Measure, RecoveryGroup
from kilonode.run.evaluation import evaluate_run
from kilonode.run.importing.rally_runs import import_rally
from tests.run.importing.published import OTHER_LAYOUT, VALUES, unpacked


def group_of(name: str, folder: Path) -> RecoveryGroup:
    run = import_rally([unpacked(name, folder)], folder / "runs", datetime(2026, 1, 2, tzinfo=UTC))
    recovery = evaluate_run(run).recovery
    assert recovery is not None
    (group,) = recovery.groups
    return group


def printed(measure: Measure, like: str) -> str:
    """The value with as many digits as the published one."""
    if measure.value is None:
        return ""
    return f"{measure.value:.{len(like.partition('.')[2])}f}"


@pytest.mark.parametrize("name", sorted(VALUES))
def test_the_published_method_gives_the_published_values(name: str, tmp_path: Path) -> None:
    published, expected = group_of(name, tmp_path).published, VALUES[name]
    assert printed(published.downtime_s, expected.downtime_s) == expected.downtime_s
    assert printed(published.time_to_recover_s, expected.time_to_recover_s) == expected.time_to_recover_s
    assert printed(published.degradation_s, expected.degradation_s) == expected.degradation_s
    assert printed(published.degradation_ratio, expected.degradation_ratio) == expected.degradation_ratio


def test_the_other_layout_of_hooks_loads_too(tmp_path: Path) -> None:
    group = group_of(OTHER_LAYOUT, tmp_path)
    assert group.disruption == "kill rabbitmq service on one node"
    assert group.published.downtime_s.value is None and group.published.time_to_recover_s.value is None


def test_repeats_of_one_file_are_repeats_of_one_group(tmp_path: Path) -> None:
    group = group_of("authenticate_with_restart_keystone_service_on_one_node", tmp_path)
    assert [episode.workload for episode in group.episodes] == [f"keystone-{number}" for number in range(1, 6)]
    assert group.published.repeats == 5


def test_what_was_still_broken_at_the_end_has_no_time_to_recover_but_a_lower_limit(tmp_path: Path) -> None:
    name = "boot_and_delete_with_disconnect_management_network_on_one_node_with_nova_scheduler_service"
    group = group_of(name, tmp_path)
    (episode,) = group.episodes
    assert episode.recovery_time_s.at_least and (episode.recovery_time_s.value or 0) > 400
    assert any("149 s" in sentence or "2 m 29 s" in sentence for sentence in group.differences)


def test_a_control_run_that_was_disrupted_itself_is_refused(tmp_path: Path) -> None:
    name = "boot_and_delete_with_kill_rabbitmq_service_on_one_node"
    run = import_rally([unpacked(name, tmp_path)], tmp_path / "runs", datetime(2026, 1, 2, tzinfo=UTC))
    with pytest.raises(InputError, match="disrupted itself"):
        evaluate_run(run, control=run)
