"""From a request to a running server and back, in simulated time."""

from msgspec.structs import replace

from kilonode.base.simulation import run_coroutine_simulated
from kilonode.cloud.openstack.compute.model import SERVER
from kilonode.cloud.resources import NODE, Resources
from kilonode.control.mirror import Put
from tests.cloud.compute.harness import running

NO_HOST = "No valid host was found. There are not enough hosts available."


async def test_a_server_takes_room_of_a_node_and_gives_it_back() -> None:
    async with running() as compute:
        server_id = await compute.boot(flavor="2")
        server = await compute.rest(server_id)
        assert server is not None
        assert (server.state, server.task) == ("active", None)
        assert compute.usage(server.node).used == Resources(2, 1024, 10)
        await compute.ok("DELETE", f"/servers/{server_id}")
        assert await compute.rest(server_id) is None
        assert compute.usage(server.node).used == Resources()
        assert compute.usage(server.node).instances == 0
        assert (await compute.call("GET", f"/servers/{server_id}")).status == 404


async def test_a_polling_client_sees_scheduling_networking_and_spawning() -> None:
    async with running(stages="fast") as compute:
        server_id = await compute.boot()
        seen: list[tuple[str, str, str | None]] = []
        for _ in range(1000):
            view = (await compute.ok("GET", f"/servers/{server_id}"))["server"]
            state = (view["status"], view["OS-EXT-STS:vm_state"], view["OS-EXT-STS:task_state"])
            if not seen or seen[-1] != state:
                seen.append(state)
            if state[0] == "ACTIVE":
                break
            await compute.clock.sleep(0.01)
        assert seen == [
            ("BUILD", "building", "scheduling"),
            ("BUILD", "building", "networking"),
            ("BUILD", "building", "block_device_mapping"),
            ("BUILD", "building", "spawning"),
            ("ACTIVE", "active", None),
        ]


async def test_a_fast_boot_takes_one_to_three_seconds() -> None:
    async with running(nodes=100, stages="fast") as compute:
        started_s = compute.clock.now_ns() / 1e9
        ids = [await compute.boot(f"s{number}") for number in range(100)]
        durations_s = []
        for server_id in ids:
            server = await compute.rest(server_id)
            assert server is not None
            durations_s.append((server.launched_us - server.created_us) / 1e6)
        assert 1.0 < sorted(durations_s)[50] < 2.0
        assert max(durations_s) < 5.0
        assert compute.clock.now_ns() / 1e9 - started_s < 10


async def test_a_full_cloud_says_so_and_takes_servers_again_when_one_is_gone() -> None:
    async with running(nodes=2) as compute:
        ids = [await compute.boot(f"big{number}", "3") for number in range(3)]
        servers = [await compute.rest(server_id) for server_id in ids]
        assert [server.state for server in servers if server] == ["active", "active", "error"]
        view = (await compute.ok("GET", f"/servers/{ids[2]}"))["server"]
        assert view["status"] == "ERROR"
        assert (view["fault"]["code"], view["fault"]["message"]) == (500, NO_HOST)
        assert view["OS-EXT-STS:task_state"] is None
        compute.check_books()
        await compute.ok("DELETE", f"/servers/{ids[2]}")
        assert compute.server(ids[2]) is None
        await compute.ok("DELETE", f"/servers/{ids[0]}")
        await compute.rest(ids[0])
        again = await compute.rest(await compute.boot("again", "3"))
        assert again is not None
        assert again.state == "active"


async def test_a_server_larger_than_any_node_finds_no_host() -> None:
    async with running() as compute:
        server = await compute.rest(await compute.boot(flavor="9"))
        assert server is not None
        assert server.fault is not None
        assert server.fault.message == NO_HOST


async def test_equal_servers_are_spread_over_the_nodes() -> None:
    async with running(nodes=4) as compute:
        for number in range(8):
            await compute.rest(await compute.boot(f"s{number}"))
        assert [compute.usage(f"compute-000{number}").instances for number in (1, 2, 3, 4)] == [2, 2, 2, 2]


async def test_many_servers_of_one_request_are_numbered() -> None:
    async with running() as compute:
        await compute.boot("web", min_count=2, max_count=3)
        names = [server["name"] for server in (await compute.ok("GET", "/servers"))["servers"]]
        assert sorted(names) == ["web-1", "web-2", "web-3"]


async def test_a_fleet_that_was_killed_goes_on_where_it_was() -> None:
    async with running(stages="fast") as compute:
        server_id = await compute.boot()
        await compute.clock.sleep(0.4)
        server = compute.server(server_id)
        assert server is not None
        assert server.task in ("networking", "block_device_mapping", "spawning")
        due = compute.cloud.stages.find(SERVER, server.state, server.task)
        assert due is not None
        due_us = server.task_since_us + compute.cloud.stages.delay_us(due, server_id, server.turn)
        await compute.kill("fleet")
        await compute.clock.sleep(5.0)
        assert compute.server(server_id) == server
        assert compute.cloud.now_us() > due_us
        await compute.start_fleet(0)
        await compute.clock.sleep(0.001)
        moved = compute.server(server_id)
        assert moved is not None
        assert moved.task != server.task
        rested = await compute.rest(server_id)
        assert rested is not None
        assert rested.state == "active"


