"""Running the commands of a stack, on the loop that runs have."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import uvloop

from kilonode.base.errors import InputError
from kilonode.stack.commands import run_command


def run(command: list[str], log: Path, **options: Any) -> str:
    return uvloop.run(run_command(command, log, timeout_s=30.0, **options))


def test_a_command_that_has_ended_before_it_is_given_its_words_has_been_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    create = asyncio.create_subprocess_exec

    async def create_and_let_it_end(*command: str, **settings: Any) -> asyncio.subprocess.Process:
        process = await create(*command, **settings)
        await process.wait()
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", create_and_let_it_end)
    assert run(["echo", "done"], tmp_path / "log") == "done\n"
    assert run(["echo", "done"], tmp_path / "log", words="SELECT 1;") == "done\n"
    with pytest.raises(InputError, match="false failed"):
        run(["false"], tmp_path / "log")


def test_a_command_is_given_its_words_whole_and_without_any_reads_nothing(tmp_path: Path) -> None:
    words = "GRANT ALL ON nova.* TO nova;\n" * 10_000
    assert run(["cat"], tmp_path / "log", words=words) == words
    assert run(["cat"], tmp_path / "log") == ""
