"""Servers with network interfaces and volumes: they come with the server, and go with it."""

from typing import Any

from tests.cloud.compute.harness import Compute, running

VOLUMES = "/volume/v3/p1/volumes"


async def network(compute: Compute, name: str = "net", cidr: str = "10.0.0.0/24") -> str:
    made = (await compute.ok("POST", "/network/v2.0/networks", {"network": {"name": name}}))["network"]
    subnet = {"network_id": made["id"], "ip_version": 4, "cidr": cidr}
    await compute.ok("POST", "/network/v2.0/subnets", {"subnet": subnet})
    return str(made["id"])


async def volume(compute: Compute, size: int = 1) -> str:
    made = (await compute.ok("POST", VOLUMES, {"volume": {"size": size}}))["volume"]
    await compute.clock.sleep(10)
    return str(made["id"])


async def ports(compute: Compute, query: str = "") -> list[Any]:
    found: list[Any] = (await compute.ok("GET", f"/network/v2.0/ports{query}"))["ports"]
    return found


async def volume_status(compute: Compute, volume_id: str) -> str:
    return str((await compute.ok("GET", f"{VOLUMES}/{volume_id}"))["volume"]["status"])


async def test_a_server_gets_an_address_on_its_network_and_gives_it_back() -> None:
    async with running(stages="fast") as compute:
        network_id = await network(compute)
        server_id = await compute.boot(networks=[{"uuid": network_id}])
        assert (await compute.ok("GET", f"/servers/{server_id}"))["server"]["addresses"] == {}
        server = await compute.rest(server_id)
        assert server is not None
        view = (await compute.ok("GET", f"/servers/{server_id}"))["server"]
        (address,) = view["addresses"]["net"]
        assert address["addr"].startswith("10.0.0.")
        assert (address["version"], address["OS-EXT-IPS:type"]) == (4, "fixed")
        (port,) = await ports(compute, f"?device_id={server_id}")
        assert (port["status"], port["device_owner"]) == ("ACTIVE", "compute:nova")
        assert port["mac_address"] == address["OS-EXT-IPS-MAC:mac_addr"]
        assert await compute.ok("GET", f"/servers/{server_id}/ips") == {
            "addresses": {"net": [{"addr": address["addr"], "version": 4}]}
        }
        found = (await compute.ok("GET", f"/servers?ip={address['addr']}"))["servers"]
        assert [one["id"] for one in found] == [server_id]
        groups = (await compute.ok("GET", f"/servers/{server_id}/os-security-groups"))["security_groups"]
        assert [group["name"] for group in groups] == ["default"]
        await compute.ok("DELETE", f"/servers/{server_id}")
        await compute.rest(server_id)
        assert await ports(compute, f"?device_id={server_id}") == []


async def test_the_only_network_is_taken_when_none_is_named_and_several_are_refused() -> None:
    async with running() as compute:
        await network(compute, "first")
        server_id = await compute.boot(networks="auto")
        await compute.rest(server_id)
        assert set((await compute.ok("GET", f"/servers/{server_id}"))["server"]["addresses"]) == {"first"}
        await network(compute, "second", "10.1.0.0/24")
        body = {"server": {"name": "s", "flavorRef": "1", "imageRef": "i", "networks": "auto"}}
        refused = await compute.call("POST", "/servers", body, version="2.74")
        assert refused.status == 409
        assert "Multiple possible networks found" in refused.body["conflictingRequest"]["message"]


async def test_a_network_that_is_not_there_is_refused_at_once() -> None:
    async with running() as compute:
        body = {"server": {"name": "s", "flavorRef": "1", "imageRef": "i", "networks": [{"uuid": "nowhere"}]}}
        refused = await compute.call("POST", "/servers", body, version="2.74")
        assert refused.status == 400
        assert refused.body["badRequest"]["message"] == "Network nowhere could not be found."


async def test_a_network_without_addresses_left_fails_the_server_and_frees_its_node() -> None:
    async with running(nodes=20) as compute:
        network_id = await network(compute, cidr="10.0.0.0/29")
        ids = [await compute.boot(f"s{number}", networks=[{"uuid": network_id}]) for number in range(8)]
        servers = [await compute.rest(server_id) for server_id in ids]
        failed = [server for server in servers if server is not None and server.state == "error"]
        assert len(failed) == 3
        assert failed[0].fault is not None
        assert "No more IP addresses available" in failed[0].fault.message
        compute.check_books()
        addresses = [one["fixed_ips"][0]["ip_address"] for one in await ports(compute)]
        assert len(set(addresses)) == len(addresses) == 5


async def test_hundreds_of_servers_at_once_get_different_addresses() -> None:
    async with running(nodes=100, fleets=2) as compute:
        network_id = await network(compute, cidr="10.0.0.0/22")
        await compute.boot("many", networks=[{"uuid": network_id}], min_count=300)
        await compute.clock.sleep(5)
        addresses = [one["fixed_ips"][0]["ip_address"] for one in await ports(compute)]
        assert len(addresses) == len(set(addresses)) == 300
        states = {entry.value.state for entry in compute.cloud.mirror.all("server").values()}
        assert states == {"active"}


