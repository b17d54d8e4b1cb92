"""From requests to what should be there, against a model of a cloud: never wrong, unknown only where it has to be."""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonode.base.outcomes import Outcome
from kilonode.check.following import wanted_state
from kilonode.check.inventory import Inventory, Thing
from kilonode.check.wanted import Presence
from kilonode.history.asked import TAKEN, Asked
from tests.check.test_consistency import RUN, asked, breaches, inventory, lost_answer, server

KINDS = ("server", "volume", "snapshot", "image", "keypair", "port", "floating_ip", "network", "subnet")
PLACES = {
    "server": ("compute", "/servers"),
    "volume": ("volume", "/volumes"),
    "snapshot": ("volume", "/snapshots"),
    "image": ("image", "/images"),
    "keypair": ("compute", "/os-keypairs"),
    "security_group": ("network", "/security-groups"),
}


def create(kind: str, identity: str, **more: object) -> Asked:
    service, path = PLACES[kind]
    name = identity if kind == "keypair" else f"kn-{RUN}-x-{identity}-{kind}"
    fields: dict[str, object] = {"service": service, "word": kind, "identity": identity, "name": name}
    return asked("POST", path, **(fields | more))  # type: ignore[arg-type]


def remove(kind: str, identity: str, **more: object) -> Asked:
    service, path = PLACES[kind]
    return asked("DELETE", f"{path}/{identity}", **({"service": service, "status": 204} | more))  # type: ignore[arg-type]


def make_image(of: str, identity: str, **more: object) -> Asked:
    fields = {"word": "createImage", "identity": identity, "name": f"kn-{RUN}-x-{identity}-image"}
    return asked("POST", f"/servers/{of}/action", **(fields | more))  # type: ignore[arg-type]


def boot(identity: str, volume: str = "", **more: object) -> Asked:
    refers = {"flavorRef": "f1"} | ({TAKEN: volume} if volume else {})
    return create("server", identity, refers=refers, **more)


def detach(of: str, volume: str, **more: object) -> Asked:
    return asked("DELETE", f"/servers/{of}/os-volume_attachments/{volume}", **more)  # type: ignore[arg-type]


def thing(kind: str, identity: str, **more: object) -> Thing:
    if kind == "server":
        return server(identity, name=f"kn-{RUN}-x-{identity}-server", node="", **more)
    name = identity if kind == "keypair" else f"kn-{RUN}-x-{identity}-{kind}"
    return Thing(**({"kind": kind, "id": identity, "name": name} | more))  # type: ignore[arg-type]


def presences(requests: list[Asked]) -> dict[str, Presence]:
    return {one.id: one.presence for one in wanted_state(requests).resources.values()}


