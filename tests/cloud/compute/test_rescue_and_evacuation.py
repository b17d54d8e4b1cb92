"""Servers in trouble: rescue, evacuation from a node that is down, lock, password, crash dump, console."""

from msgspec.structs import replace

from kilonode.cloud.resources import NODE
from kilonode.control.mirror import Put
from tests.cloud.compute.harness import Compute, running
from tests.cloud.compute.test_actions import ready, rested, status


async def force_down(compute: Compute, node: str) -> None:
    body = {"forced_down": True}
    entry = compute.cloud.mirror.get(NODE, node)
    assert entry is not None
    place = f"/os-services/{entry.value.service_uuid}"
    await compute.ok("PUT", place, body, as_="admin", version="2.53")


async def test_a_rescued_server_runs_from_another_image_until_it_is_unrescued() -> None:
    async with running(stages="fast") as compute:
        server_id = await ready(compute)
        answer = await compute.act(server_id, "rescue", {"adminPass": "secret"})
        assert (answer.status, answer.body) == (200, {"adminPass": "secret"})
        assert await status(compute, server_id) == ("ACTIVE", "rescuing")
        await compute.rest(server_id)
        assert await status(compute, server_id) == ("RESCUE", None)
        for action, arguments in (("pause", None), ("rebuild", {"imageRef": "i"}), ("rescue", None)):
            assert (await compute.act(server_id, action, arguments)).status == 409
        assert (await compute.act(server_id, "unrescue")).status == 202
        await compute.rest(server_id)
        assert await status(compute, server_id) == ("ACTIVE", None)
        unknown = {"rescue_image_ref": "no-such-image"}
        assert (await compute.act(server_id, "rescue", unknown)).status == 400


async def test_a_server_is_not_evacuated_from_a_node_that_is_up() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        refused = await compute.act(server_id, "evacuate", {}, as_="admin")
        assert refused.status == 400
        assert "still in use" in refused.body["badRequest"]["message"]
        assert (await compute.act(server_id, "evacuate", {})).status == 403


async def test_an_evacuated_server_runs_elsewhere_and_its_old_node_is_empty() -> None:
    async with running(stages="fast") as compute:
        server_id = await ready(compute)
        old = (await rested(compute, server_id)).node
        await force_down(compute, old)
        assert (await compute.act(server_id, "evacuate", {}, as_="admin")).status == 200
        assert await status(compute, server_id) == ("REBUILD", "rebuilding")
        server = await rested(compute, server_id)
        assert server.state == "active"
        assert server.node not in ("", old)
        assert compute.usage(old).instances == 0
        record = (await compute.ok("GET", "/os-migrations", as_="admin", version="2.59"))["migrations"][0]
        assert (record["status"], record["migration_type"]) == ("done", "evacuation")
        compute.check_books()


async def test_servers_leave_a_fleet_whose_process_is_gone() -> None:
    async with running(nodes=4, fleets=2) as compute:
        ids = [await compute.boot(f"s{number}") for number in range(4)]
        servers = [await rested(compute, server_id) for server_id in ids]
        await compute.kill("fleet-1")
        await compute.clock.sleep(compute.settings.service_down_time_s + 20)
        lost = [server for server in servers if server.node in ("compute-0001", "compute-0003")]
        assert lost
        for server in lost:
            assert (await compute.act(server.id, "evacuate", {}, as_="admin")).status == 200
            after = await rested(compute, server.id)
            assert (after.state, after.node in ("compute-0002", "compute-0004")) == ("active", True)
        compute.check_books()
        await compute.start_fleet(0)


async def test_an_evacuated_server_is_stopped_from_2_95_on() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        await force_down(compute, (await rested(compute, server_id)).node)
        place = f"/servers/{server_id}/action"
        assert (await compute.call("POST", place, {"evacuate": {}}, as_="admin", version="2.95")).status == 200
        assert (await rested(compute, server_id)).state == "stopped"


async def test_what_an_administrator_locked_its_owner_cannot_unlock() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        assert (await compute.act(server_id, "lock", {"locked_reason": "why"})).status == 202
        assert (await compute.act(server_id, "os-stop")).status == 409
        assert (await compute.act(server_id, "unlock")).status == 202
        assert (await compute.act(server_id, "lock", as_="admin")).status == 202
        assert (await compute.act(server_id, "unlock")).status == 403
        assert (await compute.act(server_id, "unlock", as_="admin")).status == 202
        actions = (await compute.ok("GET", f"/servers/{server_id}/os-instance-actions"))["instanceActions"]
        assert [one["action"] for one in actions] == ["unlock", "lock", "unlock", "lock", "create"]