async def test_a_port_that_was_there_before_stays_when_its_server_goes() -> None:
    async with running() as compute:
        body = {"port": {"network_id": await network(compute)}}
        port = (await compute.ok("POST", "/network/v2.0/ports", body))["port"]
        server_id = await compute.boot(networks=[{"port": port["id"]}])
        await compute.rest(server_id)
        view = (await compute.ok("GET", f"/servers/{server_id}"))["server"]
        assert view["addresses"]["net"][0]["addr"] == port["fixed_ips"][0]["ip_address"]
        wanted: dict[str, Any] = {"name": "s", "flavorRef": "1", "imageRef": "i", "networks": [{"port": port["id"]}]}
        body = {"server": wanted}
        assert (await compute.call("POST", "/servers", body, version="2.74")).status == 409
        await compute.ok("DELETE", f"/servers/{server_id}")
        await compute.rest(server_id)
        (left,) = await ports(compute)
        assert (left["device_id"], left["status"]) == ("", "DOWN")


async def test_ports_follow_their_server_to_another_node() -> None:
    async with running() as compute:
        server_id = await compute.boot(networks=[{"uuid": await network(compute)}])
        await compute.rest(server_id)
        await compute.act(server_id, "os-migrateLive", {"host": None, "block_migration": "auto"}, as_="admin")
        server = await compute.rest(server_id)
        assert server is not None
        found = await compute.ok("GET", f"/network/v2.0/ports?device_id={server_id}", as_="admin")
        assert [one["binding:host_id"] for one in found["ports"]] == [server.node]


async def test_an_interface_can_be_added_and_taken_away() -> None:
    async with running() as compute:
        server_id = await compute.boot()
        await compute.rest(server_id)
        place = f"/servers/{server_id}/os-interface"
        body = {"interfaceAttachment": {"net_id": await network(compute)}}
        added = (await compute.ok("POST", place, body))["interfaceAttachment"]
        listed = (await compute.ok("GET", place))["interfaceAttachments"]
        assert [one["port_id"] for one in listed] == [added["port_id"]]
        assert len((await compute.ok("GET", f"/servers/{server_id}"))["server"]["addresses"]["net"]) == 1
        assert (await compute.call("DELETE", f"{place}/{added['port_id']}")).status == 202
        assert (await compute.ok("GET", place))["interfaceAttachments"] == []
        assert (await compute.call("DELETE", f"{place}/{added['port_id']}")).status == 404


async def test_a_security_group_reaches_the_ports() -> None:
    async with running() as compute:
        body = {"security_group": {"name": "web"}}
        await compute.ok("POST", "/network/v2.0/security-groups", body)
        server_id = await compute.boot(networks=[{"uuid": await network(compute)}])
        await compute.rest(server_id)
        assert (await compute.act(server_id, "addSecurityGroup", {"name": "web"})).status == 202
        groups = (await compute.ok("GET", f"/servers/{server_id}/os-security-groups"))["security_groups"]
        assert sorted(group["name"] for group in groups) == ["default", "web"]
        assert (await compute.act(server_id, "removeSecurityGroup", {"name": "default"})).status == 202
        view = (await compute.ok("GET", f"/servers/{server_id}"))["server"]
        assert view["security_groups"] == [{"name": "web"}]
        assert (await compute.act(server_id, "addSecurityGroup", {"name": "nobody"})).status == 404


async def test_a_volume_is_attached_used_and_free_again() -> None:
    async with running(stages="fast") as compute:
        server_id, volume_id = await compute.boot(), await volume(compute)
        await compute.rest(server_id)
        place = f"/servers/{server_id}/os-volume_attachments"
        body = {"volumeAttachment": {"volumeId": volume_id}}
        made = (await compute.ok("POST", place, body, version="2.79"))["volumeAttachment"]
        assert made == {
            "id": volume_id, "volumeId": volume_id, "serverId": server_id, "device": "/dev/vdb", "tag": None,
            "delete_on_termination": False,
        }  # fmt: skip
        assert await volume_status(compute, volume_id) == "attaching"
        await compute.clock.sleep(5)
        assert await volume_status(compute, volume_id) == "in-use"
        newest = (await compute.ok("GET", place, version="2.89"))["volumeAttachments"][0]
        assert set(newest) == {
            "volumeId", "serverId", "device", "tag", "delete_on_termination", "attachment_id", "bdm_uuid"
        }  # fmt: skip
        assert (await compute.call("POST", place, body)).status == 400
        view = (await compute.ok("GET", f"/servers/{server_id}", version="2.3"))["server"]
        assert view["os-extended-volumes:volumes_attached"] == [{"id": volume_id, "delete_on_termination": False}]
        assert (await compute.call("DELETE", f"{place}/{volume_id}")).status == 202
        assert await volume_status(compute, volume_id) == "detaching"
        await compute.clock.sleep(5)
        assert await volume_status(compute, volume_id) == "available"
        assert (await compute.call("DELETE", f"{place}/{volume_id}")).status == 404


