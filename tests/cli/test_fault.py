"""`kilonode fault` as a user meets it: against an emulated cloud of real processes, and without any."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kilonode.base.clock_skews import CLOCKS_FOLDER
from kilonode.base.processes import ProcessIdentity, is_alive, is_stopped
from kilonode.cloud.folder import StateFolder
from kilonode.cloud.operating import processes
from tests.cli.forking import run_to_its_end
from tests.cli.laboratory import until
from tests.cloud.plain_client import PlainClient

pytestmark = pytest.mark.processes

Kilonode = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = [sys.executable, "-m", "kilonode.cli.main"]


def environment(state: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "KILONODE_STATE": str(state), "TERM": "dumb", "COLUMNS": "100", **more}


def run(state: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    out, err = state / "out", state / "err"
    code = run_to_its_end(arguments, Path.cwd(), environment(state, **more), out, err)
    return subprocess.CompletedProcess(arguments, code, out.read_text(), err.read_text())


@pytest.fixture
def kilonode(tmp_path: Path) -> Kilonode:
    return lambda *arguments, **more: run(tmp_path, *arguments, **more)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder of an emulated cloud that runs."""
    state = tmp_path_factory.mktemp("state")
    up = run(state, "cloud", "up", "--nodes", "10", "--port", "0", "--stages", "instant")
    assert up.returncode == 0, up.stderr
    yield state
    run(state, "cloud", "down", "--purge")


def identity(state: Path, name: str) -> ProcessIdentity:
    (found,) = [each.identity for each in processes(StateFolder(state, "kilonode")) if each.name == name]
    assert found is not None
    return found


@contextlib.contextmanager
def begun(state: Path, sentence: str, seen: str = " is stopped") -> Iterator[subprocess.Popen[str]]:
    """The command while its fault is in effect."""
    command = subprocess.Popen([*COMMAND, "fault", sentence], env=environment(state), stderr=subprocess.PIPE, text=True)
    try:
        assert command.stderr is not None
        for line in command.stderr:
            if seen in line:
                break
        yield command
    finally:
        command.kill()
        command.communicate()


def test_a_role_is_frozen_for_as_long_as_the_sentence_says(cloud: Path) -> None:
    done = run(cloud, "fault", "freeze scheduler for 300 ms", "--json")
    assert done.returncode == 0, done.stderr
    (fault,) = json.loads(done.stdout)["faults"]
    assert fault["healed_ns"] - fault["took_effect_ns"] >= 300_000_000
    assert "healed after" in done.stderr
    assert not is_stopped(identity(cloud, "scheduler"))


def test_a_killed_role_is_gone_and_another_process_takes_its_place(cloud: Path) -> None:
    before = identity(cloud, "fleet")
    done = run(cloud, "fault", "kill", "one", "fleet")
    assert done.returncode == 0, done.stderr
    assert not is_alive(before)


def test_a_restarted_role_has_another_process(cloud: Path) -> None:
    before = identity(cloud, "controllers")
    done = run(cloud, "fault", "restart controllers", "--json")
    assert done.returncode == 0, done.stderr
    assert identity(cloud, "controllers") != before


def test_a_dry_run_touches_nothing_and_says_what_would_be(cloud: Path) -> None:
    before = identity(cloud, "api")
    done = run(cloud, "fault", "kill api, then freeze volume for 5s", "--dry-run")
    assert done.returncode == 0
    assert f"SIGKILL to api (pid {before.pid}" in done.stderr
    assert "then at once" in done.stderr
    assert identity(cloud, "api") == before


def test_ctrl_c_heals_at_once(cloud: Path) -> None:
    with begun(cloud, "freeze scheduler for 10 minutes") as command:
        assert is_stopped(identity(cloud, "scheduler"))
        command.send_signal(signal.SIGINT)
        assert command.wait(60) == 4
    assert not is_stopped(identity(cloud, "scheduler"))


