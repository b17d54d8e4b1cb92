"""Networks that nobody made: of servers that ask for `auto`, and by Neutron's auto-allocated topology."""

import asyncio
from typing import Any

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.application import application
from tests.cloud.openstack.harness import OpenStack, ask, openstack

V2 = "/network/v2.0"
SERVERS = "/compute/v2.1/servers"
HEADERS = [("openstack-api-version", "compute 2.74")]


async def image(cloud: OpenStack) -> str:
    return str((await cloud.good("GET", "/image/v2/images"))["images"][0]["id"])


async def boot(cloud: OpenStack, token: str, **more: Any) -> Any:
    """The answer to a server that asks for `auto`."""
    wanted = {"name": "s", "flavorRef": "1", "imageRef": await image(cloud), "networks": "auto", **more}
    return await cloud.ask("POST", SERVERS, {"server": wanted}, token=token, headers=HEADERS)


async def owned(cloud: OpenStack, collection: str, project_id: str) -> list[Any]:
    found: list[Any] = (await cloud.good("GET", f"{V2}/{collection}?project_id={project_id}"))[collection]
    return found


async def counts(cloud: OpenStack, project_id: str) -> list[int]:
    return [len(await owned(cloud, name, project_id)) for name in ("networks", "subnets", "routers", "ports")]


