"""Subnet pools and address scopes, and addresses that ports make themselves."""

import asyncio
from typing import Any

from tests.cloud.openstack.harness import OpenStack, openstack

PLACE = "/network/v2.0"


async def _make(cloud: OpenStack, noun: str, place: str = "", **wanted: Any) -> Any:
    path = place or f"{noun}s".replace("_", "-")
    return (await cloud.good("POST", f"{PLACE}/{path}", {noun: wanted}))[noun]


async def test_subnets_from_a_pool_never_overlap_also_when_asked_for_at_one_instant() -> None:
    async with openstack() as cloud:
        pool = await _make(cloud, "subnetpool", name="p", prefixes=["10.9.0.0/22"], default_prefixlen="24")
        networks = [(await _make(cloud, "network"))["id"] for _ in range(5)]
        bodies = [{"subnet": {"network_id": key, "ip_version": 4, "subnetpool_id": pool["id"]}} for key in networks]
        answers = await asyncio.gather(*(cloud.ask("POST", f"{PLACE}/subnets", body) for body in bodies))
        made = sorted(answer.body["subnet"]["cidr"] for answer in answers if answer.status == 201)
        assert made == ["10.9.0.0/24", "10.9.1.0/24", "10.9.2.0/24", "10.9.3.0/24"]
        assert [answer.status for answer in answers if answer.status != 201] == [400], "the pool is used up"
        assert (await cloud.ask("DELETE", f"{PLACE}/subnetpools/{pool['id']}")).status == 409


async def test_a_pool_gives_what_is_asked_for_inside_its_bounds_and_no_more_than_its_quota() -> None:
    async with openstack() as cloud:
        pool = await _make(
            cloud, "subnetpool", prefixes=["10.9.0.0/16"], min_prefixlen=24, max_prefixlen=28, default_quota=300
        )
        network = (await _make(cloud, "network"))["id"]

        async def status(**wanted: Any) -> int:
            subnet = {"network_id": network, "ip_version": 4, "subnetpool_id": pool["id"], **wanted}
            return (await cloud.ask("POST", f"{PLACE}/subnets", {"subnet": subnet})).status

        assert await status(prefixlen=20) == 400
        assert await status(prefixlen=30) == 400
        assert await status(cidr="10.8.0.0/24") == 400
        assert await status(cidr="10.9.7.0/24") == 201
        assert await status(cidr="10.9.7.0/28") == 400
        assert await status(prefixlen=26) == 409
        assert await status(prefixlen=28) == 201


async def test_pools_of_one_address_scope_do_not_overlap_and_networks_name_their_scope() -> None:
    async with openstack() as cloud:
        scope = await _make(cloud, "address_scope", ip_version=4, name="s")
        pool = await _make(cloud, "subnetpool", prefixes=["10.9.0.0/16"], address_scope_id=scope["id"])
        other = {"subnetpool": {"prefixes": ["10.9.128.0/17"], "address_scope_id": scope["id"]}}
        assert (await cloud.ask("POST", f"{PLACE}/subnetpools", other)).status == 409
        network = (await _make(cloud, "network"))["id"]
        await _make(cloud, "subnet", network_id=network, ip_version=4, subnetpool_id=pool["id"], prefixlen=24)
        shown = (await cloud.good("GET", f"{PLACE}/networks/{network}"))["network"]
        assert (shown["ipv4_address_scope"], shown["ipv6_address_scope"]) == (scope["id"], None)
        assert (await cloud.ask("DELETE", f"{PLACE}/address-scopes/{scope['id']}")).status == 409


async def test_the_default_pool_is_used_when_it_is_asked_for_and_there_is_one() -> None:
    async with openstack() as cloud:
        network = (await _make(cloud, "network"))["id"]
        wanted = {"subnet": {"network_id": network, "ip_version": 6, "use_default_subnetpool": True}}
        assert (await cloud.ask("POST", f"{PLACE}/subnets", wanted)).status == 400
        await _make(cloud, "subnetpool", prefixes=["fd00:1::/48"], default_prefixlen=64, is_default=True)
        assert (await cloud.good("POST", f"{PLACE}/subnets", wanted))["subnet"]["cidr"] == "fd00:1::/64"


