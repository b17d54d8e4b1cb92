"""What is shared between projects by policy, ports that carry others, agents, and revisions that must match."""

import asyncio
from typing import Any

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.model import ADDRESS, PORT
from tests.cloud.openstack.harness import OpenStack, openstack

PLACE = "/network/v2.0"


async def _network(cloud: OpenStack, cidr: str = "10.5.0.0/24", **wanted: Any) -> str:
    made = (await cloud.good("POST", f"{PLACE}/networks", {"network": wanted}))["network"]["id"]
    subnet = {"network_id": made, "ip_version": 4, "cidr": cidr}
    await cloud.good("POST", f"{PLACE}/subnets", {"subnet": subnet})
    return str(made)


async def _port(cloud: OpenStack, network_id: str, **options: Any) -> Any:
    return (await cloud.good("POST", f"{PLACE}/ports", {"port": {"network_id": network_id}}, **options))["port"]


async def test_a_policy_shares_a_network_with_one_project_and_no_other() -> None:
    async with openstack() as cloud:
        network_id = await _network(cloud)
        friend_id, friend = await cloud.new_project("friend")
        _, stranger = await cloud.new_project("stranger")
        assert (await cloud.ask("GET", f"{PLACE}/networks/{network_id}", token=friend)).status == 404
        policy = {
            "object_type": "network", "object_id": network_id, "action": "access_as_shared", "target_tenant": friend_id,
        }  # fmt: skip
        made = (await cloud.good("POST", f"{PLACE}/rbac-policies", {"rbac_policy": policy}))["rbac_policy"]["id"]
        assert (await cloud.ask("POST", f"{PLACE}/rbac-policies", {"rbac_policy": policy})).status == 409
        assert (await cloud.ask("GET", f"{PLACE}/networks/{network_id}", token=stranger)).status == 404
        seen = (await cloud.good("GET", f"{PLACE}/networks", token=friend))["networks"]
        assert network_id in [network["id"] for network in seen]
        subnets = (await cloud.good("GET", f"{PLACE}/subnets?network_id={network_id}", token=friend))["subnets"]
        assert len(subnets) == 1
        port = await _port(cloud, network_id, token=friend)
        assert (await cloud.ask("DELETE", f"{PLACE}/rbac-policies/{made}")).status == 409, "a port of theirs is on it"
        await cloud.good("DELETE", f"{PLACE}/ports/{port['id']}", token=friend)
        await cloud.good("DELETE", f"{PLACE}/rbac-policies/{made}")
        assert (await cloud.ask("GET", f"{PLACE}/networks/{network_id}", token=friend)).status == 404


async def test_only_administrators_share_with_everybody() -> None:
    async with openstack() as cloud:
        made = await cloud.good("POST", f"{PLACE}/networks", {"network": {}}, token=cloud.demo)
        policy = {
            "object_type": "network", "object_id": made["network"]["id"], "action": "access_as_shared",
            "target_tenant": "*",
        }  # fmt: skip
        refused = await cloud.ask("POST", f"{PLACE}/rbac-policies", {"rbac_policy": policy}, token=cloud.demo)
        assert refused.status == 403
        await cloud.good("POST", f"{PLACE}/rbac-policies", {"rbac_policy": policy})
        shown = (await cloud.good("GET", f"{PLACE}/networks/{made['network']['id']}"))["network"]
        assert shown["shared"] is True


