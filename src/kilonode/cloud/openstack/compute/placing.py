"""The scheduler role: gives every server that waits for a node one, or the fault that there is none.

Level-triggered and in batches: whatever waits is decided as soon as the commit before is written. The server and the
usage of its node are written in one commit under the revisions that were read (see `cloud.ledger`), so any number of
schedulers may run and none can overbook a node. No request is ever dropped: it is placed, or fails in Nova's words.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from kilonode.cloud.batches import BatchController, Decision
from kilonode.cloud.context import Cloud
from kilonode.cloud.ledger import Claim
from kilonode.cloud.liveness import Liveness, beat_for_ever, is_node_up
from kilonode.cloud.openstack.compute import stage_facts
from kilonode.cloud.openstack.compute.changes import (
    NO_VALID_HOST,
    fail,
    migration_record,
    move_on,
)
from kilonode.cloud.openstack.compute.demands import KINDS as DEMANDED_KINDS
from kilonode.cloud.openstack.compute.demands import Demands
from kilonode.cloud.openstack.compute.group_rules import with_group
from kilonode.cloud.openstack.compute.labels import KINDS as LABEL_KINDS
from kilonode.cloud.openstack.compute.labels import NodeLabels
from kilonode.cloud.openstack.compute.model import (
    MIGRATION,
    SERVER,
    SERVER_GROUP,
    Move,
    Server,
    ServerFlavor,
    ServerGroup,
    flavor_amount,
    servers_by_group,
)
from kilonode.cloud.openstack.compute.stage_facts import server_draws
from kilonode.cloud.openstack.compute.states import ACTIVE, BUILDING, ERROR
from kilonode.cloud.resources import HEARTBEAT, NO_USAGE, NODE, NODE_USAGE
from kilonode.cloud.role_counts import names_of
from kilonode.cloud.schedulers import make_scheduler
from kilonode.cloud.scheduling import Request
from kilonode.cloud.shares import Shares
from kilonode.cloud.stages import Stage
from kilonode.control.mirror import Put
from kilonode.control.queue import WorkQueue

ROLE: Final = "scheduler"
KINDS: Final = (
    SERVER, SERVER_GROUP, MIGRATION, NODE_USAGE, HEARTBEAT, *LABEL_KINDS,
    *dict.fromkeys((*stage_facts.KINDS, *DEMANDED_KINDS)),
)  # fmt: skip
PLACE: Final = "place"
PLACE_MOVE: Final = "place-move"
_MICROSECONDS_PER_SECOND: Final = 1_000_000


async def schedule(cloud: Cloud) -> None:
    """Place servers until cancelled, over a view that may be shared with other roles."""
    placing = Placing(cloud)
    async with asyncio.TaskGroup() as group:
        group.create_task(beat_for_ever(cloud, cloud.role), name=f"{cloud.role}-heartbeat")
        group.create_task(placing.liveness.watch(), name=f"{cloud.role}-liveness")
        group.create_task(placing.shares.watch(), name=f"{cloud.role}-shares")
        group.create_task(placing.controller.run(), name=cloud.role)


class Placing:
    """Decides where servers go. See the module."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._mirror = cloud.mirror
        self._draws = server_draws(cloud)
        self._table = make_scheduler(cloud.settings, cloud.role)
        self._tentative: dict[str, tuple[str, str]] = {}
        """Node and group of servers that were decided on and whose commit has not been seen yet."""
        self._refusals: dict[str, int] = {}
        """How often a server was refused by a node, as far as it was counted."""
        self._failures: dict[str, int] = {}
        """How many builds failed on a node since one went well; forgotten with the role, as Nova's are."""
        self._groups = servers_by_group(cloud.mirror)
        self._labels = NodeLabels(cloud.mirror, self._enter_node)
        self._demands = Demands(cloud.mirror, self._labels)
        self.liveness = Liveness(cloud, self._enter_node)
        self.controller = BatchController(cloud.role, WorkQueue(cloud.clock), cloud.mirror, self.decide, undo=self.undo)
        self.shares = Shares(cloud, names_of(ROLE, cloud.settings.roles.scheduler), self._look_again)
        cloud.mirror.subscribe(self._on_change, known=(NODE, SERVER))

    def decide(self, key: str) -> Decision | None:
        """What to do about one server."""
        entry = self._mirror.get(SERVER, key)
        if entry is None:
            return None
        server: Server = entry.value
        if not self._is_mine(server):
            return None
        stage = self._cloud.stages.find(SERVER, server.state, server.task)
        if stage is None or stage.does not in (PLACE, PLACE_MOVE):
            return None
        now_us = self._cloud.now_us()
        draw = self._draws.of(stage, key, server)
        if draw.numbering:
            return Decision(tuple(draw.numbering), again_s=0.0)
        if draw.ends_us > now_us:
            return Decision(again_s=(draw.ends_us - now_us) / _MICROSECONDS_PER_SECOND)
        failure = draw.fault
        if stage.does == PLACE_MOVE and server.move is not None:
            return self._place_move(server, server.move, entry.revision, stage, failure, now_us)
        return self._place(server, entry.revision, stage, failure, now_us)

    def undo(self, decided: Sequence[tuple[str, Decision]]) -> None:
        """Forget what was decided: it was not committed."""
        for key, decision in decided:
            self._tentative.pop(key, None)
            for claim in decision.claims:
                self._enter_usage(claim.node)

    def _place(self, server: Server, revision: int, stage: Stage, failure: str, now_us: int) -> Decision:
        amount = flavor_amount(server, server.flavor)
        request = Request(amount, zone=server.zone, node=server.wanted_node, avoid=server.refused_by)
        request = self._with_wishes(server, server.flavor, request)
        node = None if failure else self._table.choose(request)
        if node is None:
            # A new server is in error then; one that is on the shelf stays there.
            state = ERROR if server.state == BUILDING else server.state
            failed = fail(server, failure or NO_VALID_HOST, now_us, state=state)
            return Decision((Put(SERVER, failed, server.id, revision),))
        self._take(server, node, request)
        placed = replace(move_on(server, stage, now_us), node=node)
        return Decision((Put(SERVER, placed, server.id, revision),), (Claim(node, amount),))

    def _place_move(
        self, server: Server, move: Move, revision: int, stage: Stage, failure: str, now_us: int
    ) -> Decision:
        amount = flavor_amount(server, move.new_flavor)
        request = Request(amount, zone=server.zone, node=move.wanted_node, avoid=(move.source,))
        request = self._with_wishes(server, move.new_flavor, request)
        node = None if failure else self._table.choose(request)
        if node is None:
            failed = replace(fail(server, failure or NO_VALID_HOST, now_us, state=move.from_state), move=None)
            record = migration_record(server, replace(move, status="error"), now_us)
            return Decision((Put(SERVER, failed, server.id, revision), Put(MIGRATION, record, move.id)))
        self._take(server, node, request)
        moving = replace(move, target=node, status="running" if move.kind == "live-migration" else "migrating")
        placed = replace(move_on(server, stage, now_us), move=moving)
        record = migration_record(server, moving, now_us)
        changes = (Put(SERVER, placed, server.id, revision), Put(MIGRATION, record, move.id))
        return Decision(changes, (Claim(node, amount),))

    def _take(self, server: Server, node: str, request: Request) -> None:
        self._table.take(node, request.amount)
        self._tentative[server.id] = (node, server.group_id)

    def _with_wishes(self, server: Server, flavor: ServerFlavor, request: Request) -> Request:
        """Narrow a request by all that the server asks for, and by the policy of its group."""
        request = self._demands.narrow(request, server, flavor)
        entry = self._mirror.get(SERVER_GROUP, server.group_id) if server.group_id else None
        if entry is None:
            return request
        group: ServerGroup = entry.value
        nodes: dict[str, int] = {}
        for key in self._groups.keys(group.id):
            member = self._mirror.get(SERVER, key)
            if member is not None and key != server.id and member.value.node:
                nodes[member.value.node] = nodes.get(member.value.node, 0) + 1
        for key, (node, group_id) in self._tentative.items():
            if group_id == group.id and key != server.id:
                nodes[node] = nodes.get(node, 0) + 1
        return with_group(request, group, nodes, self._cloud.settings.weights.soft_affinity)

    def _on_change(self, kind: str, key: str) -> None:
        if kind == SERVER:
            self._tentative.pop(key, None)
            entry = self._mirror.get(SERVER, key)
            server = entry.value if entry is not None else None
            self._count_failures(key, server)
            self._take_up(server)
        elif kind == NODE_USAGE:
            self._enter_usage(key)
        elif kind == NODE:
            self._enter_node(key)

    def _look_again(self) -> None:
        """Take up what has become this scheduler's; the others let go of what is not theirs when they come to it."""
        for entry in self._mirror.all(SERVER).values():
            self._take_up(entry.value)

    def _take_up(self, server: Server | None) -> None:
        if server is not None and server.task is not None:
            stage = self._cloud.stages.find(SERVER, server.state, server.task)
            if stage is not None and stage.does in (PLACE, PLACE_MOVE) and self._is_mine(server):
                self.controller.queue.add(server.id)

    def _is_mine(self, server: Server) -> bool:
        # One scheduler decides for all members of a group: two could not see each other's choices in time.
        return self.shares.mine(server.group_id or server.id)

    def _count_failures(self, key: str, server: Server | None) -> None:
        """Remember which nodes refuse servers; one that launches a server is good again."""
        if server is None or not server.refused_by:
            self._refusals.pop(key, None)
        else:
            for name in server.refused_by[self._refusals.get(key, 0) :]:
                self._failures[name] = self._failures.get(name, 0) + 1
                self._enter_node(name)
            self._refusals[key] = len(server.refused_by)
        if self._failures and server is not None and server.state == ACTIVE and server.node in self._failures:
            del self._failures[server.node]
            self._enter_node(server.node)

    def _enter_node(self, name: str) -> None:
        entry = self._mirror.get(NODE, name)
        if entry is None:
            self._table.remove_node(name)
            return
        usage = self._mirror.get(NODE_USAGE, name)
        alive = is_node_up(self._cloud, entry.value)
        self._table.put_node(
            entry.value,
            usage.value if usage is not None else NO_USAGE,
            alive=alive,
            labels=self._labels.of(entry.value),
            failures=self._failures.get(name, 0),
        )

    def _enter_usage(self, name: str) -> None:
        usage = self._mirror.get(NODE_USAGE, name)
        self._table.put_usage(name, usage.value if usage is not None else NO_USAGE)
