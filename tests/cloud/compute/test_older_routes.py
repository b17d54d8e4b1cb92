"""What compute did before the other services: old routes answer from the same documents as the new ones."""

import pytest

from tests.cloud.compute.harness import Compute, running
from tests.cloud.compute.test_actions import ready

OLD = "2.35"
GROUP = {"security_group": {"name": "web", "description": "for the web"}}
RULE = {"ip_protocol": "tcp", "from_port": 80, "to_port": 80, "cidr": "10.0.0.0/8"}


async def network_with_router(compute: Compute) -> str:
    """A network of the project behind a router to an external one."""
    admin, place = "admin", "/network/v2.0"
    external = {"network": {"name": "outside", "router:external": True}}
    outside = (await compute.ok("POST", f"{place}/networks", external, as_=admin))["network"]["id"]
    subnet = {"subnet": {"network_id": outside, "ip_version": 4, "cidr": "172.24.0.0/24"}}
    await compute.ok("POST", f"{place}/subnets", subnet, as_=admin)
    network = (await compute.ok("POST", f"{place}/networks", {"network": {"name": "inside"}}))["network"]["id"]
    subnet = {"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.1.0.0/24"}}
    subnet_id = (await compute.ok("POST", f"{place}/subnets", subnet))["subnet"]["id"]
    gateway = {"router": {"name": "r", "external_gateway_info": {"network_id": outside}}}
    router = (await compute.ok("POST", f"{place}/routers", gateway))["router"]["id"]
    await compute.ok("PUT", f"{place}/routers/{router}/add_router_interface", {"subnet_id": subnet_id})
    return str(network)


async def test_a_floating_ip_is_given_to_a_server_the_old_way() -> None:
    async with running() as compute:
        network = await network_with_router(compute)
        server_id = await compute.boot(networks=[{"uuid": network}])
        await compute.rest(server_id)
        pools = (await compute.ok("GET", "/os-floating-ip-pools", version=OLD))["floating_ip_pools"]
        assert pools == [{"name": "outside"}]
        made = (await compute.ok("POST", "/os-floating-ips", {"pool": "outside"}, version=OLD))["floating_ip"]
        action = f"/servers/{server_id}/action"
        give = {"addFloatingIp": {"address": made["ip"]}}
        assert (await compute.call("POST", action, give, version="2.43")).status == 202
        assert (await compute.call("POST", action, give, version="2.44")).status == 404
        listed = (await compute.ok("GET", "/os-floating-ips", version=OLD))["floating_ips"]
        assert [(one["ip"], one["instance_id"]) for one in listed] == [(made["ip"], server_id)]
        addresses = (await compute.ok("GET", f"/servers/{server_id}"))["server"]["addresses"]["inside"]
        assert {one["OS-EXT-IPS:type"]: one["addr"] for one in addresses}["floating"] == made["ip"]
        take = {"removeFloatingIp": {"address": made["ip"]}}
        assert (await compute.call("POST", action, take, version="2.43")).status == 202
        assert (await compute.call("POST", action, take, version="2.43")).status == 409
        assert (await compute.call("DELETE", f"/os-floating-ips/{made['id']}", version=OLD)).status == 202
        assert (await compute.call("GET", f"/os-floating-ips/{made['id']}", version=OLD)).status == 404


async def test_a_fixed_address_comes_and_goes_with_an_interface() -> None:
    async with running() as compute:
        network = await network_with_router(compute)
        server_id = await ready(compute)
        action = f"/servers/{server_id}/action"
        add = {"addFixedIp": {"networkId": network}}
        assert (await compute.call("POST", action, add, version="2.43")).status == 202
        place = f"/servers/{server_id}/os-interface"
        found = (await compute.ok("GET", place))["interfaceAttachments"]
        address = found[0]["fixed_ips"][0]["ip_address"]
        older = await compute.ok("GET", f"/servers/{server_id}/os-virtual-interfaces", version="2.12")
        assert older["virtual_interfaces"][0]["net_id"] == network
        remove = {"removeFixedIp": {"address": address}}
        assert (await compute.call("POST", action, remove, version="2.43")).status == 202
        assert (await compute.ok("GET", place))["interfaceAttachments"] == []
        assert (await compute.call("POST", action, remove, version="2.43")).status == 400


