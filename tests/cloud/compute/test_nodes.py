"""What administrators see and change: hypervisors, services, zones, aggregates."""

from typing import Any

import pytest

from tests.cloud.compute.harness import running

MEASURES = {
    "vcpus", "memory_mb", "local_gb", "vcpus_used", "memory_mb_used", "local_gb_used", "free_ram_mb", "free_disk_gb",
    "current_workload", "running_vms", "disk_available_least", "cpu_info",
}  # fmt: skip
BASIC = {"id", "hypervisor_hostname", "state", "status"}
DETAIL = BASIC | {"hypervisor_type", "hypervisor_version", "host_ip", "service"}


async def hypervisors(compute: Any, path: str, version: str) -> list[Any]:
    found: list[Any] = (await compute.ok("GET", path, as_="admin", version=version))["hypervisors"]
    return found


async def test_hypervisors_have_the_format_of_their_microversion() -> None:
    async with running() as compute:
        old = (await hypervisors(compute, "/os-hypervisors", "2.1"))[0]
        assert set(old) == BASIC
        assert old["id"] == 1
        assert len((await hypervisors(compute, "/os-hypervisors", "2.53"))[0]["id"]) == 36
        detail = (await hypervisors(compute, "/os-hypervisors/detail", "2.53"))[0]
        assert set(detail) == DETAIL | MEASURES
        assert (detail["vcpus"], detail["free_ram_mb"]) == (4, 4096)
        newest = (await hypervisors(compute, "/os-hypervisors/detail", "2.88"))[0]
        assert set(newest) == DETAIL | {"uptime"}
        assert "up 0 days" in newest["uptime"]


async def test_a_hypervisor_shows_what_is_taken_and_who_took_it() -> None:
    async with running(nodes=1) as compute:
        server_id = await compute.boot(flavor="2")
        await compute.rest(server_id)
        node = (await hypervisors(compute, "/os-hypervisors/detail?with_servers=true", "2.53"))[0]
        assert (node["vcpus_used"], node["memory_mb_used"], node["local_gb_used"]) == (2, 1024, 10)
        assert (node["running_vms"], node["free_ram_mb"]) == (1, 3072)
        assert [one["uuid"] for one in node["servers"]] == [server_id]
        shown = (await compute.ok("GET", f"/os-hypervisors/{node['id']}", as_="admin", version="2.53"))["hypervisor"]
        assert shown["hypervisor_hostname"] == "compute-0001"
        statistics = (await compute.ok("GET", "/os-hypervisors/statistics", as_="admin"))["hypervisor_statistics"]
        assert (statistics["count"], statistics["vcpus"], statistics["vcpus_used"]) == (1, 4, 2)
        assert (await compute.call("GET", "/os-hypervisors/statistics", as_="admin", version="2.88")).status == 404


async def test_hypervisors_are_found_by_name_and_in_pages() -> None:
    async with running(nodes=12) as compute:
        found = await hypervisors(compute, "/os-hypervisors?hypervisor_hostname_pattern=-000", "2.53")
        assert len(found) == 9
        answer = await compute.call(
            "GET", "/os-hypervisors?hypervisor_hostname_pattern=moon", as_="admin", version="2.53"
        )
        assert answer.status == 404
        body = await compute.ok("GET", "/os-hypervisors?limit=5", as_="admin", version="2.33")
        assert len(body["hypervisors"]) == 5
        assert body["hypervisors_links"][0]["rel"] == "next"
        assert len(await hypervisors(compute, "/os-hypervisors/compute-001/search", "2.1")) == 3


async def test_services_are_listed_and_disabled_by_name_in_old_versions() -> None:
    async with running() as compute:
        rows = (await compute.ok("GET", "/os-services", as_="admin"))["services"]
        assert [row["binary"] for row in rows] == ["nova-scheduler", "nova-conductor", *["nova-compute"] * 3]
        assert {row["state"] for row in rows} == {"up"}
        body = {"host": "compute-0002", "binary": "nova-compute", "disabled_reason": "test"}
        changed = await compute.ok("PUT", "/os-services/disable-log-reason", body, as_="admin")
        assert changed["service"] == {
            "host": "compute-0002", "binary": "nova-compute", "status": "disabled", "disabled_reason": "test"
        }  # fmt: skip
        row = (await compute.ok("GET", "/os-services?host=compute-0002", as_="admin"))["services"][0]
        assert (row["status"], row["disabled_reason"]) == ("disabled", "test")
        await compute.ok("PUT", "/os-services/enable", body, as_="admin")
        row = (await compute.ok("GET", "/os-services?host=compute-0002", as_="admin"))["services"][0]
        assert (row["status"], row["disabled_reason"]) == ("enabled", None)


async def test_a_node_forced_down_is_down_at_once() -> None:
    async with running() as compute:
        body = {"host": "compute-0001", "binary": "nova-compute", "forced_down": True}
        await compute.ok("PUT", "/os-services/force-down", body, as_="admin", version="2.11")
        row = (await compute.ok("GET", "/os-services?host=compute-0001", as_="admin", version="2.11"))["services"][0]
        assert (row["state"], row["forced_down"]) == ("down", True)
        for number in range(4):
            server = await compute.rest(await compute.boot(f"s{number}"))
            assert server is not None
            assert server.node != "compute-0001"


async def test_zones_are_shown_with_their_nodes_to_administrators_only() -> None:
    async with running(nodes=4, zones=("east", "west")) as compute:
        zones = (await compute.ok("GET", "/os-availability-zone"))["availabilityZoneInfo"]
        assert [(zone["zoneName"], zone["hosts"]) for zone in zones] == [("east", None), ("west", None)]
        zones = (await compute.ok("GET", "/os-availability-zone/detail", as_="admin"))["availabilityZoneInfo"]
        assert [zone["zoneName"] for zone in zones] == ["internal", "east", "west"]
        assert set(zones[1]["hosts"]) == {"compute-0001", "compute-0003"}
        assert zones[1]["hosts"]["compute-0001"]["nova-compute"]["available"] is True
        assert (await compute.call("GET", "/os-availability-zone/detail")).status == 403


async def test_an_aggregate_with_a_zone_gives_its_nodes_that_zone() -> None:
    async with running() as compute:
        body = {"aggregate": {"name": "fast", "availability_zone": "lab"}}
        made = (await compute.ok("POST", "/os-aggregates", body, as_="admin", version="2.41"))["aggregate"]
        place = f"/os-aggregates/{made['id']}"
        await compute.ok("POST", f"{place}/action", {"add_host": {"host": "compute-0003"}}, as_="admin")
        shown = (await compute.ok("GET", place, as_="admin"))["aggregate"]
        assert (shown["hosts"], shown["metadata"]) == (["compute-0003"], {"availability_zone": "lab"})
        server = await compute.rest(await compute.boot(availability_zone="lab"))
        assert server is not None
        assert server.node == "compute-0003"
        assert (await compute.call("DELETE", place, as_="admin")).status == 400
        await compute.ok("POST", f"{place}/action", {"remove_host": {"host": "compute-0003"}}, as_="admin")
        zones = (await compute.ok("GET", "/os-availability-zone"))["availabilityZoneInfo"]
        assert [zone["zoneName"] for zone in zones] == ["nova"]
        assert (await compute.call("DELETE", place, as_="admin")).status == 200
        assert (await compute.call("GET", place, as_="admin")).status == 404


@pytest.mark.parametrize("path", ["/os-hypervisors", "/os-services", "/os-aggregates", "/os-migrations"])
async def test_members_see_nothing_of_the_nodes(path: str) -> None:
    async with running() as compute:
        assert (await compute.call("GET", path)).status == 403
