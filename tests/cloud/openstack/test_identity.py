"""The identity service: logging in, what tokens are worth, who may do what, names that are unique."""

import asyncio
from typing import Any

import pytest

from kilonode.cloud.openstack.identity.tokens import LIFETIME_US
from kilonode.cloud.simulated import SimulatedCloud
from tests.cloud.openstack.harness import OpenStack, openstack

V3 = "/identity/v3"
LIFETIME_S = LIFETIME_US / 1_000_000


async def validate(cloud: OpenStack, token: str) -> int:
    """The status of a token that is shown by the administrator."""
    answer = await cloud.ask("GET", f"{V3}/auth/tokens", headers=[("x-subject-token", token)])
    return answer.status


async def test_a_password_gives_a_token_with_roles_and_catalog() -> None:
    async with openstack() as cloud:
        answer = await cloud.log_in("demo")
        token = answer.body["token"]
        assert token["project"]["name"] == "demo"
        assert token["user"]["domain"] == {"id": "default", "name": "Default"}
        assert [role["name"] for role in token["roles"]] == ["member", "reader"]
        assert token["methods"] == ["password"]
        urls = {entry["type"]: entry["endpoints"][0]["url"] for entry in token["catalog"]}
        assert urls["compute"] == "http://cloud.test/compute/v2.1"
        assert urls["block-storage"] == f"http://cloud.test/volume/v3/{token['project']['id']}"
        assert {endpoint["interface"] for endpoint in token["catalog"][0]["endpoints"]} == {
            "public",
            "internal",
            "admin",
        }


@pytest.mark.parametrize(
    ("user", "password", "scope"),
    [
        ("admin", "wrong", "own"),
        ("nobody", None, None),
        ("demo", None, {"project": {"name": "admin", "domain": {"id": "default"}}}),
        ("demo", None, {"project": {"id": "there-is-none"}}),
        ("demo", None, {"domain": {"id": "default"}}),
        ("demo", None, {"system": {"all": True}}),
    ],
)
async def test_every_refused_login_is_the_same_401(user: str, password: str | None, scope: Any) -> None:
    async with openstack() as cloud:
        answer = await cloud.log_in(user, password, scope)
        assert answer.status == 401
        assert answer.body["error"]["message"] == "The request you have made requires authentication."
        assert "x-subject-token" not in answer.headers


@pytest.mark.parametrize(
    ("scope", "key"),
    [
        ({"project": {"name": "demo", "domain": {"id": "default"}}}, "project"),
        ({"domain": {"name": "Default"}}, "domain"),
        ({"system": {"all": True}}, "system"),
    ],
)
async def test_an_administrator_can_have_any_scope(scope: Any, key: str) -> None:
    async with openstack() as cloud:
        answer = await cloud.log_in("admin", scope=scope)
        assert key in answer.body["token"]
        assert "admin" in [role["name"] for role in answer.body["token"]["roles"]]


async def test_an_unscoped_token_has_no_roles_and_opens_only_its_own_doors() -> None:
    async with openstack() as cloud:
        answer = await cloud.log_in("demo", scope="unscoped")
        assert "roles" not in answer.body["token"]
        token = answer.headers["x-subject-token"]
        projects = await cloud.good("GET", f"{V3}/auth/projects", token=token)
        assert [project["name"] for project in projects["projects"]] == ["demo"]
        assert (await cloud.ask("GET", "/network/v2.0/networks", token=token)).status == 403


async def test_a_token_can_be_had_for_a_token_but_never_lives_longer() -> None:
    async with openstack() as cloud:
        first = (await cloud.log_in("demo")).body["token"]["expires_at"]
        await cloud.clock.sleep(100)
        auth = {
            "identity": {"methods": ["token"], "token": {"id": cloud.demo}},
            "scope": {"project": {"name": "demo", "domain": {"id": "default"}}},
        }
        answer = await cloud.ask("POST", f"{V3}/auth/tokens", {"auth": auth}, token="")
        assert answer.status == 201
        assert answer.body["token"]["methods"] == ["password", "token"]
        assert answer.body["token"]["expires_at"] == first
        assert len(answer.body["token"]["audit_ids"]) == 2


