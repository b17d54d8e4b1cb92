"""Where things are: trees of projects and regions, domains as projects, who manages a domain, catalogs of their own."""

from typing import Any

import pytest

from tests.cloud.openstack.harness import OpenStack, openstack
from tests.cloud.openstack.test_identity_delegation import V3, make


async def test_a_tree_of_projects_is_shown_from_any_of_them() -> None:
    async with openstack() as cloud:
        top = await make(cloud, "projects", "project", name="top")
        middle = await make(cloud, "projects", "project", name="middle", parent_id=top["id"])
        leaf = await make(cloud, "projects", "project", name="leaf", parent_id=middle["id"])
        shown = (await cloud.good("GET", f"{V3}/projects/{top['id']}?subtree_as_ids"))["project"]
        assert shown["subtree"] == {middle["id"]: {leaf["id"]: None}}
        shown = (await cloud.good("GET", f"{V3}/projects/{leaf['id']}?parents_as_ids"))["project"]
        assert shown["parents"] == {middle["id"]: {top["id"]: {"default": None}}}
        shown = (await cloud.good("GET", f"{V3}/projects/{leaf['id']}?parents_as_list"))["project"]
        assert shown["parents"] == []
        assert (await cloud.ask("DELETE", f"{V3}/projects/{middle['id']}")).status == 403


async def test_a_tree_of_projects_has_a_greatest_depth() -> None:
    async with openstack() as cloud:
        parent: str | None = None
        for number in range(5):
            parent = (await make(cloud, "projects", "project", name=f"p{number}", parent_id=parent))["id"]
        wanted = {"project": {"name": "deep", "parent_id": parent}}
        assert (await cloud.ask("POST", f"{V3}/projects", wanted)).status == 403


async def test_a_project_is_not_disabled_above_an_enabled_one_nor_enabled_below_a_disabled_one() -> None:
    async with openstack() as cloud:
        top = await make(cloud, "projects", "project", name="top")
        leaf = await make(cloud, "projects", "project", name="leaf", parent_id=top["id"])
        off, on = {"project": {"enabled": False}}, {"project": {"enabled": True}}
        assert (await cloud.ask("PATCH", f"{V3}/projects/{top['id']}", off)).status == 403
        for one in (leaf, top):
            await cloud.good("PATCH", f"{V3}/projects/{one['id']}", off)
        assert (await cloud.ask("PATCH", f"{V3}/projects/{leaf['id']}", on)).status == 403
        below = {"project": {"name": "new", "parent_id": top["id"]}}
        assert (await cloud.ask("POST", f"{V3}/projects", below)).status == 403


async def test_projects_are_found_by_their_tags() -> None:
    async with openstack() as cloud:
        one = await make(cloud, "projects", "project", name="one", tags=["red", "blue"])
        two = await make(cloud, "projects", "project", name="two", tags=["red"])

        async def found(query: str) -> set[str]:
            listed = (await cloud.good("GET", f"{V3}/projects?{query}"))["projects"]
            return {project["name"] for project in listed} & {"one", "two"}

        assert await found("tags=red,blue") == {"one"}
        assert await found("tags-any=red,blue") == {"one", "two"}
        assert await found("not-tags=red,blue") == {"two"}
        assert await found("not-tags-any=blue") == {"two"}
        place = f"{V3}/projects/{two['id']}/tags"
        assert (await cloud.ask("PUT", f"{place}/blue")).status == 201
        assert (await cloud.ask("HEAD", f"{place}/blue")).status == 204
        assert (await cloud.ask("PUT", place, {"tags": ["a", "a"]})).status == 400
        await cloud.good("DELETE", place)
        assert (await cloud.ask("HEAD", f"{V3}/projects/{one['id']}/tags/green")).status == 404
        assert await found("tags-any=red,blue") == {"one"}


async def test_a_domain_is_a_project_where_one_is_asked_for() -> None:
    async with openstack() as cloud:
        made = await make(cloud, "projects", "project", name="realm", is_domain=True)
        assert (made["is_domain"], made["domain_id"], made["parent_id"]) == (True, None, None)
        assert (await cloud.good("GET", f"{V3}/domains/{made['id']}"))["domain"]["name"] == "realm"
        listed = (await cloud.good("GET", f"{V3}/projects?is_domain=true"))["projects"]
        assert {project["name"] for project in listed} == {"Default", "realm"}
        assert "realm" not in {project["name"] for project in (await cloud.good("GET", f"{V3}/projects"))["projects"]}
        place = f"{V3}/projects/{made['id']}"
        assert (await cloud.ask("DELETE", place)).status == 403
        await cloud.good("PATCH", place, {"project": {"enabled": False}})
        await cloud.good("DELETE", place)
        assert (await cloud.ask("GET", f"{V3}/domains/{made['id']}")).status == 404


