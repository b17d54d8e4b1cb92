"""Shelve, offload and unshelve: a server that is put aside takes nothing, and comes back where there is room."""

from kilonode.cloud.openstack.compute.model import Server
from kilonode.cloud.openstack.image.model import IMAGE, Image
from kilonode.cloud.openstack.network.ports import server_ports
from kilonode.cloud.resources import Resources
from tests.cloud.compute.harness import Compute, running
from tests.cloud.compute.test_actions import ready, rested, status


def images_of(compute: Compute, server_id: str) -> list[Image]:
    images = [entry.value for entry in compute.cloud.mirror.all(IMAGE).values()]
    return [image for image in images if image.properties.get("instance_uuid") == server_id]


async def shelved(compute: Compute) -> Server:
    server_id = await ready(compute)
    assert (await compute.act(server_id, "shelve")).status == 202
    return await rested(compute, server_id)


async def test_a_shelved_server_takes_nothing_and_is_an_image() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        node = (await rested(compute, server_id)).node
        assert (await compute.act(server_id, "shelve")).status == 202
        server = await rested(compute, server_id)
        assert (server.state, server.node) == ("shelved_offloaded", "")
        assert compute.usage(node).used == Resources()
        assert await status(compute, server_id) == ("SHELVED_OFFLOADED", None)
        assert [(image.name, image.status) for image in images_of(compute, server_id)] == [("one-shelved", "active")]
        compute.check_books()


async def test_the_steps_of_shelving_are_seen_one_after_the_other() -> None:
    async with running(stages="fast") as compute:
        server_id = await ready(compute)
        await compute.act(server_id, "shelve")
        seen: list[tuple[str, str | None]] = []
        while True:
            now = await status(compute, server_id)
            if not seen or seen[-1] != now:
                seen.append(now)
            if now == ("SHELVED_OFFLOADED", None):
                break
            await compute.clock.sleep(0.02)
        assert seen == [
            ("ACTIVE", "shelving"),
            ("ACTIVE", "shelving_image_pending_upload"),
            ("ACTIVE", "shelving_image_uploading"),
            ("SHELVED", "shelving_offloading"),
            ("SHELVED_OFFLOADED", None),
        ]


async def test_an_unshelved_server_runs_with_its_addresses_and_without_the_image() -> None:
    async with running() as compute:
        network = (await compute.ok("POST", "/network/v2.0/networks", {"network": {"name": "n"}}))["network"]["id"]
        subnet = {"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"}}
        await compute.ok("POST", "/network/v2.0/subnets", subnet)
        server_id = await compute.boot(networks=[{"uuid": network}])
        await compute.rest(server_id)
        before = (await compute.ok("GET", f"/servers/{server_id}"))["server"]["addresses"]
        await compute.act(server_id, "shelve")
        await compute.rest(server_id)
        assert [(port.host, port.status) for port in server_ports(compute.cloud, server_id)] == [("", "DOWN")]
        assert (await compute.act(server_id, "unshelve")).status == 202
        server = await rested(compute, server_id)
        assert server.state == "active"
        assert server.node
        assert [port.host for port in server_ports(compute.cloud, server_id)] == [server.node]
        assert (await compute.ok("GET", f"/servers/{server_id}"))["server"]["addresses"] == before
        assert images_of(compute, server_id) == []
        compute.check_books()


async def test_a_server_that_finds_no_room_stays_on_the_shelf() -> None:
    async with running(nodes=1) as compute:
        server = await shelved(compute)
        filler = await compute.boot("filler", flavor="3")
        assert (await rested(compute, filler)).state == "active"
        assert (await compute.act(server.id, "unshelve")).status == 202
        again = await rested(compute, server.id)
        assert (again.state, again.node) == ("shelved_offloaded", "")
        actions = (await compute.ok("GET", f"/servers/{server.id}/os-instance-actions"))["instanceActions"]
        assert (actions[0]["action"], actions[0]["message"]) == ("unshelve", "Error")
        assert (await compute.call("DELETE", f"/servers/{filler}")).status == 204
        await compute.rest(filler)
        await compute.act(server.id, "unshelve")
        assert (await rested(compute, server.id)).state == "active"
        compute.check_books()


async def test_an_administrator_says_where_a_server_comes_back() -> None:
    async with running() as compute:
        server = await shelved(compute)
        place = f"/servers/{server.id}/action"
        wanted = {"unshelve": {"host": "compute-0003"}}
        assert (await compute.call("POST", place, wanted, version="2.91")).status == 403
        assert (await compute.call("POST", place, wanted, as_="admin", version="2.90")).status == 400
        assert (await compute.call("POST", place, wanted, as_="admin", version="2.91")).status == 202
        assert (await rested(compute, server.id)).node == "compute-0003"


async def test_a_server_comes_back_in_the_zone_asked_for() -> None:
    async with running(nodes=4, zones=("east", "west")) as compute:
        server = await shelved(compute)
        place = f"/servers/{server.id}/action"
        nowhere = {"unshelve": {"availability_zone": "north"}}
        assert (await compute.call("POST", place, nowhere, version="2.77")).status == 400
        wanted = {"unshelve": {"availability_zone": "west"}}
        assert (await compute.call("POST", place, wanted, version="2.77")).status == 202
        assert (await rested(compute, server.id)).node in ("compute-0002", "compute-0004")


async def test_the_image_of_a_shelved_server_goes_with_it() -> None:
    async with running() as compute:
        server = await shelved(compute)
        assert (await compute.call("DELETE", f"/servers/{server.id}")).status == 204
        assert compute.server(server.id) is None
        assert images_of(compute, server.id) == []
        compute.check_books()


async def test_what_is_not_shelved_cannot_be_taken_from_the_shelf() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        for action in ("unshelve", "shelveOffload"):
            refused = await compute.act(server_id, action, as_="admin")
            assert refused.status == 409
            words = f"Cannot '{action}' instance {server_id} while it is in vm_state active"
            assert refused.body["conflictingRequest"]["message"] == words


async def test_a_profile_can_keep_shelved_servers_on_their_nodes() -> None:
    async with running(stages="tests/cloud/stage_cases/kept-on-nodes.yaml") as compute:
        server = await shelved(compute)
        node = server.node
        assert (server.state, compute.usage(node).instances) == ("shelved", 1)
        assert (await compute.act(server.id, "unshelve")).status == 202
        again = await rested(compute, server.id)
        assert (again.state, again.node) == ("active", node)
        await compute.act(server.id, "shelve")
        await compute.rest(server.id)
        assert (await compute.act(server.id, "shelveOffload")).status == 403
        assert (await compute.act(server.id, "shelveOffload", as_="admin")).status == 202
        gone = await rested(compute, server.id)
        assert (gone.state, gone.node, compute.usage(node).instances) == ("shelved_offloaded", "", 0)
        compute.check_books()