async def test_a_token_expires() -> None:
    async with openstack() as cloud:
        await cloud.clock.sleep(LIFETIME_S - 1)
        assert (await cloud.ask("GET", "/network/v2.0/networks")).status == 200
        await cloud.clock.sleep(1)
        assert (await cloud.ask("GET", "/network/v2.0/networks")).status == 401


async def test_a_token_survives_a_restart_of_every_process() -> None:
    async with openstack() as cloud:
        again = SimulatedCloud(cloud.settings, cloud.clock, cloud.store)
        await again.start()
        assert await validate(OpenStack(again), "") == 401
        restarted = OpenStack(again)
        restarted.admin = cloud.admin
        assert (await restarted.ask("GET", f"{V3}/users")).status == 200
        await again.stop()


async def test_a_revoked_token_is_worth_nothing_and_so_are_those_made_from_it() -> None:
    async with openstack() as cloud:
        auth = {"identity": {"methods": ["token"], "token": {"id": cloud.demo}}}
        child = (await cloud.ask("POST", f"{V3}/auth/tokens", {"auth": auth}, token="")).headers["x-subject-token"]
        other = await cloud.token("demo")
        headers = [("x-subject-token", cloud.demo)]
        assert (await cloud.ask("DELETE", f"{V3}/auth/tokens", token=cloud.demo, headers=headers)).status == 204
        assert [await validate(cloud, token) for token in (cloud.demo, child, other)] == [404, 404, 200]


async def test_a_user_who_is_disabled_loses_every_token_and_gets_none_back_when_enabled() -> None:
    async with openstack() as cloud:
        _, token = await cloud.new_project("alice")
        user = (await cloud.good("GET", f"{V3}/users?name=alice"))["users"][0]
        for enabled in (False, True):
            await cloud.good("PATCH", f"{V3}/users/{user['id']}", {"user": {"enabled": enabled}})
            assert await validate(cloud, token) == 404
        assert (await cloud.log_in("alice", "secret")).status == 201


async def test_a_new_password_voids_old_tokens_and_the_old_password() -> None:
    async with openstack() as cloud:
        _, token = await cloud.new_project("alice")
        user = (await cloud.good("GET", f"{V3}/users?name=alice"))["users"][0]
        both = {"user": {"original_password": "secret", "password": "better"}}
        assert (await cloud.ask("POST", f"{V3}/users/{user['id']}/password", both, token="")).status == 204
        assert await validate(cloud, token) == 404
        assert (await cloud.log_in("alice", "secret")).status == 401
        assert (await cloud.log_in("alice", "better")).status == 201
        assert (await cloud.ask("POST", f"{V3}/users/{user['id']}/password", both, token="")).status == 401


async def test_a_role_that_is_taken_away_is_gone_at_once() -> None:
    async with openstack() as cloud:
        project_id, token = await cloud.new_project("alice")
        assert (await cloud.ask("GET", "/network/v2.0/networks", token=token)).status == 200
        user = (await cloud.good("GET", f"{V3}/users?name=alice"))["users"][0]
        role = (await cloud.good("GET", f"{V3}/roles?name=member"))["roles"][0]
        await cloud.good("DELETE", f"{V3}/projects/{project_id}/users/{user['id']}/roles/{role['id']}")
        assert (await cloud.ask("GET", "/network/v2.0/networks", token=token)).status == 401


async def test_a_group_gives_its_members_its_roles() -> None:
    async with openstack() as cloud:
        project_id, _ = await cloud.new_project("alice")
        user = (await cloud.good("POST", f"{V3}/users", {"user": {"name": "bob", "password": "pw"}}))["user"]
        group = (await cloud.good("POST", f"{V3}/groups", {"group": {"name": "team"}}))["group"]
        role = (await cloud.good("GET", f"{V3}/roles?name=reader"))["roles"][0]
        place = f"{V3}/projects/{project_id}/groups/{group['id']}/roles/{role['id']}"
        await cloud.good("PUT", place)
        assert (await cloud.ask("HEAD", place)).status == 204
        scope = {"project": {"id": project_id}}
        assert (await cloud.log_in("bob", "pw", scope)).status == 401
        await cloud.good("PUT", f"{V3}/groups/{group['id']}/users/{user['id']}")
        assert (await cloud.log_in("bob", "pw", scope)).status == 201
        effective = await cloud.good("GET", f"{V3}/role_assignments?effective&user.id={user['id']}&include_names")
        found = effective["role_assignments"]
        assert [(one["role"]["name"], one["scope"]["project"]["name"]) for one in found] == [("reader", "alice")]


