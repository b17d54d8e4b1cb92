"""Quality of service, address groups, forwarded ports, connection helpers and extra routes, as clients meet them."""

from typing import Any

import pytest

from tests.cloud.openstack.harness import Answer, OpenStack, openstack

NETWORK = "/network/v2.0"


async def policy(cloud: OpenStack, **fields: Any) -> str:
    made = await cloud.good("POST", f"{NETWORK}/qos/policies", {"policy": {"name": "gold", **fields}})
    return str(made["policy"]["id"])


async def rule(cloud: OpenStack, policy_id: str, kind: str, **fields: Any) -> Answer:
    return await cloud.ask("POST", f"{NETWORK}/qos/policies/{policy_id}/{kind}_rules", {f"{kind}_rule": fields})


def kind_of(answer: Answer) -> str:
    return str(answer.body["NeutronError"]["type"])


async def routed(cloud: OpenStack) -> dict[str, Any]:
    """A floating IP of demo's, and a port on a network of demo's behind a router with a gateway."""

    async def make(path: str, noun: str, **fields: Any) -> Any:
        return (await cloud.good("POST", f"{NETWORK}/{path}", {noun: fields}, token=cloud.demo))[noun]

    public = (await cloud.good("GET", f"{NETWORK}/networks?name=public"))["networks"][0]["id"]
    network = await make("networks", "network", name="inner")
    subnet = await make("subnets", "subnet", network_id=network["id"], ip_version=4, cidr="10.8.0.0/24")
    router = await make("routers", "router", external_gateway_info={"network_id": public})
    place = f"{NETWORK}/routers/{router['id']}/add_router_interface"
    await cloud.good("PUT", place, {"subnet_id": subnet["id"]}, token=cloud.demo)
    port = await make("ports", "port", network_id=network["id"])
    floating = await make("floatingips", "floatingip", floating_network_id=public)
    return {"router": router["id"], "port": port, "floating": floating["id"], "network": network["id"]}


async def test_a_policy_shows_its_rules_and_each_can_be_found_by_its_own_id() -> None:
    async with openstack() as cloud:
        policy_id = await policy(cloud)
        made = (await rule(cloud, policy_id, "bandwidth_limit", max_kbps="1000")).body["bandwidth_limit_rule"]
        assert made == {"id": made["id"], "max_kbps": 1000, "max_burst_kbps": 0, "direction": "egress"}
        assert (await rule(cloud, policy_id, "dscp_marking", dscp_mark=26)).status == 201
        shown = (await cloud.good("GET", f"{NETWORK}/qos/policies/{policy_id}"))["policy"]
        assert [one["type"] for one in shown["rules"]] == ["bandwidth_limit", "dscp_marking"]
        assert shown["revision_number"] == 3
        alias = f"{NETWORK}/qos/alias_bandwidth_limit_rules/{made['id']}"
        changed = await cloud.good("PUT", alias, {"bandwidth_limit_rule": {"max_burst_kbps": 100}})
        assert changed["bandwidth_limit_rule"] == {**made, "max_burst_kbps": 100}
        listed = await cloud.good("GET", f"{NETWORK}/qos/policies/{policy_id}/bandwidth_limit_rules?max_kbps=1000")
        assert [one["id"] for one in listed["bandwidth_limit_rules"]] == [made["id"]]
        assert (await cloud.ask("DELETE", alias)).status == 204
        gone = await cloud.ask("GET", alias)
        assert (gone.status, kind_of(gone)) == (404, "QosRuleNotFound")


@pytest.mark.parametrize(
    ("kind", "fields", "status", "error"),
    [
        ("bandwidth_limit", {"max_kbps": 5}, 409, "QoSRulesConflict"),
        ("bandwidth_limit", {"max_kbps": 5, "direction": "ingress"}, 201, ""),
        ("minimum_bandwidth", {"min_kbps": 2_000}, 409, "QoSRuleParameterConflict"),
        ("minimum_bandwidth", {"min_kbps": 2_000, "direction": "ingress"}, 201, ""),
        ("dscp_marking", {"dscp_mark": 3}, 400, "InvalidInput"),
        ("minimum_packet_rate", {"min_kpps": 1, "direction": "any"}, 201, ""),
        ("packet_rate_limit", {"max_kpps": -1}, 400, "InvalidInput"),
        ("packet_rate_limit", {}, 400, "InvalidInput"),
    ],
)
async def test_rules_that_contradict_each_other_are_refused(
    kind: str, fields: dict[str, Any], status: int, error: str
) -> None:
    async with openstack() as cloud:
        policy_id = await policy(cloud)
        assert (await rule(cloud, policy_id, "bandwidth_limit", max_kbps=1000)).status == 201
        answer = await rule(cloud, policy_id, kind, **fields)
        assert answer.status == status, answer
        assert not error or kind_of(answer) == error