def test_without_a_duration_ctrl_c_is_the_end_that_was_meant(cloud: Path) -> None:
    with begun(cloud, "freeze scheduler") as command:
        command.send_signal(signal.SIGINT)
        assert command.wait(60) == 0
    assert not is_stopped(identity(cloud, "scheduler"))


def test_what_a_killed_command_left_is_listed_and_healed(cloud: Path) -> None:
    with begun(cloud, "freeze scheduler for 10 minutes") as command:
        busy = run(cloud, "fault", "heal")
        assert busy.returncode == 0
        assert "still runs" in busy.stderr
        command.kill()
        command.wait(60)
    assert is_stopped(identity(cloud, "scheduler"))
    assert "SIGSTOP to scheduler" in run(cloud, "fault", "list", "--open").stdout
    healed = run(cloud, "fault", "heal")
    assert (healed.returncode, is_stopped(identity(cloud, "scheduler"))) == (0, False), healed.stderr
    assert "nothing is left to heal" in run(cloud, "fault", "heal").stderr


def clock_offset_s(state: Path, name: str) -> float:
    """What a process says that its wall clock is off by."""
    said = json.loads((StateFolder(state, "kilonode").path / CLOCKS_FOLDER / name).read_bytes())
    assert said["identity"]["pid"] == identity(state, name).pid
    return float(said["offset_s"])


def test_a_clock_that_a_killed_command_left_off_is_set_right_by_heal_and_a_new_process_goes_by_it_too(
    cloud: Path,
) -> None:
    client = PlainClient.log_in(StateFolder(cloud, "kilonode").path / "clouds.yaml", "kilonode")
    assert client.servers() == {}
    with begun(cloud, "skew clock of api by 2d", " says that its clock is ") as command:
        command.kill()
        command.wait(60)
    assert clock_offset_s(cloud, "api") == 2 * 86_400
    with pytest.raises(urllib.error.HTTPError, match="401"):  # it holds the token for expired
        client.servers()
    assert run(cloud, "fault", "restart api").returncode == 0
    assert clock_offset_s(cloud, "api") == 2 * 86_400
    healed = run(cloud, "fault", "heal")
    assert healed.returncode == 0, healed.stderr
    assert "says that its clock is right" in healed.stderr
    assert (clock_offset_s(cloud, "api"), client.servers()) == (0, {})


def test_what_was_frozen_by_a_command_that_was_killed_is_ended_by_another_sentence(cloud: Path) -> None:
    with begun(cloud, "freeze scheduler") as command:
        command.kill()
        command.wait(60)
    assert is_stopped(identity(cloud, "scheduler"))
    done = run(cloud, "fault", "unfreeze scheduler")
    assert (done.returncode, is_stopped(identity(cloud, "scheduler"))) == (0, False), done.stderr
    assert "nothing is left to heal" in run(cloud, "fault", "heal").stderr


def status(state: Path, path: str) -> int:
    """Of the answer to a POST."""
    record = StateFolder(state, "kilonode").read_record()
    assert record is not None
    connection = http.client.HTTPConnection("127.0.0.1", record.port, timeout=20)
    try:
        connection.request("POST", path, body=b"{}")
        return connection.getresponse().status
    finally:
        connection.close()


