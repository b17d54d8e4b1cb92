"""The driver for the network of hosts that are reached by ssh: hosts cut off, divided, taken off one of their networks.

Cuts are tables of the packet filter (`nft`) on each host that no longer hears somebody, put in place and taken away by
the helper there. The port that we log in by is always spared, or nobody could heal: ssh still answers. Connections to
what was cut off that were answered before must not be answered afterwards. Degraded links are not to be had on hosts.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.errors import FaultError, InputError
from kilonode.base.randomness import Randomness
from kilonode.faults import detached, netfilter, network_rules, ssh
from kilonode.faults.driver import Capability, Effect, Found, Keep, Step, recall, remember
from kilonode.faults.model import Action, Fault, Kind, Shape, Target
from kilonode.faults.network_rules import Place
from kilonode.faults.printing import print_fault
from kilonode.faults.reaching import HostReach, Ran, Reached, seen_on_all
from kilonode.faults.shapes import cuts_of

NAME: Final = "hosted-network"
_ABLE: Final = {Action.PARTITION: Kind.NODE, Action.DISCONNECT: Kind.NETWORK}
_SILENCE_S: Final = 0.5
"""How long a connection that must not be answered is waited for."""
_CLOSED_PORT: Final = 9
_MOST_PROBES: Final = 3
_LONGEST_BYTES: Final = 4 * 2**20
"""Of what a command says: hosts may have thousands of interfaces."""


class HostedNetworkMemory(Reached, frozen=True, omit_defaults=True):
    """What is kept of a step."""

    token: str
    chains: str
    unheard: tuple[str, ...] = ()
    """Addresses that it must not hear any more."""
    from_here: bool = False
    """Whether this machine must not hear it any more, either."""


class _Answering(msgspec.Struct, frozen=True):
    addresses: tuple[str, ...]


class HostedNetwork:
    """Partitions and disconnects the hosts of one hosts file; heals those of any."""

    name = NAME

    def __init__(self, file: Path | None, clock: Clock) -> None:
        self._reach = HostReach(file)
        self._clock = clock
        self._places: dict[tuple[str, str], Place] = {}
        """By host and name, as they were last found."""
        self._lacking: dict[str, str] = {}
        """Hosts without a packet filter of ours, and why."""

    def handles(self, fault: Fault) -> bool:
        """Where there is a hosts file: partitions of nodes, networks on nodes."""
        return self._reach.file is not None and _ABLE.get(fault.action) is fault.target.kind

    async def find(self, target: Target) -> Sequence[Found]:
        """Hosts by their names; their interfaces by name or subnet."""
        looks = (self._find_on(host, target) for host in self._reach.meant(target.nodes))
        return await seen_on_all(looks, surely=bool(target.nodes and target.nodes.names))

    async def _find_on(self, host: str, target: Target) -> list[Found]:
        import ipaddress

        own = await self._reach.look(host, lambda helper: self._interfaces(helper, host))
        plain = {name: tuple(each.partition("/")[0] for each in some) for name, some in own.items()}
        if target.kind is Kind.NODE:
            addresses = tuple(address for some in plain.values() for address in some)
            self._places[host, host] = Place(host, addresses)
            return [Found(Kind.NODE, host, node=host, words=", ".join(addresses) or "no address")]
        found = []
        for name, some in own.items():
            subnets = tuple(str(ipaddress.ip_interface(each).network) for each in some)
            if not target.names or {name, *subnets} & set(target.names):
                self._places[host, name] = Place(host, plain[name], interface=name)
                found.append(Found(Kind.NETWORK, name, subnets, host))
        return found

    async def _interfaces(self, helper: ssh.Helper, host: str) -> dict[str, tuple[str, ...]]:
        """The addresses of each interface, with their prefix; noted is whether the host has a packet filter."""
        own = netfilter.addresses_in(await _run(helper, host, ["ip", "-j", "address"]))
        filtered = await helper.ask("run", Ran, command=["nft", "list", "tables"])
        why = filtered.words.strip()[-200:] or f"nft ends with {filtered.code}"
        self._lacking[host] = "" if filtered.code == 0 else why
        return own

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        """A step for each host that gets rules."""
        where = print_fault(fault)
        for each in (*found, *peers):
            if lacking := self._lacking[each.node]:
                raise InputError(
                    f"the network of {each.node} cannot be touched", where=where, expected="nft there, and root",
                    got=lacking, hint="apt-get install nftables; `become` in the hosts file",
                )  # fmt: skip
        if fault.partition is None or fault.partition.shape is Shape.REST:
            together = found if fault.action is Action.PARTITION else ()
            one_way = fault.partition is not None and fault.partition.one_way
            return [self._isolate(fault, each, together, one_way=one_way) for each in found]
        members = {each.name: each for each in (*found, *peers)}
        places = {name: self._places[each.node, name] for name, each in members.items()}
        cuts = cuts_of(fault.partition, [each.name for each in found], [each.name for each in peers], randomness)
        ports = {name: self._reach.of(name).login.port for name in members}
        steps = []
        for name, chains in network_rules.separations(places, cuts or frozenset(), ports).items():
            unheard = sorted(sender for sender, receiver in cuts or () if receiver == name)
            addresses = [address for sender in unheard for address in places[sender].addresses]
            words = f"{name} hears nothing from {', '.join(unheard)}"
            steps.append(self._step(fault, members[name], words, chains, tuple(addresses[:_MOST_PROBES])))
        return steps

    def _isolate(self, fault: Fault, found: Found, together: Sequence[Found], *, one_way: bool) -> Step:
        friends = [self._places[each.node, each.name] for each in together if each != found]
        port = self._reach.of(found.node).login.port
        place = self._places[found.node, found.name]
        chains = network_rules.isolation(place, friends, one_way=one_way, spared_port=port)
        what = found.node if found.kind is Kind.NODE else f"{found.name} of {found.node}"
        way = "nothing that it sends arrives" if one_way else "nothing reaches it and it reaches nothing"
        from_here = self._reach.of(found.node).address in place.addresses and not friends
        return self._step(fault, found, f"{what} is cut off: {way} but ssh", chains, from_here=from_here)

    def _step(
        self,
        fault: Fault,
        found: Found,
        words: str,
        chains: str,
        unheard: tuple[str, ...] = (),
        *,
        from_here: bool = False,
    ) -> Step:
        reached, token = self._reach.of(found.node), detached.new_token()
        memory = HostedNetworkMemory(
            reached.host, reached.address, reached.login, token, chains, unheard, from_here=from_here
        )
        return Step(NAME, fault.action, found.name, words, f"table {token} of {found.node} is removed",
                    remember(memory))  # fmt: skip

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Put the rules in place, and see that nothing is answered that was before."""
        memory = recall(step, HostedNetworkMemory)

        async def do(helper: ssh.Helper) -> Effect:
            before = await self._answering(helper, memory)
            began_ns = self._clock.now_ns()
            words = netfilter.table_words(memory.token, memory.chains)
            await _run(helper, memory.host, ["nft", "-f", "-"], words)
            now_ns = self._clock.now_ns()
            after = before & await self._answering(helper, memory)
            if after:
                raise FaultError("it is cut off, but still answers", where=", ".join(sorted(after)))
            if not await self._has_table(helper, memory):
                raise FaultError("the rules are not to be seen", where=step.words)
            seen = f": {len(before)} answered before, none now" if before else ": its rules are in place"
            return Effect(now_ns, step.words + seen, now_ns - began_ns)

        return await self._reach.touch(memory, do)

    async def heal(self, step: Step) -> Effect:
        """Take the rules away, and see them gone."""
        memory = recall(step, HostedNetworkMemory)

        async def do(helper: ssh.Helper) -> Effect:
            began_ns = self._clock.now_ns()
            await _run(helper, memory.host, ["nft", "-f", "-"], netfilter.removal_words(memory.token))
            now_ns = self._clock.now_ns()
            if await self._has_table(helper, memory):
                raise FaultError("the rules are still there", where=memory.token)
            return Effect(now_ns, f"nothing keeps {step.name} of {memory.host} off", now_ns - began_ns)

        return await self._reach.touch(memory, do)

    async def _answering(self, helper: ssh.Helper, memory: HostedNetworkMemory) -> set[str]:
        """Who answers: others to the host, the host to us."""
        request: dict[str, Any] = {"addresses": memory.unheard, "port": _CLOSED_PORT, "timeout_s": _SILENCE_S}
        found = set((await helper.ask("answers", _Answering, **request)).addresses) if memory.unheard else set()
        if memory.from_here:
            try:
                _, writer = await asyncio.wait_for(asyncio.open_connection(memory.address, _CLOSED_PORT), _SILENCE_S)
                writer.close()
                found.add(memory.address)
            except ConnectionError:
                found.add(memory.address)
            except (OSError, TimeoutError):
                pass
        return found

    async def _has_table(self, helper: ssh.Helper, memory: HostedNetworkMemory) -> bool:
        return netfilter.is_listed(memory.token, await _run(helper, memory.host, ["nft", "list", "tables"]))

    async def capabilities(self) -> Sequence[Capability]:
        """Nothing of its own: what a host lacks is said by name when a sentence wants it."""
        return ()


async def _run(helper: ssh.Helper, host: str, command: list[str], said: str = "") -> str:
    ran = await helper.ask("run", Ran, command=command, said=said, limit_bytes=_LONGEST_BYTES)
    if ran.code != 0:
        raise FaultError(f"`{' '.join(command)}` failed on {host}", got=ran.words.strip()[-300:])
    return ran.words
