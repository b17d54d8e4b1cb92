"""The door of an api: what the rules in a folder say becomes of requests, over a real connection and in memory."""

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.encoding import decode_json, encode_json
from kilonode.base.request_rules import RULE_SUFFIX, RULES_FOLDER, SEEN_FOLDER, RequestRule, Seen
from kilonode.cloud.door import Door, watched
from kilonode.cloud.ports import listen
from kilonode.cloud.serving import serve
from kilonode.faults.watching import see
from tests.faults.services import calling

pytestmark = pytest.mark.real_loop


async def answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def put(state: Path, rule: RequestRule) -> Path:
    file = state / RULES_FOLDER / f"{rule.token}{RULE_SUFFIX}"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(encode_json(rule))
    return file


def seen(state: Path) -> Seen:
    return decode_json((state / SEEN_FOLDER / "api").read_bytes(), Seen)


async def until_seen(state: Path, *tokens: str) -> None:
    await see("seen", lambda: seen(state).tokens == tokens, RealClock(), 20)


async def test_a_rule_holds_from_the_first_request_on_and_until_its_file_is_gone(tmp_path: Path) -> None:
    file = put(tmp_path, RequestRule("a", True, 503, method="POST", path="/servers"))
    door = Door(answer, tmp_path, "api", "", RealClock())
    assert seen(tmp_path) == Seen(os.getpid(), ("a",))
    with listen("127.0.0.1", 0) as listener:
        serving = asyncio.create_task(serve(door, listener))
        async with calling(listener.getsockname()[1]) as caller:
            with watched(door):
                status, body = await caller.ask("POST", "/servers/1?x=y", b"{}")
                assert (status, b"on purpose" in body) == (503, True)
                assert await caller.ask("GET", "/servers/1") == (200, b"ok")
                put(tmp_path, RequestRule("b", True, 599, path="/odd"))
                await until_seen(tmp_path, "a", "b")
                assert (await caller.ask("GET", "/odd"))[0] == 599
                file.unlink()
                await until_seen(tmp_path, "b")
                assert await caller.ask("POST", "/servers") == (200, b"ok")
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_a_look_that_fails_leaves_the_rules_as_they_are_and_is_not_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(tmp_path, RequestRule("a", True, 503))
    door, looks, listdir = Door(answer, tmp_path, "api", "", RealClock()), [], os.listdir

    def no_more_files(folder: Path) -> list[str]:
        looks.append(folder)
        raise OSError(errno.EMFILE, "Too many open files")

    with watched(door):
        monkeypatch.setattr(os, "listdir", no_more_files)
        await see("looked", lambda: len(looks) > 1, RealClock(), 20)
        assert seen(tmp_path).tokens == ("a",)
        monkeypatch.setattr(os, "listdir", listdir)
        file.unlink()
        await until_seen(tmp_path)


async def test_without_a_status_the_client_sees_a_reset_and_others_go_on(tmp_path: Path) -> None:
    put(tmp_path, RequestRule("a", True, path="/servers"))
    with listen("127.0.0.1", 0) as listener:
        serving = asyncio.create_task(serve(Door(answer, tmp_path, "api", "", RealClock()), listener))
        port = listener.getsockname()[1]
        async with calling(port) as caller, calling(port) as other:
            assert await caller.ask("GET", "/") == (200, b"ok")
            with pytest.raises(ConnectionResetError):
                await caller.ask("GET", "/servers")
            assert await other.ask("GET", "/") == (200, b"ok")
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_a_rule_for_another_region_is_seen_and_changes_nothing(tmp_path: Path) -> None:
    put(tmp_path, RequestRule("a", True, 503, region="RegionTwo"))
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    for region, status in (("RegionOne", 200), ("RegionTwo", 503)):
        door = Door(answer, tmp_path, "api", region, RealClock())
        assert seen(tmp_path).tokens == ("a",)
        await door({"type": "http", "method": "GET", "path": "/"}, None, send)
        assert sent[-2]["status"] == status


async def test_what_is_no_rule_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, RequestRule("a", True, 503)).write_text("{")
    door = Door(answer, tmp_path, "api", "", RealClock())
    assert seen(tmp_path).tokens == ()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await door({"type": "http", "method": "GET", "path": "/"}, None, send)
    assert sent[0]["status"] == 200
