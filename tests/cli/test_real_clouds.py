"""A cloud that no run started, named in clouds.yaml: the same experiment; and all that can be wrong with a cloud."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.laboratory import Cloud, Laboratory

pytestmark = pytest.mark.processes

THOUSAND_NODES = Path(__file__).parents[2] / "experiments" / "thousand-nodes.yaml"

SMALL = """
name: small
cloud: {openstack: apart}
workloads:
  a:
    scenario: compute.boot
    args: {flavor: m1.tiny, image: cirros}
    load: {model: shared-iterations, iterations: 2, vus: 1}
"""

CLOUDS = """
clouds:
  apart:
    auth: {auth_url: "URL", username: admin, password: wrong-one, project_name: admin,
           user_domain_name: Default, project_domain_name: Default}
    region_name: RegionOne
"""


@pytest.fixture(scope="module")
def cloud_laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Laboratory, Cloud]]:
    """A cloud for all tests of this module; each has its own runs."""
    laboratory = Laboratory(tmp_path_factory.mktemp("cloud"))
    try:
        yield laboratory, Cloud(laboratory, "apart")
    finally:
        laboratory.discard()


@pytest.fixture
def cloud(cloud_laboratory: tuple[Laboratory, Cloud]) -> Cloud:
    return cloud_laboratory[1]


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[Laboratory]:
    laboratory = Laboratory(tmp_path)
    yield laboratory
    laboratory.discard()


def refused(laboratory: Laboratory, *arguments: str, **environment: str) -> str:
    """What a command says that is refused: bad input, with a hint, and no traceback."""
    code, command = laboratory.run(*arguments, **environment)
    assert code == 2, command.said
    assert "error:" in command.said
    assert "hint:" in command.said
    assert "Traceback" not in command.said
    assert "wrong-one" not in command.said, "no secret in an error"
    return command.said


def test_the_project_s_experiment_runs_on_a_cloud_that_it_did_not_start(laboratory: Laboratory, cloud: Cloud) -> None:
    before = cloud.things()
    settings = [
        "cloud={openstack: apart}",
        "setup={projects: 2, users_per_project: 2, networks_per_project: 1}",
        "workloads.boot-storm.load={model: constant-vus, vus: 3, duration: 4s}",
        "workloads.api-mix.load={model: constant-arrival-rate, rate: 20/s, duration: 4s}",
        "workloads.tokens.load={model: ramping-arrival-rate, start: 5/s, stages: [{to: 10/s, over: 2s}]}",
        "workloads.tokens.start=1s",
        "criteria=[boot-storm.boot count > 0, api-mix error_rate == 0%, tokens error_rate == 0%]",
    ]
    sets = [word for setting in settings for word in ("--set", setting)]
    code, run = laboratory.run(
        "run", str(THOUSAND_NODES), *sets, "--json", OS_CLIENT_CONFIG_FILE=str(cloud.clouds_file)
    )
    assert code in (0, 3), run.said  # a busy machine may be too slow to judge, which is not what this is about
    results = run.data
    assert [workload["facts"]["name"] for workload in results["workloads"]] == ["boot-storm", "api-mix", "tokens"]
    assert all(workload["due"] > 0 and not workload["errors"] for workload in results["workloads"])
    assert not laboratory.record()["emulated"]
    assert laboratory.clouds() == [], "it started no cloud"
    assert cloud.things() == before


def test_a_cloud_that_cannot_be_reached_is_named(laboratory: Laboratory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (laboratory.folder / "clouds.yaml").write_text(CLOUDS.replace("URL", f"http://127.0.0.1:{port}/v3"))
    said = refused(laboratory, "run", laboratory.write(SMALL))
    assert "apart" in said
    assert laboratory.record()["state"] == "failed"
    assert not laboratory.record()["left_behind"]
    assert "nothing" in laboratory.run("cleanup")[1].said or "no run" in laboratory.run("cleanup")[1].said


def test_a_wrong_password_is_bad_input(laboratory: Laboratory, cloud: Cloud) -> None:
    (laboratory.folder / "clouds.yaml").write_text(CLOUDS.replace("URL", cloud.auth_url))
    said = refused(laboratory, "run", laboratory.write(SMALL))
    assert "401" in said or "password" in said


def test_an_unknown_cloud_gets_the_known_names(laboratory: Laboratory, cloud: Cloud) -> None:
    text = SMALL.replace("openstack: apart", "openstack: apartt")
    said = refused(laboratory, "run", laboratory.write(text), OS_CLIENT_CONFIG_FILE=str(cloud.clouds_file))
    assert "apartt" in said
    assert "'apart'" in said or "apart," in said


def test_a_missing_flavor_is_found_before_the_load_and_nothing_stays(laboratory: Laboratory, cloud: Cloud) -> None:
    before = cloud.things()
    text = (
        SMALL.replace("m1.tiny", "m1.tinny") + "setup: {projects: 2, users_per_project: 1, networks_per_project: 1}\n"
    )
    said = refused(laboratory, "run", laboratory.write(text), OS_CLIENT_CONFIG_FILE=str(cloud.clouds_file))
    assert "m1.tiny" in said
    assert laboratory.record()["state"] == "failed"
    assert cloud.things() == before


def test_cleanup_by_run_id_alone_touches_no_look_alike(laboratory: Laboratory, cloud: Cloud) -> None:
    before = cloud.things()
    names = ("kn-0badcafe-network-0", "kn-0badcafe", "kn-0BADCAFE-x", "xkn-0badcafe-x", "kn-0badcaf-x", "kn-1badcafe-x")
    made = {}
    for name in names:
        answer = cloud.ask("network", "POST", "/v2.0/networks", {"network": {"name": name}})
        made[name] = answer["network"]["id"]
    environment = {"OS_CLIENT_CONFIG_FILE": str(cloud.clouds_file)}
    code, listing = laboratory.run("cleanup", "0badcafe", "--cloud", "apart", "--dry-run", "--json", **environment)
    assert code == 0, listing.said
    assert [leftover["name"] for leftover in listing.data["leftovers"]] == [names[0]]
    code, cleanup = laboratory.run("cleanup", "0badcafe", "--cloud", "apart", **environment)
    assert code == 0, cleanup.said
    left = {name for _, _, name in cloud.things() - before}
    assert left == set(names[1:])
    for name in names[1:]:
        cloud.ask("network", "DELETE", f"/v2.0/networks/{made[name]}")


def leave(laboratory: Laboratory, cloud: str, run_id: str) -> None:
    """A run that says it has left something on this cloud."""
    folder = laboratory.runs / f"20300101-000000-{run_id}"
    folder.mkdir(parents=True)
    record = {"run_id": run_id, "name": "left", "state": "aborted", "pid": 1, "created_utc": "2030-01-01T00:00:00Z"}
    (folder / "run.json").write_text(json.dumps(record | {"cloud": cloud, "left_behind": True}))


def test_a_cloud_that_cannot_be_reached_is_not_in_the_way_of_the_others_in_a_list_of_leftovers(
    laboratory: Laboratory, cloud: Cloud
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    gone = CLOUDS.replace("URL", f"http://127.0.0.1:{port}/v3").replace("apart", "gone").replace("clouds:\n", "")
    (laboratory.folder / "clouds.yaml").write_text(cloud.clouds_file.read_text() + gone.lstrip("\n"))
    made = cloud.ask("network", "POST", "/v2.0/networks", {"network": {"name": "kn-1badcafe-network-0"}})
    leave(laboratory, "apart", "1badcafe")
    leave(laboratory, "gone", "2badcafe")
    leave(laboratory, "unheard-of", "3badcafe")
    code, listing = laboratory.run("cleanup")
    assert code == 0, listing.said
    assert "run 1badcafe left 1: 1 network" in listing.said
    assert "cloud gone, with what is left of run 2badcafe" in listing.said
    assert "cloud unheard-of, with what is left of run 3badcafe" in listing.said
    code, unheard_of = laboratory.run("cleanup", "3badcafe")
    assert code == 2, unheard_of.said
    assert "there is no cloud 'unheard-of'" in unheard_of.said
    code, cleanup = laboratory.run("cleanup", "1badcafe")
    assert code == 0, cleanup.said
    assert made["network"]["id"] not in {identity for _, identity, _ in cloud.things()}


def test_two_cleanups_of_one_run_at_once_are_both_well(laboratory: Laboratory, cloud: Cloud) -> None:
    before = cloud.things()
    for number in range(20):
        cloud.ask("network", "POST", "/v2.0/networks", {"network": {"name": f"kn-4badcafe-network-{number}"}})
    environment = {"OS_CLIENT_CONFIG_FILE": str(cloud.clouds_file)}
    both = [laboratory.start("cleanup", "4badcafe", "--cloud", "apart", **environment) for _ in range(2)]
    for command in both:
        assert command.wait() == 0, command.said
        assert "Traceback" not in command.said
    assert cloud.things() == before


def test_a_folder_for_runs_that_cannot_be_made_is_bad_input(laboratory: Laboratory) -> None:
    (laboratory.folder / "occupied").write_text("a file")
    file = laboratory.write(SMALL)
    assert "occupied" in refused(laboratory, "run", file, "--runs", "occupied")
    assert "occupied" in refused(laboratory, "run", file, "--runs", "occupied/deeper")
    assert "/proc" in refused(laboratory, "run", file, "--runs", "/proc/nothing")


def test_a_port_in_use_and_an_older_state_are_refused_and_leave_nothing(laboratory: Laboratory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused(laboratory, "cloud", "up", "--nodes", "5", "--port", port)
        assert port in said
    assert laboratory.cloud_processes() == []
    folder = laboratory.state / "cloud" / "old"
    folder.mkdir(parents=True)
    (folder / "cloud.json").write_text(json.dumps({"version": 0}))
    said = refused(laboratory, "cloud", "up", "--name", "old", "--port", "0")
    assert "older version" in said
    assert [path.name for path in folder.iterdir()] == ["cloud.json"]
    assert laboratory.cloud_processes() == []


def test_a_second_cloud_of_the_same_name_is_refused(cloud_laboratory: tuple[Laboratory, Cloud]) -> None:
    laboratory, cloud = cloud_laboratory
    said = refused(laboratory, "cloud", "up", "--name", "apart", "--port", "0")
    assert "already up" in said
    assert cloud.things()
