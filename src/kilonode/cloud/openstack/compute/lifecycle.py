"""What the nodes do with servers: takes each server of the fleet's nodes through its stages.

Level-triggered and in batches. When a stage ends follows from the document (which stage, since when, which turn) and
the seed, so a restart goes on where it was. Stages without delay are passed in one write. Everything that belongs to a
move (ports, volumes, what is taken of nodes) is written in the same commit as the server.
"""

from typing import Final

import msgspec
from msgspec.structs import replace

from kilonode.base.errors import LabError
from kilonode.cloud.batches import BatchController, Decision
from kilonode.cloud.context import Changes, Cloud
from kilonode.cloud.draws import Draw, may_wait
from kilonode.cloud.ledger import Claim
from kilonode.cloud.openstack.compute import neighbours, server_images, stage_facts
from kilonode.cloud.openstack.compute.changes import fail, migration_record, move_on, rest, try_elsewhere
from kilonode.cloud.openstack.compute.deleted import bury
from kilonode.cloud.openstack.compute.model import (
    DELETED_SERVER,
    MIGRATION,
    SERVER,
    Move,
    Server,
    claims,
    flavor_amount,
    given_back,
    servers_by_node,
)
from kilonode.cloud.openstack.compute.stage_facts import server_draws
from kilonode.cloud.openstack.compute.states import BUILDING, ERROR, RESIZED
from kilonode.cloud.openstack.network.model import BUILD, PORT
from kilonode.cloud.resources import HEARTBEAT, NODE, NODE_USAGE, fleet_of
from kilonode.cloud.stages import Stage
from kilonode.control.mirror import Delete, Mirror, Put
from kilonode.control.queue import WorkQueue

KINDS: Final = (
    SERVER, DELETED_SERVER, MIGRATION, NODE_USAGE, HEARTBEAT,
    *dict.fromkeys((*stage_facts.KINDS, *neighbours.KINDS)),
)  # fmt: skip
PLUGGING_TIMEOUT_US: Final = 300_000_000
"""How long a server waits for its ports: Nova's `vif_plugging_timeout`."""
NOT_PLUGGED: Final = "Virtual Interface creation failed"
OTHERS_WORK: Final = frozenset({"place", "place-move"})
"""What only the scheduler does."""
_MICROSECONDS_PER_SECOND: Final = 1_000_000


async def run_servers(cloud: Cloud, fleet: str) -> None:
    """Live for the servers on the nodes of `fleet`, until cancelled."""
    await Lifecycle(cloud, fleet).controller.run()


class Outcome(msgspec.Struct):
    """What one key's decision comes to while its stages are passed one after the other."""

    server: Server | None
    changes: list[Put | Delete]
    claims: list[Claim]


