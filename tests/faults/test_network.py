"""Cuts and degraded links between network namespaces that the tests make, and on ports of this machine."""

import asyncio
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import FaultError, InputError
from kilonode.base.processes import is_alive, send
from kilonode.base.randomness import Randomness
from kilonode.faults import detached, link_probe, netfilter, packet_rules
from kilonode.faults.driver import Found, Step, recall
from kilonode.faults.healing import LeftBehind, heal_left
from kilonode.faults.injecting import Injector
from kilonode.faults.journal import journals, new_journal
from kilonode.faults.language import parse
from kilonode.faults.link_shaping import Shape
from kilonode.faults.model import Kind
from kilonode.faults.network_faults import NetworkFaults, NetworkMemory
from kilonode.faults.network_places import Location
from kilonode.faults.network_rules import Place
from kilonode.faults.planning import plan_sentence
from kilonode.faults.registry import Drivers
from kilonode.faults.watching import see
from tests.faults.programs import INJECTS_NETWORK, running
from tests.faults.services import calling, serving

pytestmark = [
    pytest.mark.real_loop,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("nft") is None, reason="needs root and nft (apt-get install nftables)"
    ),
]
needs_queue = pytest.mark.skipif(bool(packet_rules.missing()), reason=packet_rules.missing() or "-")
CLOCK = RealClock()


class OneService:
    """A service of this machine, for those that know a port."""

    def __init__(self, port: int = 0) -> None:
        self.port = port

    async def located(self, kind: Kind) -> Sequence[Location]:
        place = Place("", ("127.0.0.1",), (self.port,))
        if not self.port:
            raise InputError("there is no cloud")
        return [Location(Found(kind, "thing"), place)]


class Net:
    """Four namespaces on one bridge in a fifth."""

    def __init__(self, prefix: str) -> None:
        self.nodes = [f"{prefix}{letter}" for letter in "abcd"]
        self.middle = f"{prefix}m"

    def make(self) -> None:
        for name in (*self.nodes, self.middle):
            _run(f"ip netns add {name}")
            _run(f"ip -n {name} link set lo up")
        _run(f"ip -n {self.middle} link add bridge type bridge")
        _run(f"ip -n {self.middle} link set bridge up")
        for number, name in enumerate(self.nodes, 1):
            _run(f"ip -n {self.middle} link add {name} type veth peer name eth0 netns {name}")
            _run(f"ip -n {self.middle} link set {name} master bridge up")
            _run(f"ip -n {name} address add 10.77.0.{number}/24 dev eth0")
            _run(f"ip -n {name} link set eth0 up")

    def remove(self) -> None:
        for name in (*self.nodes, self.middle):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    async def reaches(self, one: str, other: str) -> bool:
        """Whether a connection is answered: nobody listens, so by a refusal."""
        (ours,) = link_probe.made_in(one, socket.SOCK_STREAM)
        with ours:
            ours.setblocking(False)
            address = (f"10.77.0.{self.nodes.index(other) + 1}", 9)
            try:
                await asyncio.wait_for(asyncio.get_running_loop().sock_connect(ours, address), 0.4)
            except ConnectionRefusedError:
                return True
            except (TimeoutError, OSError):
                return False
            raise AssertionError("somebody listens")

    async def seen(self) -> set[str]:
        """All pairs of which the first reaches the second, as `ab`."""
        pairs = [(a, b) for a in self.nodes for b in self.nodes if a != b]
        found = await asyncio.gather(*(self.reaches(a, b) for a, b in pairs))
        return {a[-1] + b[-1] for (a, b), there in zip(pairs, found, strict=True) if there}


@pytest.fixture(scope="module")
def net() -> Iterator[Net]:
    made = Net(f"kn{secrets.token_hex(2)}")
    try:
        made.make()
        yield made
    finally:
        made.remove()


EVERYBODY = {a + b for a in "abcd" for b in "abcd" if a != b}


@asynccontextmanager
async def injected(sentence: str, driver: NetworkFaults) -> AsyncIterator[list[str]]:
    """A sentence in effect; what was seen of it."""
    steps = await planned(sentence, driver)
    try:
        yield [(await driver.inject(step, lambda fuller: None)).words for step in steps]
    finally:
        for step in steps:
            await driver.heal(step)
            await driver.heal(step)  # twice does no harm
            assert await left(step) == []


async def planned(sentence: str, driver: NetworkFaults) -> tuple[Step, ...]:
    (part,) = await plan_sentence(parse(sentence), Drivers([driver]), Randomness(1))
    return part.fault.steps


async def left(step: Step) -> list[str]:
    """What there still is of it. Whether iptables left its own table shows in a namespace of the test's own alone: this
    machine's is everybody's, other tests' too.
    """
    memory = recall(step, NetworkMemory)
    found = [f"pid {each.pid}" for each in detached.find(memory.token)]
    there = await netfilter.run(["nft", "list", "ruleset"], "", memory.namespace)
    ours = (memory.token, "mangle") if memory.namespace else (memory.token,)
    return found + [line for line in there.splitlines() if any(word in line for word in ours)]