async def test_a_console_address_names_its_server_until_it_expires() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        wanted = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
        place = f"/servers/{server_id}/remote-consoles"
        console = (await compute.ok("POST", place, wanted, version="2.6"))["remote_console"]
        token = console["url"].split("token%3D")[1]
        shown = (await compute.ok("GET", f"/os-console-auth-tokens/{token}", as_="admin", version="2.31"))["console"]
        assert shown["instance_uuid"] == server_id
        forged = token[:-1] + ("0" if token[-1] != "0" else "1")
        assert (await compute.call("GET", f"/os-console-auth-tokens/{forged}", as_="admin")).status == 404
        await compute.clock.sleep(700)
        assert (await compute.call("GET", f"/os-console-auth-tokens/{token}", as_="admin")).status == 404
        wrong = {"remote_console": {"protocol": "vnc", "type": "serial"}}
        assert (await compute.call("POST", place, wrong, version="2.6")).status == 400
        older = {"os-getVNCConsole": {"type": "novnc"}}
        action = f"/servers/{server_id}/action"
        assert (await compute.call("POST", action, older, version="2.5")).status == 200
        assert (await compute.call("POST", action, older, version="2.6")).status == 404


async def test_the_console_has_as_many_lines_as_are_asked_for() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        whole = (await compute.act(server_id, "os-getConsoleOutput", {})).body["output"].split("\n")
        assert len(whole) > 5
        some = (await compute.act(server_id, "os-getConsoleOutput", {"length": 3})).body["output"].split("\n")
        assert some == whole[-3:]
        assert (await compute.act(server_id, "os-getConsoleOutput", {"length": "many"})).status == 400


async def test_a_silent_node_is_down_for_evacuation_too() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        name = (await rested(compute, server_id)).node
        entry = compute.cloud.mirror.get(NODE, name)
        assert entry is not None
        silent = replace(entry.value, silent_since_us=compute.cloud.now_us())
        await compute.cloud.mirror.commit([Put(NODE, silent, name, entry.revision)])
        assert (await compute.act(server_id, "evacuate", {}, as_="admin")).status == 400
        await compute.clock.sleep(compute.settings.service_down_time_s + 20)
        assert (await compute.act(server_id, "evacuate", {}, as_="admin")).status == 200
        assert (await rested(compute, server_id)).node != name


async def test_diagnostics_topology_and_password_follow_from_the_server() -> None:
    async with running() as compute:
        server_id = await ready(compute, "2")
        place = f"/servers/{server_id}"
        shown = await compute.ok("GET", f"{place}/diagnostics", as_="admin", version="2.48")
        assert (shown["state"], shown["num_cpus"], shown["memory_details"]["maximum"]) == ("running", 2, 1024)
        older = await compute.ok("GET", f"{place}/diagnostics", as_="admin", version="2.47")
        assert older["cpu1_time"] == 0
        topology = await compute.ok("GET", f"{place}/topology", version="2.78")
        assert topology["nodes"] == [{"memory_mb": 1024, "siblings": [], "vcpu_set": [0, 1]}]
        assert (await compute.ok("GET", f"{place}/os-server-password")) == {"password": ""}
        assert (await compute.call("DELETE", f"{place}/os-server-password")).status == 204


async def test_reported_events_are_answered_one_by_one() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        events = [
            {"name": "network-changed", "server_uuid": server_id},
            {"name": "network-changed", "server_uuid": "nobody"},
        ]
        answer = await compute.call("POST", "/os-server-external-events", {"events": events}, as_="admin")
        assert answer.status == 207
        assert [one["code"] for one in answer.body["events"]] == [200, 404]
        newer = {"events": [{"name": "power-update", "server_uuid": server_id, "tag": "POWER_ON"}]}
        place = "/os-server-external-events"
        assert (await compute.call("POST", place, newer, as_="admin", version="2.75")).status == 400
        assert (await compute.call("POST", place, newer, as_="admin", version="2.76")).status == 200


async def test_a_live_migration_can_be_called_off_or_hurried() -> None:
    async with running(stages="liberty-1000") as compute:
        server_id = await ready(compute)
        old = (await rested(compute, server_id)).node
        arguments = {"host": None, "block_migration": "auto"}
        for hurried in (False, True):
            await compute.act(server_id, "os-migrateLive", arguments, as_="admin")
            place = f"/servers/{server_id}/migrations"
            while (compute.server(server_id) or await rested(compute, server_id)).task != "migrating":
                await compute.clock.sleep(0.05)
            moves = (await compute.ok("GET", place, as_="admin", version="2.24"))["migrations"]
            one = f"{place}/{moves[0]['id']}"
            if hurried:
                body = {"force_complete": None}
                other = f"{place}/999/action"
                assert (await compute.call("POST", other, body, as_="admin", version="2.22")).status == 400
                assert (await compute.call("POST", f"{one}/action", body, as_="admin", version="2.22")).status == 202
                assert (await rested(compute, server_id)).node != old
            else:
                assert (await compute.call("DELETE", one, as_="admin", version="2.24")).status == 202
                server = await rested(compute, server_id)
                assert (server.node, server.move, server.state) == (old, None, "active")
            compute.check_books()
