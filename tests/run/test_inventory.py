"""Inventories of the emulated cloud held against what was asked for: of an honest one, and one tampered with."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.check.consistency import Breach, Evidence, Finding, check_consistency
from kilonode.check.inventory import Inventory
from kilonode.clients.application import ApplicationTransport
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.transport import DEFAULT_TIMEOUT_S, Response
from kilonode.cloud.access import access_facts
from kilonode.cloud.context import CloudSettings
from kilonode.cloud.resources import NODE_USAGE, NodeUsage, Resources
from kilonode.cloud.simulated import SimulatedCloud
from kilonode.control.mirror import Mirror, Put
from kilonode.history.asked import read_asked
from kilonode.load.asking import AskedNotebook
from kilonode.run.inventory import LONGEST_LOOK_S, take_inventory

RUN = "0badcafe"


class Lab:
    """An emulated cloud, and a user whose requests are noted."""

    def __init__(self, folder: Path, cloud: SimulatedCloud, clock: SimulatedClock) -> None:
        self.folder, self.cloud, self.clock = folder, cloud, clock
        self.transport = ApplicationTransport(cloud.application)
        self.access = Access(**msgspec.structs.asdict(access_facts(cloud.settings)))
        self.notebook = AskedNotebook()
        self.notebook.open(folder / "worker-0.journal", RUN, clock.now_ns())

    async def connect(self, *, noted: bool = True) -> Connection:
        observer = self.notebook if noted else None
        connection = Connection(self.access, self.transport, self.clock, observer=observer)
        await connection.connect()
        return connection

    async def boot(self, user: Connection, number: int, devices: Sequence[dict[str, Any]] = ()) -> str:
        flavors = await user.compute.list_all("/flavors", "flavors")
        images = await user.image.list_all("/images", "images")
        networks = await user.network.list_all("/networks", "networks", {"name": "lab"})
        body: dict[str, Any] = {
            "name": f"kn-{RUN}-boots-{number}-server",
            "flavorRef": next(flavor["id"] for flavor in flavors if flavor["name"] == "m1.tiny"),
            "imageRef": images[0]["id"],
            "networks": [{"uuid": networks[0]["id"]}],
        }
        if devices:
            root = {"uuid": images[0]["id"], "source_type": "image", "destination_type": "local", "boot_index": 0}
            body["block_device_mapping_v2"] = [root, *devices]
        return str((await user.compute.post("/servers", json={"server": body}))["server"]["id"])

    async def take(self, settle_s: float = 30.0) -> Inventory:
        admin = await self.connect(noted=False)
        return await take_inventory(admin, RUN, [admin.project_id], self.clock, settle_s)

    def findings(self, inventory: Inventory) -> list[Finding]:
        self.notebook.close()
        evidence = Evidence(read_asked(self.folder), inventory)
        results = check_consistency(evidence)
        assert {one.count is not None for one in results.counts} == {True}, results.counts
        return list(results.findings)


@asynccontextmanager
async def lab(folder: Path) -> AsyncIterator[Lab]:
    clock = SimulatedClock(asyncio.get_running_loop())
    async with SimulatedCloud(CloudSettings(nodes=5, stages="fast", seed=3), clock) as cloud:
        around = Lab(folder, cloud, clock)
        yield around
        around.notebook.close()
        await around.transport.close()


async def test_an_honest_cloud_is_at_rest_and_has_what_was_asked_for(tmp_path: Path) -> None:
    async with lab(tmp_path) as around:
        user = await around.connect()
        kept = await around.boot(user, 0)
        volume = {"name": f"kn-{RUN}-volumes-0-volume", "size": 1}
        volume_id = (await user.volume.post("/volumes", json={"volume": volume}))["volume"]["id"]
        gone = await around.boot(user, 1)
        await user.compute.delete(f"/servers/{gone}")
        inventory = await around.take()
        assert inventory.settled
        assert inventory.settling_s > 0
        assert inventory.unseen == ()
        assert inventory.all_projects
        mine = {thing.id: thing for thing in inventory.things if thing.name.startswith(f"kn-{RUN}-")}
        assert set(mine) == {kept, volume_id}
        assert mine[kept].status == "ACTIVE"
        assert inventory.nodes is not None and inventory.quotas is not None
        assert len(inventory.nodes) == 5
        on = [node for node in inventory.nodes if kept in node.allocations]
        assert [node.name for node in on] == [mine[kept].node]
        assert on[0].allocations[kept] == mine[kept].amount
        assert {use.name: use.used for use in inventory.quotas}["servers"] == 1
        assert around.findings(inventory) == []


async def test_all_that_a_run_can_ask_for_is_looked_at(tmp_path: Path) -> None:
    async with lab(tmp_path) as around:
        user, other = await around.connect(), await around.connect(noted=False)
        names = {kind: f"kn-{RUN}-x-0-{kind}" for kind in ("keypair", "snapshot", "image", "volume")}
        await user.compute.post("/os-keypairs", json={"keypair": {"name": names["keypair"]}})
        kept = await around.boot(user, 0)
        body = {"name": names["volume"], "size": 1}
        volume = (await user.volume.post("/volumes", json={"volume": body}))["volume"]["id"]
        await around.take()
        body = {"name": names["snapshot"], "volume_id": volume}
        snapshot = (await user.volume.post("/snapshots", json={"snapshot": body}))["snapshot"]["id"]
        make = {"createImage": {"name": names["image"]}}
        newer = await user.compute.post(f"/servers/{kept}/action", json=make, microversion="2.45")
        await around.take()
        await user.compute.post(f"/servers/{kept}/action", json={"createImage": {"name": f"{names['image']}-2"}})
        inventory = await around.take()
        mine = {(thing.kind, thing.name): thing for thing in inventory.things if thing.name.startswith(f"kn-{RUN}-")}
        assert {kind for kind, _ in mine} == {"server", "keypair", "snapshot", "image", "volume"}
        assert mine["snapshot", names["snapshot"]].project_id == user.project_id
        assert mine["snapshot", names["snapshot"]].holds == (volume,)
        assert inventory.quotas is not None
        assert {use.name: use.used for use in inventory.quotas}["snapshots"] == 1
        await other.compute.delete(f"/os-keypairs/{names['keypair']}")
        await other.volume.delete(f"/snapshots/{snapshot}")
        older = mine["image", f"{names['image']}-2"].id
        for image in (newer["image_id"], older):
            await other.image.delete(f"/images/{image}")
        findings = around.findings(await around.take())
        assert {(one.breach, one.kind, one.id) for one in findings} == {
            (Breach.LOST, "keypair", names["keypair"]),
            (Breach.LOST, "snapshot", snapshot),
            (Breach.LOST, "image", newer["image_id"]),
            (Breach.LOST, "image", older),
        }


async def test_a_volume_goes_with_its_server_where_that_was_asked_for(tmp_path: Path) -> None:
    async with lab(tmp_path) as around:
        user = await around.connect()
        volumes = {}
        for goes in (True, False):
            body = {"name": f"kn-{RUN}-volumes-{goes}-volume", "size": 1}
            volumes[goes] = (await user.volume.post("/volumes", json={"volume": body}))["volume"]["id"]
        await around.take()
        devices = [
            {"uuid": volume, "source_type": "volume", "destination_type": "volume", "delete_on_termination": goes,
             "boot_index": -1}
            for goes, volume in volumes.items()
        ]  # fmt: skip
        server = await around.boot(user, 0, devices)
        assert {thing.status for thing in (await around.take()).things if thing.kind == "volume"} == {"in-use"}
        await user.compute.delete(f"/servers/{server}")
        inventory = await around.take()
        assert [thing.id for thing in inventory.things if thing.kind == "volume"] == [volumes[False]]
        assert around.findings(inventory) == []


async def test_what_somebody_else_removes_is_lost_to_the_run(tmp_path: Path) -> None:
    async with lab(tmp_path) as around:
        user, other = await around.connect(), await around.connect(noted=False)
        kept, lost = await around.boot(user, 0), await around.boot(user, 1)
        await around.take()
        await other.compute.delete(f"/servers/{lost}")
        (finding,) = around.findings(await around.take())
        assert (finding.breach, finding.id) == (Breach.LOST, lost)
        assert kept != lost


async def test_a_node_whose_books_are_wrong_is_found(tmp_path: Path) -> None:
    async with lab(tmp_path) as around:
        await around.boot(await around.connect(), 0)
        await around.take()
        mirror = Mirror(around.cloud.store, {NODE_USAGE: NodeUsage})
        await mirror.start()
        key, entry = next(iter(mirror.all(NODE_USAGE).items()))
        more = msgspec.structs.replace(entry.value, used=entry.value.used + Resources(1, 0, 0))
        await mirror.commit([Put(NODE_USAGE, more, key, entry.revision)])
        await mirror.stop()
        findings = around.findings(await around.take())
        assert [finding.breach for finding in findings] == [Breach.LEAKED]
        assert "VCPU are counted as used" in findings[0].text


async def test_a_cloud_that_does_not_come_to_rest_is_looked_at_when_the_time_is_over(tmp_path: Path) -> None:
    async with lab(tmp_path) as around:
        server = await around.boot(await around.connect(), 0)
        inventory = await around.take(settle_s=0.0)
        assert not inventory.settled
        assert [(one.breach, one.id) for one in around.findings(inventory)] == [(Breach.STUCK, server)]


async def test_a_cloud_that_hangs_holds_up_a_run_for_a_bounded_time_and_is_unknown(tmp_path: Path) -> None:
    async with lab(tmp_path) as around:
        admin = await around.connect(noted=False)
        hanging = Hanging()
        around.transport.request = hanging.request  # type: ignore[method-assign]
        before_ns = around.clock.now_ns()
        inventory = await take_inventory(admin, RUN, [admin.project_id], around.clock, 30.0)
        assert (around.clock.now_ns() - before_ns) / 1e9 < 30.0 + LONGEST_LOOK_S + 2 * DEFAULT_TIMEOUT_S
        assert not inventory.settled
        assert inventory.things == () and inventory.kinds == ()
        assert any("took more than 600 s" in reason for reason in inventory.unseen)
        assert {one.count for one in check_consistency(Evidence(None, inventory)).counts if one.note} == {None}


class Hanging:
    """A transport to a cloud that takes requests and never answers."""

    async def request(self, method: str, url: str, *, timeout_s: float = DEFAULT_TIMEOUT_S, **_: object) -> Response:
        await asyncio.sleep(timeout_s)
        raise OperationError(Outcome.TIMEOUT, "no answer")


async def test_snapshots_take_of_the_quota_of_volumes_too(tmp_path: Path) -> None:
    async with lab(tmp_path) as around:
        user = await around.connect()
        volume = {"name": f"kn-{RUN}-volumes-0-volume", "size": 2}
        volume_id = (await user.volume.post("/volumes", json={"volume": volume}))["volume"]["id"]
        await around.take()
        await user.volume.post("/snapshots", json={"snapshot": {"volume_id": volume_id}})
        inventory = await around.take()
        assert inventory.quotas is not None
        assert {use.name: use.used for use in inventory.quotas}["gibibytes"] == 4
        assert around.findings(inventory) == []


async def test_one_answer_that_does_not_come_does_not_hide_the_servers_of_others(tmp_path: Path) -> None:
    async with lab(tmp_path) as around:
        await around.boot(await around.connect(), 0)
        admin, answers = await around.connect(noted=False), around.transport.request
        failed: list[str] = []

        async def request(method: str, url: str, **options: Any) -> Response:
            if "limit=1" in url and not url.endswith("limit=1000") and not failed:
                failed.append(url)
                raise OperationError(Outcome.TIMEOUT, "no answer")
            return await answers(method, url, **options)

        around.transport.request = request  # type: ignore[method-assign]
        inventory = await take_inventory(admin, RUN, [admin.project_id], around.clock, 30.0)
        assert failed
        assert inventory.all_projects


async def test_an_ordinary_user_is_told_what_it_could_not_see(tmp_path: Path) -> None:
    async with lab(tmp_path) as around:
        demo = msgspec.structs.replace(around.access, username="demo", project_name="demo")
        connection = Connection(demo, around.transport, around.clock)
        await connection.connect()
        inventory = await take_inventory(connection, RUN, [connection.project_id], around.clock, 5.0)
        assert inventory.nodes is None
        assert not inventory.all_projects
        assert any(reason.startswith("placement: ") for reason in inventory.unseen)
        assert "server" in inventory.kinds