async def test_security_groups_and_rules_are_the_network_services_own() -> None:
    async with running() as compute:
        made = (await compute.ok("POST", "/os-security-groups", GROUP, version=OLD))["security_group"]
        assert (made["name"], made["rules"]) == ("web", [])
        rule = {"security_group_rule": {**RULE, "parent_group_id": made["id"]}}
        added = (await compute.ok("POST", "/os-security-group-rules", rule, version=OLD))["security_group_rule"]
        assert (added["ip_range"], added["from_port"]) == ({"cidr": "10.0.0.0/8"}, 80)
        twice = await compute.call("POST", "/os-security-group-rules", rule, version=OLD)
        assert twice.status == 400
        new = (await compute.ok("GET", f"/network/v2.0/security-groups/{made['id']}"))["security_group"]
        assert [one["id"] for one in new["security_group_rules"] if one["direction"] == "ingress"] == [added["id"]]
        listed = (await compute.ok("GET", "/os-security-groups", version=OLD))["security_groups"]
        assert sorted(one["name"] for one in listed) == ["default", "web"]
        place = f"/os-security-group-rules/{added['id']}"
        assert (await compute.call("DELETE", place, version=OLD)).status == 202
        assert (await compute.call("DELETE", f"/os-security-groups/{made['id']}", version=OLD)).status == 202
        assert (await compute.call("GET", f"/os-security-groups/{made['id']}", version=OLD)).status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"ip_protocol": "999"},
        {"from_port": 90},
        {"to_port": 70_000},
        {"from_port": "x"},
        {"parent_group_id": "no uuid"},
        {"from_port": None},
    ],
)
async def test_a_wrong_rule_is_refused(change: dict[str, object]) -> None:
    async with running() as compute:
        made = (await compute.ok("POST", "/os-security-groups", GROUP, version=OLD))["security_group"]
        rule = {"security_group_rule": {**RULE, "parent_group_id": made["id"], **change}}
        assert (await compute.call("POST", "/os-security-group-rules", rule, version=OLD)).status == 400


async def test_volumes_and_snapshots_are_the_volume_services_own() -> None:
    async with running() as compute:
        body = {"volume": {"size": 1, "display_name": "v", "metadata": {"a": "b"}}}
        made = (await compute.ok("POST", "/os-volumes", body, version=OLD))["volume"]
        await compute.clock.sleep(1)
        shown = (await compute.ok("GET", f"/os-volumes/{made['id']}", version=OLD))["volume"]
        assert (shown["displayName"], shown["status"], shown["attachments"]) == ("v", "available", [{}])
        snapshot = {"snapshot": {"volume_id": made["id"], "display_name": "s"}}
        taken = (await compute.ok("POST", "/os-snapshots", snapshot, version=OLD))["snapshot"]
        assert taken["volumeId"] == made["id"]
        await compute.clock.sleep(1)
        assert (await compute.call("DELETE", f"/os-snapshots/{taken['id']}", version=OLD)).status == 202
        await compute.clock.sleep(1)
        assert (await compute.call("DELETE", f"/os-volumes/{made['id']}", version=OLD)).status == 202
        wrong = {"volume": {"size": 0}}
        assert (await compute.call("POST", "/os-volumes", wrong, version=OLD)).status == 400
        assert (await compute.call("GET", "/os-volumes", version="2.36")).status == 404


async def test_networks_are_shown_by_id_and_label() -> None:
    async with running() as compute:
        network = await network_with_router(compute)
        shown = (await compute.ok("GET", f"/os-networks/{network}", version=OLD))["network"]
        assert (shown["id"], shown["label"], shown["cidr"]) == (network, "inside", None)
        short = (await compute.ok("GET", f"/os-tenant-networks/{network}", version=OLD))["network"]
        assert set(short) == {"id", "cidr", "label"}
        assert (await compute.call("POST", "/os-networks", {}, version=OLD)).status == 410


async def test_hosts_are_shown_with_what_is_taken_of_them() -> None:
    async with running(nodes=1) as compute:
        await ready(compute, "2")
        hosts = (await compute.ok("GET", "/os-hosts", as_="admin", version="2.42"))["hosts"]
        assert {"host_name": "compute-0001", "service": "compute", "zone": "nova"} in hosts
        rows = (await compute.ok("GET", "/os-hosts/compute-0001", as_="admin", version="2.42"))["host"]
        taken = {row["resource"]["project"]: row["resource"]["cpu"] for row in rows}
        assert taken == {"(total)": 4, "(used_now)": 2, "(used_max)": 2, "p1": 2}
        place = "/os-hosts/compute-0001"
        body = {"status": "disable"}
        assert (await compute.ok("PUT", place, body, as_="admin", version="2.42"))["status"] == "disabled"
        wrong = {"status": "maybe"}
        assert (await compute.call("PUT", place, wrong, as_="admin", version="2.42")).status == 400
        assert (await compute.call("GET", place, as_="admin", version="2.43")).status == 404


async def test_a_rule_that_names_a_deleted_group_is_gone_with_it() -> None:
    async with running() as compute:
        place = "/os-security-groups"
        made = (await compute.ok("POST", place, GROUP, version=OLD))["security_group"]
        peer = {"security_group": {"name": "peer", "description": ""}}
        other = (await compute.ok("POST", place, peer, version=OLD))["security_group"]
        rule = {"ip_protocol": "tcp", "from_port": 22, "to_port": 22, "parent_group_id": made["id"]}
        body = {"security_group_rule": {**rule, "group_id": other["id"]}}
        added = (await compute.ok("POST", "/os-security-group-rules", body, version=OLD))["security_group_rule"]
        assert added["group"]["name"] == "peer"
        assert (await compute.call("DELETE", f"{place}/{other['id']}", version=OLD)).status == 202
        assert (await compute.ok("GET", f"{place}/{made['id']}", version=OLD))["security_group"]["rules"] == []