async def test_a_scheduler_that_was_killed_loses_no_request() -> None:
    async with running(nodes=10) as compute:
        await compute.kill("scheduler")
        ids = [await compute.boot(f"s{number}") for number in range(20)]
        await compute.clock.sleep(100)
        assert {compute.server(server_id).task for server_id in ids} == {"scheduling"}  # type: ignore[union-attr]
        await compute.start_scheduler()
        for server_id in ids:
            server = await compute.rest(server_id)
            assert server is not None
            assert server.state == "active"
        compute.check_books()


async def test_nodes_of_a_dead_fleet_get_no_servers_until_it_lives_again() -> None:
    async with running() as compute:
        await compute.kill("fleet")
        await compute.clock.sleep(75)
        states = {row["state"] for row in (await compute.ok("GET", "/os-hypervisors", as_="admin"))["hypervisors"]}
        assert states == {"down"}
        server = await compute.rest(await compute.boot())
        assert server is not None
        assert server.state == "error"
        await compute.start_fleet(0)
        await compute.clock.sleep(0.1)
        server = await compute.rest(await compute.boot())
        assert server is not None
        assert server.state == "active"


async def test_a_disabled_node_gets_no_servers() -> None:
    async with running(nodes=2) as compute:
        services = (await compute.ok("GET", "/os-services", as_="admin", version="2.53"))["services"]
        first = next(row for row in services if row["host"] == "compute-0001")
        body = {"status": "disabled", "disabled_reason": "maintenance"}
        changed = await compute.ok("PUT", f"/os-services/{first['id']}", body, as_="admin", version="2.53")
        assert (changed["service"]["status"], changed["service"]["disabled_reason"]) == ("disabled", "maintenance")
        nodes = set()
        for number in range(3):
            server = await compute.rest(await compute.boot(f"s{number}"))
            assert server is not None
            nodes.add(server.node)
        assert nodes == {"compute-0002"}


async def test_a_server_goes_to_the_zone_and_the_node_it_asks_for() -> None:
    async with running(nodes=4, zones=("a", "b")) as compute:
        server = await compute.rest(await compute.boot(availability_zone="b"))
        assert server is not None
        assert server.node in ("compute-0002", "compute-0004")
        server_id = await compute.boot(availability_zone="b:compute-0004", as_="admin")
        server = await compute.rest(server_id)
        assert server is not None
        assert server.node == "compute-0004"
        view = (await compute.ok("GET", f"/servers/{server_id}", as_="admin"))["server"]
        assert view["OS-EXT-AZ:availability_zone"] == "b"
        assert view["OS-EXT-SRV-ATTR:host"] == "compute-0004"


async def test_anti_affinity_keeps_servers_apart_until_there_is_no_other_node() -> None:
    async with running(nodes=2) as compute:
        body = {"server_group": {"name": "apart", "policy": "anti-affinity"}}
        group = (await compute.ok("POST", "/os-server-groups", body, version="2.64"))["server_group"]
        nodes = []
        for number in range(3):
            wanted = {"name": f"s{number}", "flavorRef": "1", "imageRef": "i", "networks": "none"}
            body = {"server": wanted, "os:scheduler_hints": {"group": group["id"]}}
            made = await compute.ok("POST", "/servers", body, version="2.74")
            server = await compute.rest(made["server"]["id"])
            assert server is not None
            nodes.append((server.state, server.node))
        assert sorted(nodes) == [("active", "compute-0001"), ("active", "compute-0002"), ("error", "")]


def test_the_same_seed_gives_the_same_cloud_to_the_byte() -> None:
    async def live(seed: int) -> list[tuple[str, str, bytes, int]]:
        async with running(nodes=5, stages="fast", seed=seed) as compute:
            for number in range(20):
                await compute.boot(f"s{number}")
                await compute.clock.sleep(0.1)
            await compute.clock.sleep(30)
            documents = (await compute.store.list()).documents
            return [(one.kind, one.key, one.value, one.revision) for one in documents]

    first = run_coroutine_simulated(live(7))
    assert len(first) > 30
    assert run_coroutine_simulated(live(7)) == first
    assert run_coroutine_simulated(live(8)) != first


async def test_a_silent_node_goes_down_and_its_servers_stand_still_until_it_answers_again() -> None:
    async with running(nodes=2, stages="fast") as compute:
        mirror = compute.cloud.mirror
        server_id = await compute.boot()
        await compute.clock.sleep(0.4)
        server = compute.server(server_id)
        assert server is not None
        assert server.task is not None
        node = mirror.all(NODE)[server.node].value
        await mirror.commit([Put(NODE, replace(node, silent_since_us=compute.cloud.now_us()), node.name)])
        await compute.clock.sleep(75)
        assert compute.server(server_id) == server
        rows = (await compute.ok("GET", "/os-services?binary=nova-compute", as_="admin"))["services"]
        assert {row["host"]: row["state"] for row in rows}[node.name] == "down"
        for number in range(3):
            other = await compute.rest(await compute.boot(f"s{number}"))
            assert other is not None
            assert other.node != node.name
        await mirror.commit([Put(NODE, node, node.name)])
        rested = await compute.rest(server_id)
        assert rested is not None
        assert rested.state == "active"