class Lifecycle:
    """Decides what happens to servers on nodes. See the module."""

    def __init__(self, cloud: Cloud, fleet: str) -> None:
        self._cloud = cloud
        self._mirror: Mirror = cloud.mirror
        self._fleet = fleet
        self._by_node = servers_by_node(cloud.mirror)
        self._draws = server_draws(cloud)
        self._ports_take_time = may_wait(cloud, PORT, BUILD)
        self._effects = {
            "": self._change_state,
            "plug": self._plug,
            "attach": self._attach,
            "launch": self._launch,
            "delete": self._delete,
            "switch": self._switch,
            "confirm": self._confirm,
            "revert": self._revert,
            "arrive": self._arrive,
            "evacuate": self._evacuate,
            "save-image": self._save_image,
            "finish-image": self._finish_image,
            "offload": self._offload,
            "unshelve": self._unshelve,
        }
        self.controller = BatchController(fleet, WorkQueue(cloud.clock), cloud.mirror, self.decide)
        cloud.mirror.subscribe(self._on_change, known=(SERVER,))

    def decide(self, key: str) -> Decision | None:
        """What to do about one server."""
        entry = self._mirror.get(SERVER, key)
        if entry is None:
            return None
        server: Server = entry.value
        stage = self._stage(server)
        if stage is None or not self._is_ours(server):
            return None
        now_us = self._cloud.now_us()
        result = Outcome(server, [], [])
        again_s: float | None = None
        while stage is not None and server is not None:
            draw = self._draws.of(stage, key, server)
            if draw.numbering:
                result.changes.extend(draw.numbering)
                again_s = 0.0
                break
            wait_us = draw.ends_us - now_us
            if wait_us <= 0:
                draw, wait_us = self._plugged(result, server, stage, draw, now_us)
            if wait_us > 0:
                again_s = wait_us / _MICROSECONDS_PER_SECOND
                break
            self._pass(result, server, stage, draw, now_us)
            if result.server is None:
                break
            server = result.server
            stage = self._stage(server)
        if result.server is entry.value:
            return Decision(tuple(result.changes), again_s=again_s)
        if result.server is None:
            result.changes.append(Delete(SERVER, key, entry.revision))
        else:
            result.changes.append(Put(SERVER, result.server, key, entry.revision))
        return Decision(tuple(result.changes), tuple(result.claims), again_s)

    def _plugged(self, result: Outcome, server: Server, stage: Stage, draw: Draw, now_us: int) -> tuple[Draw, int]:
        """A server that is built waits for its ports, as Nova does: what is drawn then, and the wait in µs."""
        if not self._ports_take_time or stage.does != "launch" or server.state != BUILDING:
            return draw, 0
        status = neighbours.plugging(self._cloud, server, result.changes)
        wait_us = draw.ends_us + PLUGGING_TIMEOUT_US - now_us
        if status == neighbours.PLUGGED:
            return draw, 0
        if status == neighbours.FAILED or wait_us <= 0:
            return Draw(draw.ends_us, NOT_PLUGGED), 0
        return draw, wait_us

    def _pass(self, result: Outcome, server: Server, stage: Stage, draw: Draw, now_us: int) -> None:
        """End one stage: well, or with the failure that was drawn for it."""
        message = draw.fault
        if not message:
            if stage.does not in self._effects:
                raise LabError("a stage does what nobody knows", where=stage.name, got=stage.does)
            try:
                self._effects[stage.does](result, server, stage, now_us)
            except neighbours.RefusedError as error:
                message = str(error)
        if message:
            result.server = fail(server, message, now_us)
            if server.state == BUILDING:
                # A server that never ran takes nothing: its node and ports are free for others.
                result.claims.extend(given_back(claims(server)))
                result.changes.extend(neighbours.release(self._cloud, server))
                result.server = replace(
                    result.server, node="", devices=(), refused_by=(*server.refused_by, server.node)
                )
                if draw.elsewhere:
                    result.server = try_elsewhere(server, now_us) or result.server
            elif server.new_image is not None:
                # The server is as well as it was; there is only no image.
                self._write_instead(result, server_images.discard(self._cloud, server.new_image.image_id))
                failed = fail(server, message, now_us, state=server.state)
                result.server = replace(failed, new_image=None, shelved_image_id="", shelved_us=0)
            elif server.move is not None and server.state != RESIZED:
                self._stay(result, server, server.move, message, now_us)

    def _stay(self, result: Outcome, server: Server, move: Move, message: str, now_us: int) -> None:
        """A move that fails before it arrives leaves the server where it was, and gives the other end's room back."""
        if move.target:
            result.claims.append(Claim(move.target, flavor_amount(server, move.new_flavor), -1))
        record = migration_record(server, replace(move, status="error"), now_us)
        result.changes.append(Put(MIGRATION, record, move.id))
        state = server.state if move.kind == "live-migration" else ERROR
        result.server = replace(fail(server, message, now_us, state=state), move=None)

    @staticmethod
    def _write_instead(result: Outcome, changes: Changes) -> None:
        """Write these, and not what was to be written of the same documents before them in the same commit."""
        written = {(change.kind, change.key) for change in changes}
        result.changes = [change for change in result.changes if (change.kind, change.key) not in written]
        result.changes.extend(changes)

    def _change_state(self, result: Outcome, server: Server, stage: Stage, now_us: int) -> None:
        result.server = move_on(server, stage, now_us)

    def _plug(self, result: Outcome, server: Server, stage: Stage, now_us: int) -> None:
        result.changes.extend(neighbours.plug(self._cloud, server))
        result.server = move_on(server, stage, now_us)

    def _attach(self, result: Outcome, server: Server, stage: Stage, now_us: int) -> None:
        changes, devices = neighbours.attach_all(self._cloud, server)
        result.changes.extend(changes)
        result.server = replace(move_on(server, stage, now_us), devices=devices)

    def _launch(self, result: Outcome, server: Server, stage: Stage, now_us: int) -> None:
        neighbours.check_bootable(self._cloud, server)
        launched_us = server.launched_us or now_us
        result.server = replace(move_on(server, stage, now_us), launched_us=launched_us, refused_by=())

    def _delete(self, result: Outcome, server: Server, stage: Stage, now_us: int) -> None:
        result.changes.extend(neighbours.release(self._cloud, server))
        result.changes.extend(bury(self._cloud, rest(server, server.state, now_us)))
        result.claims.extend(given_back(claims(server)))
        result.server = None

    def _switch(self, result: Outcome, server: Server, stage: Stage, now_us: int) -> None:
        """A resize has arrived: it runs on the new node, and the old one keeps its share until somebody decides."""
        assert server.move is not None  # noqa: S101 - only a move has this stage
        move = replace(server.move, status="finished")
        switched = replace(move_on(server, stage, now_us), node=move.target, flavor=move.new_flavor, move=move)
        result.changes.append(Put(MIGRATION, migration_record(server, move, now_us), move.id))
        result.server = switched

    def _confirm(self, result: Outcome, server: Server, stage: Stage, now_us: int) -> None:
        self._end_move(result, server, now_us, keep_target=True, status="confirmed")

    def _revert(self, result: Outcome, server: Server, stage: Stage, now_us: int) -> None:
        self._end_move(result, server, now_us, keep_target=False, status="reverted")

    def _arrive(self, result: Outcome, server: Server, stage: Stage, now_us: int) -> None:
        self._end_move(result, server, now_us, keep_target=True, status="completed")

    def _evacuate(self, result: Outcome, server: Server, stage: Stage, now_us: int) -> None:
        self._end_move(result, server, now_us, keep_target=True, status="done")

    def _save_image(self, result: Outcome, server: Server, stage: Stage, now_us: int) -> None:
        result.changes.extend(server_images.begin_saving(self._cloud, server))
        result.server = move_on(server, stage, now_us)

    def _finish_image(self, result: Outcome, server: Server, stage: Stage, now_us: int) -> None:
        # Without a delay the image was begun in this same decision, and is written once, as it is in the end.
        self._write_instead(result, server_images.finish(self._cloud, server))
        result.server = replace(move_on(server, stage, now_us), new_image=None)

    def _offload(self, result: Outcome, server: Server, stage: Stage, now_us: int) -> None:
        """The server leaves its node; its ports and volumes stay its own."""
        result.claims.extend(given_back(claims(server)))
        result.changes.extend(neighbours.rebind(self._cloud, server, ""))
        result.server = replace(move_on(server, stage, now_us), node="")

    def _unshelve(self, result: Outcome, server: Server, stage: Stage, now_us: int) -> None:
        """The server runs again, and the image it was put aside as has done its work."""
        result.changes.extend(server_images.discard(self._cloud, server.shelved_image_id))
        result.changes.extend(neighbours.rebind(self._cloud, server, server.node))
        result.server = replace(move_on(server, stage, now_us), shelved_image_id="", shelved_us=0)

    def _end_move(self, result: Outcome, server: Server, now_us: int, *, keep_target: bool, status: str) -> None:
        """The server stays at one end of its move, in the state it came from; the other end is free again."""
        move = server.move
        assert move is not None  # noqa: S101 - only a move has these stages
        here, flavor = (move.target, move.new_flavor) if keep_target else (move.source, move.old_flavor)
        there, left = (move.source, move.old_flavor) if keep_target else (move.target, move.new_flavor)
        result.claims.append(Claim(there, flavor_amount(server, left), -1))
        record = migration_record(server, replace(move, status=status), now_us)
        result.changes.append(Put(MIGRATION, record, move.id))
        result.changes.extend(neighbours.rebind(self._cloud, server, here))
        rested = rest(server, move.from_state, now_us)
        result.server = replace(rested, node=here, flavor=flavor, move=None)

    def _stage(self, server: Server) -> Stage | None:
        stage = self._cloud.stages.find(SERVER, server.state, server.task)
        return None if stage is None or stage.does in OTHERS_WORK else stage

    def _is_ours(self, server: Server) -> bool:
        move = server.move
        # A node that is down does nothing: where an evacuation goes to, there it is done.
        name = move.target if move is not None and move.kind == "evacuation" else server.node
        node = self._mirror.get(NODE, name)
        if node is None or node.value.silent_since_us:
            return False
        return fleet_of(self._cloud.settings, node.value.number) == self._fleet

    def _on_change(self, kind: str, key: str) -> None:
        if kind == SERVER:
            entry = self._mirror.get(SERVER, key)
            if entry is not None and entry.value.task is not None:
                self.controller.queue.add(key)
        elif kind == NODE:
            for server in self._by_node.keys(key):
                self.controller.queue.add(server)
        elif kind == PORT and self._ports_take_time:
            port = self._mirror.get(PORT, key)
            if port is not None and port.value.status != BUILD and port.value.device_id:
                self.controller.queue.add(port.value.device_id)