async def test_what_is_bound_to_a_policy_keeps_it_and_others_do_not_see_it() -> None:
    async with openstack() as cloud:
        policy_id = await policy(cloud)
        hidden = await cloud.ask(
            "POST", f"{NETWORK}/networks", {"network": {"qos_policy_id": policy_id}}, token=cloud.demo
        )
        assert (hidden.status, kind_of(hidden)) == (404, "QosPolicyNotFound")
        await cloud.good("PUT", f"{NETWORK}/qos/policies/{policy_id}", {"policy": {"shared": True}})
        body = {"network": {"qos_policy_id": policy_id}}
        network = (await cloud.good("POST", f"{NETWORK}/networks", body, token=cloud.demo))["network"]
        assert network["qos_policy_id"] == policy_id
        body = {"port": {"network_id": network["id"]}}
        port = (await cloud.good("POST", f"{NETWORK}/ports", body, token=cloud.demo))["port"]
        assert (port["qos_policy_id"], port["qos_network_policy_id"]) == (None, policy_id)
        refused = await cloud.ask("DELETE", f"{NETWORK}/qos/policies/{policy_id}")
        assert (refused.status, kind_of(refused)) == (409, "QosPolicyInUse")
        place = f"{NETWORK}/networks/{network['id']}"
        freed = await cloud.good("PUT", place, {"network": {"qos_policy_id": None}}, token=cloud.demo)
        assert freed["network"]["qos_policy_id"] is None
        assert (await cloud.ask("DELETE", f"{NETWORK}/qos/policies/{policy_id}")).status == 204
        assert (await cloud.ask("POST", f"{NETWORK}/qos/policies", {"policy": {}}, token=cloud.demo)).status == 403


async def test_new_networks_of_a_project_get_its_default_policy_and_there_is_one() -> None:
    async with openstack() as cloud:
        policy_id = await policy(cloud, is_default=True)
        network = (await cloud.good("POST", f"{NETWORK}/networks", {"network": {}}))["network"]
        assert network["qos_policy_id"] == policy_id
        second = await cloud.ask("POST", f"{NETWORK}/qos/policies", {"policy": {"is_default": True}})
        assert (second.status, kind_of(second)) == (409, "QoSPolicyDefaultAlreadyExists")


async def test_ranges_of_an_address_group_come_and_go_and_a_rule_keeps_the_group() -> None:
    async with openstack() as cloud:
        body = {"address_group": {"name": "dns", "addresses": ["10.0.0.0/24", "fd00::/64"]}}
        group = (await cloud.good("POST", f"{NETWORK}/address-groups", body, token=cloud.demo))["address_group"]
        place = f"{NETWORK}/address-groups/{group['id']}"

        async def change(word: str, *addresses: str) -> Answer:
            body = {"address_group": {"addresses": addresses}}
            return await cloud.ask("PUT", f"{place}/{word}_addresses", body, token=cloud.demo)

        added = await change("add", "10.1.0.1/32")
        assert added.body["address_group"]["addresses"] == ["10.0.0.0/24", "fd00::/64", "10.1.0.1/32"]
        assert kind_of(await change("add", "10.1.0.1/32")) == "AddressesAlreadyExist"
        assert kind_of(await change("remove", "10.9.0.0/24")) == "AddressesNotFound"
        assert (await change("remove", "10.0.0.0/24")).status == 200
        assert (await change("add", "10.0.0.1/24")).status == 400
        groups = (await cloud.good("GET", f"{NETWORK}/security-groups", token=cloud.demo))["security_groups"]
        wanted = {
            "security_group_id": groups[0]["id"],
            "direction": "ingress",
            "remote_address_group_id": group["id"],
        }
        body = {"security_group_rule": wanted}
        made = await cloud.good("POST", f"{NETWORK}/security-group-rules", body, token=cloud.demo)
        assert made["security_group_rule"]["remote_address_group_id"] == group["id"]
        both = {"security_group_rule": {**wanted, "remote_ip_prefix": "10.0.0.0/8"}}
        assert (await cloud.ask("POST", f"{NETWORK}/security-group-rules", both, token=cloud.demo)).status == 400
        refused = await cloud.ask("DELETE", place, token=cloud.demo)
        assert (refused.status, kind_of(refused)) == (409, "AddressGroupInUse")
        await cloud.ask("DELETE", f"{NETWORK}/security-group-rules/{made['security_group_rule']['id']}")
        assert (await cloud.ask("DELETE", place, token=cloud.demo)).status == 204