async def test_a_port_is_part_of_one_trunk_and_is_not_deleted_while_it_is() -> None:
    async with openstack() as cloud:
        network_id = await _network(cloud)
        parent, child = await _port(cloud, network_id), await _port(cloud, network_id)
        sub_ports = [{"port_id": child["id"], "segmentation_type": "vlan", "segmentation_id": 101}]
        wanted = {"trunk": {"port_id": parent["id"], "sub_ports": sub_ports}}
        trunk = (await cloud.good("POST", f"{PLACE}/trunks", wanted))["trunk"]
        assert trunk["sub_ports"] == sub_ports
        for port in (parent, child):
            assert (await cloud.ask("DELETE", f"{PLACE}/ports/{port['id']}")).status == 409
            refused = await cloud.ask("POST", f"{PLACE}/trunks", {"trunk": {"port_id": port["id"]}})
            assert refused.status == 409
        details = (await cloud.good("GET", f"{PLACE}/ports/{parent['id']}"))["port"]["trunk_details"]
        assert [one["mac_address"] for one in details["sub_ports"]] == [child["mac_address"]]
        other = await _port(cloud, network_id)
        twin = {"sub_ports": [{"port_id": other["id"], "segmentation_type": "vlan", "segmentation_id": 101}]}
        assert (await cloud.ask("PUT", f"{PLACE}/trunks/{trunk['id']}/add_subports", twin)).status == 409
        gone = {"sub_ports": [{"port_id": child["id"]}]}
        await cloud.good("PUT", f"{PLACE}/trunks/{trunk['id']}/remove_subports", gone)
        await cloud.good("DELETE", f"{PLACE}/ports/{child['id']}")
        await cloud.good("DELETE", f"{PLACE}/trunks/{trunk['id']}")
        await cloud.good("DELETE", f"{PLACE}/ports/{parent['id']}")


async def test_a_network_with_dhcp_is_hosted_by_an_agent_until_an_administrator_says_otherwise() -> None:
    async with openstack() as cloud:
        network_id = await _network(cloud)
        (agent,) = (await cloud.good("GET", f"{PLACE}/networks/{network_id}/dhcp-agents"))["agents"]
        place = f"{PLACE}/agents/{agent['id']}/dhcp-networks"
        assert network_id in [one["id"] for one in (await cloud.good("GET", place))["networks"]]
        assert (await cloud.ask("POST", place, {"network_id": network_id})).status == 409
        await cloud.good("DELETE", f"{place}/{network_id}")
        assert (await cloud.good("GET", f"{PLACE}/networks/{network_id}/dhcp-agents"))["agents"] == []
        await cloud.good("POST", place, {"network_id": network_id})
        await cloud.good("PUT", f"{PLACE}/agents/{agent['id']}", {"agent": {"admin_state_up": False}})
        assert (await cloud.good("GET", f"{PLACE}/agents/{agent['id']}"))["agent"]["admin_state_up"] is False
        assert (await cloud.good("GET", f"{PLACE}/agents", token=cloud.demo))["agents"] == []


async def test_a_change_of_a_revision_that_is_past_is_refused() -> None:
    async with openstack() as cloud:
        network_id = await _network(cloud)
        place = f"{PLACE}/networks/{network_id}"
        now = (await cloud.good("GET", place))["network"]["revision_number"]
        body = {"network": {"name": "renamed"}}
        old = [("if-match", f"revision_number={now - 1}")]
        assert (await cloud.ask("PUT", place, body, headers=old)).status == 412
        assert (await cloud.ask("PUT", place, body, headers=[("if-match", f"revision_number={now}")])).status == 200


async def test_a_router_does_not_join_ranges_that_overlap() -> None:
    async with openstack() as cloud:
        router = (await cloud.good("POST", f"{PLACE}/routers", {"router": {}}))["router"]["id"]
        statuses = []
        for _ in range(2):
            network_id = await _network(cloud)
            subnets = (await cloud.good("GET", f"{PLACE}/subnets?network_id={network_id}"))["subnets"]
            body = {"subnet_id": subnets[0]["id"]}
            statuses.append((await cloud.ask("PUT", f"{PLACE}/routers/{router}/add_router_interface", body)).status)
        assert statuses == [200, 400]


async def test_many_networks_are_made_by_one_request_also_by_a_project_without_a_default_group() -> None:
    async with openstack() as cloud:
        _, token = await cloud.new_project("new")
        body = {"networks": [{"name": f"n{number}"} for number in range(3)]}
        made = (await cloud.good("POST", f"{PLACE}/networks", body, token=token))["networks"]
        assert [network["name"] for network in made] == ["n0", "n1", "n2"]


