"""The network service: who sees what, what depends on what, routers and floating IPs, groups, lists, quotas."""

import asyncio
from typing import Any

import pytest

from tests.cloud.openstack.harness import OpenStack, openstack

V2 = "/network/v2.0"


async def make(cloud: OpenStack, noun: str, **wanted: Any) -> dict[str, Any]:
    """A new resource; `token` says whose."""
    token = wanted.pop("token", cloud.demo)
    path = noun if noun.endswith("s") else f"{noun}s"
    body = await cloud.good("POST", f"{V2}/{path.replace('_', '-')}", {noun: wanted}, token=token)
    found: dict[str, Any] = body[noun]
    return found


async def find(cloud: OpenStack, collection: str, name: str, token: str = "") -> dict[str, Any]:
    body = await cloud.good("GET", f"{V2}/{collection}?name={name}", token=token or cloud.admin)
    (found,) = body[collection]
    result: dict[str, Any] = found
    return result


async def refusal(cloud: OpenStack, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, str]:
    """Status and Neutron's type of a refusal."""
    answer = await cloud.ask(method, f"{V2}{path}", body, token=token or cloud.demo)
    assert answer.status >= 400, answer
    return answer.status, answer.body["NeutronError"]["type"]


async def test_a_network_a_subnet_and_a_port_have_what_neutron_gives_them() -> None:
    async with openstack() as cloud:
        network = await make(cloud, "network", name="n", mtu=1400)
        assert (network["status"], network["mtu"], network["router:external"]) == ("ACTIVE", 1400, False)
        assert "provider:network_type" not in network
        subnet = await make(cloud, "subnet", network_id=network["id"], ip_version=4, cidr="10.9.0.0/24", name="s")
        assert (subnet["gateway_ip"], subnet["ip_version"]) == ("10.9.0.1", 4)
        assert subnet["allocation_pools"] == [{"start": "10.9.0.2", "end": "10.9.0.254"}]
        port = await make(cloud, "port", network_id=network["id"])
        assert port["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "10.9.0.2"}]
        assert (port["status"], port["device_owner"], len(port["security_groups"])) == ("DOWN", "", 1)
        shown = await cloud.good("GET", f"{V2}/networks/{network['id']}", token=cloud.demo)
        assert shown["network"]["subnets"] == [subnet["id"]]
        assert shown["network"]["revision_number"] == 2


async def test_what_another_project_has_is_not_there() -> None:
    async with openstack() as cloud:
        network = await make(cloud, "network")
        _, alice = await cloud.new_project("alice")
        for method, path in (("GET", ""), ("PUT", ""), ("DELETE", "")):
            body = {"network": {"name": "mine"}} if method == "PUT" else None
            found = await refusal(cloud, method, f"/networks/{network['id']}{path}", body, alice)
            assert found == (404, "NetworkNotFound")
        assert await refusal(cloud, "POST", "/ports", {"port": {"network_id": network["id"]}}, alice) == (
            404,
            "NetworkNotFound",
        )
        names = [one["name"] for one in (await cloud.good("GET", f"{V2}/networks", token=alice))["networks"]]
        assert names == ["public"]
        assert len((await cloud.good("GET", f"{V2}/networks"))["networks"]) == 4


async def test_a_shared_network_is_for_all_and_still_its_owners() -> None:
    async with openstack() as cloud:
        network = await make(cloud, "network", shared=True, token=cloud.admin)
        await make(cloud, "subnet", network_id=network["id"], ip_version=4, cidr="10.8.0.0/24", token=cloud.admin)
        assert (await make(cloud, "port", network_id=network["id"]))["fixed_ips"]
        place = f"/networks/{network['id']}"
        assert (await refusal(cloud, "PUT", place, {"network": {"name": "x"}}))[0] == 403
        assert len((await cloud.good("GET", f"{V2}/subnets?cidr=10.8.0.0/24", token=cloud.demo))["subnets"]) == 1


@pytest.mark.parametrize("wanted", [{"shared": True}, {"router:external": True}, {"provider:segmentation_id": 7}])
async def test_some_wishes_are_for_administrators(wanted: dict[str, Any]) -> None:
    async with openstack() as cloud:
        assert await refusal(cloud, "POST", "/networks", {"network": wanted}) == (403, "PolicyNotAuthorized")
        await make(cloud, "network", token=cloud.admin, **wanted)


@pytest.mark.parametrize(
    ("wanted", "refused"),
    [
        ({"cidr": "10.9.0.0/16"}, (400, "InvalidInput")),
        ({"cidr": "10.9.0.0/33"}, (400, "InvalidInput")),
        ({"cidr": "10.7.0.0/24", "gateway_ip": "somewhere"}, (400, "HTTPBadRequest")),
        ({"cidr": "10.7.0.0/24", "ip_version": 5}, (400, "HTTPBadRequest")),
        ({"cidr": "10.7.0.0/24", "ip_version": 6}, (400, "InvalidInput")),
        (
            {"cidr": "10.7.0.0/24", "allocation_pools": [{"start": "10.7.0.2", "end": "10.7.1.2"}]},
            (400, "OutOfBoundsAllocationPool"),
        ),
        (
            {"cidr": "10.7.0.0/24", "allocation_pools": [{"start": "10.7.0.1", "end": "10.7.0.9"}]},
            (409, "GatewayConflictWithAllocationPools"),
        ),
    ],
)
async def test_a_subnet_that_makes_no_sense_is_refused(wanted: dict[str, Any], refused: tuple[int, str]) -> None:
    async with openstack() as cloud:
        network = await make(cloud, "network")
        await make(cloud, "subnet", network_id=network["id"], ip_version=4, cidr="10.9.0.0/24")
        body = {"subnet": {"network_id": network["id"], "ip_version": 4, **wanted}}
        assert await refusal(cloud, "POST", "/subnets", body) == refused


async def test_of_overlapping_subnets_at_one_instant_one_wins() -> None:
    async with openstack() as cloud:
        network = await make(cloud, "network")
        body = {"subnet": {"network_id": network["id"], "ip_version": 4, "cidr": "10.9.0.0/24"}}
        answers = await asyncio.gather(*(cloud.ask("POST", f"{V2}/subnets", body, token=cloud.demo) for _ in range(4)))
        assert sorted(answer.status for answer in answers) == [201, 400, 400, 400]


async def test_an_address_that_is_asked_for_is_had_once() -> None:
    async with openstack() as cloud:
        network = await make(cloud, "network")
        subnet = await make(cloud, "subnet", network_id=network["id"], ip_version=4, cidr="10.9.0.0/24")
        fixed = [{"ip_address": "10.9.0.77"}]
        port = await make(cloud, "port", network_id=network["id"], fixed_ips=fixed)
        body = {"port": {"network_id": network["id"], "fixed_ips": fixed}}
        assert await refusal(cloud, "POST", "/ports", body) == (409, "IpAddressAlreadyAllocated")
        found = await cloud.good("GET", f"{V2}/ports?fixed_ips=ip_address=10.9.0.77", token=cloud.demo)
        assert [one["id"] for one in found["ports"]] == [port["id"]]
        changed = {"port": {"fixed_ips": [{"subnet_id": subnet["id"], "ip_address": "10.9.0.78"}]}}
        await cloud.good("PUT", f"{V2}/ports/{port['id']}", changed, token=cloud.demo)
        await make(cloud, "port", network_id=network["id"], fixed_ips=fixed)


async def test_a_full_subnet_says_so_and_gives_again_what_is_released() -> None:
    async with openstack() as cloud:
        network = await make(cloud, "network")
        await make(cloud, "subnet", network_id=network["id"], ip_version=4, cidr="10.9.0.0/29")
        ports = [await make(cloud, "port", network_id=network["id"]) for _ in range(5)]
        body = {"port": {"network_id": network["id"]}}
        assert await refusal(cloud, "POST", "/ports", body) == (409, "IpAddressGenerationFailure")
        await cloud.good("DELETE", f"{V2}/ports/{ports[2]['id']}", token=cloud.demo)
        assert (await make(cloud, "port", network_id=network["id"]))["fixed_ips"] == ports[2]["fixed_ips"]


async def test_nothing_that_is_in_use_can_be_deleted() -> None:
    async with openstack() as cloud:
        network = await make(cloud, "network")
        subnet = await make(cloud, "subnet", network_id=network["id"], ip_version=4, cidr="10.9.0.0/24")
        port = await make(cloud, "port", network_id=network["id"])
        group = port["security_groups"][0]
        assert await refusal(cloud, "DELETE", f"/networks/{network['id']}") == (409, "NetworkInUse")
        assert await refusal(cloud, "DELETE", f"/subnets/{subnet['id']}") == (409, "SubnetInUse")
        assert (await refusal(cloud, "DELETE", f"/security-groups/{group}", token=cloud.admin))[1] == (
            "SecurityGroupInUse"
        )
        await cloud.good("DELETE", f"{V2}/ports/{port['id']}", token=cloud.demo)
        await cloud.good("DELETE", f"{V2}/networks/{network['id']}", token=cloud.demo)
        assert await refusal(cloud, "GET", f"/subnets/{subnet['id']}") == (404, "SubnetNotFound")


async def test_a_floating_ip_needs_a_router_between_and_stands_for_one_address_only() -> None:
    async with openstack() as cloud:
        public = await find(cloud, "networks", "public")
        network = await make(cloud, "network")
        subnet = await make(cloud, "subnet", network_id=network["id"], ip_version=4, cidr="10.9.0.0/24")
        port = await make(cloud, "port", network_id=network["id"])
        floating = await make(cloud, "floatingip", floating_network_id=public["id"])
        assert (floating["status"], floating["port_id"]) == ("DOWN", None)
        place, body = f"/floatingips/{floating['id']}", {"floatingip": {"port_id": port["id"]}}
        assert await refusal(cloud, "PUT", place, body) == (404, "ExternalGatewayForFloatingIPNotFound")
        router = await make(cloud, "router", name="r", external_gateway_info={"network_id": public["id"]})
        assert router["external_gateway_info"]["external_fixed_ips"][0]["ip_address"].startswith("172.24.")
        interface = f"{V2}/routers/{router['id']}/add_router_interface"
        await cloud.good("PUT", interface, {"subnet_id": subnet["id"]}, token=cloud.demo)
        shown = (await cloud.good("PUT", f"{V2}{place}", body, token=cloud.demo))["floatingip"]
        assert (shown["status"], shown["fixed_ip_address"], shown["router_id"]) == ("ACTIVE", "10.9.0.2", router["id"])
        second = {"floatingip": {"floating_network_id": public["id"], "port_id": port["id"]}}
        assert await refusal(cloud, "POST", "/floatingips", second) == (409, "FloatingIPPortAlreadyAssociated")
        removal = f"/routers/{router['id']}/remove_router_interface"
        assert await refusal(cloud, "PUT", removal, {"subnet_id": subnet["id"]}) == (
            409,
            "RouterInterfaceInUseByFloatingIP",
        )
        without: Any = {"router": {"external_gateway_info": {}}}
        assert (await refusal(cloud, "PUT", f"/routers/{router['id']}", without))[1] == (
            "RouterExternalGatewayInUseByFloatingIp"
        )
        await cloud.good("DELETE", f"{V2}/ports/{port['id']}", token=cloud.demo)
        freed = (await cloud.good("GET", f"{V2}{place}", token=cloud.demo))["floatingip"]
        assert (freed["status"], freed["port_id"], freed["router_id"]) == ("DOWN", None, None)


async def test_a_router_is_removed_in_the_order_of_what_hangs_on_it() -> None:
    async with openstack() as cloud:
        network = await make(cloud, "network")
        subnet = await make(cloud, "subnet", network_id=network["id"], ip_version=4, cidr="10.9.0.0/24")
        router = await make(cloud, "router")
        place = f"/routers/{router['id']}"
        added = await cloud.good("PUT", f"{V2}{place}/add_router_interface", {"subnet_id": subnet["id"]},
                                 token=cloud.demo)  # fmt: skip
        again = await refusal(cloud, "PUT", f"{place}/add_router_interface", {"subnet_id": subnet["id"]})
        assert again == (400, "BadRequest")
        port = (await cloud.good("GET", f"{V2}/ports/{added['port_id']}", token=cloud.demo))["port"]
        assert (port["device_id"], port["fixed_ips"][0]["ip_address"]) == (router["id"], "10.9.0.1")
        assert await refusal(cloud, "DELETE", f"/ports/{port['id']}") == (409, "L3PortInUse")
        assert await refusal(cloud, "DELETE", place) == (409, "RouterInUse")
        await cloud.good("PUT", f"{V2}{place}/remove_router_interface", {"port_id": port["id"]}, token=cloud.demo)
        await cloud.good("DELETE", f"{V2}{place}", token=cloud.demo)
        await cloud.good("DELETE", f"{V2}/networks/{network['id']}", token=cloud.demo)


async def test_a_project_has_one_default_group_however_it_begins() -> None:
    async with openstack() as cloud:
        project_id, alice = await cloud.new_project("alice")
        listed = await asyncio.gather(
            *(cloud.good("GET", f"{V2}/security-groups", token=alice) for _ in range(3)),
            make(cloud, "network", token=alice),
        )
        for one in listed[:3]:
            assert [group["name"] for group in one["security_groups"]] == ["default"]
        rules = listed[0]["security_groups"][0]["security_group_rules"]
        assert sorted(rule["direction"] for rule in rules) == ["egress", "egress", "ingress", "ingress"]
        assert {rule["project_id"] for rule in rules} == {project_id}
        body = {"security_group": {"name": "default"}}
        assert await refusal(cloud, "POST", "/security-groups", body, alice) == (
            409,
            "SecurityGroupDefaultAlreadyExists",
        )


async def test_rules_are_checked_and_no_rule_is_there_twice() -> None:
    async with openstack() as cloud:
        group = await make(cloud, "security_group", name="web")
        assert len(group["security_group_rules"]) == 2
        rule = {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp"}
        made = await make(cloud, "security_group_rule", port_range_min=80, port_range_max=90, **rule)
        place = "/security-group-rules"
        twin = {"security_group_rule": {**rule, "port_range_min": 80, "port_range_max": 90}}
        assert await refusal(cloud, "POST", place, twin) == (409, "SecurityGroupRuleExists")
        for wrong in ({"port_range_min": 9, "port_range_max": 8}, {"port_range_min": 70_000}, {"direction": "up"}):
            assert (await refusal(cloud, "POST", place, {"security_group_rule": {**rule, **wrong}}))[0] == 400
        await cloud.good("DELETE", f"{V2}{place}/{made['id']}", token=cloud.demo)
        await cloud.good("DELETE", f"{V2}/security-groups/{group['id']}", token=cloud.demo)
        assert (await cloud.good("GET", f"{V2}{place}?security_group_id={group['id']}"))["security_group_rules"] == []


async def test_lists_filter_select_sort_and_page_in_both_directions() -> None:
    async with openstack() as cloud:
        for name in "cabed":
            await make(cloud, "network", name=name, admin_state_up=name != "c", description="ours")
        mine = f"{V2}/networks?description=ours&sort_key=name&sort_dir=asc&fields=name&fields=id"
        everything = (await cloud.good("GET", mine))["networks"]
        assert [sorted(one) for one in everything] == [["id", "name"]] * 5
        assert [one["name"] for one in everything] == list("abcde")
        seen, path, last = [], f"{mine}&limit=2", ""
        while path:
            page = await cloud.good("GET", path)
            seen.append([one["name"] for one in page["networks"]])
            links = {link["rel"]: link["href"] for link in page.get("networks_links", [])}
            path = links.get("next", "").removeprefix("http://cloud.test")
            last = links.get("previous", "").removeprefix("http://cloud.test")
        assert seen == [["a", "b"], ["c", "d"], ["e"]]
        assert [one["name"] for one in (await cloud.good("GET", last))["networks"]] == ["c", "d"]
        down = await cloud.good("GET", f"{V2}/networks?description=ours&admin_state_up=False")
        assert [one["name"] for one in down["networks"]] == ["c"]
        two = await cloud.good("GET", f"{V2}/networks?name=a&name=e")
        assert [one["name"] for one in two["networks"]] == ["a", "e"]
        assert (await cloud.ask("GET", f"{V2}/networks?sort_key=colour")).status == 400
        assert (await cloud.ask("GET", f"{V2}/networks?marker=nobody&limit=1")).status == 404


async def test_tags_are_set_found_and_removed() -> None:
    async with openstack() as cloud:
        network = await make(cloud, "network")
        place = f"{V2}/networks/{network['id']}/tags"
        await cloud.good("PUT", place, {"tags": ["red", "blue"]}, token=cloud.demo)
        await cloud.good("PUT", f"{place}/green", token=cloud.demo)
        await cloud.good("DELETE", f"{place}/red", token=cloud.demo)
        assert (await cloud.good("GET", place, token=cloud.demo))["tags"] == ["blue", "green"]
        for query, count in (("tags=blue,green", 1), ("tags=blue,red", 0), ("tags-any=blue,red", 1), ("not-tags=x", 4)):
            assert len((await cloud.good("GET", f"{V2}/networks?{query}"))["networks"]) == count, query


async def test_a_quota_is_kept_in_neutrons_words() -> None:
    async with openstack() as cloud:
        project_id, alice = await cloud.new_project("alice")
        place = f"{V2}/quotas/{project_id}"
        await cloud.good("PUT", place, {"quota": {"network": 2}})
        await make(cloud, "network", token=alice)
        body = {"networks": [{"name": "x"}, {"name": "y"}]}
        assert await refusal(cloud, "POST", "/networks", body, alice) == (409, "OverQuota")
        await make(cloud, "network", token=alice)
        details = (await cloud.good("GET", f"{place}/details.json", token=alice))["quota"]["network"]
        assert details == {"limit": 2, "used": 2, "reserved": 0}
        assert (await refusal(cloud, "PUT", f"/quotas/{project_id}", {"quota": {"network": 9}}, alice))[0] == 403
        await cloud.good("DELETE", place)
        await make(cloud, "network", token=alice)


async def test_many_are_made_at_once_or_none() -> None:
    async with openstack() as cloud:
        network = await make(cloud, "network")
        await make(cloud, "subnet", network_id=network["id"], ip_version=4, cidr="10.9.0.0/24")
        one = {"network_id": network["id"]}
        made = await cloud.good("POST", f"{V2}/ports", {"ports": [one, one, one]}, token=cloud.demo)
        assert len({port["fixed_ips"][0]["ip_address"] for port in made["ports"]}) == 3
        assert (await refusal(cloud, "POST", "/ports", {"ports": [one, {"network_id": "nowhere"}]}))[0] == 400
        left = await cloud.good("GET", f"{V2}/ports?network_id={network['id']}", token=cloud.demo)
        assert len(left["ports"]) == 3


async def test_limits_that_are_truth_values_are_numbers_and_those_that_are_too_large_are_refused() -> None:
    async with openstack() as cloud:
        project_id, _ = await cloud.new_project("alice")
        place = f"{V2}/quotas/{project_id}"
        found = await cloud.good("PUT", place, {"quota": {"port": False, "network": True, "force": True}})
        assert (found["quota"]["port"], found["quota"]["network"]) == (0, 1)
        for number in (2**31, 2**70):
            assert (await cloud.ask("PUT", place, {"quota": {"port": number}})).status == 400
        assert (await cloud.good("GET", place))["quota"]["port"] == 0
