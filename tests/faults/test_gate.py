"""A gate in front of a real service on real sockets, and the packet filter that leads requests to it."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import InputError
from kilonode.base.processes import is_alive, send
from kilonode.base.randomness import Randomness
from kilonode.base.request_rules import RequestRule
from kilonode.faults import detached
from kilonode.faults.driver import Step
from kilonode.faults.gate_process import Gate
from kilonode.faults.healing import heal_left
from kilonode.faults.journal import journals
from kilonode.faults.language import parse
from kilonode.faults.planning import plan_sentence
from kilonode.faults.registry import Drivers
from kilonode.faults.request_faults import Endpoint, RequestFaults
from kilonode.faults.watching import see
from tests.faults.programs import INJECTS_REQUESTS, running
from tests.faults.services import calling, serving

pytestmark = pytest.mark.real_loop
CLOCK = RealClock()
needs_filter = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft") is None, reason="needs root and nft (apt-get install nftables)"
)


class NoCloud:
    async def endpoints(self) -> Sequence[Endpoint]:
        raise InputError("there is no cloud")

    async def doorkeepers(self, door: str, region: str) -> dict[str, int]:
        return {}


DRIVER = RequestFaults(NoCloud(), CLOCK)
DRIVERS = Drivers([DRIVER])


@asynccontextmanager
async def gate(port: int, rule: RequestRule) -> AsyncIterator[int]:
    standing = Gate("t", "127.0.0.1", port, rule, mark=None)
    server = await standing.listen()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await standing.leave()


@pytest.mark.parametrize("path", ["/plain", "/pieces", "/endless"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_what_is_not_met_passes_unchanged(path: str, chunked: bool) -> None:
    body = bytes(range(256)) * 1_000
    rule = RequestRule("t", True, 503, path="/other")
    async with serving() as service, gate(service.port, rule) as port, calling(port) as caller:
        assert await caller.ask("POST", path, body, chunked=chunked) == (200, body)
        if path != "/endless":
            assert await caller.ask("HEAD", path) == (200, b"")
            assert await caller.ask("PUT", path, b"more", chunked=chunked) == (200, b"more")


async def test_what_is_met_is_answered_by_the_gate_and_the_connection_goes_on() -> None:
    rule = RequestRule("t", True, 503, method="POST", path="/servers")
    async with serving() as service, gate(service.port, rule) as port, calling(port) as caller:
        for _ in range(2):
            status, body = await caller.ask("POST", "/servers?x=1", b"body")
            assert status == 503
            assert b"on purpose" in body
            assert await caller.ask("GET", "/servers") == (200, b"")
        assert service.asked == ["GET /servers HTTP/1.1"] * 2


async def test_without_a_status_the_connection_is_reset() -> None:
    async with serving() as service, gate(service.port, RequestRule("t", True)) as port, calling(port) as caller:
        with pytest.raises(ConnectionResetError):
            await caller.ask("GET", "/")
        assert service.asked == []


async def test_where_nobody_answers_behind_the_gate_the_connection_is_reset() -> None:
    async with serving() as service:
        port = service.port
    async with gate(port, RequestRule("t", delay_s=0.001)) as before, calling(before) as caller:
        with pytest.raises(ConnectionResetError):
            await caller.ask("GET", "/")


async def test_what_is_held_back_arrives_no_earlier() -> None:
    async with (
        serving() as service,
        gate(service.port, RequestRule("t", delay_s=0.05)) as port,
        calling(port) as caller,
    ):
        began_ns = CLOCK.now_ns()
        assert await caller.ask("GET", "/") == (200, b"")
        assert CLOCK.now_ns() - began_ns >= 50_000_000


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("abort requests to 'https://127.0.0.1:5000/'", "TLS"),
        ("abort requests to 'http://'", "not the address"),
        ("abort requests to nova", "there is no cloud"),
    ],
)
async def test_what_no_gate_can_stand_before_is_refused(sentence: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        await plan_sentence(parse(sentence), DRIVERS, Randomness(1))


@needs_filter
async def test_requests_are_led_to_the_gate_and_past_it_when_it_is_healed() -> None:
    async with serving() as service, calling(service.port) as open_before, calling(service.port) as untouched:
        assert await open_before.ask("GET", "/") == (200, b"")
        (step,) = await _steps(f"abort requests to http://127.0.0.1:{service.port} under /servers with status 503")
        effect = await DRIVER.inject(step, lambda fuller: None)
        try:
            assert "come to a gate" in effect.words
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await open_before.ask("GET", "/servers")
            async with calling(service.port) as caller:
                assert (await caller.ask("GET", "/servers"))[0] == 503
                assert await caller.ask("GET", "/else") == (200, b"")
        finally:
            await DRIVER.heal(step)
        await DRIVER.heal(step)
        assert _left(_token(step)) == []
        async with calling(service.port) as caller:
            assert (await caller.ask("GET", "/servers"))[0] == 200
        assert await untouched.ask("GET", "/") == (200, b"")  # it said nothing meanwhile


@needs_filter
async def test_a_gate_that_is_healed_answers_first_what_it_has_begun() -> None:
    async with serving() as service:
        (step,) = await _steps(f"delay requests to http://127.0.0.1:{service.port} by 300ms")
        await DRIVER.inject(step, lambda fuller: None)
        async with calling(service.port) as caller:
            asking = asyncio.ensure_future(caller.ask("POST", "/", b"whole"))
            await asyncio.sleep(0.1)
            await DRIVER.heal(step)
            assert await asking == (200, b"whole")


@needs_filter
@pytest.mark.parametrize("seed", range(3))
async def test_whatever_a_killed_injector_left_is_healed(tmp_path: Path, seed: int) -> None:
    """Each seed kills injectors at random instants of their injecting and healing."""
    stream = random.Random(seed)
    async with serving() as service:
        for number in range(4):
            folder = tmp_path / str(number)
            sentence = f"abort requests to http://127.0.0.1:{service.port} with status 503 for 50ms"
            async with running(INJECTS_REQUESTS, str(folder), sentence) as injector:
                await asyncio.sleep(stream.uniform(0, 1.0))
                send(injector, signal.SIGKILL)  # unless it has just ended by itself
                await see("gone", lambda injector=injector: not is_alive(injector), CLOCK, 10)  # type: ignore[misc]
            await heal_left(folder, DRIVERS, CLOCK, lambda words: None)
            entries = [entry for record in journals(folder) for entry in record.entries if entry.step]
            assert not any(entry.open for entry in entries)
            for entry in entries:
                assert entry.step is not None
                assert _left(_token(entry.step)) == []
            async with calling(service.port) as caller:
                assert (await caller.ask("GET", "/"))[0] == 200


async def _steps(sentence: str) -> tuple[Step, ...]:
    (part,) = await plan_sentence(parse(sentence), DRIVERS, Randomness(1))
    return part.fault.steps


def _token(step: Step) -> str:
    return step.heals.split()[1]


def _left(token: str) -> list[str]:
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    return [f"pid {each.pid}" for each in detached.find(token)] + [line for line in tables.split("\n") if token in line]
