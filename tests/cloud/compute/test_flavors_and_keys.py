"""Flavors, keypairs and server groups."""

import pytest

from tests.cloud.compute.harness import running

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me"


async def test_flavors_come_and_go() -> None:
    async with running() as compute:
        wanted = {"name": "mine", "ram": 256, "vcpus": 1, "disk": 0, "id": "auto", "description": "small"}
        made = (await compute.ok("POST", "/flavors", {"flavor": wanted}, as_="admin", version="2.55"))["flavor"]
        assert (made["name"], made["ram"], made["swap"], made["description"]) == ("mine", 256, "", "small")
        assert len(made["id"]) == 36
        again = await compute.call("POST", "/flavors", {"flavor": wanted}, as_="admin", version="2.55")
        assert again.status == 409
        newest = (await compute.ok("GET", f"/flavors/{made['id']}", version="2.75"))["flavor"]
        assert (newest["swap"], newest["extra_specs"]) == (0, {})
        assert (await compute.call("POST", "/flavors", {"flavor": wanted})).status == 403
        assert (await compute.call("DELETE", f"/flavors/{made['id']}", as_="admin")).status == 202
        answer = await compute.call("GET", f"/flavors/{made['id']}")
        assert answer.status == 404
        assert answer.body["itemNotFound"]["message"] == f"Flavor {made['id']} could not be found."


async def test_flavors_are_listed_in_order_and_filtered() -> None:
    async with running() as compute:
        names = [one["name"] for one in (await compute.ok("GET", "/flavors"))["flavors"]]
        assert names == ["tiny", "small", "large", "huge"]
        found = (await compute.ok("GET", "/flavors/detail?minRam=1000&sort_key=vcpus&sort_dir=desc"))["flavors"]
        assert [one["name"] for one in found] == ["large", "small"]
        page = await compute.ok("GET", "/flavors?limit=1&marker=1")
        assert [one["id"] for one in page["flavors"]] == ["2"]


async def test_a_private_flavor_is_for_those_who_were_let_in() -> None:
    async with running() as compute:
        wanted = {"name": "secret", "ram": 256, "vcpus": 1, "disk": 1, "id": "s", "os-flavor-access:is_public": False}
        await compute.ok("POST", "/flavors", {"flavor": wanted}, as_="admin")
        assert (await compute.call("GET", "/flavors/s")).status == 404
        body = {"addTenantAccess": {"tenant": "p1"}}
        access = await compute.ok("POST", "/flavors/s/action", body, as_="admin")
        assert access == {"flavor_access": [{"flavor_id": "s", "tenant_id": "p1"}]}
        assert (await compute.call("GET", "/flavors/s")).status == 200
        assert (await compute.call("GET", "/flavors/s", as_="member:p2")).status == 404
        assert (await compute.call("POST", "/flavors/s/action", body, as_="admin")).status == 409


async def test_extra_specs_can_be_set_shown_and_removed() -> None:
    async with running() as compute:
        place = "/flavors/1/os-extra_specs"
        body = {"extra_specs": {"hw:a": "1", "hw:b": "2"}}
        assert await compute.ok("POST", place, body, as_="admin") == body
        assert await compute.ok("GET", f"{place}/hw%3Aa") == {"hw:a": "1"}
        assert await compute.ok("PUT", f"{place}/hw:a", {"hw:a": "3"}, as_="admin") == {"hw:a": "3"}
        assert (await compute.call("DELETE", f"{place}/hw:b", as_="admin")).status == 200
        assert await compute.ok("GET", place) == {"extra_specs": {"hw:a": "3"}}
        server_id = await compute.boot()
        view = (await compute.ok("GET", f"/servers/{server_id}", version="2.47"))["server"]
        assert view["flavor"]["extra_specs"] == {"hw:a": "3"}


async def test_a_deleted_flavor_lives_on_in_its_servers() -> None:
    async with running() as compute:
        server_id = await compute.boot(flavor="2")
        await compute.ok("DELETE", "/flavors/2", as_="admin")
        server = await compute.rest(server_id)
        assert server is not None
        assert (server.state, server.flavor.name) == ("active", "small")


async def test_keypairs_belong_to_their_user() -> None:
    async with running() as compute:
        body = {"keypair": {"name": "mine", "public_key": KEY}}
        made = await compute.call("POST", "/os-keypairs", body, version="2.92")
        assert made.status == 201
        assert made.body["keypair"]["fingerprint"].count(":") == 15
        assert "private_key" not in made.body["keypair"]
        assert (await compute.call("POST", "/os-keypairs", body, version="2.92")).status == 409
        pairs = (await compute.ok("GET", "/os-keypairs"))["keypairs"]
        assert [pair["keypair"]["name"] for pair in pairs] == ["mine"]
        assert (await compute.call("GET", "/os-keypairs/mine", as_="member:p2")).status == 404
        by_admin = await compute.ok("GET", "/os-keypairs?user_id=user-of-p1", as_="admin", version="2.10")
        assert len(by_admin["keypairs"]) == 1
        assert (await compute.call("DELETE", "/os-keypairs/mine", version="2.2")).status == 204
        assert (await compute.call("DELETE", "/os-keypairs/mine", version="2.2")).status == 404


async def test_a_key_is_made_for_old_clients_and_asked_for_by_new_ones() -> None:
    async with running() as compute:
        body = {"keypair": {"name": "made"}}
        made = await compute.call("POST", "/os-keypairs", body)
        assert made.status == 200
        assert made.body["keypair"]["private_key"].startswith("-----BEGIN")
        assert (await compute.call("POST", "/os-keypairs", {"keypair": {"name": "b"}}, version="2.92")).status == 400
        server_id = await compute.boot(key_name="made")
        assert (await compute.ok("GET", f"/servers/{server_id}"))["server"]["key_name"] == "made"


@pytest.mark.parametrize("key", ["nonsense", "ssh-rsa !!!", ""])
async def test_a_key_that_is_none_is_refused(key: str) -> None:
    async with running() as compute:
        body = {"keypair": {"name": "mine", "public_key": key}}
        assert (await compute.call("POST", "/os-keypairs", body)).status == 400


async def test_server_groups_show_their_members() -> None:
    async with running() as compute:
        body = {"server_group": {"name": "together", "policies": ["affinity"]}}
        group = (await compute.ok("POST", "/os-server-groups", body))["server_group"]
        assert group["policies"] == ["affinity"]
        wanted = {"name": "s", "flavorRef": "1", "imageRef": "i", "networks": "none", "min_count": 3}
        await compute.ok(
            "POST", "/servers", {"server": wanted, "os:scheduler_hints": {"group": group["id"]}}, version="2.74"
        )
        await compute.clock.sleep(1)
        shown = (await compute.ok("GET", f"/os-server-groups/{group['id']}", version="2.64"))["server_group"]
        assert (shown["policy"], len(shown["members"])) == ("affinity", 3)
        nodes = {compute.server(member).node for member in shown["members"]}  # type: ignore[union-attr]
        assert len(nodes) == 1
        assert (await compute.call("DELETE", f"/os-server-groups/{group['id']}")).status == 204
        assert (await compute.ok("GET", "/os-server-groups"))["server_groups"] == []
