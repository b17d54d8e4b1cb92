"""What microversions have added and taken away, each seen on both sides of its boundary."""

from typing import Any

import pytest

from tests.cloud.compute.harness import Compute, running
from tests.cloud.compute.test_actions import ready


async def shown(compute: Compute, server_id: str, version: str) -> dict[str, Any]:
    view: dict[str, Any] = (await compute.ok("GET", f"/servers/{server_id}", version=version))["server"]
    return view


@pytest.mark.parametrize(
    ("field", "since"),
    [
        ("locked", "2.9"),
        ("description", "2.19"),
        ("tags", "2.26"),
        ("trusted_image_certificates", "2.63"),
        ("server_groups", "2.71"),
        ("locked_reason", "2.73"),
        ("OS-EXT-SRV-ATTR:hostname", "2.90"),
        ("pinned_availability_zone", "2.96"),
        ("scheduler_hints", "2.100"),
    ],
)
async def test_a_field_of_a_server_is_there_from_its_microversion_on(field: str, since: str) -> None:
    async with running() as compute:
        server_id = await ready(compute)
        before = f"2.{int(since.split('.')[1]) - 1}"
        assert field not in await shown(compute, server_id, before)
        assert field in await shown(compute, server_id, since)


async def test_answers_to_changes_are_whole_from_2_75_on() -> None:
    async with running() as compute:
        server_id = await ready(compute)
        body = {"server": {"name": "other"}}
        for version, whole in (("2.74", False), ("2.75", True)):
            answer = (await compute.ok("PUT", f"/servers/{server_id}", body, version=version))["server"]
            assert ("OS-EXT-STS:vm_state" in answer, "key_name" in answer) == (whole, whole)
            rebuild = {"rebuild": {"imageRef": "i", "adminPass": "p"}}
            place = f"/servers/{server_id}/action"
            answer = (await compute.ok("POST", place, rebuild, version=version))["server"]
            assert ("OS-EXT-STS:vm_state" in answer, answer["adminPass"]) == (whole, "p")
            await compute.rest(server_id)


async def test_hints_are_shown_as_they_were_given() -> None:
    async with running() as compute:
        hints = {"query": ["=", "$x", 1], "different_cell": "a"}
        server = {"name": "s", "flavorRef": "1", "imageRef": "i", "networks": "none"}
        body = {"server": server, "os:scheduler_hints": hints}
        made = (await compute.ok("POST", "/servers", body, version="2.100"))["server"]["id"]
        assert (await shown(compute, made, "2.100"))["scheduler_hints"] == hints


async def test_a_server_is_pinned_to_the_zone_it_is_in_and_unpinned() -> None:
    async with running(nodes=2, zones=("east", "west")) as compute:
        server_id = await ready(compute)
        zone = (await shown(compute, server_id, "2.96"))["OS-EXT-AZ:availability_zone"]
        other = "west" if zone == "east" else "east"

        async def pin(value: str | None) -> int:
            body = {"server": {"pinned_availability_zone": value}}
            return (await compute.call("PUT", f"/servers/{server_id}", body, version="2.104")).status

        assert await pin(other) == 409
        assert await pin(zone) == 200
        assert (await shown(compute, server_id, "2.96"))["pinned_availability_zone"] == zone
        assert await pin(other) == 409
        assert await pin(None) == 200
        assert (await shown(compute, server_id, "2.96"))["pinned_availability_zone"] is None


async def test_a_flavor_has_no_factor_of_transmission_from_2_102_on() -> None:
    async with running() as compute:
        for version, there in (("2.101", True), ("2.102", False)):
            flavor = (await compute.ok("GET", "/flavors/1", version=version))["flavor"]
            assert ("rxtx_factor" in flavor, "OS-FLV-DISABLED:disabled" in flavor) == (there, there)
        listed = (await compute.ok("GET", "/flavors?name=small", version="2.102"))["flavors"]
        assert [one["name"] for one in listed] == ["small"]


@pytest.mark.parametrize("address", ["10.0.0.999", "::1", "home"])
async def test_an_access_address_that_is_none_is_refused(address: str) -> None:
    async with running() as compute:
        server_id = await ready(compute)
        body = {"server": {"accessIPv4": address}}
        assert (await compute.call("PUT", f"/servers/{server_id}", body)).status == 400


async def test_access_addresses_are_shown_in_their_shortest_form() -> None:
    async with running() as compute:
        server_id = await compute.boot(accessIPv6="0:0:0:0:0:babe:220.12.22.2", accessIPv4="1.2.3.4")
        view = await shown(compute, server_id, "2.1")
        assert (view["accessIPv6"], view["accessIPv4"]) == ("::babe:dc0c:1602", "1.2.3.4")


async def test_a_page_of_nothing_is_empty() -> None:
    async with running() as compute:
        await ready(compute)
        assert await compute.ok("GET", "/servers?limit=0") == {"servers": []}


async def test_files_can_be_put_into_a_server_before_2_57() -> None:
    async with running() as compute:
        server = {"name": "s", "flavorRef": "1", "imageRef": "i", "networks": "none"}

        async def create(version: str, *contents: str) -> int:
            files = [{"path": f"/{number}", "contents": each} for number, each in enumerate(contents)]
            body = {"server": {**server, "personality": files}}
            return (await compute.call("POST", "/servers", body, version=version)).status

        assert await create("2.56", "YQ==") == 202
        assert await create("2.57", "YQ==") == 400
        assert await create("2.56", "no base64") == 400
        assert await create("2.56", *["YQ=="] * 6) == 403
        assert await create("2.56", "YWFh" * 4_000) == 403