@dataclass
class ModelCloud:
    """Does what it acknowledges, and of what nobody heard the answer what it likes."""

    servers: dict[str, str] = field(default_factory=dict)
    """Each with the volume that goes with it, or none."""
    volumes: set[str] = field(default_factory=set)
    snapshots: dict[str, str] = field(default_factory=dict)
    """Each with its volume."""
    hidden_snapshots: set[str] = field(default_factory=set)
    """The volumes that an image was made of."""
    images: dict[str, str] = field(default_factory=dict)
    """Each with the server that it is being made of, none once it is done."""
    keypairs: set[str] = field(default_factory=set)
    detached: set[str] = field(default_factory=set)
    """Volumes that are detached as soon as somebody has time."""

    def boot(self, identity: str, volume: str) -> int:
        self.servers[identity] = volume
        return 202

    def delete_server(self, identity: str) -> int:
        if identity not in self.servers:
            return 404
        volume = self.servers.pop(identity)
        if volume and not self._held(volume):
            self.volumes.discard(volume)
        self.images = {image: of for image, of in self.images.items() if of != identity}
        return 204

    def detach(self, identity: str, volume: str, *, soon: bool) -> int:
        if self.servers.get(identity) != volume or not volume:
            return 404
        if soon:
            self.servers[identity] = ""
        else:
            self.detached.add(volume)
        return 202

    def make_volume(self, identity: str) -> int:
        self.volumes.add(identity)
        return 202

    def make_keypair(self, identity: str) -> int:
        self.keypairs.add(identity)
        return 201

    def delete(self, kind: str, identity: str) -> int:
        if kind == "keypair":
            there = identity in self.keypairs
            self.keypairs.discard(identity)
            return 204 if there else 404
        return 404 if {"snapshot": self.snapshots, "image": self.images}[kind].pop(identity, None) is None else 204

    def delete_volume(self, identity: str) -> int:
        if identity not in self.volumes:
            return 404
        if identity in self.servers.values() or self._held(identity):
            return 400
        self.volumes.remove(identity)
        return 202

    def snapshot(self, identity: str, volume: str) -> int:
        if volume not in self.volumes:
            return 404
        self.snapshots[identity] = volume
        return 202

    def make_image(self, identity: str, of: str, *, done: bool) -> int:
        if of not in self.servers:
            return 404
        self.images[identity] = "" if done else of
        if self.servers[of]:
            self.hidden_snapshots.add(self.servers[of])
        return 202

    def _held(self, volume: str) -> bool:
        return volume in self.snapshots.values() or volume in self.hidden_snapshots

    def inventory(self) -> Inventory:
        holders = {volume: identity for identity, volume in self.servers.items() if volume}
        things = [thing("server", identity) for identity in sorted(self.servers)]
        for volume in sorted(self.volumes):
            held = holders.get(volume)
            free = held is None or volume in self.detached
            status, holds = ("available", ()) if free else ("in-use", (held,))
            things.append(thing("volume", volume, status=status, holds=holds))
        for identity, volume in sorted(self.snapshots.items()):
            things.append(thing("snapshot", identity, holds=(volume,), status="available"))
        things += [thing("image", identity, status="active") for identity in sorted(self.images)]
        things += [thing("keypair", identity) for identity in sorted(self.keypairs)]
        return inventory(*things, kinds=KINDS)


ANSWERS = st.sampled_from(["yes", "yes", "no", "lost"])


