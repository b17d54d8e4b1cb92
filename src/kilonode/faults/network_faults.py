"""The driver for the network of this machine: cut off, divided, degraded.

Cuts are tables of the packet filter, one for each member, in its network namespace; a connection to what was cut off is
tried, and must not be answered. Degraded links are packets that a program holds back (`shaper_process`): one way on
every kernel, for chosen traffic, connections that are open included. Each is measured over the very queue before it is
trusted, and taken away again when it is not what was asked for. Needs root, nft, and iptables for degraded links.
"""

import asyncio
import os
import shutil
from collections.abc import Sequence
from typing import Final

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.encoding import encode_json
from kilonode.base.errors import FaultError, InputError
from kilonode.base.processes import module_command
from kilonode.base.randomness import Randomness
from kilonode.faults import detached, link_probe, netfilter, network_rules, packet_rules
from kilonode.faults.driver import Capability, Effect, Found, Keep, State, Step, recall, remember
from kilonode.faults.link_shaping import Shape
from kilonode.faults.model import Action, Fault, Kind, Link, Partition, Target
from kilonode.faults.model import Shape as Division
from kilonode.faults.network_places import Locations, locate
from kilonode.faults.network_rules import Place
from kilonode.faults.printing import print_fault
from kilonode.faults.shapes import cuts_of

NAME: Final = "network"
_MEMBERS: Final = frozenset({Kind.NODE, Kind.SITE, Kind.SERVICE, Kind.ROLE, Kind.PROCESS})
_ABLE: Final = {
    Action.PARTITION: _MEMBERS,
    Action.UNPLUG: _MEMBERS - {Kind.NODE, Kind.SITE},
    Action.DISCONNECT: frozenset({Kind.NETWORK}),
    Action.DEGRADE: _MEMBERS | {Kind.NETWORK},
}
_SILENCE_S: Final = 0.3
"""How long a connection that must not be answered is waited for."""
_CLOSED_PORT: Final = 9
_MOST_PROBES: Final = 3
_SHAPER: Final = "kilonode.faults.shaper_process"


class Probe(msgspec.Struct, frozen=True):
    """A connection that must not be answered."""

    namespace: str
    address: str
    port: int