async def test_a_project_without_a_network_gets_one_with_a_way_to_the_outside() -> None:
    async with openstack() as cloud:
        project_id, token = await cloud.new_project("alice")
        answer = await boot(cloud, token)
        assert answer.status == 202, answer
        (network,) = await owned(cloud, "networks", project_id)
        (subnet,) = await owned(cloud, "subnets", project_id)
        (router,) = await owned(cloud, "routers", project_id)
        assert (network["name"], network["admin_state_up"], network["shared"]) == (
            "auto_allocated_network",
            True,
            False,
        )
        assert network["subnets"] == [subnet["id"]]
        assert (subnet["name"], subnet["cidr"]) == ("auto_allocated_subnet_v4", "10.0.0.0/16")
        gateway = router["external_gateway_info"]
        public = (await cloud.good("GET", f"{V2}/networks?name=public"))["networks"][0]["id"]
        assert (router["name"], gateway["network_id"]) == ("auto_allocated_router", public)
        assert len(gateway["external_fixed_ips"]) == 1
        ports = await owned(cloud, "ports", project_id)
        interface = next(port for port in ports if port["device_id"] == router["id"])
        assert interface["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}]
        await cloud.clock.sleep(1)
        server = (await cloud.good("GET", f"{SERVERS}/{answer.body['server']['id']}", token=token))["server"]
        assert set(server["addresses"]) == {"auto_allocated_network"}


async def test_a_floating_ip_reaches_a_server_on_it() -> None:
    async with openstack() as cloud:
        project_id, token = await cloud.new_project("alice")
        server_id = (await boot(cloud, token)).body["server"]["id"]
        await cloud.clock.sleep(1)
        port = next(one for one in await owned(cloud, "ports", project_id) if one["device_id"] == server_id)
        public = (await cloud.good("GET", f"{V2}/networks?name=public"))["networks"][0]["id"]
        wanted = {"floatingip": {"floating_network_id": public, "port_id": port["id"]}}
        made = (await cloud.good("POST", f"{V2}/floatingips", wanted, token=token))["floatingip"]
        assert made["router_id"] == (await owned(cloud, "routers", project_id))[0]["id"]


async def test_servers_that_ask_at_one_instant_share_one_network() -> None:
    async with openstack() as cloud:
        project_id, token = await cloud.new_project("alice")
        answers = await asyncio.gather(*(boot(cloud, token, min_count=3) for _ in range(5)))
        assert [answer.status for answer in answers] == [202] * 5
        await cloud.clock.sleep(1)
        # Fifteen servers, and the router's interface; the gateway is no project's.
        assert await counts(cloud, project_id) == [1, 1, 1, 16]
        servers = (await cloud.good("GET", f"{SERVERS}/detail", token=token))["servers"]
        assert {tuple(server["addresses"]) for server in servers} == {("auto_allocated_network",)}


async def test_several_api_processes_make_it_once() -> None:
    async with openstack() as cloud:
        project_id, _ = await cloud.new_project("alice")
        views = [await Cloud.open(cloud.store, cloud.clock, cloud.settings, f"api-{turn}", ()) for turn in (2, 3, 4)]
        place = f"{V2}/auto-allocated-topology/{project_id}"
        answers = await asyncio.gather(*(ask(application(view), "GET", place, token=cloud.admin) for view in views))
        (network,) = await owned(cloud, "networks", project_id)
        assert [answer.body["auto_allocated_topology"]["id"] for answer in answers] == [network["id"]] * 3
        assert await counts(cloud, project_id) == [1, 1, 1, 1]
        for view in views:
            await view.close()


async def test_projects_that_ask_at_one_instant_have_different_gateways() -> None:
    async with openstack() as cloud:
        projects = [await cloud.new_project(f"p{number}") for number in range(8)]
        answers = await asyncio.gather(*(boot(cloud, token) for _, token in projects))
        assert [answer.status for answer in answers] == [202] * 8
        routers = [(await owned(cloud, "routers", project_id))[0] for project_id, _ in projects]
        gateways = {router["external_gateway_info"]["external_fixed_ips"][0]["ip_address"] for router in routers}
        assert len(gateways) == 8


async def test_a_project_with_a_network_uses_it_and_several_are_refused() -> None:
    async with openstack() as cloud:
        networks = (await cloud.good("GET", f"{V2}/networks", token=cloud.demo))["networks"]
        assert (await boot(cloud, cloud.demo)).status == 202
        assert (await cloud.good("GET", f"{V2}/networks", token=cloud.demo))["networks"] == networks
        await cloud.good("POST", f"{V2}/networks", {"network": {"name": "second"}}, token=cloud.demo)
        refused = await boot(cloud, cloud.demo)
        assert refused.status == 409
        assert "Multiple possible networks found" in refused.body["conflictingRequest"]["message"]


async def test_a_refused_server_leaves_no_network() -> None:
    async with openstack() as cloud:
        project_id, token = await cloud.new_project("alice")
        assert (await boot(cloud, token, key_name="unknown")).status == 400
        assert (await boot(cloud, token, min_count=20_000)).status == 400
        quota = {"quota_set": {"instances": 0}}
        await cloud.good("PUT", f"/compute/v2.1/os-quota-sets/{project_id}", quota)
        assert (await boot(cloud, token)).status == 403
        assert await counts(cloud, project_id) == [0, 0, 0, 0]


async def test_subnets_are_cut_from_the_default_pools() -> None:
    async with openstack() as cloud:
        for prefixes, length in ((["10.200.0.0/22"], 24), (["fd00:1::/48"], 64)):
            pool = {"prefixes": prefixes, "default_prefixlen": length, "is_default": True, "shared": True}
            await cloud.good("POST", f"{V2}/subnetpools", {"subnetpool": pool})
        ranges = []
        for name in ("alice", "bert"):
            project_id, token = await cloud.new_project(name)
            assert (await boot(cloud, token)).status == 202
            ranges += sorted(one["cidr"] for one in await owned(cloud, "subnets", project_id))
        assert ranges == ["10.200.0.0/24", "fd00:1::/64", "10.200.1.0/24", "fd00:1:0:1::/64"]
        third, _ = await cloud.new_project("third")
        fourth, _ = await cloud.new_project("fourth")
        fifth, token = await cloud.new_project("fifth")
        for project_id in (third, fourth):
            await cloud.good("GET", f"{V2}/auto-allocated-topology/{project_id}")
        refused = await cloud.ask("GET", f"{V2}/auto-allocated-topology/{fifth}")
        assert (refused.status, refused.body["NeutronError"]["type"]) == (409, "AutoAllocationFailure")
        answer = await boot(cloud, token)
        assert answer.status == 400
        words = f"Unable to automatically allocate a network for project {fifth}"
        assert answer.body["badRequest"]["message"] == words


async def test_the_topology_is_shown_once_made_and_deleted_as_a_whole() -> None:
    async with openstack() as cloud:
        project_id, token = await cloud.new_project("alice")
        place = f"{V2}/auto-allocated-topology/{project_id}"
        tried = (await cloud.good("GET", f"{place}?fields=dry-run", token=token))["auto_allocated_topology"]
        assert tried == {"id": "dry-run=pass", "tenant_id": project_id, "project_id": project_id}
        assert await counts(cloud, project_id) == [0, 0, 0, 0]
        first = (await cloud.good("GET", place, token=token))["auto_allocated_topology"]["id"]
        mine = await cloud.good("GET", f"{V2}/auto-allocated-topology/None", token=token)
        assert mine["auto_allocated_topology"]["id"] == first
        assert (await cloud.ask("GET", f"{place}?fields=id", token=token)).status == 400
        server_id = (await boot(cloud, token)).body["server"]["id"]
        await cloud.clock.sleep(1)
        busy = await cloud.ask("DELETE", place, token=token)
        assert (busy.status, busy.body["NeutronError"]["type"]) == (409, "NetworkInUse")
        assert await counts(cloud, project_id) == [1, 1, 1, 2]
        await cloud.good("DELETE", f"{SERVERS}/{server_id}", token=token)
        await cloud.clock.sleep(1)
        for _ in range(2):
            assert (await cloud.ask("DELETE", place, token=token)).status == 204
        assert await counts(cloud, project_id) == [0, 0, 0, 0]
        assert (await cloud.good("GET", place, token=token))["auto_allocated_topology"]["id"] != first


async def test_what_a_user_takes_apart_by_hand_is_made_anew() -> None:
    async with openstack() as cloud:
        project_id, token = await cloud.new_project("alice")
        place = f"{V2}/auto-allocated-topology/{project_id}"
        first = (await cloud.good("GET", place, token=token))["auto_allocated_topology"]["id"]
        (router,) = await owned(cloud, "routers", project_id)
        (subnet,) = await owned(cloud, "subnets", project_id)
        interface = {"subnet_id": subnet["id"]}
        await cloud.good("PUT", f"{V2}/routers/{router['id']}/remove_router_interface", interface, token=token)
        await cloud.good("DELETE", f"{V2}/routers/{router['id']}", token=token)
        assert (await cloud.good("GET", place, token=token))["auto_allocated_topology"]["id"] == first
        await cloud.good("DELETE", f"{V2}/networks/{first}", token=token)
        assert (await boot(cloud, token)).status == 202
        (network,) = await owned(cloud, "networks", project_id)
        assert network["id"] != first


async def test_a_router_with_another_subnet_keeps_its_topology() -> None:
    async with openstack() as cloud:
        project_id, token = await cloud.new_project("alice")
        place = f"{V2}/auto-allocated-topology/{project_id}"
        await cloud.good("GET", place, token=token)
        (router,) = await owned(cloud, "routers", project_id)
        other = (await cloud.good("POST", f"{V2}/networks", {"network": {}}, token=token))["network"]["id"]
        wanted = {"network_id": other, "ip_version": 4, "cidr": "10.77.0.0/24"}
        subnet = (await cloud.good("POST", f"{V2}/subnets", {"subnet": wanted}, token=token))["subnet"]["id"]
        interface = {"subnet_id": subnet}
        await cloud.good("PUT", f"{V2}/routers/{router['id']}/add_router_interface", interface, token=token)
        busy = await cloud.ask("DELETE", place, token=token)
        assert (busy.status, busy.body["NeutronError"]["type"]) == (409, "RouterInUse")
        assert await counts(cloud, project_id) == [2, 2, 1, 2]


async def test_another_projects_topology_is_not_for_a_member() -> None:
    async with openstack() as cloud:
        project_id, _ = await cloud.new_project("alice")
        for method in ("GET", "DELETE"):
            refused = await cloud.ask(method, f"{V2}/auto-allocated-topology/{project_id}", token=cloud.demo)
            assert (refused.status, refused.body["NeutronError"]["type"]) == (403, "NotAuthorized")
        assert await counts(cloud, project_id) == [0, 0, 0, 0]


async def test_without_a_default_external_network_there_is_none_and_there_is_at_most_one() -> None:
    async with openstack() as cloud:
        wanted = {"network": {"name": "other", "router:external": True, "is_default": True}}
        refused = await cloud.ask("POST", f"{V2}/networks", wanted)
        assert (refused.status, refused.body["NeutronError"]["type"]) == (409, "DefaultExternalNetworkExists")
        public = (await cloud.good("GET", f"{V2}/networks?name=public"))["networks"][0]["id"]
        await cloud.good("PUT", f"{V2}/networks/{public}", {"network": {"is_default": True}})
        await cloud.good("PUT", f"{V2}/networks/{public}", {"network": {"is_default": False}})
        project_id, token = await cloud.new_project("alice")
        for query in ("", "?fields=dry-run"):
            answer = await cloud.ask("GET", f"{V2}/auto-allocated-topology/{project_id}{query}", token=token)
            assert (answer.status, answer.body["NeutronError"]["type"]) == (409, "AutoAllocationFailure")
        assert (await boot(cloud, token)).status == 400
        await cloud.good("POST", f"{V2}/networks", wanted)
        assert (await boot(cloud, token)).status == 202


async def test_the_extension_is_listed() -> None:
    async with openstack() as cloud:
        assert (await cloud.ask("GET", f"{V2}/extensions/auto-allocated-topology")).status == 200
