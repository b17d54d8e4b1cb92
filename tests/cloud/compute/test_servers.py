"""The servers API: formats by microversion, lists, filters, pages, refusals."""

from typing import Any

import pytest

from kilonode.cloud.openstack.image.model import IMAGE, Image
from kilonode.control.mirror import Put
from tests.cloud.compute.harness import Compute, running

CREATE = {"server": {"name": "one", "flavorRef": "1", "imageRef": "i", "networks": "none"}}


async def boots(compute: Compute, *names: str, as_: str = "member:p1", **more: Any) -> list[str]:
    ids = []
    for name in names:
        ids.append(await compute.boot(name, as_=as_, **more))
        await compute.rest(ids[-1])
        await compute.clock.sleep(1)
    return ids


async def names(compute: Compute, query: str, *, as_: str = "member:p1", version: str = "2.74") -> list[str]:
    return [one["name"] for one in (await compute.ok("GET", f"/servers{query}", as_=as_, version=version))["servers"]]


async def test_a_create_answers_at_once_with_what_nova_answers() -> None:
    async with running() as compute:
        answer = await compute.call("POST", "/servers", CREATE, version="2.74")
        assert answer.status == 202
        server = answer.body["server"]
        assert set(server) == {"id", "links", "OS-DCF:diskConfig", "security_groups", "adminPass"}
        assert server["security_groups"] == [{"name": "default"}]
        assert answer.headers["location"].endswith(f"/compute/v2.1/servers/{server['id']}")
        assert answer.headers["openstack-api-version"] == "compute 2.74"
        assert answer.headers["x-openstack-nova-api-version"] == "2.74"


FIELDS_OF_2_1 = {
    "id", "name", "status", "tenant_id", "user_id", "metadata", "hostId", "image", "flavor", "created", "updated",
    "addresses", "accessIPv4", "accessIPv6", "links", "progress", "OS-DCF:diskConfig", "OS-EXT-AZ:availability_zone",
    "config_drive", "key_name", "OS-SRV-USG:launched_at", "OS-SRV-USG:terminated_at", "OS-EXT-STS:task_state",
    "OS-EXT-STS:vm_state", "OS-EXT-STS:power_state", "os-extended-volumes:volumes_attached", "security_groups",
}  # fmt: skip
ADMIN_FIELDS = {
    "OS-EXT-SRV-ATTR:host", "OS-EXT-SRV-ATTR:instance_name", "OS-EXT-SRV-ATTR:hypervisor_hostname",
}  # fmt: skip
SINCE = {
    "2.9": {"locked"},
    "2.19": {"description"},
    "2.26": {"tags"},
    "2.63": {"trusted_image_certificates"},
    "2.71": {"server_groups"},
    "2.73": {"locked_reason"},
    "2.90": {"OS-EXT-SRV-ATTR:hostname"},
    "2.96": {"pinned_availability_zone"},
}


@pytest.mark.parametrize("version", ["2.1", *SINCE])
async def test_a_server_has_the_fields_of_its_microversion(version: str) -> None:
    def number(text: str) -> int:
        return int(text.split(".")[1])

    async with running() as compute:
        (server_id,) = await boots(compute, "one")
        expected = set(FIELDS_OF_2_1)
        for since, fields in SINCE.items():
            if number(version) >= number(since):
                expected |= fields
        view = (await compute.ok("GET", f"/servers/{server_id}", version=version))["server"]
        assert set(view) == expected
        in_list = (await compute.ok("GET", "/servers/detail", version=version))["servers"][0]
        assert set(in_list) == expected - {"server_groups"}
        assert (view["OS-EXT-STS:power_state"], view["progress"]) == (1, 0)


async def test_an_administrator_sees_where_a_server_is() -> None:
    async with running() as compute:
        (server_id,) = await boots(compute, "one")
        view = (await compute.ok("GET", f"/servers/{server_id}", as_="admin", version="2.1"))["server"]
        assert set(view) == FIELDS_OF_2_1 | ADMIN_FIELDS
        view = (await compute.ok("GET", f"/servers/{server_id}", as_="admin", version="2.16"))["server"]
        assert view["host_status"] == "UP"
        assert view["OS-EXT-SRV-ATTR:host"].startswith("compute-")
        assert view["OS-EXT-SRV-ATTR:reservation_id"].startswith("r-")


async def test_the_flavor_is_embedded_from_2_47_on() -> None:
    async with running() as compute:
        (server_id,) = await boots(compute, "one")
        old = (await compute.ok("GET", f"/servers/{server_id}", version="2.46"))["server"]["flavor"]
        new = (await compute.ok("GET", f"/servers/{server_id}", version="2.47"))["server"]["flavor"]
        assert set(old) == {"id", "links"}
        assert new == {
            "original_name": "tiny", "vcpus": 1, "ram": 512, "disk": 1, "ephemeral": 0, "swap": 0, "extra_specs": {}
        }  # fmt: skip