async def test_ports_of_a_floating_ip_are_forwarded_until_their_port_goes() -> None:
    async with openstack() as cloud:
        found = await routed(cloud)
        place = f"{NETWORK}/floatingips/{found['floating']}"

        async def forward(**fields: Any) -> Answer:
            part = {"protocol": "tcp", "internal_port_id": found["port"]["id"], **fields}
            return await cloud.ask("POST", f"{place}/port_forwardings", {"port_forwarding": part}, token=cloud.demo)

        made = (await forward(internal_port=22, external_port=2222)).body["port_forwarding"]
        address = found["port"]["fixed_ips"][0]["ip_address"]
        assert (made["internal_ip_address"], made["external_port"]) == (address, 2222)
        assert (await forward(internal_port=80, external_port=2222)).status == 400
        assert (await forward(internal_port=22, external_port=2223)).status == 400
        assert (await forward(internal_port_range="80:90", external_port_range="8080:8090")).status == 201
        assert (await forward(internal_port=99, external_port=8085)).status == 400
        assert (await forward(internal_port=0, external_port=1)).status == 400
        assert (await forward(internal_port_range="9:1", external_port=1)).status == 400
        shown = (await cloud.good("GET", place, token=cloud.demo))["floatingip"]
        assert (shown["status"], shown["router_id"], len(shown["port_forwardings"])) == ("ACTIVE", found["router"], 2)
        body = {"floatingip": {"port_id": found["port"]["id"]}}
        assert kind_of(await cloud.ask("PUT", place, body, token=cloud.demo)) == "FipInUseByPortForwarding"
        assert kind_of(await cloud.ask("DELETE", place, token=cloud.demo)) == "FipInUseByPortForwarding"
        subnet_id = found["port"]["fixed_ips"][0]["subnet_id"]
        cut = f"{NETWORK}/routers/{found['router']}/remove_router_interface"
        needed = await cloud.ask("PUT", cut, {"subnet_id": subnet_id}, token=cloud.demo)
        assert kind_of(needed) == "RouterInterfaceInUseByFloatingIP"
        one = f"{place}/port_forwardings/{made['id']}"
        changed = await cloud.good("PUT", one, {"port_forwarding": {"external_port": 22}}, token=cloud.demo)
        assert changed["port_forwarding"]["external_port"] == 22
        _, other = await cloud.new_project("other")
        assert (await cloud.ask("GET", one, token=other)).status == 404
        assert (await cloud.ask("DELETE", f"{NETWORK}/ports/{found['port']['id']}", token=cloud.demo)).status == 204
        shown = (await cloud.good("GET", place, token=cloud.demo))["floatingip"]
        assert (shown["status"], shown["router_id"], shown["port_forwardings"]) == ("DOWN", None, [])
        assert (await cloud.ask("DELETE", place, token=cloud.demo)).status == 204


async def test_a_router_has_helpers_for_connections_and_routes_one_by_one() -> None:
    async with openstack() as cloud:
        found = await routed(cloud)
        place = f"{NETWORK}/routers/{found['router']}"

        async def helper(**fields: Any) -> Answer:
            wanted = {"protocol": "udp", "port": 69, "helper": "tftp", **fields}
            return await cloud.ask("POST", f"{place}/conntrack_helpers", {"conntrack_helper": wanted}, token=cloud.demo)

        assert (await helper()).status == 201
        assert (await helper()).status == 400
        assert kind_of(await helper(helper="nobody")) == "ConntrackHelperNotAllowed"
        assert kind_of(await helper(protocol="tcp")) == "InvalidProtocolForHelper"
        listed = (await cloud.good("GET", f"{place}/conntrack_helpers", token=cloud.demo))["conntrack_helpers"]
        assert [(one["protocol"], one["port"], one["helper"]) for one in listed] == [("udp", 69, "tftp")]

        async def routes(word: str, *routes: tuple[str, str]) -> Answer:
            wanted = [{"destination": destination, "nexthop": hop} for destination, hop in routes]
            body = {"router": {"routes": wanted}}
            return await cloud.ask("PUT", f"{place}/{word}_extraroutes", body, token=cloud.demo)

        await routes("add", ("10.5.0.0/24", "10.8.0.9"), ("10.6.0.0/24", "10.8.0.9"))
        assert len((await routes("add", ("10.5.0.0/24", "10.8.0.9"))).body["router"]["routes"]) == 2
        left = (await routes("remove", ("10.5.0.0/24", "10.8.0.9"), ("10.9.0.0/24", "10.8.0.9"))).body["router"]
        assert left["routes"] == [{"destination": "10.6.0.0/24", "nexthop": "10.8.0.9"}]
        assert (await routes("add", ("nonsense", "10.8.0.9"))).status == 400


async def test_tags_are_added_beside_others_and_pools_of_floating_ips_are_listed() -> None:
    async with openstack() as cloud:
        network = (await cloud.good("POST", f"{NETWORK}/networks", {"network": {}}, token=cloud.demo))["network"]["id"]
        place = f"{NETWORK}/networks/{network}/tags"
        await cloud.good("PUT", place, {"tags": ["red"]}, token=cloud.demo)
        added = await cloud.good("POST", place, {"tags": ["blue", "red"]}, token=cloud.demo)
        assert added == {"tags": ["red", "blue"]}
        pools = (await cloud.good("GET", f"{NETWORK}/floatingip_pools", token=cloud.demo))["floatingip_pools"]
        public = (await cloud.good("GET", f"{NETWORK}/networks?name=public"))["networks"][0]
        assert [(one["network_id"], one["subnet_id"]) for one in pools] == [(public["id"], public["subnets"][0])]
