"""What was asked for against what is: what is lost, came back, is there twice, is stuck, leaked, or is wrong otherwise.

Pure: the requests of a run and an inventory in, findings out. A request without an answer may have been obeyed or not,
so either is right. What a service says has failed (a server in ERROR) is no finding here: it was said, and an operation
of the history failed. What could not be looked at is unknown, never zero.

Not known to it: what others did to the run's own resources meanwhile.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from kilonode.check.accounts import misaccounted
from kilonode.check.circumstances import Circumstance, Disturbance, circumstance_of
from kilonode.check.following import wanted_state
from kilonode.check.inventory import Inventory, Thing
from kilonode.check.wanted import Presence, Wanted, WantedState
from kilonode.history.asked import AskedRecords

MOST_NAMED: Final = 50
"""So many findings of each kind are named; the number is of all."""
GONE_STATUSES: Final = frozenset({"DELETED", "SOFT_DELETED"})
UNDER_WAY: Final[dict[str, frozenset[str]]] = {
    "server": frozenset(
        {"BUILD", "REBOOT", "HARD_REBOOT", "RESIZE", "REVERT_RESIZE", "MIGRATING", "REBUILD", "PASSWORD"}
    ),
    "volume": frozenset(
        {
            "creating", "downloading", "uploading", "attaching", "detaching", "deleting", "extending", "retyping",
            "backing-up", "restoring-backup", "reserved",
        }
    ),
    "snapshot": frozenset({"creating", "deleting", "backing-up", "restoring", "unmanaging"}),
    "image": frozenset({"saving", "importing", "uploading"}),
    "port": frozenset({"BUILD"}),
}  # fmt: skip
"""The statuses that end by themselves."""


class Breach(StrEnum):
    """A way in which a cloud is not as it was asked to be."""

    LOST = "lost"
    """Its creation was acknowledged, nobody deleted it, and it is not there."""
    RESURRECTED = "resurrected"
    """Its deletion was acknowledged, and it is there."""
    DUPLICATED = "duplicated"
    """Two of one name where one was asked for, an address given twice, a server on two nodes."""
    STUCK = "stuck"
    """In a state that should have ended by itself."""
    LEAKED = "leaked"
    """It belongs to nothing any more, or is counted as used and is not, or the other way round."""
    OVERBOOKED = "overbooked"
    """A node has given more than it has."""
    STRAYED = "strayed"
    """A server is not in the state, or has not the flavor, that was asked for last."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as it should be."""

    breach: Breach
    kind: str
    """Of the resource: `server`, `port`, `node`, `quota`, …"""
    id: str
    name: str = ""
    text: str
    """What is wrong, in a few words."""
    circumstance: Circumstance | None = None
    """The last request about it; None: the run asked for nothing of it."""


class BreachCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many findings of one kind there are."""

    breach: Breach
    count: int | None
    """None: not known, and `note` says why."""
    note: str = ""


class ConsistencyResults(msgspec.Struct, frozen=True, kw_only=True):
    """The whole comparison."""

    counts: tuple[BreachCount, ...]
    findings: tuple[Finding, ...]
    """At most `MOST_NAMED` of each kind."""
    asked: int
    """Requests that would change something."""
    created: int
    deleted: int
    uncertain: int
    """Requests of which it is not known whether they were obeyed."""
    there: int
    """Resources of the run that there were."""
    failed: int
    """Of those, in a state of error, as the services say themselves."""
    settled: bool
    settling_s: float
    unseen: tuple[str, ...]

    def held_against(self, breach: Breach) -> tuple[int, str]:
        """Of how many resources there could be findings of a kind, and what they are, for people."""
        if breach in (Breach.LOST, Breach.STRAYED):
            return self.created, "resources created"
        if breach is Breach.RESURRECTED:
            return self.deleted, "resources deleted"
        return self.there, "resources there in the end"


class Evidence(msgspec.Struct, frozen=True):
    """What a run has to show: what it asked for, and what there was in the end; None: it has nothing of that."""

    asked: AskedRecords | None
    inventory: Inventory | None


def check_consistency(evidence: Evidence, disturbances: Sequence[Disturbance] = ()) -> ConsistencyResults:
    """Hold the one against the other. Each finding is told beside the disruption that met its last request."""
    inventory = evidence.inventory or Inventory(run_id="", unseen=("no inventory was taken",))
    asked = evidence.asked or AskedRecords((), complete=False)
    wanted = wanted_state(asked.asked)
    own = [thing for thing in inventory.things if is_own(thing, inventory, wanted)]
    found: defaultdict[Breach, list[Finding]] = defaultdict(list)
    for finding in _findings(inventory, wanted, own):
        found[finding.breach].append(finding)
    counts = tuple(_count(breach, found[breach], inventory, evidence, wanted) for breach in Breach)
    return ConsistencyResults(
        counts=counts,
        findings=tuple(
            _with_circumstance(finding, wanted, disturbances)
            for breach in Breach
            for finding in found[breach][:MOST_NAMED]
        ),
        asked=len(asked.asked),
        created=wanted.created,
        deleted=wanted.deleted,
        uncertain=wanted.uncertain,
        there=len(own),
        failed=sum(has_failed(thing) for thing in own),
        settled=inventory.settled,
        settling_s=inventory.settling_s,
        unseen=inventory.unseen,
    )


def _with_circumstance(finding: Finding, wanted: WantedState, disturbances: Sequence[Disturbance]) -> Finding:
    known = wanted.resources.get((finding.kind, finding.id))
    asked = known.asked if known is not None else wanted.unanswered.get((finding.kind, finding.name))
    if asked is None:
        return finding
    return msgspec.structs.replace(finding, circumstance=circumstance_of(asked, disturbances))


def is_own(thing: Thing, inventory: Inventory, wanted: WantedState) -> bool:
    """Whether the run made it, by its name, or by what was asked."""
    return thing.name.startswith(f"kn-{inventory.run_id}-") or (thing.kind, thing.id) in wanted.resources


def is_under_way(thing: Thing) -> bool:
    """In a state that ends by itself."""
    return bool(thing.task) or thing.status in UNDER_WAY.get(thing.kind, ())


def has_failed(thing: Thing) -> bool:
    """In a state that says that something went wrong."""
    return thing.status.lower().startswith("error") or thing.status == "killed"


def _count(
    breach: Breach, findings: list[Finding], inventory: Inventory, evidence: Evidence, wanted: WantedState
) -> BreachCount:
    if evidence.inventory is None:
        return BreachCount(breach=breach, count=None, note="what there was in the end is not known")
    note = ""
    if breach in (Breach.LOST, Breach.RESURRECTED, Breach.STRAYED):
        unlisted = sorted({kind for kind, _ in wanted.resources} - set(inventory.kinds))
        if evidence.asked is None:
            note = "what was asked for is not known"
        elif not evidence.asked.complete and breach is not Breach.RESURRECTED:
            # A deletion may have gone unrecorded: what is not there is not proved to be lost.
            return BreachCount(breach=breach, count=None, note="part of what was asked for is not known")
        elif unlisted:
            note = f"not looked at: {', '.join(unlisted)}"
    elif breach in (Breach.LEAKED, Breach.OVERBOOKED) and inventory.nodes is None:
        note = "placement was not shown to this user"
    elif breach is Breach.LEAKED and not inventory.all_projects:
        note = "the servers of other projects were not shown to this user"
    elif breach is Breach.LEAKED and inventory.quotas is None:
        note = "the use of quotas was not shown to this user"
    if note and not findings:
        return BreachCount(breach=breach, count=None, note=note)
    return BreachCount(breach=breach, count=len(findings), note=note)


def _findings(inventory: Inventory, wanted: WantedState, own: list[Thing]) -> Iterator[Finding]:
    things = {
        (thing.kind, thing.id): thing
        for thing in inventory.things
        if not (thing.kind == "server" and thing.status in GONE_STATUSES)
    }
    for key, one in wanted.resources.items():
        if one.kind in inventory.kinds:
            yield from _presence(one, things.get(key), things)
            yield from _strayed(one, things.get(key), inventory)
    made_by_cloud = {key for key, one in wanted.resources.items() if one.made_of}
    yield from _same_names(own)
    yield from _same_addresses(inventory)
    for thing in own:
        if is_under_way(thing) or (thing.status == "queued" and (thing.kind, thing.id) in made_by_cloud):
            state = f"{thing.status} ({thing.task})" if thing.task else thing.status
            text = f"still {state} {inventory.settling_s:.0f} s after the load"
            yield _finding(Breach.STUCK, thing, text)
    yield from _without_owner(inventory, things)
    for account in misaccounted(inventory):
        yield Finding(
            breach=Breach(account.breach), kind=account.kind, id=account.id, name=account.name, text=account.text
        )


def _presence(wanted: Wanted, thing: Thing | None, things: Mapping[tuple[str, str], Thing]) -> Iterator[Finding]:
    if thing is None and wanted.presence is Presence.THERE and wanted.made:
        text = "its creation was acknowledged, nobody deleted it, and it is not there"
        yield Finding(breach=Breach.LOST, kind=wanted.kind, id=wanted.id, name=wanted.name, text=text)
    elif thing is not None and wanted.presence is Presence.GONE and not is_under_way(thing) and not has_failed(thing):
        if wanted.went_with:
            if not any(("server", server) in things for server in thing.holds):
                text = f"it was to go with the server {wanted.went_with}, which was deleted, and it is there"
                yield _finding(Breach.LEAKED, thing, text)
            return
        text = f"its deletion was acknowledged, and it is there{f', {thing.status}' if thing.status else ''}"
        yield _finding(Breach.RESURRECTED, thing, text)


def _strayed(wanted: Wanted, thing: Thing | None, inventory: Inventory) -> Iterator[Finding]:
    if wanted.kind != "server" or thing is None or wanted.presence is not Presence.THERE:
        return
    if is_under_way(thing) or has_failed(thing):
        return
    if wanted.statuses and thing.status not in wanted.statuses:
        text = f"it is {thing.status}, and was asked to be {' or '.join(sorted(wanted.statuses))}"
        yield _finding(Breach.STRAYED, thing, text)
    names = {inventory.flavors.get(flavor) for flavor in wanted.flavors}
    if names and None not in names and thing.flavor and thing.flavor not in names:
        words = " or ".join(sorted(str(name) for name in names))
        yield _finding(Breach.STRAYED, thing, f"its flavor is {thing.flavor}, and was asked to be {words}")


def _same_names(own: list[Thing]) -> Iterator[Finding]:
    """Every name of a run is used for one request, and no creation is ever sent twice."""
    names = Counter((thing.kind, thing.project_id, thing.name) for thing in own if thing.name.startswith("kn-"))
    for thing in own:
        times = names[thing.kind, thing.project_id, thing.name]
        if times > 1:
            yield _finding(Breach.DUPLICATED, thing, f"there are {times} of this name, and one was asked for")


def _same_addresses(inventory: Inventory) -> Iterator[Finding]:
    for kind in ("port", "floating_ip"):
        holders: defaultdict[str, list[Thing]] = defaultdict(list)
        for thing in inventory.things:
            if thing.kind == kind:
                for address in thing.addresses:
                    holders[address].append(thing)
        for address, several in holders.items():
            if len(several) > 1:
                others = ", ".join(thing.id for thing in several[1:])
                text = f"its address {address.rpartition(' ')[2]} is also that of {others}"
                yield _finding(Breach.DUPLICATED, several[0], text)


def _without_owner(inventory: Inventory, things: dict[tuple[str, str], Thing]) -> Iterator[Finding]:
    """What holds on to something that is not there. Only where all that it might hold on to could be seen."""
    if "server" not in inventory.kinds or not inventory.all_projects:
        return
    for thing in inventory.things:
        missing = ""
        if thing.holder.startswith("compute:") or (thing.kind == "volume" and not is_under_way(thing)):
            missing = next((server for server in thing.holds if ("server", server) not in things), "")
        if missing:
            yield _finding(Breach.LEAKED, thing, f"it belongs to the server {missing}, which is not there")
        if thing.kind == "floating_ip" and "port" in inventory.kinds:
            gone = [port for port in thing.holds if ("port", port) not in things]
            if gone:
                yield _finding(Breach.LEAKED, thing, f"it leads to the port {gone[0]}, which is not there")
        if thing.kind == "snapshot" and "volume" in inventory.kinds and not is_under_way(thing):
            gone = [volume for volume in thing.holds if ("volume", volume) not in things]
            if gone:
                yield _finding(Breach.LEAKED, thing, f"it is of the volume {gone[0]}, which is not there")
        if thing.network_id and "network" in inventory.kinds and ("network", thing.network_id) not in things:
            yield _finding(Breach.LEAKED, thing, f"it is on the network {thing.network_id}, which is not there")


def _finding(breach: Breach, thing: Thing, text: str) -> Finding:
    return Finding(breach=breach, kind=thing.kind, id=thing.id, name=thing.name, text=text)