async def test_dhcp_options_of_a_port_are_set_one_by_one_and_go_without_a_value() -> None:
    async with openstack() as cloud:
        port = await _port(cloud, await _network(cloud))
        place = f"{PLACE}/ports/{port['id']}"

        async def options(*wanted: dict[str, Any]) -> dict[str, Any]:
            shown = (await cloud.good("PUT", place, {"port": {"extra_dhcp_opts": list(wanted)}}))["port"]
            return {one["opt_name"]: one["opt_value"] for one in shown["extra_dhcp_opts"]}

        first = {"opt_name": "bootfile-name", "opt_value": "testfile.1"}
        assert await options(first) == {"bootfile-name": "testfile.1"}
        second = {"opt_name": "tftp-server", "opt_value": "10.0.0.3"}
        assert await options(second) == {"bootfile-name": "testfile.1", "tftp-server": "10.0.0.3"}
        assert await options({"opt_name": "bootfile-name", "opt_value": None}) == {"tftp-server": "10.0.0.3"}


async def test_a_part_of_a_trunk_is_active_while_the_port_that_carries_it_is() -> None:
    async with openstack() as cloud:
        network = (await cloud.good("POST", f"{PLACE}/networks", {"network": {"name": "n"}}))["network"]["id"]
        wanted = {"port": {"network_id": network}}
        parent, part = [(await cloud.good("POST", f"{PLACE}/ports", wanted))["port"]["id"] for _ in range(2)]
        sub_ports = [{"port_id": part, "segmentation_type": "vlan", "segmentation_id": 42}]
        trunk = {"trunk": {"port_id": parent, "sub_ports": sub_ports}}
        await cloud.good("POST", f"{PLACE}/trunks", trunk)

        async def statuses() -> list[str]:
            return [(await cloud.good("GET", f"{PLACE}/ports/{key}"))["port"]["status"] for key in (parent, part)]

        assert await statuses() == ["DOWN", "DOWN"]
        host = {"port": {"binding:host_id": "compute-0001"}}
        await cloud.good("PUT", f"{PLACE}/ports/{parent}", host)
        assert await statuses() == ["ACTIVE", "ACTIVE"]


async def test_a_group_that_is_shared_takes_no_rules_of_whom_it_is_shared_with() -> None:
    async with openstack() as cloud:
        group = (await cloud.good("GET", f"{PLACE}/security-groups", token=cloud.demo))["security_groups"][0]
        friend_id, friend = await cloud.new_project("friend")
        policy = {
            "object_type": "security_group", "object_id": group["id"], "action": "access_as_shared",
            "target_tenant": friend_id,
        }  # fmt: skip
        await cloud.good("POST", f"{PLACE}/rbac-policies", {"rbac_policy": policy}, token=cloud.demo)
        assert (await cloud.ask("GET", f"{PLACE}/security-groups/{group['id']}", token=friend)).status == 200
        rule = {"security_group_id": group["id"], "direction": "ingress", "project_id": friend_id}
        refused = await cloud.ask("POST", f"{PLACE}/security-group-rules", {"security_group_rule": rule}, token=friend)
        assert refused.status == 403


async def test_what_a_new_rule_names_does_not_go_at_the_same_instant() -> None:
    async with openstack() as cloud:
        group = (await cloud.good("GET", f"{PLACE}/security-groups", token=cloud.demo))["security_groups"][0]
        for number in range(3):
            wanted = {"address_group": {"name": f"g{number}", "addresses": ["10.0.0.0/24"]}}
            others = await cloud.good("POST", f"{PLACE}/address-groups", wanted, token=cloud.demo)
            named = others["address_group"]["id"]
            rule = {"security_group_id": group["id"], "direction": "ingress", "remote_address_group_id": named}
            body = {"security_group_rule": rule}
            made, gone = await asyncio.gather(
                cloud.ask("POST", f"{PLACE}/security-group-rules", body, token=cloud.demo),
                cloud.ask("DELETE", f"{PLACE}/address-groups/{named}", token=cloud.demo),
            )
            assert (made.status, gone.status) in ((201, 409), (404, 204))


