"""The driver for requests: they are held back or refused in front of a service, at its door or at a gate.

A *door* is a folder that the service itself looks at: the api of an emulated cloud has one. It needs no rights, clients
notice nothing but the fault, and the rule has taken effect when every process that answers says so. Before any other
service on HTTP without TLS a *gate* is put: a process of ours, to which the packet filter leads the connections that
programs of this machine open to the service's address. That needs root and nftables; connections that were open before
are reset, so that they come through the gate too, and those through the gate are closed at the end. Which endpoints a
cloud has is told by `Endpoints`, handed in by whoever knows it.
"""

import asyncio
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.encoding import decode_json, encode_json
from kilonode.base.errors import FaultError, InputError
from kilonode.base.files import PRIVATE, write_atomically
from kilonode.base.processes import module_command
from kilonode.base.randomness import Randomness
from kilonode.base.request_rules import RULE_SUFFIX, RULES_FOLDER, SEEN_FOLDER, RequestRule, Seen
from kilonode.faults import detached, netfilter
from kilonode.faults.driver import Capability, Effect, Found, Keep, State, Step, recall, remember
from kilonode.faults.gate_process import OWN_MARK, WHO
from kilonode.faults.model import Action, Fault, Kind, Requests, Target
from kilonode.faults.printing import print_fault
from kilonode.faults.watching import see

NAME: Final = "requests"
SOON_S: Final = 5.0
_NEW: Final = "chain new { type nat hook output priority -100; policy accept;"
_GATE: Final = "kilonode.faults.gate_process"


class Endpoint(msgspec.Struct, frozen=True):
    """Where requests of a service arrive."""

    name: str
    """Its own: `compute`, `RegionTwo.compute`."""
    groups: tuple[str, ...]
    """What else it is called: `nova`."""
    url: str
    """As clients have it; what a rule says of paths is below its path."""
    root: str = ""
    """The path that all its requests begin with."""
    door: str = ""
    """The folder that its rules are put in; empty: it has no door."""
    region: str = ""


class Endpoints(Protocol):
    """What a cloud's endpoints are."""

    async def endpoints(self) -> Sequence[Endpoint]:
        """All of them. Raises InputError when there is no such cloud."""
        ...

    async def doorkeepers(self, door: str, region: str) -> dict[str, int]:
        """The processes that answer there now at the site of a region, by name, with their pid."""
        ...


