import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.stack import daemons, needs
from kilonode.stack.environment import Environment
from kilonode.stack.folder import Ports
from kilonode.stack.releases import find_release


def ports_from(first: int) -> Ports:
    return needs.choose_ports(first)


def test_too_little_memory_says_how_many_computes_would_fit() -> None:
    need = needs.memory(20, available_bytes=4 * 2**30)
    assert not need.met
    assert need.found == "4.0 GiB available"
    assert need.hint.startswith("--computes 14 would fit")


def test_where_not_even_the_services_fit_the_hint_names_no_number() -> None:
    assert needs.memory(1, available_bytes=2**30).hint == "free some, or go on anyway with --force"


def test_adding_computes_to_services_that_run_needs_memory_for_those_alone() -> None:
    assert needs.memory(10, alone=False, available_bytes=2 * 2**30).met


@given(st.integers(0, 500), st.integers(0, 2**37))
def test_what_is_said_to_fit_does_fit(computes: int, available_bytes: int) -> None:
    need = needs.memory(computes, available_bytes=available_bytes)
    if not need.met and need.hint.startswith("--computes"):
        fitting = int(need.hint.split()[1])
        assert fitting < computes
        assert needs.memory(fitting, available_bytes=available_bytes).met
        assert not needs.memory(fitting + 1, available_bytes=available_bytes).met


def test_missing_packages_are_named_with_one_command_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "find_program", lambda name: None)
    found = needs.programs()
    assert [need.name for need in found] == [
        "package mariadb-server",
        "package mariadb-client",
        "package rabbitmq-server",
        "package memcached",
    ]
    assert not any(need.met for need in found)
    last = needs.describe(found)[-1]
    assert "mariadb-server mariadb-client rabbitmq-server memcached" in last


def test_everything_that_is_missing_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "find_program", lambda name: None)
    with pytest.raises(InputError) as caught:
        needs.require([*needs.programs(), needs.memory(1, available_bytes=0)])
    assert len(caught.value.problems) == 5
    assert all(problem.hint for problem in caught.value.problems)


def test_a_missing_program_is_named_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemons, "find_program", lambda name: None)
    with pytest.raises(InputError, match="memcached is missing"):
        daemons.program("memcached")


def test_installing_is_root_s_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert needs.install_hint(["memcached"]).startswith("sudo apt-get install")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert needs.install_hint(["memcached"]) == "apt-get install --no-install-recommends memcached"


def test_a_port_that_somebody_listens_on_is_named_with_what_it_is_for() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        first = min(taken, 65_500)
        found = needs.free_ports(ports_from(first))
    named = Ports.__struct_fields__[taken - first]
    assert f"port {taken} for {named}" in [need.name for need in found if not need.met]


def test_blocks_of_ports_do_not_overlap_those_of_other_stacks() -> None:
    one = needs.choose_ports(0)
    two = needs.choose_ports(0, set(one.by_name().values()))
    assert not set(one.by_name().values()) & set(two.by_name().values())


def test_ports_beyond_the_last_are_refused() -> None:
    with pytest.raises(InputError, match="not so many ports"):
        needs.choose_ports(65_530)


def test_an_environment_that_is_not_built_needs_a_compiler_and_one_that_is_does_not(tmp_path: Path) -> None:
    environment = Environment(tmp_path, find_release("newest"))
    assert any("compiler" in need.name for need in needs.building(environment))
    environment.path.mkdir(parents=True)
    (environment.path / "kilonode-versions.json").write_text('{"packages": {}}')
    assert [need.met for need in needs.building(environment)] == [True]