async def test_volumes_that_come_with_a_server_go_as_they_were_told_to() -> None:
    async with running() as compute:
        kept = await volume(compute)
        devices = [
            {"boot_index": 0, "source_type": "image", "destination_type": "volume", "uuid": "i", "volume_size": 5,
             "delete_on_termination": True},
            {"boot_index": -1, "source_type": "volume", "destination_type": "volume", "uuid": kept},
            {"boot_index": -1, "source_type": "blank", "destination_type": "volume", "volume_size": 2},
        ]  # fmt: skip
        server_id = await compute.boot(imageRef="", block_device_mapping_v2=devices)
        server = await compute.rest(server_id)
        assert server is not None
        assert server.state == "active"
        assert compute.usage(server.node).used.disk_gb == 0
        view = (await compute.ok("GET", f"/servers/{server_id}"))["server"]
        assert view["image"] == ""
        rows = (await compute.ok("GET", f"{VOLUMES}/detail"))["volumes"]
        assert sorted((row["size"], row["status"]) for row in rows) == [(1, "in-use"), (2, "in-use"), (5, "in-use")]
        assert (await compute.call("DELETE", f"/servers/{server_id}")).status == 204
        await compute.rest(server_id)
        await compute.clock.sleep(5)
        rows = (await compute.ok("GET", f"{VOLUMES}/detail"))["volumes"]
        assert sorted((row["size"], row["status"]) for row in rows) == [(1, "available"), (2, "available")]


async def test_a_volume_that_is_in_use_is_refused() -> None:
    async with running() as compute:
        volume_id = await volume(compute)
        devices = [{"boot_index": -1, "source_type": "volume", "destination_type": "volume", "uuid": volume_id}]
        await compute.rest(await compute.boot("first", block_device_mapping_v2=devices))
        await compute.clock.sleep(1)
        server = {"name": "second", "flavorRef": "1", "imageRef": "some-image", "networks": "none"}
        body = {"server": {**server, "block_device_mapping_v2": devices}}
        refused = await compute.call("POST", "/servers", body, version="2.74")
        assert refused.status == 400
        assert "status must be 'available'" in refused.body["badRequest"]["message"]


async def test_a_server_cannot_boot_from_a_volume_without_an_image_on_it() -> None:
    async with running() as compute:
        root = {"boot_index": 0, "source_type": "volume", "destination_type": "volume", "uuid": await volume(compute)}
        body = {"server": {"name": "s", "flavorRef": "1", "networks": "none", "block_device_mapping_v2": [root]}}
        refused = await compute.call("POST", "/servers", body, version="2.74")
        assert refused.status == 400
        assert "not bootable" in refused.body["badRequest"]["message"]


async def test_a_volume_takes_the_place_of_another() -> None:
    async with running() as compute:
        server_id = await compute.boot()
        await compute.rest(server_id)
        old, new = await volume(compute), await volume(compute)
        place = f"/servers/{server_id}/os-volume_attachments"
        await compute.ok("POST", place, {"volumeAttachment": {"volumeId": old}})
        await compute.clock.sleep(1)
        body = {"volumeAttachment": {"volumeId": new}}
        assert (await compute.call("PUT", f"{place}/{old}", body)).status == 403
        assert (await compute.call("PUT", f"{place}/{old}", body, as_="admin")).status == 202
        await compute.clock.sleep(1)
        assert (await volume_status(compute, old), await volume_status(compute, new)) == ("available", "in-use")
        assert [one["volumeId"] for one in (await compute.ok("GET", place))["volumeAttachments"]] == [new]
        nobody = {"volumeAttachment": {"volumeId": "00000000-0000-4000-8000-000000000000"}}
        assert (await compute.call("PUT", f"{place}/{new}", nobody, as_="admin")).status == 400


async def test_a_shelved_server_can_be_given_a_volume_but_no_interface() -> None:
    async with running() as compute:
        server_id = await compute.boot()
        await compute.rest(server_id)
        await compute.act(server_id, "shelve")
        await compute.rest(server_id)
        body = {"volumeAttachment": {"volumeId": await volume(compute)}}
        place = f"/servers/{server_id}/os-volume_attachments"
        assert (await compute.call("POST", place, body)).status == 200
        assert (await compute.call("POST", f"/servers/{server_id}/os-interface")).status == 409
        actions = (await compute.ok("GET", f"/servers/{server_id}/os-instance-actions"))["instanceActions"]
        assert actions[0]["action"] == "attach_volume"