async def test_an_application_credential_logs_in_for_its_project_until_it_is_deleted() -> None:
    async with openstack() as cloud:
        user = (await cloud.log_in("demo")).body["token"]["user"]["id"]
        place = f"{V3}/users/{user}/application_credentials"
        wanted = {"application_credential": {"name": "robot", "roles": [{"name": "reader"}]}}
        made = (await cloud.good("POST", place, wanted, token=cloud.demo))["application_credential"]

        async def log_in(secret: str) -> Any:
            method = {"id": made["id"], "secret": secret}
            auth = {"identity": {"methods": ["application_credential"], "application_credential": method}}
            return await cloud.ask("POST", f"{V3}/auth/tokens", {"auth": auth}, token="")

        assert (await log_in("wrong")).status == 401
        answer = await log_in(made["secret"])
        assert [role["name"] for role in answer.body["token"]["roles"]] == ["reader"]
        token = answer.headers["x-subject-token"]
        assert (await cloud.ask("POST", "/network/v2.0/networks", {"network": {}}, token=token)).status == 403
        assert (await cloud.ask("POST", place, wanted, token=token)).status == 403
        shown = await cloud.good("GET", f"{place}/{made['id']}", token=cloud.demo)
        assert "secret" not in shown["application_credential"]
        await cloud.good("DELETE", f"{place}/{made['id']}", token=cloud.demo)
        assert await validate(cloud, token) == 404
        assert (await log_in(made["secret"])).status == 404


@pytest.mark.parametrize("path", ["projects", "users", "groups", "domains", "role_assignments"])
async def test_an_ordinary_user_cannot_look_at_everybody(path: str) -> None:
    async with openstack() as cloud:
        assert (await cloud.ask("GET", f"{V3}/{path}", token=cloud.demo)).status == 403
        assert (await cloud.ask("GET", f"{V3}/{path}")).status == 200


async def test_an_ordinary_user_sees_itself_and_changes_nothing() -> None:
    async with openstack() as cloud:
        token = (await cloud.log_in("demo")).body["token"]
        own = {"users": token["user"]["id"], "projects": token["project"]["id"]}
        for collection, key in own.items():
            assert (await cloud.ask("GET", f"{V3}/{collection}/{key}", token=cloud.demo)).status == 200
            assert (await cloud.ask("DELETE", f"{V3}/{collection}/{key}", token=cloud.demo)).status == 403
        for collection, body in (("users", {"user": {"name": "x"}}), ("projects", {"project": {"name": "x"}})):
            assert (await cloud.ask("POST", f"{V3}/{collection}", body, token=cloud.demo)).status == 403


@pytest.mark.parametrize(("collection", "noun"), [("projects", "project"), ("users", "user"), ("roles", "role")])
async def test_of_two_requests_for_one_name_at_one_instant_one_wins(collection: str, noun: str) -> None:
    async with openstack() as cloud:
        body = {noun: {"name": "twin"}}
        answers = await asyncio.gather(*(cloud.ask("POST", f"{V3}/{collection}", body) for _ in range(5)))
        assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409]
        found = (await cloud.good("GET", f"{V3}/{collection}?name=twin"))[collection]
        assert len(found) == 1
        await cloud.good("DELETE", f"{V3}/{collection}/{found[0]['id']}")
        await cloud.good("POST", f"{V3}/{collection}", body)


async def test_a_renamed_user_has_the_new_name_only() -> None:
    async with openstack() as cloud:
        await cloud.new_project("alice")
        user = (await cloud.good("GET", f"{V3}/users?name=alice"))["users"][0]
        taken = await cloud.ask("PATCH", f"{V3}/users/{user['id']}", {"user": {"name": "demo"}})
        assert taken.status == 409
        await cloud.good("PATCH", f"{V3}/users/{user['id']}", {"user": {"name": "alix"}})
        assert (await cloud.log_in("alice", "secret", None)).status == 401
        assert (await cloud.log_in("alix", "secret", None)).status == 201