class NetworkMemory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a step."""

    token: str
    namespace: str = ""
    chains: str = ""
    """Of a cut."""
    probes: tuple[Probe, ...] = ()
    shape: Shape | None = None
    """Of a degraded link."""
    rules: tuple[tuple[str, ...], ...] = ()


class NetworkFaults:
    """Unplugs, disconnects, partitions and degrades."""

    name = NAME

    def __init__(self, locations: Locations, clock: Clock) -> None:
        self._locations = locations
        self._clock = clock
        self._places: dict[tuple[Kind, str, str], Place] = {}

    def handles(self, fault: Fault) -> bool:
        """Faults on what namespaces, services, sites and processes of this machine say to each other."""
        return fault.target.kind in _ABLE.get(fault.action, frozenset())

    async def find(self, target: Target) -> Sequence[Found]:
        """Nodes are network namespaces, networks their interfaces or subnets."""
        located = await locate(target, self._locations)
        self._places.update({_key(each.found): each.place for each in located})
        return [each.found for each in located]

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        """A step for each namespace or place that gets rules."""
        why = "needs root" if os.geteuid() != 0 else "" if shutil.which("nft") else "apt-get install nftables"
        if why:
            raise InputError(
                "the network cannot be touched here", where=print_fault(fault), expected=why,
                hint="freeze keeps a service from answering without any rights",
            )  # fmt: skip
        if fault.action is Action.DEGRADE:
            return [self._degrade(fault, each, peers, randomness.child(each.node, each.name)) for each in found]
        if fault.action is Action.PARTITION and fault.partition is not None:
            if fault.partition.shape is not Division.REST:
                return self._separate(fault, fault.partition, found, peers, randomness)
            return [self._isolate(fault, each, found, one_way=fault.partition.one_way) for each in found]
        return [self._isolate(fault, each, [each], one_way=False) for each in found]

    def _isolate(self, fault: Fault, found: Found, together: Sequence[Found], *, one_way: bool) -> Step:
        place = self._place(found)
        friends = [self._place(each) for each in together if each != found]
        chains = network_rules.isolation(place, friends, one_way=one_way)
        probes: tuple[Probe, ...] = ()
        if place.ports:
            address = next((each for each in place.addresses if ":" not in each), "127.0.0.1")
            probes = tuple(Probe("", address, port) for port in place.ports[:_MOST_PROBES])
        ports = f" (port {', '.join(map(str, place.ports))})" if place.ports else ""
        way = "nothing that it sends arrives" if one_way else "nothing reaches it and it reaches nothing"
        return _step(fault, found, f"{found.name}{ports} is cut off: {way}", place, chains, probes)

    def _separate(
        self, fault: Fault, partition: Partition, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> list[Step]:
        members = {each.name: each for each in (*found, *peers)}
        places = {name: self._place(each) for name, each in members.items()}
        cuts = cuts_of(partition, [each.name for each in found], [each.name for each in peers], randomness)
        steps = []
        for name, chains in network_rules.separations(places, cuts or frozenset()).items():
            senders = sorted(sender for sender, receiver in cuts or () if receiver == name)
            port = (*places[name].ports, _CLOSED_PORT)[0]
            addresses = [each for each in places[name].addresses if ":" not in each][:1]
            probes = tuple(
                Probe(places[sender].namespace, address, port)
                for sender in senders[:_MOST_PROBES]
                for address in addresses
            )
            words = f"{name} hears nothing from {', '.join(senders)}"
            steps.append(_step(fault, members[name], words, places[name], chains, probes))
        return steps

    def _degrade(self, fault: Fault, found: Found, peers: Sequence[Found], randomness: Randomness) -> Step:
        place = self._place(found)
        if why := packet_rules.missing():
            raise InputError("traffic cannot be degraded here", where=print_fault(fault), expected=why)
        to = [self._place(each) for each in peers]
        if any(other.namespace == place.namespace for other in to):
            raise InputError(
                "what one program of a machine sends to another of it cannot be told from the rest",
                where=print_fault(fault), hint=f"degrade all of it: degrade {found.name} with …",
            )  # fmt: skip
        link = fault.link or Link()
        shape = Shape(
            float(link.delay or 0),
            float(link.jitter or 0),
            link.loss_percent or 0.0,
            link.bandwidth_bits_per_s,
            randomness.integer() >> 1,
        )
        token = detached.new_token()
        memory = NetworkMemory(token, place.namespace, shape=shape, rules=network_rules.leaving(place, to))
        what = f"what {found.name} sends" + (f" to {', '.join(each.name for each in peers)}" if peers else "")
        where = f" in {place.namespace}" if place.namespace else ""
        words = f"{what}{where} is held back by a shaper, which is measured first"
        return Step(NAME, fault.action, found.name, words, f"shaper {token} is taken away", remember(memory))

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Put the rules in place, and see that nothing is answered, or measure the link."""
        memory = recall(step, NetworkMemory)
        if memory.shape is not None:
            return await self._put_shaper(step, memory, memory.shape)
        began_ns = self._clock.now_ns()
        await netfilter.add_table(memory.token, memory.chains, memory.namespace)
        now_ns = self._clock.now_ns()
        answered = await asyncio.gather(*(self._answers(probe) for probe in memory.probes))
        if any(answered):
            first = memory.probes[answered.index(True)]
            raise FaultError("it is cut off, but still answers", where=f"{first.address}:{first.port}")
        if not memory.probes and not await netfilter.has_table(memory.token, memory.namespace):
            raise FaultError("the rules are not to be seen", where=step.words)
        tried = f"{'one connection' if len(answered) == 1 else f'{len(answered)} connections'} tried, none answered"
        seen = f": {tried}" if answered else ": its rules are in place"
        return Effect(now_ns, step.words + seen, now_ns - began_ns)

    async def heal(self, step: Step) -> Effect:
        """Take the rules away, and see them gone."""
        memory = recall(step, NetworkMemory)
        if memory.shape is not None:
            await packet_rules.remove(memory.token, memory.namespace)
            await detached.end(memory.token, self._clock)
            return Effect(self._clock.now_ns(), f"what {step.name} sends goes on as it did")
        began_ns = self._clock.now_ns()
        await netfilter.remove_table(memory.token, memory.namespace)
        now_ns = self._clock.now_ns()
        if await netfilter.has_table(memory.token, memory.namespace):
            raise FaultError("the rules are still there", where=memory.token)
        return Effect(now_ns, f"nothing keeps {step.name} off", now_ns - began_ns)

    async def _put_shaper(self, step: Step, memory: NetworkMemory, shape: Shape) -> Effect:
        token, namespace = memory.token, memory.namespace
        queue = packet_rules.queue_of(token)
        command = module_command(_SHAPER, token, str(queue), encode_json(shape).decode())
        detached.start(token, command, namespace)
        await detached.wait_for_word(token, "holding", self._clock)
        # The probe's own packets first: what nobody has measured, no traffic is led into.
        mark = ("-m", "mark", "--mark", str(link_probe.PROBE_MARK), "-o", "lo")
        await packet_rules.add(token, [mark], namespace)
        measured = await link_probe.measure(namespace, shape, self._clock)
        if missed := measured.misses(shape):
            raise FaultError(f"{missed} of the link is not what was asked for", got=measured.words(shape))
        began_ns = self._clock.now_ns()
        await packet_rules.lead(token, memory.rules, namespace)
        now_ns = self._clock.now_ns()
        return Effect(now_ns, f"what {step.name} sends is shaped; measured: {measured.words(shape)}", now_ns - began_ns)

    async def _answers(self, probe: Probe) -> bool:
        """Whether anything answers, a refusal too."""
        import socket

        (ours,) = await asyncio.to_thread(link_probe.made_in, probe.namespace, socket.SOCK_STREAM)
        with ours:
            ours.setblocking(False)
            connecting = asyncio.get_running_loop().sock_connect(ours, (probe.address, probe.port))
            try:
                await asyncio.wait_for(connecting, _SILENCE_S)
            except TimeoutError:
                return False
            except ConnectionError:
                return True
            except OSError:  # no route, or not permitted to leave
                return False
            return True

    def _place(self, found: Found) -> Place:
        return self._places[_key(found)]

    async def capabilities(self) -> Sequence[Capability]:
        """Cuts and degraded links."""
        why = packet_rules.missing() or await packet_rules.refused()
        return [
            await netfilter.capability(NAME, "cuts"),
            Capability(NAME, "degraded links", State.MISSING if why else State.WORKS, why),
            Capability(NAME, "namespaces", State.WORKS, f"{len(netfilter.namespaces())} here, as nodes")
            if os.geteuid() == 0
            else Capability(NAME, "namespaces", State.MISSING, "needs root"),
        ]


def _step(fault: Fault, found: Found, words: str, place: Place, chains: str, probes: tuple[Probe, ...]) -> Step:
    token = detached.new_token()
    memory = NetworkMemory(token, place.namespace, chains, probes)
    return Step(NAME, fault.action, found.name, words, f"table {token} is removed", remember(memory))


def _key(found: Found) -> tuple[Kind, str, str]:
    return found.kind, found.node, found.name
