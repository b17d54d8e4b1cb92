"""The rules that new security groups begin with, and what administrators make of them."""

from typing import Any

import pytest

from tests.cloud.openstack.harness import OpenStack, openstack

V2 = "/network/v2.0"
RULES = f"{V2}/default-security-group-rules"
SSH = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}


async def rules(cloud: OpenStack, query: str = "", token: str = "") -> list[Any]:
    body = await cloud.good("GET", f"{RULES}{query}", token=token or cloud.admin)
    found: list[Any] = body["default_security_group_rules"]
    return found


async def add(cloud: OpenStack, **wanted: Any) -> Any:
    return (await cloud.good("POST", RULES, {"default_security_group_rule": wanted}))["default_security_group_rule"]


async def group(cloud: OpenStack, token: str) -> list[tuple[str, str, str]]:
    """What a new group begins with."""
    made = await cloud.good("POST", f"{V2}/security-groups", {"security_group": {"name": "g"}}, token=token)
    return said(made["security_group"])


async def default_group(cloud: OpenStack, token: str) -> list[tuple[str, str, str]]:
    found = await cloud.good("GET", f"{V2}/security-groups?name=default", token=token)
    return said(found["security_groups"][0])


def said(shown: Any) -> list[tuple[str, str, str]]:
    """Direction, version, and the port or what the rule names."""
    return sorted(
        (
            rule["direction"],
            rule["ethertype"],
            str(rule["port_range_min"] or (rule["remote_group_id"] and "group") or ""),
        )
        for rule in shown["security_group_rules"]
    )


OUT = [("egress", "IPv4", ""), ("egress", "IPv6", "")]
MEMBERS = [("ingress", "IPv4", "group"), ("ingress", "IPv6", "group")]


async def test_neutrons_own_are_there_from_the_beginning() -> None:
    async with openstack() as cloud:
        found = await rules(cloud, token=cloud.demo)
        assert [(one["direction"], one["remote_group_id"], one["used_in_non_default_sg"]) for one in found] == [
            ("egress", None, True),
            ("egress", None, True),
            ("ingress", "PARENT", False),
            ("ingress", "PARENT", False),
        ]
        assert all(one["used_in_default_sg"] for one in found)
        _, token = await cloud.new_project("alice")
        assert await default_group(cloud, token) == OUT + MEMBERS
        assert await group(cloud, token) == OUT


async def test_new_groups_begin_with_what_was_added_and_old_ones_stay() -> None:
    async with openstack() as cloud:
        _, old = await cloud.new_project("old")
        assert await default_group(cloud, old) == OUT + MEMBERS
        made = await add(cloud, **SSH)
        assert (made["used_in_default_sg"], made["used_in_non_default_sg"], made["ethertype"]) == (False, True, "IPv4")
        await add(cloud, **SSH, ethertype="IPv6", used_in_default_sg=True, used_in_non_default_sg=False)
        _, new = await cloud.new_project("new")
        assert await group(cloud, new) == [*OUT, ("ingress", "IPv4", "22")]
        assert await default_group(cloud, new) == [*OUT, MEMBERS[0], ("ingress", "IPv6", "22"), MEMBERS[1]]
        assert await default_group(cloud, old) == OUT + MEMBERS


async def test_a_server_in_a_new_project_has_a_default_group_as_administrators_want_it() -> None:
    async with openstack() as cloud:
        for rule in await rules(cloud, "?direction=ingress"):
            assert (await cloud.ask("DELETE", f"{RULES}/{rule['id']}")).status == 204
        project_id, token = await cloud.new_project("alice")
        network = {"network": {"name": "lab-for-all", "shared": True}}
        made = (await cloud.good("POST", f"{V2}/networks", network))["network"]["id"]
        image = (await cloud.good("GET", "/image/v2/images"))["images"][0]["id"]
        wanted = {"name": "s", "flavorRef": "1", "imageRef": image, "networks": [{"uuid": made}]}
        await cloud.good("POST", "/compute/v2.1/servers", {"server": wanted}, token=token)
        await cloud.clock.sleep(1)  # a node makes the group: nobody asked the network service
        found = (await cloud.good("GET", f"{V2}/security-groups?project_id={project_id}"))["security_groups"]
        assert [said(one) for one in found] == [OUT]