def test_requests_to_a_service_are_refused_at_its_door_until_they_are_healed(cloud: Path) -> None:
    sentence = "abort POST requests to nova under /servers with status 503"
    with begun(cloud, sentence, "go by the rule") as command:
        assert status(cloud, "/compute/v2.1/servers") == 503
        assert status(cloud, "/compute/v2.1/flavors") == 401
        assert run(cloud, "fault", "kill api").returncode == 0
        assert run(cloud, "cloud", "restart", "scheduler").returncode == 0
        command.kill()
        command.wait(60)
        healed = run(cloud, "fault", "heal")
        assert (healed.returncode, "requests to compute pass" in healed.stderr) == (0, True), healed.stderr

    def answered_again() -> int | None:
        with contextlib.suppress(ConnectionRefusedError):  # the api that was killed is on its way back
            return status(cloud, "/compute/v2.1/servers")
        return None

    assert until(answered_again, "an answer of the api") == 401


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("nft") is None, reason="needs root and nft")
def test_the_api_is_cut_off_and_answers_again(cloud: Path) -> None:
    with begun(cloud, "unplug api for 10 minutes", "none answered") as command:
        command.send_signal(signal.SIGINT)
        assert command.wait(60) == 4
    assert status(cloud, "/compute/v2.1/servers") == 401


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("kill schedler", "did you mean 'scheduler'"),
        ("kill 7 of 9 api", "not as many as the sentence says"),
        ("freez api", "nearest right sentence: freeze api"),
        ("kill api for 10s", "freeze it for 10s instead"),
        ("skew clock by -5s on node localhost", "everybody's"),
        ("abort requests to nowa with status 503", "did you mean 'nova'"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_way_out(cloud: Path, sentence: str, words: str) -> None:
    done = run(cloud, "fault", sentence)
    assert done.returncode == 2
    assert words in done.stderr


def test_without_a_cloud_it_is_said_how_to_get_one(kilonode: Kilonode) -> None:
    done = kilonode("fault", "kill api")
    assert done.returncode == 2
    assert "kilonode cloud" in done.stderr


def test_sentences_complete_in_the_shell(cloud: Path) -> None:
    def offered(line: str) -> list[str]:
        words = line.split(" ")
        more = {"_KILONODE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
        said = run(cloud, **more).stdout
        return said.split("\n")[:-1] if said.endswith("\n") else said.split("\n")

    assert "freeze" in offered("kilonode fault fr")
    assert "heal" in offered("kilonode fault he")
    assert offered("kilonode fault freeze sch") == ["scheduler"]
    assert offered("kilonode fault delay requests to key") == ["keystone"]
    assert "for" in offered("kilonode fault freeze scheduler ")


def test_a_file_of_sentences_is_parsed_whole_or_every_mistake_is_shown(kilonode: Kilonode, tmp_path: Path) -> None:
    file = tmp_path / "faults.txt"
    file.write_text("# what we do\nKILL api service\n\nfreeze scheduler for 5 minutes # long\n")
    done = kilonode("fault", "parse", str(file))
    assert (done.returncode, done.stdout) == (0, "kill api\nfreeze scheduler for 300s\n")
    file.write_text("kill api\nkil api\nfreeze api for 5 parsecs\n")
    done = kilonode("fault", "parse", str(file))
    assert done.returncode == 2
    assert "faults.txt:2:1" in done.stderr
    assert "faults.txt:3:18" in done.stderr
    assert "2 problems" in done.stderr


def test_every_example_is_printed_and_parses(kilonode: Kilonode) -> None:
    examples = kilonode("fault", "examples", "--json")
    assert "kill one scheduler" in json.loads(examples.stdout)


def test_an_os_faults_configuration_is_converted_and_what_is_lost_is_said(kilonode: Kilonode, tmp_path: Path) -> None:
    file = tmp_path / "os-faults.yaml"
    file.write_text(
        "cloud_management: {driver: universal}\nnode_discover: {driver: node_list, args: [{ip: 192.0.2.1, mak: x}]}"
    )
    done = kilonode("fault", "convert", str(file))
    assert done.returncode == 3
    assert done.stdout == "hosts: {192.0.2.1: {address: 192.0.2.1}}\n"
    assert "did you mean 'mac'" in done.stderr


def test_doctor_says_what_faults_can_be_done_here(kilonode: Kilonode) -> None:
    done = kilonode("doctor", "--faults", "--json")
    assert done.returncode == 0
    assert {"services", "processes"} <= {each["driver"] for each in json.loads(done.stdout)}
