"""The bindings of a port to nodes, as live migration prepares and switches them."""

from typing import Any

from tests.cloud.openstack.harness import OpenStack, openstack

V2 = "/network/v2.0"


async def port(cloud: OpenStack, **more: Any) -> dict[str, Any]:
    network = (await cloud.good("POST", f"{V2}/networks", {"network": {}}))["network"]["id"]
    wanted = {"network_id": network, "device_owner": "compute:nova", "device_id": "s", **more}
    made: dict[str, Any] = (await cloud.good("POST", f"{V2}/ports", {"port": wanted}))["port"]
    return made


async def statuses(cloud: OpenStack, place: str) -> dict[str, str]:
    found = (await cloud.good("GET", place))["bindings"]
    return {one["host"]: one["status"] for one in found}


async def test_a_second_binding_waits_and_takes_over_when_it_is_activated() -> None:
    async with openstack(nodes=3) as cloud:
        made = await port(cloud, **{"binding:host_id": "compute-0001"})
        place = f"{V2}/ports/{made['id']}/bindings"
        wanted = {"binding": {"host": "compute-0002", "profile": {"migrating_to": "x"}}}
        waiting = (await cloud.good("POST", place, wanted))["binding"]
        assert (waiting["status"], waiting["vif_type"], waiting["profile"]) == (
            "INACTIVE",
            "ovs",
            {"migrating_to": "x"},
        )
        assert await statuses(cloud, place) == {"compute-0001": "ACTIVE", "compute-0002": "INACTIVE"}
        active = (await cloud.good("PUT", f"{place}/compute-0002/activate"))["binding"]
        assert (active["host"], active["status"]) == ("compute-0002", "ACTIVE")
        shown = (await cloud.good("GET", f"{V2}/ports/{made['id']}"))["port"]
        assert (shown["binding:host_id"], shown["status"]) == ("compute-0002", "ACTIVE")
        left = (await cloud.good("GET", f"{place}/compute-0001"))["binding"]
        assert (left["status"], left["vif_type"], left["vif_details"]) == ("INACTIVE", "unbound", {})
        assert (await cloud.ask("DELETE", f"{place}/compute-0001")).status == 204
        assert await statuses(cloud, place) == {"compute-0002": "ACTIVE"}


async def test_the_first_binding_of_an_unbound_port_is_active_and_its_end_unbinds_it() -> None:
    async with openstack(nodes=2) as cloud:
        made = await port(cloud)
        place = f"{V2}/ports/{made['id']}/bindings"
        assert await statuses(cloud, place) == {}
        await cloud.good("POST", place, {"binding": {"host": "compute-0001", "vnic_type": "direct"}})
        shown = (await cloud.good("GET", f"{V2}/ports/{made['id']}"))["port"]
        assert (shown["binding:host_id"], shown["binding:vnic_type"]) == ("compute-0001", "direct")
        await cloud.good("DELETE", f"{place}/compute-0001")
        shown = (await cloud.good("GET", f"{V2}/ports/{made['id']}"))["port"]
        assert (shown["binding:host_id"], shown["binding:vif_type"], shown["status"]) == ("", "unbound", "DOWN")


async def test_lists_of_bindings_are_filtered() -> None:
    async with openstack(nodes=2) as cloud:
        made = await port(cloud, **{"binding:host_id": "compute-0001"})
        place = f"{V2}/ports/{made['id']}/bindings"
        await cloud.good("POST", place, {"binding": {"host": "compute-0002"}})
        assert await statuses(cloud, f"{place}?status=INACTIVE") == {"compute-0002": "INACTIVE"}
        assert await statuses(cloud, f"{place}?host=compute-0001") == {"compute-0001": "ACTIVE"}


async def test_what_makes_no_sense_is_refused() -> None:
    async with openstack(nodes=2) as cloud:
        made = await port(cloud, **{"binding:host_id": "compute-0001"})
        place = f"{V2}/ports/{made['id']}/bindings"
        again = {"binding": {"host": "compute-0001"}}
        for method, path, body, status, name in (
            ("POST", place, again, 409, "PortBindingAlreadyExists"),
            ("POST", place, {"binding": {}}, 400, "HTTPBadRequest"),
            ("PUT", f"{place}/compute-0001/activate", None, 409, "PortBindingAlreadyActive"),
            ("PUT", f"{place}/compute-0002/activate", None, 404, "PortBindingNotFound"),
            ("DELETE", f"{place}/compute-0002", None, 404, "PortBindingNotFound"),
        ):
            answer = await cloud.ask(method, path, body)
            assert (answer.status, answer.body["NeutronError"]["type"]) == (status, name), (method, path)
        plain = await port(cloud, device_owner="", device_id="")
        assert (await cloud.ask("GET", f"{V2}/ports/{plain['id']}/bindings")).status == 400
        assert (await cloud.ask("GET", place, token=cloud.demo)).status == 403


async def test_a_port_that_goes_where_a_binding_waits_has_it_once() -> None:
    async with openstack(nodes=2) as cloud:
        made = await port(cloud, **{"binding:host_id": "compute-0001"})
        place = f"{V2}/ports/{made['id']}/bindings"
        await cloud.good("POST", place, {"binding": {"host": "compute-0002"}})
        await cloud.good("PUT", f"{V2}/ports/{made['id']}", {"port": {"binding:host_id": "compute-0002"}})
        assert await statuses(cloud, place) == {"compute-0002": "ACTIVE"}