async def test_two_sets_of_nodes_no_longer_reach_each_other(net: Net) -> None:
    a, b, c, _ = net.nodes
    async with injected(f"partition nodes {a} and {b} from node {c}", NetworkFaults(OneService(), CLOCK)) as words:
        assert await net.seen() == EVERYBODY - {"ac", "bc", "ca", "cb"}
        assert words
        assert all("tried, none answered" in each for each in words)
    assert await net.seen() == EVERYBODY


async def test_one_way_only_what_the_first_send_is_lost(net: Net) -> None:
    a, b, *_ = net.nodes
    driver = NetworkFaults(OneService(), CLOCK)
    async with injected(f"partition node {a} from node {b} one way", driver):
        # A connection needs both ways; of datagrams the ones arrive and the others do not.
        assert not await net.reaches(a, b)
        assert await _datagram_arrives(net, b, a)
        assert not await _datagram_arrives(net, a, b)


@pytest.mark.parametrize(
    ("shape", "severed"),
    [("halves", 8), ("random halves", 8), ("isolated one", 6), ("minority third", 6), ("bridge", 4),
     ("majorities ring", 4)],
)  # fmt: skip
async def test_each_shape_severs_as_many_links_as_it_says(net: Net, shape: str, severed: int) -> None:
    nodes = f"{', '.join(net.nodes[:3])} and {net.nodes[3]}"
    async with injected(f"partition nodes {nodes} into {shape}", NetworkFaults(OneService(), CLOCK)):
        seen = await net.seen()
        assert len(EVERYBODY - seen) == severed
        assert all(pair[::-1] in seen for pair in seen)
    assert await net.seen() == EVERYBODY


async def test_isolated_nodes_still_reach_each_other(net: Net) -> None:
    a, b, *_ = net.nodes
    async with injected(f"isolate nodes {a} and {b}", NetworkFaults(OneService(), CLOCK)):
        assert await net.seen() == {"ab", "ba", "cd", "dc"}


async def test_a_node_is_disconnected_from_a_network_by_its_subnet(net: Net) -> None:
    a = net.nodes[0]
    sentence = f"disconnect 10.77.0.0/24 network on node {a}"
    async with injected(sentence, NetworkFaults(OneService(), CLOCK)):
        assert await net.seen() == {pair for pair in EVERYBODY if "a" not in pair}


async def test_an_unplugged_service_answers_nobody_and_goes_on_afterwards() -> None:
    async with serving() as service, calling(service.port) as open_before:
        assert await open_before.ask("GET", "/") == (200, b"")
        async with injected("unplug thing", NetworkFaults(OneService(service.port), CLOCK)) as (words,):
            assert "one connection tried, none answered" in words
            asking = asyncio.ensure_future(open_before.ask("GET", "/late"))
            await asyncio.sleep(0.05)
            assert service.asked == ["GET / HTTP/1.1"]
        assert await asking == (200, b"")


async def test_what_was_unplugged_and_disconnected_is_plugged_in_and_connected_by_whoever_comes_later(
    net: Net, tmp_path: Path
) -> None:
    a = net.nodes[0]
    async with serving() as service:
        drivers = Drivers([NetworkFaults(OneService(service.port), CLOCK)])
        left = LeftBehind(tmp_path, CLOCK, "")

        async def do(sentence: str) -> None:
            (part,) = await plan_sentence(parse(sentence), drivers, Randomness(1), before=left.steps())
            with new_journal(tmp_path, sentence, CLOCK) as journal:
                await Injector(drivers, journal, CLOCK, left=left).inject(part.fault)

        await do("unplug thing")
        await do(f"disconnect 10.77.0.0/24 network on node {a}")
        assert await net.seen() == {pair for pair in EVERYBODY if "a" not in pair}
        with pytest.raises(InputError, match="has none of it"):
            await do(f"connect 10.77.0.0/24 network on node {net.nodes[1]}")
        await do("plug thing")
        async with calling(service.port) as caller:
            assert await caller.ask("GET", "/") == (200, b"")
        await do(f"connect 10.77.0.0/24 network on node {a}")
        assert await net.seen() == EVERYBODY
        assert not any(record.open for record in journals(tmp_path))


async def test_whoever_listens_is_found_by_the_name_of_its_process() -> None:
    async with serving() as service:
        driver = NetworkFaults(OneService(), CLOCK)  # also without a cloud
        (part,) = await plan_sentence(parse(f"unplug '{os.getpid()}'"), Drivers([driver]), Randomness(1))
        (step,) = part.fault.steps
        assert str(service.port) in recall(step, NetworkMemory).chains


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("partition thing from '{pid}'", "cannot be told who calls"),
        ("unplug nothing", "there is no service"),
        ("isolate node nowhere", "there is no node"),
    ],
)
async def test_what_cannot_be_cut_is_refused(sentence: str, words: str) -> None:
    async with serving() as service:
        driver = NetworkFaults(OneService(service.port), CLOCK)
        with pytest.raises(InputError, match=words):
            await planned(sentence.format(pid=os.getpid()), driver)