async def test_lists_show_the_newest_first_in_pages_with_links() -> None:
    async with running() as compute:
        await boots(compute, "a", "b", "c", "d", "e")
        assert await names(compute, "") == ["e", "d", "c", "b", "a"]
        seen, path = [], "/servers?limit=2"
        for _ in range(10):
            body = await compute.ok("GET", path, version="2.74")
            seen.append([one["name"] for one in body["servers"]])
            if "servers_links" not in body:
                break
            assert body["servers_links"][0]["rel"] == "next"
            path = body["servers_links"][0]["href"].removeprefix(compute.settings.public_url)
        assert seen == [["e", "d"], ["c", "b"], ["a"]]
        assert (await compute.call("GET", "/servers?marker=nobody")).status == 400


async def test_lists_are_filtered_and_ordered_as_asked() -> None:
    async with running() as compute:
        await boots(compute, "web-1", "web-2", "db-1")
        await boots(compute, "large", flavor="2")
        await compute.rest(await compute.boot("broken", "9"))
        assert await names(compute, "?name=^web") == ["web-2", "web-1"]
        assert await names(compute, "?status=ERROR") == ["broken"]
        assert await names(compute, "?status=active&flavor=2") == ["large"]
        for who in ("member:p1", "admin"):
            assert (await compute.ok("GET", "/servers?status=NONSENSE", as_=who))["servers"] == []
            assert (await compute.call("GET", "/servers?status=NONSENSE", as_=who, version="2.38")).status == 400
        assert await names(compute, "?sort_key=display_name&sort_dir=asc") == [
            "broken", "db-1", "large", "web-1", "web-2"
        ]  # fmt: skip
        assert (await compute.call("GET", "/servers?sort_key=secret")).status == 400
        assert (await compute.call("GET", "/servers?name=(")).status == 400
        since = "2030-01-01T00:00:02Z"
        assert await names(compute, f"?changes-since={since}") == ["broken", "large", "db-1"]
        node = compute.cloud.mirror.all("server")
        first = next(iter(node.values())).value
        found = await names(compute, f"?all_tenants=1&host={first.node}&name=web-1", as_="admin")
        assert found == ["web-1"]


async def test_projects_do_not_see_each_other() -> None:
    async with running() as compute:
        (mine,) = await boots(compute, "mine")
        await boots(compute, "theirs", as_="member:p2")
        assert await names(compute, "") == ["mine"]
        assert await names(compute, "?all_tenants=True", as_="admin") == ["theirs", "mine"]
        assert await names(compute, "?all_tenants=1&project_id=p2", as_="admin") == ["theirs"]
        refused = await compute.call("GET", "/servers?all_tenants=1")
        assert refused.status == 403
        for method in ("GET", "DELETE"):
            answer = await compute.call(method, f"/servers/{mine}", as_="member:p2")
            assert answer.status == 404
            assert answer.body == {"itemNotFound": {"code": 404, "message": f"Instance {mine} could not be found."}}


async def test_a_reader_reads_and_does_no_more() -> None:
    async with running() as compute:
        (server_id,) = await boots(compute, "one")
        assert (await compute.call("GET", f"/servers/{server_id}", as_="reader:p1")).status == 200
        assert (await compute.call("POST", "/servers", CREATE, as_="reader:p1")).status == 403
        assert (await compute.call("DELETE", f"/servers/{server_id}", as_="reader:p1")).status == 403
        assert (await compute.call("GET", "/os-hypervisors")).status == 403


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"flavorRef": "77"}, "Flavor 77 could not be found."),
    ({"imageRef": ""}, "Invalid imageRef provided."),
    ({"imageRef": "unknown"}, "Can not find requested image"),
    ({"key_name": "nobody"}, "Invalid key_name provided."),
    ({"availability_zone": "moon"}, "The requested availability zone is not available"),
    ({"min_count": 3, "max_count": 2}, "min_count must be <= max_count"),
    ({"networks": None}, "'networks' is a required property"),
    ({"name": ""}, "name"),
    ({"block_device_mapping_v2": [{"boot_index": 0, "source_type": "volume", "uuid": ""}]}, "uuid"),
]


@pytest.mark.parametrize(("change", "words"), REFUSED)
async def test_what_nova_refuses_is_refused_in_its_words(change: dict[str, Any], words: str) -> None:
    async with running() as compute:
        answer = await compute.call("POST", "/servers", {"server": {**CREATE["server"], **change}}, version="2.74")
        assert answer.status == 400
        assert words in answer.body["badRequest"]["message"]
        assert await names(compute, "") == []