async def test_without_any_rule_a_group_begins_with_none() -> None:
    async with openstack() as cloud:
        for rule in await rules(cloud):
            await cloud.good("DELETE", f"{RULES}/{rule['id']}")
        assert await rules(cloud) == []
        assert await group(cloud, cloud.demo) == []


async def test_a_rule_about_another_group_is_left_out_once_that_is_gone() -> None:
    async with openstack() as cloud:
        made = await cloud.good("POST", f"{V2}/security-groups", {"security_group": {"name": "friends"}})
        friends = made["security_group"]["id"]
        await add(cloud, direction="ingress", remote_group_id=friends)
        assert await group(cloud, cloud.demo) == [*OUT, ("ingress", "IPv4", "group")]
        await cloud.good("DELETE", f"{V2}/security-groups/{friends}")
        assert await group(cloud, cloud.demo) == OUT


async def test_lists_are_filtered_and_several_are_made_at_once() -> None:
    async with openstack() as cloud:
        many = [{**SSH, "port_range_min": port, "port_range_max": port} for port in (22, 80, 443)]
        made = await cloud.good("POST", RULES, {"default_security_group_rules": many})
        assert len(made["default_security_group_rules"]) == 3
        assert [one["port_range_min"] for one in await rules(cloud, "?protocol=tcp&fields=port_range_min")] == [
            22,
            80,
            443,
        ]
        key = made["default_security_group_rules"][0]["id"]
        shown = (await cloud.good("GET", f"{RULES}/{key}", token=cloud.demo))["default_security_group_rule"]
        assert shown == made["default_security_group_rules"][0]


@pytest.mark.parametrize(
    ("wanted", "status", "name"),
    [
        ({"direction": "sideways"}, 400, "HTTPBadRequest"),
        ({**SSH, "protocol": "nonsense"}, 400, "SecurityGroupRuleInvalidProtocol"),
        ({**SSH, "remote_ip_prefix": "::/0"}, 400, "SecurityGroupRuleParameterConflict"),
        ({"remote_ip_prefix": "::/0", "remote_group_id": "PARENT", **SSH}, 400, "SecurityGroupMultipleRemoteEntites"),
        ({**SSH, "remote_group_id": "3f1a4a52-7d1b-4d0e-8d36-6f5b1a7e2c11"}, 404, "SecurityGroupNotFound"),
        ({"direction": "egress"}, 409, "DefaultSecurityGroupRuleExists"),
        ({"direction": "ingress", "security_group_id": "x"}, 400, "HTTPBadRequest"),
    ],
)
async def test_what_makes_no_sense_is_refused(wanted: dict[str, Any], status: int, name: str) -> None:
    async with openstack() as cloud:
        answer = await cloud.ask("POST", RULES, {"default_security_group_rule": wanted})
        assert (answer.status, answer.body["NeutronError"]["type"]) == (status, name)
        assert len(await rules(cloud)) == 4


async def test_a_rule_that_is_not_there_is_404_and_members_only_read() -> None:
    async with openstack() as cloud:
        for method in ("GET", "DELETE"):
            answer = await cloud.ask(method, f"{RULES}/nothing")
            assert (answer.status, answer.body["NeutronError"]["type"]) == (404, "DefaultSecurityGroupRuleNotFound")
        (first, *_) = await rules(cloud)
        assert (await cloud.ask("DELETE", f"{RULES}/{first['id']}", token=cloud.demo)).status == 403
        body = {"default_security_group_rule": SSH}
        assert (await cloud.ask("POST", RULES, body, token=cloud.demo)).status == 403