@needs_queue
@pytest.mark.parametrize(
    "link", ["delay 40ms", "delay 30ms and jitter 10ms", "loss 20%", "bandwidth 2Mbit/s", "delay 20ms and loss 5%"]
)
async def test_a_degraded_link_is_what_was_asked_for_and_is_undone(net: Net, link: str) -> None:
    a, b, *_ = net.nodes
    driver = NetworkFaults(OneService(), CLOCK)
    async with injected(f"degrade traffic from node {a} to node {b} with {link}", driver) as (words,):
        assert "measured: " in words
        assert f"asked {link.split()[1].removesuffix('Mbit/s').removesuffix('ms')}" in words
    assert await net.seen() == EVERYBODY


@needs_queue
async def test_a_delay_is_felt_by_connections_that_were_open_before() -> None:
    async with serving() as service, calling(service.port) as caller:
        await caller.ask("GET", "/")
        sentence = "degrade thing with delay 50ms"
        async with injected(sentence, NetworkFaults(OneService(service.port), CLOCK)):
            began_ns = CLOCK.now_ns()
            assert await caller.ask("POST", "/", bytes(100_000)) == (200, bytes(100_000))
            assert CLOCK.now_ns() - began_ns >= 50_000_000


@needs_queue
async def test_only_what_goes_to_the_other_is_degraded(net: Net) -> None:
    a, b, c, _ = net.nodes
    sentence = f"degrade traffic from node {a} to node {b} with loss 99.9%"
    async with injected(sentence, NetworkFaults(OneService(), CLOCK)):
        assert not await net.reaches(a, b)
        assert await net.reaches(a, c)


@needs_queue
async def test_a_link_that_is_not_what_was_asked_for_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def measure(namespace: str, shape: Shape, clock: RealClock) -> link_probe.Measured:
        return link_probe.Measured(delay_s=0.001)

    monkeypatch.setattr(link_probe, "measure", measure)
    driver = NetworkFaults(OneService(12345), CLOCK)
    (step,) = await planned("degrade thing with delay 50ms", driver)
    with pytest.raises(FaultError, match="the delay of the link is not what was asked for"):
        await driver.inject(step, lambda fuller: None)
    await driver.heal(step)
    assert await left(step) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "isolate node {a} for 20 ms",
        pytest.param("degrade eth0 network on node {a} with delay 5ms for 20 ms", marks=needs_queue),
    ],
)
@pytest.mark.parametrize("seed", range(2))
async def test_whatever_a_killed_injector_left_is_healed(net: Net, tmp_path: Path, sentence: str, seed: int) -> None:
    """Each seed kills injectors at random instants of their injecting and healing."""
    stream = random.Random(f"{sentence} {seed}")
    drivers = Drivers([NetworkFaults(OneService(), CLOCK)])
    for number in range(5):
        folder = tmp_path / str(number)
        async with running(INJECTS_NETWORK, str(folder), sentence.format(a=net.nodes[0])) as injector:
            await asyncio.sleep(stream.uniform(0, 0.8))
            send(injector, signal.SIGKILL)  # unless it has just ended by itself
            await see("gone", lambda injector=injector: not is_alive(injector), CLOCK, 10)  # type: ignore[misc]
        await heal_left(folder, drivers, CLOCK, lambda words: None)
        entries = [entry for record in journals(folder) for entry in record.entries]
        assert not any(entry.open for entry in entries)
        for entry in entries:
            assert entry.step is not None
            assert await left(entry.step) == []
    assert await net.seen() == EVERYBODY


async def test_a_namespace_that_is_just_being_made_or_removed_is_passed_over(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = netfilter.namespaces()
    monkeypatch.setattr(netfilter, "namespaces", lambda: (*here, "kn-gone"))
    a = net.nodes[0]
    assert len(await planned(f"disconnect eth0 network on node {a}", NetworkFaults(OneService(), CLOCK))) == 1
    with pytest.raises(InputError, match="there is no node"):
        await planned("isolate node kn-gone", NetworkFaults(OneService(), CLOCK))


async def _datagram_arrives(net: Net, one: str, other: str) -> bool:
    (sending,) = link_probe.made_in(one, socket.SOCK_DGRAM)
    (receiving,) = link_probe.made_in(other, socket.SOCK_DGRAM)
    with sending, receiving:
        receiving.bind((f"10.77.0.{net.nodes.index(other) + 1}", 0))
        receiving.setblocking(False)
        sending.sendto(b"here", receiving.getsockname())
        try:
            return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(receiving, 10), 0.4) == b"here"
        except TimeoutError:
            return False


def _run(command: str) -> None:
    subprocess.run(command.split(), check=True, capture_output=True)
