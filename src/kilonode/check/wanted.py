"""From what was asked for and how it was answered to what should be there.

A resource whose creation was acknowledged is wanted until its deletion was acknowledged. A request without an answer,
or with one that says that the service failed (5xx), may have been obeyed or not: what it was about is *uncertain*, and
either outcome is right. An answer 404 to a deletion acknowledges nothing: what nobody had deleted before is lost.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from kilonode.base.outcomes import Outcome
from kilonode.history.asked import Asked

COLLECTIONS: Final[dict[tuple[str, str], str]] = {
    ("compute", "servers"): "server",
    ("compute", "os-keypairs"): "keypair",
    ("network", "networks"): "network",
    ("network", "subnets"): "subnet",
    ("network", "ports"): "port",
    ("network", "routers"): "router",
    ("network", "security-groups"): "security_group",
    ("network", "floatingips"): "floating_ip",
    ("image", "images"): "image",
    ("volume", "volumes"): "volume",
}
"""Service and the first word of a path, to the kind of resource. Requests about others are not followed."""

STATUS_AFTER: Final[dict[str, frozenset[str]]] = {
    "os-start": frozenset({"ACTIVE"}),
    "os-stop": frozenset({"SHUTOFF"}),
    "pause": frozenset({"PAUSED"}),
    "unpause": frozenset({"ACTIVE"}),
    "suspend": frozenset({"SUSPENDED"}),
    "resume": frozenset({"ACTIVE"}),
    "rescue": frozenset({"RESCUE"}),
    "unrescue": frozenset({"ACTIVE"}),
    "shelve": frozenset({"SHELVED", "SHELVED_OFFLOADED"}),
    "shelveOffload": frozenset({"SHELVED_OFFLOADED"}),
    "unshelve": frozenset({"ACTIVE"}),
}
"""What a server comes to after an action."""
UNCERTAIN_OUTCOMES: Final = frozenset(
    {Outcome.RESET, Outcome.TIMEOUT, Outcome.PROTOCOL, Outcome.CANCELLED, Outcome.HTTP_5XX}
)
"""Without an answer: the request may have arrived. Of the other outcomes it is known that it did not."""
_GONE: Final = 404
_MOVES: Final = frozenset({"resize", "migrate"})
_ENDS_OF_MOVES: Final = frozenset({"confirmResize", "revertResize"})


class Answer(StrEnum):
    """What is known of a request."""

    OBEYED = "obeyed"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"


class Presence(StrEnum):
    """Whether something should be there."""

    THERE = "there"
    GONE = "gone"
    EITHER = "either"


class Wanted(msgspec.Struct):
    """What is wanted of one resource; grows request by request, so it is not frozen."""

    kind: str
    id: str
    name: str = ""
    presence: Presence = Presence.THERE
    made: bool = True
    """Its creation was acknowledged to this run; False: it was there before the load."""
    within: str = ""
    """Of a subnet or port: its network, with which it may go."""
    statuses: frozenset[str] = frozenset()
    """Of a server: what it may be in the end; empty: anything."""
    before: frozenset[str] = frozenset()
    """Of a server that is moved: what it was."""
    flavors: frozenset[str] = frozenset()
    """Of a server: the ids of the flavors it may have in the end; empty: any."""
    new_flavor: str = ""
    """Of a server that is resized: what it gets."""


class WantedState(msgspec.Struct, frozen=True):
    """What should be there after everything that was asked for."""

    resources: dict[tuple[str, str], Wanted]
    """By kind and id."""
    created: int
    """Creations that were acknowledged."""
    deleted: int
    """Deletions that were acknowledged."""
    uncertain: int
    """Requests of which it is not known whether they were obeyed."""


def wanted_state(asked: Iterable[Asked]) -> WantedState:
    """Follow all requests, which are in the order of their answers."""
    resources: dict[tuple[str, str], Wanted] = {}
    created = deleted = uncertain = 0
    for one in asked:
        parts = [part for part in one.path.partition("?")[0].split("/") if part]
        kind = COLLECTIONS.get((one.service, parts[0])) if parts else None
        if kind is None:
            continue
        answer = answer_of(one)
        if answer is Answer.UNCERTAIN:
            uncertain += 1
        if one.method == "POST" and len(parts) == 1:
            identity = one.name if kind == "keypair" else one.identity
            if answer is Answer.OBEYED and identity:
                resources[kind, identity] = _created(kind, identity, one)
                created += 1
        elif one.method == "DELETE" and len(parts) == 2:
            wanted = resources.setdefault((kind, parts[1]), Wanted(kind, parts[1], made=False))
            deleted += answer is Answer.OBEYED
            _delete(wanted, answer, gone_already=one.status == _GONE)
        elif one.method == "POST" and kind == "server" and parts[2:] == ["action"]:
            found = resources.get((kind, parts[1]))
            if found is not None:
                _act(found, one, answer)
    for wanted in resources.values():
        network = resources.get(("network", wanted.within))
        if network is not None and network.presence is not Presence.THERE and wanted.presence is Presence.THERE:
            wanted.presence = Presence.EITHER
    return WantedState(resources, created, deleted, uncertain)


def answer_of(asked: Asked) -> Answer:
    """What is known of a request by its answer."""
    if 200 <= asked.status < 300:
        return Answer.OBEYED
    if asked.resent:
        return Answer.UNCERTAIN  # the first one may have been obeyed, whatever came of the second
    if asked.status == 0:
        return Answer.UNCERTAIN if asked.outcome in UNCERTAIN_OUTCOMES else Answer.REFUSED
    return Answer.UNCERTAIN if asked.status >= 500 else Answer.REFUSED


def _created(kind: str, identity: str, asked: Asked) -> Wanted:
    refers = asked.refers
    wanted = Wanted(kind, identity, asked.name, within=refers.get("network_id", ""))
    if kind == "server":
        wanted.statuses = frozenset({"ACTIVE"})
        wanted.flavors = frozenset({refers["flavorRef"]}) if "flavorRef" in refers else frozenset()
    return wanted


def _delete(wanted: Wanted, answer: Answer, *, gone_already: bool) -> None:
    if answer is Answer.OBEYED:
        wanted.presence = Presence.GONE
    elif wanted.presence is Presence.THERE and answer is Answer.UNCERTAIN:
        wanted.presence = Presence.EITHER
    elif wanted.presence is Presence.EITHER and gone_already:
        wanted.presence = Presence.GONE


def _act(server: Wanted, asked: Asked, answer: Answer) -> None:
    """Follow an action. One that was accepted may still fail for want of room: then a server is as before the move."""
    if answer is Answer.REFUSED:
        return
    certain = answer is Answer.OBEYED
    word = asked.word
    if word == "forceDelete":
        _delete(server, answer, gone_already=False)
    elif word in STATUS_AFTER:
        server.statuses = STATUS_AFTER[word] if certain or not server.statuses else server.statuses | STATUS_AFTER[word]
    elif word in _MOVES:
        server.before = server.statuses
        server.statuses |= {"VERIFY_RESIZE"}
        server.new_flavor = asked.refers.get("flavorRef", "")
        if server.new_flavor and server.flavors:
            server.flavors |= {server.new_flavor}
    elif word in _ENDS_OF_MOVES and certain:
        server.statuses = server.before
        if word == "confirmResize" and server.new_flavor:
            server.flavors = frozenset({server.new_flavor})
        elif word == "revertResize" and server.new_flavor:
            server.flavors -= {server.new_flavor}
        server.new_flavor = ""
    elif word in ("rebuild", "evacuate") or word.startswith("os-reset"):
        server.statuses = frozenset()