@pytest.mark.parametrize(("collection", "noun"), [("projects", "project"), ("domains", "domain"), ("roles", "role")])
async def test_what_is_immutable_is_neither_changed_nor_deleted(collection: str, noun: str) -> None:
    async with openstack() as cloud:
        made = await make(cloud, collection, noun, name="fixed", options={"immutable": True})
        assert made["options"] == {"immutable": True}
        place = f"{V3}/{collection}/{made['id']}"
        assert (await cloud.ask("PATCH", place, {noun: {"description": "x"}})).status == 403
        assert (await cloud.ask("DELETE", place)).status == 403
        await cloud.good("PATCH", place, {noun: {"options": {"immutable": False}, "description": "x"}})
        assert (await cloud.ask("PATCH", place, {noun: {"options": {"nonsense": True}}})).status == 400


async def test_what_a_client_adds_is_kept_and_shown() -> None:
    async with openstack() as cloud:
        user = await make(cloud, "users", "user", name="alice", colour="red", id="mine")
        assert user["colour"] == "red"
        assert user["id"] != "mine"
        changed = await cloud.good("PATCH", f"{V3}/users/{user['id']}", {"user": {"shape": ["round"]}})
        assert (changed["user"]["colour"], changed["user"]["shape"]) == ("red", ["round"])
        too_large = {"user": {"name": "bob", "number": 2**70}}
        assert (await cloud.ask("POST", f"{V3}/users", too_large)).status in (201, 400)


async def manager(cloud: OpenStack) -> tuple[str, str]:
    """A domain, and the token of its manager."""
    domain = await make(cloud, "domains", "domain", name="realm")
    user = await make(cloud, "users", "user", name="boss", password="secret", domain_id=domain["id"])
    role = (await cloud.good("GET", f"{V3}/roles?name=manager"))["roles"][0]["id"]
    await cloud.good("PUT", f"{V3}/domains/{domain['id']}/users/{user['id']}/roles/{role}")
    answer = await cloud.log_in("boss", "secret", {"domain": {"id": domain["id"]}}, domain="realm")
    return domain["id"], answer.headers["x-subject-token"]


async def test_a_manager_of_a_domain_manages_what_is_in_it_and_nothing_else() -> None:
    async with openstack() as cloud:
        domain_id, token = await manager(cloud)

        async def status(method: str, path: str, body: Any = None) -> int:
            return (await cloud.ask(method, f"{V3}/{path}", body, token=token)).status

        made: dict[str, str] = {}
        for collection, noun in (("projects", "project"), ("users", "user"), ("groups", "group")):
            inside = {noun: {"name": "inside", "domain_id": domain_id}}
            outside = {noun: {"name": "outside", "domain_id": "default"}}
            assert await status("POST", collection, outside) == 403
            answer = await cloud.ask("POST", f"{V3}/{collection}", inside, token=token)
            assert answer.status == 201, answer
            made[noun] = answer.body[noun]["id"]
            listed = (await cloud.good("GET", f"{V3}/{collection}", token=token))[collection]
            assert {one["domain_id"] for one in listed} == {domain_id}
        roles = {role["name"]: role["id"] for role in (await cloud.good("GET", f"{V3}/roles"))["roles"]}
        place = f"projects/{made['project']}/users/{made['user']}/roles"
        assert await status("PUT", f"{place}/{roles['member']}") == 204
        assert await status("PUT", f"{place}/{roles['admin']}") == 403
        demo = (await cloud.log_in("demo")).body["token"]["user"]["id"]
        assert await status("PUT", f"projects/{made['project']}/users/{demo}/roles/{roles['member']}") == 403
        for path in (f"users/{demo}", f"domains/{domain_id}", "users/there-is-none"):
            assert await status("DELETE", path) == 403
        assert await status("POST", "domains", {"domain": {"name": "x"}}) == 403
        for noun, key in made.items():
            assert await status("DELETE", f"{noun}s/{key}") == 204


async def test_a_manager_of_a_project_manages_nobody() -> None:
    async with openstack() as cloud:
        _, token = await cloud.new_project("alice", role="manager")
        answer = await cloud.ask("POST", f"{V3}/users", {"user": {"name": "x"}}, token=token)
        assert answer.status == 403


async def test_a_password_that_is_locked_is_not_changed_by_its_user() -> None:
    async with openstack() as cloud:
        user = await make(cloud, "users", "user", name="alice", password="secret", options={"lock_password": True})
        both = {"user": {"original_password": "secret", "password": "better"}}
        assert (await cloud.ask("POST", f"{V3}/users/{user['id']}/password", both, token="")).status == 400
        await cloud.good("PATCH", f"{V3}/users/{user['id']}", {"user": {"options": {"lock_password": None}}})
        assert (await cloud.ask("POST", f"{V3}/users/{user['id']}/password", both, token="")).status == 204