async def test_ports_make_their_own_addresses_where_a_subnet_says_so_and_lose_them_with_it() -> None:
    async with openstack() as cloud:
        network = (await _make(cloud, "network"))["id"]
        modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
        subnet = await _make(cloud, "subnet", network_id=network, ip_version=6, cidr="2001:db8::/64", **modes)
        port = await _make(cloud, "port", network_id=network, mac_address="fa:16:3e:01:02:03")
        assert [one["ip_address"] for one in port["fixed_ips"]] == ["2001:db8::f816:3eff:fe01:203"]
        fixed = {"network_id": network, "fixed_ips": [{"subnet_id": subnet["id"], "ip_address": "2001:db8::9"}]}
        assert (await cloud.ask("POST", f"{PLACE}/ports", {"port": fixed})).status == 400
        await cloud.good("DELETE", f"{PLACE}/subnets/{subnet['id']}")
        assert (await cloud.good("GET", f"{PLACE}/ports/{port['id']}"))["port"]["fixed_ips"] == []


async def test_modes_of_ipv6_that_contradict_each_other_are_refused() -> None:
    async with openstack() as cloud:
        network = (await _make(cloud, "network"))["id"]
        for wanted in (
            {"ip_version": 6, "cidr": "2001:db8::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "dhcpv6-stateful"},
            {"ip_version": 6, "cidr": "2001:db8::/80", "ipv6_address_mode": "slaac"},
            {"ip_version": 6, "cidr": "2001:db8::/64", "ipv6_address_mode": "slaac", "enable_dhcp": False},
            {"ip_version": 4, "cidr": "10.0.0.0/24", "ipv6_address_mode": "slaac"},
        ):
            answer = await cloud.ask("POST", f"{PLACE}/subnets", {"subnet": {"network_id": network, **wanted}})
            assert answer.status == 400, wanted


async def test_a_subnet_for_one_kind_of_ports_gives_addresses_to_no_other() -> None:
    async with openstack() as cloud:
        network = (await _make(cloud, "network"))["id"]
        wanted = {"network_id": network, "ip_version": 4}
        await _make(cloud, "subnet", cidr="10.1.0.0/24", service_types=["network:floatingip_agent_gateway"], **wanted)
        await _make(cloud, "subnet", cidr="10.2.0.0/24", **wanted)
        port = await _make(cloud, "port", network_id=network)
        assert port["fixed_ips"][0]["ip_address"].startswith("10.2.0.")


async def test_subnets_that_are_there_become_a_pools_all_or_none() -> None:
    async with openstack() as cloud:
        network = (await _make(cloud, "network"))["id"]
        for cidr in ("10.50.0.0/24", "10.50.1.0/24"):
            await _make(cloud, "subnet", network_id=network, ip_version=4, cidr=cidr)
        await _make(cloud, "subnet", network_id=network, ip_version=6, cidr="fd00::/64")
        pool = (await _make(cloud, "subnetpool", prefixes=["10.60.0.0/24"], min_prefixlen=24))["id"]
        place = f"{PLACE}/subnetpools/{pool}/onboard_network_subnets"
        found = await cloud.good("PUT", place, {"network_id": network})
        assert sorted(one["cidr"] for one in found) == ["10.50.0.0/24", "10.50.1.0/24"]
        shown = (await cloud.good("GET", f"{PLACE}/subnetpools/{pool}"))["subnetpool"]
        assert sorted(shown["prefixes"]) == ["10.50.0.0/23", "10.60.0.0/24"]
        other = (await _make(cloud, "network"))["id"]
        wanted = {"network_id": other, "ip_version": 4, "subnetpool_id": pool}
        assert (await _make(cloud, "subnet", **wanted))["cidr"] == "10.60.0.0/24"
        third = (await _make(cloud, "network"))["id"]
        for cidr in ("10.70.0.0/24", "10.50.1.0/25"):
            await _make(cloud, "subnet", network_id=third, ip_version=4, cidr=cidr)
        refused = await cloud.ask("PUT", place, {"network_id": third})
        assert (refused.status, refused.body["NeutronError"]["type"]) == (400, "IllegalSubnetPoolUpdate")
        assert (await cloud.good("GET", f"{PLACE}/subnetpools/{pool}"))["subnetpool"]["prefixes"] == shown["prefixes"]
        bodies: tuple[dict[str, Any], ...] = ({}, {"network_id": 7})
        for body in bodies:
            assert (await cloud.ask("PUT", place, body)).status == 400
        assert (await cloud.ask("PUT", place, {"network_id": network}, token=cloud.demo)).status == 404