class RequestMemory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a step."""

    rule: RequestRule
    door: str = ""
    address: tuple[str, int] | None = None
    """What the gate stands before; None: it is a door."""


class RequestFaults:
    """Aborts and delays requests."""

    name = NAME

    def __init__(self, endpoints: Endpoints, clock: Clock) -> None:
        self._endpoints = endpoints
        self._clock = clock
        self._found: dict[str, Endpoint] = {}

    def handles(self, fault: Fault) -> bool:
        """Faults on requests to endpoints."""
        return fault.target.kind is Kind.ENDPOINT and fault.action in (Action.ABORT, Action.DELAY)

    async def find(self, target: Target) -> Sequence[Found]:
        """Endpoints of the cloud by name, and any address that begins with http://."""
        addresses = [_of_address(name) for name in target.names if "://" in name]
        names = {name for name in target.names if "://" not in name}
        of_cloud: Sequence[Endpoint] = ()
        if names or not addresses:
            try:
                of_cloud = await self._endpoints.endpoints()
            except InputError:  # without a cloud there are addresses still
                if names:
                    raise
        meant = [each for each in of_cloud if not target.names or {each.name, *each.groups} & names]
        self._found.update({each.name: each for each in (*meant, *addresses)})
        return [Found(Kind.ENDPOINT, each.name, each.groups, words=each.url) for each in (*meant, *addresses)]

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        """A rule for each endpoint."""
        requests = fault.requests or Requests()
        return [self._step(fault, requests, self._found[each.name], randomness.child(each.name)) for each in found]

    def _step(self, fault: Fault, requests: Requests, endpoint: Endpoint, randomness: Randomness) -> Step:
        rule = RequestRule(
            token=detached.new_token(),
            abort=fault.action is Action.ABORT,
            status=requests.status,
            delay_s=float(requests.delay or 0),
            jitter_s=float(requests.jitter or 0),
            percent=requests.percent,
            method=requests.method,
            path=_path(endpoint, requests.path),
            region=endpoint.region,
            seed=randomness.integer() >> 1,
        )
        what = f"{requests.percent:g}% of {requests.method or 'all'} requests to {endpoint.name}"
        if rule.path:
            what += f" under {rule.path}"
        does = (f"answered {rule.status}" if rule.status else "reset") if rule.abort else f"held back {requests.delay}"
        if endpoint.door:
            memory = RequestMemory(rule, endpoint.door)
            return Step(NAME, fault.action, endpoint.name, f"{what} are {does}, at its door", "the rule is taken away",
                        remember(memory))  # fmt: skip
        parts = urlsplit(endpoint.url)
        host, port = parts.hostname or "", parts.port or 80
        _need_gate(fault)
        memory = RequestMemory(rule, address=(_resolve(host, fault), port))
        words = f"{what} are {does}, at a gate before {host}:{port}; what is connected there is reset"
        return Step(NAME, fault.action, endpoint.name, words, f"gate {rule.token} is taken away", remember(memory))

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Put the rule or the gate in place, and see that requests meet it."""
        memory = recall(step, RequestMemory)
        if memory.address is not None:
            return await self._put_gate(step, memory, memory.address)
        try:
            _write(memory)
        except OSError as error:
            raise FaultError("the rule cannot be written", where=memory.door, got=str(error)) from error
        return await self._see_door(step, memory, there=True)

    async def heal(self, step: Step) -> Effect:
        """Take it away, and see it gone."""
        memory = recall(step, RequestMemory)
        if memory.address is not None:
            # New connections go past the gate at once; those through it are translated as long as they are tracked.
            await netfilter.replace_table(memory.rule.token, f"{_NEW} ct state established accept; }}")
            ended = await detached.end(memory.rule.token, self._clock)
            await netfilter.remove_table(memory.rule.token)
            words = f"nothing stands before {step.name}" + ("" if ended else " (the gate had gone)")
            return Effect(self._clock.now_ns(), words)
        try:
            _file(memory).unlink(missing_ok=True)
        except OSError as error:
            raise FaultError("the rule cannot be taken away", where=memory.door, got=str(error)) from error
        return await self._see_door(step, memory, there=False)

    async def _see_door(self, step: Step, memory: RequestMemory, *, there: bool) -> Effect:
        keepers = await self._endpoints.doorkeepers(memory.door, memory.rule.region)
        if there and not keepers:
            raise FaultError(f"nobody answers for {step.name} now", where=memory.door)
        folder = Path(memory.door, SEEN_FOLDER)
        words = f"all of {', '.join(keepers)} go by the rule" if there else f"requests to {step.name} pass"

        def so() -> bool:
            for name, pid in keepers.items():
                seen = _seen(folder / name)
                ours = seen is not None and seen.pid == pid and memory.rule.token in seen.tokens
                if ours != there and (there or Path(f"/proc/{pid}").exists()):
                    return False
            return True

        return await see(words, so, self._clock, SOON_S)

    async def _put_gate(self, step: Step, memory: RequestMemory, address: tuple[str, int]) -> Effect:
        host, port = address
        token = memory.rule.token
        if not await _connects(host, port):
            raise FaultError("nobody answers there, so a gate would change nothing", where=f"{host}:{port}")
        rule = encode_json(memory.rule).decode()
        detached.start(token, module_command(_GATE, token, host, str(port), rule))
        gate_port = int(await detached.wait_for_word(token, "listening ", self._clock))
        began_ns = self._clock.now_ns()
        await netfilter.add_table(token, _redirect(host, port, gate_port))
        if not await _answers(host, port, token):
            raise FaultError("requests do not come to the gate", where=f"{host}:{port}")
        now_ns = self._clock.now_ns()
        return Effect(now_ns, f"requests to {host}:{port} come to a gate on port {gate_port}", now_ns - began_ns)

    async def capabilities(self) -> Sequence[Capability]:
        """A door always works; a gate needs rights."""
        gate = await netfilter.capability(NAME, "gate")
        return [Capability(NAME, "door", State.WORKS, "for emulated clouds"), gate]


def _of_address(text: str) -> Endpoint:
    try:
        parts = urlsplit(text)
        host, scheme, _ = parts.hostname, parts.scheme, parts.port
    except ValueError as error:
        raise InputError(f"not an address: {error}", got=text) from None
    if scheme == "https":
        raise InputError(
            "what is said over TLS cannot be read from outside",
            where=text,
            hint="name the address without TLS that is behind it, or cut the service off: unplug, partition",
        )
    if scheme != "http" or not host or parts.username is not None:
        raise InputError("not the address of an endpoint", expected="http://HOST:PORT/PATH", got=text)
    path = parts.path.rstrip("/")
    return Endpoint(text, (), text, root=path)


def _path(endpoint: Endpoint, under: str) -> str:
    if not under:
        return endpoint.root
    whole = under if under.startswith("/") else f"/{under}"
    if endpoint.root and (whole == endpoint.root or whole.startswith(f"{endpoint.root}/")):
        return whole
    return urlsplit(endpoint.url).path.rstrip("/") + whole


def _need_gate(fault: Fault) -> None:
    import shutil

    why = "root" if os.geteuid() != 0 else "nft (apt-get install nftables)" if shutil.which("nft") is None else ""
    if why:
        raise InputError(
            "a gate cannot be put before a service here", where=print_fault(fault), expected=why,
            hint="services of an emulated cloud need none",
        )  # fmt: skip


def _resolve(host: str, fault: Fault) -> str:
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise InputError("the host has no address", where=print_fault(fault), got=f"{host}: {error}") from error


def _redirect(host: str, port: int, gate_port: int) -> str:
    family = "ip6" if ":" in host else "ip"
    meant = f"{family} daddr {host} tcp dport {port} meta mark != {OWN_MARK:#x}"
    # What is redirected has another address by the time of the second chain: there only old connections are met.
    return (
        f"{_NEW} {meant} redirect to :{gate_port}; }}\n"
        f"chain old {{ type filter hook output priority 0; policy accept; {meant} reject with tcp reset; }}"
    )


def _file(memory: RequestMemory) -> Path:
    return Path(memory.door, RULES_FOLDER, memory.rule.token + RULE_SUFFIX)


def _write(memory: RequestMemory) -> None:
    file = _file(memory)
    file.parent.mkdir(mode=0o700, exist_ok=True)
    write_atomically(file, encode_json(memory.rule), PRIVATE)


def _seen(path: Path) -> Seen | None:
    try:
        return decode_json(path.read_bytes(), Seen)
    except (OSError, msgspec.DecodeError):
        return None


async def _connects(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), SOON_S)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _answers(host: str, port: int, token: str) -> bool:
    """Whether it is our gate that answers there."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), SOON_S)
        try:
            writer.write(f"GET {WHO}/{token} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
            line = await asyncio.wait_for(reader.readline(), SOON_S)
        finally:
            writer.close()
    except (OSError, TimeoutError):
        return False
    return line.startswith(b"HTTP/1.1 204 ")