async def test_a_user_with_rules_of_several_factors_does_not_get_in_by_one() -> None:
    async with openstack() as cloud:
        options = {"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "totp"]]}
        user = await make(cloud, "users", "user", name="alice", password="secret", options=options)
        assert (await cloud.log_in("alice", "secret", None)).status == 401
        easier = {"user": {"options": {"multi_factor_auth_rules": [["password"]]}}}
        await cloud.good("PATCH", f"{V3}/users/{user['id']}", easier)
        assert (await cloud.log_in("alice", "secret", None)).status == 201


async def test_a_project_with_filters_has_only_their_endpoints_in_its_catalog() -> None:
    async with openstack() as cloud:
        project = (await cloud.log_in("demo")).body["token"]["project"]["id"]
        services = (await cloud.good("GET", f"{V3}/services"))["services"]
        network = next(service["id"] for service in services if service["type"] == "network")
        filters = {"service_id": network, "interface": "public"}
        group = await make(cloud, "OS-EP-FILTER/endpoint_groups", "endpoint_group", name="g", filters=filters)
        place = f"{V3}/OS-EP-FILTER/endpoint_groups/{group['id']}"
        assert len((await cloud.good("GET", f"{place}/endpoints"))["endpoints"]) == 1
        before = (await cloud.log_in("demo")).body["token"]["catalog"]
        await cloud.good("PUT", f"{place}/projects/{project}")
        catalog = (await cloud.log_in("demo")).body["token"]["catalog"]
        assert [entry["type"] for entry in catalog] == ["network"]
        assert [endpoint["interface"] for endpoint in catalog[0]["endpoints"]] == ["public"]
        assert (await cloud.log_in("admin")).body["token"]["catalog"] != catalog
        await cloud.good("DELETE", place)
        assert (await cloud.log_in("demo")).body["token"]["catalog"] == before


async def test_a_limit_stands_on_a_registered_limit() -> None:
    async with openstack() as cloud:
        token = (await cloud.log_in("demo")).body["token"]
        service = (await cloud.good("GET", f"{V3}/services"))["services"][0]["id"]
        limit = {"service_id": service, "resource_name": "x", "resource_limit": 5, "project_id": token["project"]["id"]}
        assert (await cloud.ask("POST", f"{V3}/limits", {"limits": [limit]})).status == 403
        wanted = {"registered_limits": [{"service_id": service, "resource_name": "x", "default_limit": 10}]}
        registered = (await cloud.good("POST", f"{V3}/registered_limits", wanted))["registered_limits"][0]
        assert (await cloud.ask("POST", f"{V3}/registered_limits", wanted)).status == 409
        made = (await cloud.good("POST", f"{V3}/limits", {"limits": [limit]}))["limits"][0]
        assert (await cloud.ask("POST", f"{V3}/limits", {"limits": [limit]})).status == 409
        assert (await cloud.ask("DELETE", f"{V3}/registered_limits/{registered['id']}")).status == 403
        seen = (await cloud.good("GET", f"{V3}/limits", token=cloud.demo))["limits"]
        assert [one["resource_limit"] for one in seen] == [5]
        _, other = await cloud.new_project("alice")
        assert (await cloud.good("GET", f"{V3}/limits", token=other))["limits"] == []
        assert (await cloud.ask("GET", f"{V3}/limits/{made['id']}", token=other)).status == 403
        await cloud.good("DELETE", f"{V3}/limits/{made['id']}")
        await cloud.good("DELETE", f"{V3}/registered_limits/{registered['id']}")


async def test_a_region_is_never_above_itself_and_goes_with_those_below_it() -> None:
    async with openstack() as cloud:
        await make(cloud, "regions", "region", id="one")
        await cloud.good("PUT", f"{V3}/regions/two", {"region": {"parent_region_id": "one"}})
        circle = {"region": {"parent_region_id": "two"}}
        assert (await cloud.ask("PATCH", f"{V3}/regions/one", circle)).status == 400
        await cloud.good("DELETE", f"{V3}/regions/one")
        assert (await cloud.ask("GET", f"{V3}/regions/two")).status == 404
        assert (await cloud.ask("DELETE", f"{V3}/regions/RegionOne")).status == 403


async def test_the_options_of_a_domain_are_set_one_by_one_and_secrets_are_not_shown() -> None:
    async with openstack() as cloud:
        domain = await make(cloud, "domains", "domain", name="realm")
        place = f"{V3}/domains/{domain['id']}/config"
        config = {"ldap": {"url": "ldap://one", "password": "hidden"}}
        assert (await cloud.ask("PUT", place, {"config": config})).status == 201
        assert (await cloud.good("GET", place))["config"] == {"ldap": {"url": "ldap://one"}}
        await cloud.good("PATCH", f"{place}/ldap/url", {"config": {"url": "ldap://two"}})
        assert (await cloud.good("GET", f"{place}/ldap/url"))["config"] == {"url": "ldap://two"}
        assert (await cloud.ask("GET", f"{place}/ldap/user")).status == 404
        assert (await cloud.ask("GET", f"{place}/nonsense")).status == 403
        await cloud.good("DELETE", place)
        assert (await cloud.ask("GET", place)).status == 404