async def test_a_deleted_project_takes_its_assignments_along() -> None:
    async with openstack() as cloud:
        project_id, token = await cloud.new_project("alice")
        await cloud.good("DELETE", f"{V3}/projects/{project_id}")
        assert await validate(cloud, token) == 404
        everything = (await cloud.good("GET", f"{V3}/role_assignments"))["role_assignments"]
        assert all(one["scope"].get("project", {}).get("id") != project_id for one in everything)


async def test_only_a_disabled_domain_can_be_deleted_and_takes_along_what_is_in_it() -> None:
    async with openstack() as cloud:
        domain = (await cloud.good("POST", f"{V3}/domains", {"domain": {"name": "other"}}))["domain"]
        place = f"{V3}/domains/{domain['id']}"
        wanted = {"user": {"name": "demo", "domain_id": domain["id"], "password": "pw"}}
        user = (await cloud.good("POST", f"{V3}/users", wanted))["user"]
        assert (await cloud.log_in("demo", "pw", None, domain="other")).status == 201
        assert (await cloud.ask("DELETE", place)).status == 403
        await cloud.good("PATCH", place, {"domain": {"enabled": False}})
        assert (await cloud.log_in("demo", "pw", None, domain="other")).status == 401
        await cloud.good("DELETE", place)
        assert (await cloud.ask("GET", f"{V3}/users/{user['id']}")).status == 404
        assert (await cloud.ask("POST", f"{V3}/domains", {"domain": {"name": "other"}})).status == 201


async def test_an_address_with_a_place_of_a_billion_letters_is_refused_before_it_is_filled_in() -> None:
    async with openstack() as cloud:
        service = (await cloud.good("POST", f"{V3}/services", {"service": {"type": "dns"}}))["service"]["id"]
        for url, status in (
            ("http://x/%(project_id)s/$(tenant_id)s/100%%", 201),
            ("http://x/%(project_id)100000000000s", 400),
            ("http://x/$(project_id)100000000000s", 400),
            ("http://x/%(wrong)s", 400),
            ("http://x/%(project_id", 400),
            ("http://x/%s", 400),
        ):
            wanted = {"service_id": service, "interface": "public", "url": url}
            assert (await cloud.ask("POST", f"{V3}/endpoints", {"endpoint": wanted})).status == status, url


async def test_the_catalog_follows_its_endpoints() -> None:
    async with openstack() as cloud:
        service = (await cloud.good("POST", f"{V3}/services", {"service": {"type": "dns", "name": "x"}}))["service"]
        wanted = {"service_id": service["id"], "interface": "public", "region_id": "RegionOne", "url": "http://dns/"}
        await cloud.good("POST", f"{V3}/endpoints", {"endpoint": wanted})
        catalog = (await cloud.good("GET", f"{V3}/auth/catalog"))["catalog"]
        assert [entry["endpoints"][0]["url"] for entry in catalog if entry["type"] == "dns"] == ["http://dns/"]
        await cloud.good("DELETE", f"{V3}/services/{service['id']}")
        catalog = (await cloud.good("GET", f"{V3}/auth/catalog"))["catalog"]
        assert [entry for entry in catalog if entry["type"] == "dns"] == []


async def test_what_a_user_deletes_of_the_first_contents_does_not_come_back() -> None:
    async with openstack() as cloud:
        user = (await cloud.good("GET", f"{V3}/users?name=demo"))["users"][0]
        await cloud.good("DELETE", f"{V3}/users/{user['id']}")
        again = SimulatedCloud(cloud.settings, cloud.clock, cloud.store)
        await again.start()
        restarted = OpenStack(again)
        restarted.admin = cloud.admin
        assert [user["name"] for user in (await restarted.good("GET", f"{V3}/users"))["users"]] == ["admin"]
        await again.stop()


async def test_whether_a_role_is_given_can_be_asked_by_get_and_by_head() -> None:
    async with openstack() as cloud:
        user = (await cloud.log_in("demo")).body["token"]["user"]["id"]
        role = (await cloud.good("GET", "/identity/v3/roles?name=reader"))["roles"][0]["id"]
        place = f"/identity/v3/system/users/{user}/roles/{role}"
        for status in (404, 204):
            assert [(await cloud.ask(method, place)).status for method in ("GET", "HEAD")] == [status, status]
            assert (await cloud.ask("PUT", place)).status == 204
