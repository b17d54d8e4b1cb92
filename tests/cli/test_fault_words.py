"""What `kilonode fault` answers before anything is touched: mistakes, empty journals, completion. Starts no process."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kilonode.base.errors import InputError
from kilonode.cli.fault import commands


def refused(*arguments: str) -> str:
    """The error of a command, with its hint."""
    done = CliRunner().invoke(commands, arguments)
    assert isinstance(done.exception, InputError), done.output
    return str(done.exception)


@pytest.fixture(autouse=True)
def nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILONODE_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("KILONODE_HOSTS", raising=False)


def test_a_hosts_file_is_read_also_when_the_sentence_needs_none(tmp_path: Path) -> None:
    assert "the hosts file cannot be read" in refused("freeze one init process", "--dry-run", "--hosts", "/none.yaml")
    wrong = tmp_path / "hosts.yaml"
    wrong.write_text("hosts: {a: {addres: x}}")
    assert "did you mean 'address'?" in refused("freeze one init process", "--dry-run", "--hosts", str(wrong))


def test_a_command_that_is_mistyped_is_no_sentence() -> None:
    assert "did you mean 'list'?" in refused("lst")
    assert "nearest right sentence: kill scheduler" in refused("kil")


def test_a_file_that_is_not_there_is_no_sentence() -> None:
    assert "neither a sentence nor a file" in refused("parse", "faults/none.txt")


def test_without_anything_injected_or_left_that_is_said() -> None:
    assert CliRunner().invoke(commands, ["list"]).output == "nothing was injected yet\n"
    assert CliRunner().invoke(commands, ["list", "--open"]).output == "nothing is left to heal\n"


def test_what_is_neither_a_cloud_nor_a_stack_is_said_to_be_neither() -> None:
    text = refused("kill keystone", "--cloud", "stack")
    assert "neither an emulated cloud nor a stack" in text
    assert "kilonode stack up" in text


def test_a_sentence_in_quotes_is_completed_as_one_word() -> None:
    done = CliRunner().invoke(
        commands,
        [],
        prog_name="fault",
        env={"_FAULT_COMPLETE": "complete_bash", "COMP_WORDS": 'fault "freeze api fo', "COMP_CWORD": "1"},
    )
    assert done.output.split("\n")[0] == "freeze api for"
