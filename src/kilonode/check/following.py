"""From what was asked for and how it was answered to what should be there.

An answer 404 to a deletion acknowledges nothing: what nobody had deleted before is lost. What goes with something else:
subnets and ports may go with their network, snapshots with their volume, and an image that is made of a server need not
come to its end when that is deleted. Volumes that were attached so go with their server; whether one does that was
being detached, or has snapshots, is not known.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from kilonode.check.wanted import Answer, Presence, Wanted, WantedState, answer_of
from kilonode.history.asked import TAKEN, Asked

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
    ("volume", "snapshots"): "snapshot",
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
_GONE: Final = 404
_MOVES: Final = frozenset({"resize", "migrate"})
_ENDS_OF_MOVES: Final = frozenset({"confirmResize", "revertResize"})
_WITHIN: Final = {
    "subnet": ("network", "network_id"),
    "port": ("network", "network_id"),
    "snapshot": ("volume", "volume_id"),
}
"""What may go with what else: the kind of that, and what a creation calls its id."""
_ATTACHMENTS: Final = "os-volume_attachments"


def wanted_state(asked: Iterable[Asked]) -> WantedState:
    """Follow all requests, which are in the order of their answers."""
    follower = _Follower()
    for one in asked:
        follower.take(one)
    return follower.state()


class _Follower:
    """What is wanted so far."""

    def __init__(self) -> None:
        self.resources: dict[tuple[str, str], Wanted] = {}
        self.parts: defaultdict[tuple[str, str], list[Wanted]] = defaultdict(list)
        """By kind and id of what they are parts of, or made of."""
        self.unanswered: dict[tuple[str, str], Asked] = {}
        self.unclaimed: set[str] = set()
        """The volumes that go with servers whose ids nobody was told: somebody may find and delete those."""
        self.created = self.deleted = self.uncertain = 0

    def take(self, one: Asked) -> None:
        """Follow one request."""
        parts = [part for part in one.path.partition("?")[0].split("/") if part]
        kind = COLLECTIONS.get((one.service, parts[0])) if parts else None
        if kind is None:
            return
        answer = answer_of(one)
        self.uncertain += answer is Answer.UNCERTAIN
        if one.method == "POST" and len(parts) == 1:
            self._create(kind, one, answer)
        elif one.method == "DELETE" and len(parts) == 2:
            self._delete(kind, parts[1], one, answer)
        elif kind == "server" and len(parts) > 2 and answer is not Answer.REFUSED:
            if one.method == "POST" and parts[2:] == ["action"]:
                self._act(parts[1], one, answer)
            elif parts[2] == _ATTACHMENTS:
                self._attach(parts[1], one, parts[3] if len(parts) > 3 else "")

    def state(self) -> WantedState:
        """Everything that was followed. What goes with something else is settled last: the answers that tell of it may
        come in any order.
        """
        for server in [one for one in self.resources.values() if one.kind == "server"]:
            self._take_along(server)
        if any(one.kind == "server" and not one.made for one in self.resources.values()):
            for volume in self.unclaimed:
                self._doubt("volume", volume)
        for whole, parts in self.parts.items():
            parent = self.resources.get(whole)
            if parent is not None and parent.presence is not Presence.THERE:
                for part in parts:
                    _doubt(part)
        return WantedState(self.resources, self.created, self.deleted, self.uncertain, self.unanswered)

    def _create(self, kind: str, asked: Asked, answer: Answer) -> None:
        identity = asked.name if kind == "keypair" else asked.identity
        takes = dict.fromkeys(filter(None, asked.refers.get(TAKEN, "").split(",")), True)
        if answer is Answer.OBEYED and identity:
            before = self.resources.get((kind, identity))
            wanted = self.resources[kind, identity] = _created(kind, identity, asked)
            wanted.takes, wanted.asked = takes, asked
            if before is not None and not before.made:  # somebody saw it, and deleted it, before this answer came
                wanted.presence = before.presence
            if wanted.within:
                self.parts[_WITHIN[kind][0], wanted.within].append(wanted)
            self.created += 1
        elif answer is not Answer.REFUSED:
            self.unclaimed |= takes.keys()
            self.unanswered[kind, asked.name] = asked

    def _delete(self, kind: str, identity: str, asked: Asked, answer: Answer) -> None:
        known = self.resources.setdefault((kind, identity), Wanted(kind, identity, made=False))
        if answer is not Answer.REFUSED:
            known.asked = asked
        self.deleted += answer is Answer.OBEYED
        if answer is Answer.OBEYED:
            known.presence = Presence.GONE
        elif answer is Answer.UNCERTAIN:
            _doubt(known)
        elif known.presence is Presence.EITHER and asked.status == _GONE:
            known.presence = Presence.GONE

    def _take_along(self, server: Wanted) -> None:
        """The volumes that go with a server that is gone, or may be."""
        if server.presence is Presence.THERE:
            return
        for identity, taken in server.takes.items():
            volume = self.resources.get(("volume", identity))
            if volume is None or volume.presence is Presence.GONE:
                continue
            # A volume with a snapshot cannot be deleted, and an image made of a server is one of its volume.
            held = self.parts["server", server.id] or self.parts["volume", identity]
            if server.presence is Presence.GONE and taken and not held:
                volume.presence, volume.went_with = Presence.GONE, server.id
            else:
                _doubt(volume)

    def _attach(self, server: str, asked: Asked, volume: str) -> None:
        """A volume is attached, changed, or detached. Neither is done when it is answered, and each may fail without a
        word: from now on it is not known whether it goes with the server.
        """
        known = self.resources.get(("server", server))
        taken = volume or asked.refers.get(TAKEN, "")
        if known is not None and (taken in known.takes or asked.refers.get(TAKEN)):
            known.takes[taken] = False

    def _act(self, server: str, asked: Asked, answer: Answer) -> None:
        found = self.resources.get(("server", server))
        if asked.word == "forceDelete":
            self._delete("server", server, asked, answer)
        elif asked.word == "createImage":
            if answer is Answer.OBEYED and asked.identity:
                image = self.resources["image", asked.identity] = Wanted("image", asked.identity, asked.name)
                image.made_of, image.asked = server, asked
                self.parts["server", server].append(image)
                self.created += 1
        elif found is not None:
            found.asked = asked
            _act(found, asked, certain=answer is Answer.OBEYED)

    def _doubt(self, kind: str, identity: str) -> None:
        known = self.resources.get((kind, identity))
        if known is not None:
            _doubt(known)


def _doubt(wanted: Wanted) -> None:
    """It may be gone, or not."""
    if wanted.presence is Presence.THERE:
        wanted.presence = Presence.EITHER


def _created(kind: str, identity: str, asked: Asked) -> Wanted:
    refers = asked.refers
    wanted = Wanted(kind, identity, asked.name)
    if kind in _WITHIN:
        wanted.within = refers.get(_WITHIN[kind][1], "")
    if kind == "server":
        wanted.statuses = frozenset({"ACTIVE"})
        wanted.flavors = frozenset({refers["flavorRef"]}) if "flavorRef" in refers else frozenset()
    return wanted


def _act(server: Wanted, asked: Asked, *, certain: bool) -> None:
    """Follow an action. One that was accepted may still fail for want of room: then a server is as before the move."""
    word = asked.word
    if word in STATUS_AFTER:
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