async def test_an_image_that_does_not_fit_the_flavor_is_refused() -> None:
    async with running() as compute:
        for key, fields, words in (
            ("queued", {"status": "queued"}, "Image queued is not active."),
            ("wide", {"min_ram_mb": 1_000}, "Flavor's memory is too small for requested image."),
            ("deep", {"min_disk_gb": 2}, "Flavor's disk is smaller than the minimum size"),
            ("long", {"size_bytes": 2**31}, "Flavor's disk is too small for requested image."),
            ("secret", {"visibility": "private"}, "Can not find requested image"),
        ):
            image = Image(key, "p2", 0, 0, **{"status": "active", "visibility": "public", **fields})  # type: ignore[arg-type]
            await compute.cloud.mirror.commit([Put(IMAGE, image, key)])
            body = {"server": {**CREATE["server"], "imageRef": key}}
            answer = await compute.call("POST", "/servers", body, version="2.74")
            assert answer.status == 400, key
            assert words in answer.body["badRequest"]["message"]


async def test_an_old_client_need_not_speak_of_networks() -> None:
    async with running() as compute:
        body = {"server": {"name": "old", "flavorRef": 1, "imageRef": "i"}}
        assert (await compute.call("POST", "/servers", body)).status == 202


async def test_only_an_administrator_chooses_a_node() -> None:
    async with running() as compute:
        body = {"server": {**CREATE["server"], "availability_zone": "nova:compute-0001"}}
        assert (await compute.call("POST", "/servers", body, version="2.74")).status == 403
        assert (await compute.call("POST", "/servers", body, as_="admin", version="2.74")).status == 202


async def test_a_server_can_be_renamed_and_described() -> None:
    async with running() as compute:
        (server_id,) = await boots(compute, "one")
        body = {"server": {"name": "two", "description": "new"}}
        view = (await compute.ok("PUT", f"/servers/{server_id}", body, version="2.19"))["server"]
        assert (view["name"], view["description"]) == ("two", "new")
        assert (await compute.ok("GET", f"/servers/{server_id}"))["server"]["name"] == "two"


async def test_metadata_and_tags_can_be_changed() -> None:
    async with running() as compute:
        (server_id,) = await boots(compute, "one", metadata={"a": "1"})
        place = f"/servers/{server_id}"
        assert await compute.ok("POST", f"{place}/metadata", {"metadata": {"b": "2"}}) == {
            "metadata": {"a": "1", "b": "2"}
        }
        assert await compute.ok("PUT", f"{place}/metadata/c", {"meta": {"c": "3"}}) == {"meta": {"c": "3"}}
        assert (await compute.call("DELETE", f"{place}/metadata/a")).status == 204
        assert (await compute.call("GET", f"{place}/metadata/a")).status == 404
        assert await compute.ok("GET", f"{place}/metadata") == {"metadata": {"b": "2", "c": "3"}}
        assert (await compute.call("PUT", f"{place}/tags/x", version="2.26")).status == 201
        assert await compute.ok("PUT", f"{place}/tags", {"tags": ["y", "z"]}, version="2.26") == {"tags": ["y", "z"]}
        assert (await compute.call("GET", f"{place}/tags/x", version="2.26")).status == 404
        assert (await compute.call("GET", f"{place}/tags")).status == 404
        assert await names(compute, "?tags=y,z") == ["one"]
        assert await names(compute, "?not-tags=y,z") == []


async def test_deleting_twice_is_no_error_and_a_locked_server_stays() -> None:
    async with running(stages="fast") as compute:
        server_id = await compute.boot()
        await compute.rest(server_id)
        assert (await compute.act(server_id, "lock", {"locked_reason": "mine"})).status == 202
        refused = await compute.call("DELETE", f"/servers/{server_id}")
        assert refused.status == 409
        assert refused.body["conflictingRequest"]["message"] == f"Instance {server_id} is locked"
        assert (await compute.act(server_id, "unlock")).status == 202
        assert (await compute.call("DELETE", f"/servers/{server_id}")).status == 204
        view = (await compute.ok("GET", f"/servers/{server_id}"))["server"]
        assert (view["status"], view["OS-EXT-STS:task_state"]) == ("ACTIVE", "deleting")
        assert (await compute.call("DELETE", f"/servers/{server_id}")).status == 204
        assert await compute.rest(server_id) is None


async def test_a_server_that_is_deleted_before_it_is_placed_takes_nothing() -> None:
    async with running(stages="fast") as compute:
        server_id = await compute.boot()
        assert (await compute.call("DELETE", f"/servers/{server_id}")).status == 204
        assert compute.server(server_id) is None
        await compute.clock.sleep(10)
        compute.check_books()


async def test_versions_are_discovered() -> None:
    async with running() as compute:
        document = (await compute.ok("GET", "/compute/v2.1", as_=""))["version"]
        assert (document["version"], document["min_version"]) == ("2.104", "2.1")
        assert (await compute.call("GET", "/servers", version="2.999")).status == 406


async def test_servers_that_are_made_at_one_instant_share_a_reservation_only_when_one_request_made_them() -> None:
    async with running() as compute:
        wanted = {"name": "s", "imageRef": "i", "flavorRef": "1", "min_count": 2, "return_reservation_id": True}
        made = [(await compute.ok("POST", "/servers", {"server": wanted}))["reservation_id"] for _ in range(2)]
        for one in made:
            assert len((await compute.ok("GET", f"/servers?reservation_id={one}"))["servers"]) == 2