class Play:
    """Requests at the model cloud: what each does happens in their order, the answers come when they like."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.cloud = ModelCloud()
        self.requests: list[Asked] = []
        self.known: dict[str, list[tuple[str, int]]] = {kind: [] for kind in PLACES}
        """Ids, and when their creation was answered: before that nobody can name them."""
        self.now = 0

    def ask(self) -> None:
        """One request."""
        self.now += 1
        verb = self.data.draw(
            st.sampled_from(["boot", "boot with volume", "image", "snapshot", "volume", "keypair", "detach", "delete"])
        )
        new = f"{verb[:2]}{self.now}"
        match verb:
            case "boot":
                self._make("server", boot(new), new, lambda: self.cloud.boot(new, ""))
            case "boot with volume":
                volume = f"vo{self.now}"
                self.cloud.volumes.add(volume)
                self.requests.append(create("volume", volume, at_ns=self.now))
                self.known["volume"].append((volume, self.now))
                self._make("server", boot(new, volume), new, lambda: self.cloud.boot(new, volume))
            case "image" if of := self._some("server"):
                done = self.data.draw(st.booleans())
                self._make("image", make_image(of, new), new, lambda: self.cloud.make_image(new, of, done=done))
            case "snapshot" if of := self._some("volume"):
                request = create("snapshot", new, refers={"volume_id": of})
                self._make("snapshot", request, new, lambda: self.cloud.snapshot(new, of))
            case "volume":
                self._make("volume", create("volume", new), new, lambda: self.cloud.make_volume(new))
            case "keypair":
                self._make("keypair", create("keypair", new), new, lambda: self.cloud.make_keypair(new))
            case "detach" if (of := self._some("server")) and (volume := self._some("volume")):
                soon = self.data.draw(st.booleans())
                self._send(detach(of, volume), lambda: self.cloud.detach(of, volume, soon=soon))
            case "delete":
                kind = self.data.draw(st.sampled_from(["server", "server", "volume", "snapshot", "image", "keypair"]))
                if identity := self._some(kind):
                    self._send(remove(kind, identity), lambda: self._delete(kind, identity))

    def _delete(self, kind: str, identity: str) -> int:
        match kind:
            case "server":
                return self.cloud.delete_server(identity)
            case "volume":
                return self.cloud.delete_volume(identity)
        return self.cloud.delete(kind, identity)

    def _some(self, kind: str) -> str:
        ids = [identity for identity, at in self.known[kind] if at < self.now]
        return self.data.draw(st.sampled_from(ids)) if ids else ""

    def _make(self, kind: str, request: Asked, identity: str, effect: Callable[[], int]) -> None:
        answer = self._send(request, effect)
        if 200 <= answer.status < 300:
            self.known[kind].append((identity, answer.answered_ns))

    def _send(self, request: Asked, effect: Callable[[], int]) -> Asked:
        answer = self.data.draw(ANSWERS)
        at = self.now + self.data.draw(st.integers(0, 3))
        made = {} if request.method == "DELETE" else {"identity": ""}
        if answer == "no":
            request = msgspec.structs.replace(request, status=429, answered_ns=at, **made)
        elif answer == "lost":
            if self.data.draw(st.booleans()):
                effect()
            request = msgspec.structs.replace(request, status=0, outcome=Outcome.RESET.value, answered_ns=at, **made)
        else:
            status = effect()
            if not 200 <= status < 300 and made:
                request = msgspec.structs.replace(request, identity="")
            request = msgspec.structs.replace(request, status=status, answered_ns=at)
        self.requests.append(request)
        return request


@settings(max_examples=400)
@given(data=st.data())
def test_an_honest_cloud_is_never_blamed_and_one_that_loses_something_always_is(data: st.DataObject) -> None:
    play = Play(data)
    for _ in range(data.draw(st.integers(1, 14))):
        play.ask()
    requests = sorted(play.requests, key=lambda one: one.answered_ns)
    there = play.cloud.inventory()
    assert breaches(requests, there) == []
    certain = [one for one in wanted_state(requests).resources.values() if one.made and one.presence is Presence.THERE]
    if certain:
        victim = data.draw(st.sampled_from(certain))
        left = [each for each in there.things if (each.kind, each.id) != (victim.kind, victim.id)]
        assert ("lost", victim.id) in breaches(requests, inventory(*left, kinds=KINDS))


ENDINGS = st.lists(st.tuples(st.sampled_from(["deleted", "refused", "lost"]), st.booleans()), max_size=6)


@settings(max_examples=200)
@given(kind=st.sampled_from(sorted(PLACES)), endings=ENDINGS)
def test_it_is_unknown_where_nobody_can_know_and_nowhere_else(kind: str, endings: list[tuple[str, bool]]) -> None:
    """Every way in which an honest cloud could have given these answers is followed, for each kind by itself."""
    actual, possible = True, {True}
    requests = [create(kind, "x")]
    for ending, obeyed in endings:
        if ending == "refused":
            requests.append(remove(kind, "x", status=429))
        elif ending == "lost":
            requests.append(remove(kind, "x", **lost_answer()))
            actual, possible = actual and not obeyed, possible | {False}
        elif actual:
            requests.append(remove(kind, "x", status=204))
            actual, possible = False, {False}
        else:
            requests.append(remove(kind, "x", status=404))
            possible -= {True}
    oracle = Presence.EITHER if len(possible) > 1 else Presence.THERE if possible == {True} else Presence.GONE
    assert presences(requests)["x"] is oracle


def test_a_volume_that_goes_with_its_server_is_not_lost_and_has_leaked_when_it_does_not() -> None:
    requests = [create("volume", "v"), boot("a", "v"), remove("server", "a")]
    assert breaches(requests, inventory(kinds=KINDS)) == []
    stays = inventory(thing("volume", "v", status="available"), kinds=KINDS)
    assert breaches(requests, stays) == [("leaked", "v")]
    held = inventory(thing("server", "b"), thing("volume", "v", status="in-use", holds=("b",)), kinds=KINDS)
    assert breaches(requests, held) == [], "another server holds it"


def test_a_volume_that_was_not_to_go_with_its_server_is_lost() -> None:
    requests = [create("volume", "v"), boot("a"), remove("server", "a")]
    assert breaches(requests, inventory(kinds=KINDS)) == [("lost", "v")]


@pytest.mark.parametrize(
    "between",
    [
        [detach("a", "v")],
        [detach("a", "v", **lost_answer())],
        [create("snapshot", "s", refers={"volume_id": "v"})],
        [make_image("a", "i")],
    ],
)
def test_a_volume_that_was_being_detached_or_has_a_snapshot_may_stay(between: list[Asked]) -> None:
    requests = [create("volume", "v"), boot("a", "v"), *between, remove("server", "a")]
    assert presences(requests)["v"] is Presence.EITHER


def test_a_volume_that_was_attached_so_may_go_too_and_one_that_was_not_does_not() -> None:
    attach = asked("POST", "/servers/a/os-volume_attachments", word="volumeAttachment", refers={TAKEN: "v"}, status=200)
    requests = [create("volume", "v"), boot("a"), attach, remove("server", "a")]
    assert presences(requests)["v"] is Presence.EITHER
    refused = [requests[0], requests[1], msgspec.structs.replace(attach, status=409), requests[3]]
    assert presences(refused)["v"] is Presence.THERE


def test_a_server_of_which_nobody_told_the_id_may_take_its_volume_along_when_somebody_deletes_it() -> None:
    requests = [create("volume", "v"), boot("", "v", **lost_answer())]
    assert presences(requests)["v"] is Presence.THERE
    assert presences([*requests, remove("server", "found")])["v"] is Presence.EITHER


def test_an_image_of_a_server_is_wanted_and_need_not_be_finished_when_the_server_goes() -> None:
    requests = [boot("a"), make_image("a", "i")]
    assert breaches(requests, inventory(thing("server", "a"), kinds=KINDS)) == [("lost", "i")]
    assert presences([*requests, remove("server", "a")])["i"] is Presence.EITHER
    waits = inventory(thing("server", "a"), thing("image", "i", status="queued"), kinds=KINDS)
    assert breaches(requests, waits) == [("stuck", "i")]
    own = [create("image", "j")]
    assert breaches(own, inventory(thing("image", "j", status="queued"), kinds=KINDS)) == [], "nobody uploaded it"


def test_a_snapshot_may_go_with_its_volume_and_has_leaked_without_it() -> None:
    requests = [create("volume", "v"), create("snapshot", "s", refers={"volume_id": "v"})]
    assert breaches(requests, inventory(thing("volume", "v"), kinds=KINDS)) == [("lost", "s")]
    gone = asked("DELETE", "/volumes/v?cascade=true", service="volume")
    assert breaches([*requests, gone], inventory(kinds=KINDS)) == []
    left = inventory(thing("snapshot", "s", holds=("v",)), kinds=KINDS)
    assert breaches([*requests, gone], left) == [("leaked", "s")]


def test_what_was_deleted_before_its_creation_was_answered_is_gone() -> None:
    assert presences([remove("server", "a"), boot("a")])["a"] is Presence.GONE


def test_a_key_pair_of_the_same_name_is_another_one() -> None:
    requests = [create("keypair", "k"), remove("keypair", "k"), create("keypair", "k")]
    assert breaches(requests, inventory(kinds=KINDS)) == [("lost", "k")]
