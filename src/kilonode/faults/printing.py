"""What a sentence says, as words: one canonical sentence for each value, which reads back as the same value.

print_sentence(parse("Freeze rabbitmq service for 30 seconds on one node"))
# freeze rabbitmq on one node for 30s
"""

from collections.abc import Iterable

from kilonode.faults.amounts import write_bandwidth, write_number, write_signed_duration
from kilonode.faults.model import (
    Action,
    Choice,
    Fault,
    Kind,
    Link,
    Nodes,
    Part,
    Partition,
    Pick,
    Requests,
    Sentence,
    Shape,
    Target,
)
from kilonode.faults.tokens import write_name
from kilonode.faults.words import MEMBERS, NODES, is_one


def print_sentence(sentence: Sentence) -> str:
    """The sentence in words."""
    return ", then ".join(_part(part) for part in sentence.parts)


def print_fault(fault: Fault) -> str:
    """One fault in words."""
    words = [fault.action.value, *_what(fault)]
    if fault.duration is not None:
        words.append(f"for {fault.duration}")
    return " ".join(word for word in words if word)


def print_target(target: Target) -> str:
    """A target in words: `one scheduler on node a`."""
    if target.kind is Kind.NODE:
        return print_nodes(target.nodes or Nodes(Choice(Pick.ALL)))
    how = _choice(target.choice, several=len(target.names) > 1)
    one, many = MEMBERS.get(target.kind, (target.kind.value, target.kind.value))
    kind = one if is_one(target.choice, len(target.names)) else many
    if target.kind is Kind.SERVICE and target.names:
        kind = ""
    where = f"on {print_nodes(target.nodes)}" if target.nodes else ""
    return " ".join(word for word in (how, _names(target.names), kind, where) if word)


def print_nodes(nodes: Nodes) -> str:
    """A choice of nodes in words: `2 of 5 nodes with keystone`."""
    how = _choice(nodes.choice, several=len(nodes.names) > 1)
    kind = NODES[0] if is_one(nodes.choice, len(nodes.names)) else NODES[1]
    services = f"with {_names(nodes.services)}" if nodes.services else ""
    return " ".join(word for word in (how, kind, _names(nodes.names), services) if word)


def _part(part: Part) -> str:
    after = f"after {part.after} " if part.after else ""
    return after + " while ".join(print_fault(fault) for fault in (part.fault, *part.during))


def _what(fault: Fault) -> Iterable[str]:
    """All between the verb and the duration."""
    target = fault.target
    where = f"on {print_nodes(target.nodes)}" if target.nodes else ""
    if fault.partition is not None:
        return [print_target(target), *_partition(fault.partition, fault.peer)]
    if fault.link is not None:
        return [*_traffic(target, fault.peer, where), f"with {_link(fault.link)}"]
    if fault.stress is not None:
        level = "" if fault.stress.percent == 100 else f"at {write_number(fault.stress.percent)}%"
        return [fault.stress.resource.value, level, where]
    if fault.requests is not None:
        return _requests(fault.requests, target.names)
    if fault.action in (Action.CONNECT, Action.DISCONNECT):
        return [_names(target.names), "network" if len(target.names) == 1 else "networks", where]
    if fault.action is Action.FILL:
        full = "" if fault.fill_percent is None else f"to {write_number(fault.fill_percent)}%"
        return ["disk", _names(target.names), full, where]
    if fault.skew_s is not None and target.kind is not Kind.CLOCK:
        return ["clock of", print_target(target), f"by {write_signed_duration(fault.skew_s)}"]
    if fault.skew_s is not None:
        return ["clock", f"by {write_signed_duration(fault.skew_s)}", where]
    if fault.means is not None and target.kind is not Kind.NODE:
        # Nodes come last, so that what is done by which means reads as one.
        here = print_target(target)
        return [here.removesuffix(where).rstrip(), f"by {fault.means}", where]
    return [print_target(target)]


def _traffic(target: Target, peer: Target | None, where: str) -> list[str]:
    if peer is not None:
        return ["traffic from", print_target(target), "to", print_target(peer)]
    if target.kind is Kind.NETWORK:
        several = "networks" if len(target.names) > 1 else "network"
        return [_names(target.names), several, where]
    return [print_target(target)]


def _partition(partition: Partition, peer: Target | None) -> list[str]:
    if partition.shape is Shape.SETS and peer is not None:
        words = ["from", print_target(peer)]
    elif partition.shape is Shape.REST:
        words = ["from the rest"]
    else:
        words = ["into", partition.shape.value]
    return [*words, "one way"] if partition.one_way else words


def _link(link: Link) -> str:
    said = []
    if link.delay is not None:
        said.append(f"delay {link.delay}")
    if link.jitter is not None:
        said.append(f"jitter {link.jitter}")
    if link.loss_percent is not None:
        said.append(f"loss {write_number(link.loss_percent)}%")
    if link.bandwidth_bits_per_s is not None:
        said.append(f"bandwidth {write_bandwidth(link.bandwidth_bits_per_s)}")
    return _list(said)


def _requests(requests: Requests, names: tuple[str, ...]) -> list[str]:
    return [
        "" if requests.percent == 100 else f"{write_number(requests.percent)}% of",
        requests.method,
        f"requests to {_names(names)}",
        f"under {write_name(requests.path)}" if requests.path else "",
        f"by {requests.delay}" if requests.delay is not None else "",
        f"with jitter {requests.jitter}" if requests.jitter is not None else "",
        f"with status {requests.status}" if requests.status is not None else "",
    ]


def _choice(choice: Choice, *, several: bool) -> str:
    if choice.pick is Pick.ALL:
        return "all"
    if choice.pick is Pick.NUMBER:
        number = "one" if choice.number == 1 else str(choice.number)
        most = f" of {choice.of}" if choice.of else " of" if several else ""
        return number + most
    if choice.pick is Pick.PERCENT:
        return f"{write_number(choice.percent)}% of"
    if choice.pick is Pick.NAMED:
        return ""
    return f"a {choice.pick.value} of"


def _names(names: tuple[str, ...]) -> str:
    return _list([write_name(name) for name in names])


def _list(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