async def test_a_port_that_goes_while_it_is_changed_leaves_no_address_taken_and_no_floating_ip_behind() -> None:
    async with openstack() as cloud:
        view = await Cloud.open(cloud.store, cloud.clock, cloud.settings, "view", (ADDRESS, PORT))
        networks = (await cloud.good("GET", f"{PLACE}/networks", token=cloud.demo))["networks"]
        inside, outside = (next(one for one in networks if one["name"] == name) for name in ("private", "public"))
        for number in range(3):
            port = await _port(cloud, inside["id"], token=cloud.demo)
            place = f"{PLACE}/ports/{port['id']}"
            wanted = {"fixed_ips": [*port["fixed_ips"], {"subnet_id": inside["subnets"][0]}]}
            await asyncio.gather(
                cloud.ask("PUT", place, {"port": wanted}, token=cloud.demo),
                cloud.ask("DELETE", place, token=cloud.demo),
            )
            await view.mirror.catch_up()
            assert port["id"] not in view.mirror.all(PORT), number
            assert not [one for one in view.mirror.all(ADDRESS).values() if one.value.port_id == port["id"]]
        for number in range(3):
            port = await _port(cloud, inside["id"], token=cloud.demo)
            body = {"floatingip": {"floating_network_id": outside["id"]}}
            floating = (await cloud.good("POST", f"{PLACE}/floatingips", body, token=cloud.demo))["floatingip"]
            place = f"{PLACE}/floatingips/{floating['id']}"
            await asyncio.gather(
                cloud.ask("PUT", place, {"floatingip": {"port_id": port["id"]}}, token=cloud.demo),
                cloud.ask("DELETE", f"{PLACE}/ports/{port['id']}", token=cloud.demo),
            )
            found = (await cloud.good("GET", place, token=cloud.demo))["floatingip"]
            assert found["port_id"] is None, number
        await view.close()


async def test_what_is_bound_to_a_policy_or_has_a_routers_interface_does_not_go_at_the_same_instant() -> None:
    async with openstack() as cloud:
        for kind in ("network", "port", "floatingip"):
            options: dict[str, Any] = {"router:external": True}
            network_id = await _network(cloud, **options)
            wanted: dict[str, dict[str, str]] = {
                "network": {},
                "port": {"network_id": network_id},
                "floatingip": {"floating_network_id": network_id},
            }
            policy = await cloud.good("POST", f"{PLACE}/qos/policies", {"policy": {"name": kind}})
            policy_id = policy["policy"]["id"]
            made, gone = await asyncio.gather(
                cloud.ask("POST", f"{PLACE}/{kind}s", {kind: {**wanted[kind], "qos_policy_id": policy_id}}),
                cloud.ask("DELETE", f"{PLACE}/qos/policies/{policy_id}"),
            )
            assert (made.status, gone.status) in ((201, 409), (404, 204)), kind
        for what in ("subnet", "network"):
            network_id = await _network(cloud)
            subnet_id = (await cloud.good("GET", f"{PLACE}/networks/{network_id}"))["network"]["subnets"][0]
            router = (await cloud.good("POST", f"{PLACE}/routers", {"router": {}}))["router"]["id"]
            made, gone = await asyncio.gather(
                cloud.ask("PUT", f"{PLACE}/routers/{router}/add_router_interface", {"subnet_id": subnet_id}),
                cloud.ask("DELETE", f"{PLACE}/{what}s/{subnet_id if what == 'subnet' else network_id}"),
            )
            assert (made.status, gone.status) in ((200, 409), (404, 204)), what


async def test_many_who_change_one_thing_at_one_instant_all_come_to_it() -> None:
    async with openstack() as cloud:
        group = (await cloud.good("GET", f"{PLACE}/security-groups", token=cloud.demo))["security_groups"][0]
        rule = {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp"}
        rules = [{**rule, "port_range_min": number, "port_range_max": number} for number in range(1, 101)]
        answers = await asyncio.gather(
            *(
                cloud.ask("POST", f"{PLACE}/security-group-rules", {"security_group_rule": one}, token=cloud.demo)
                for one in rules
            )
        )
        assert [answer.status for answer in answers] == [201] * len(rules)
