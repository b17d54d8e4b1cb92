"""Roles that come from elsewhere: implied, inherited, of a domain, by a trust; and what limits programs."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.cloud.openstack.harness import OpenStack, openstack

V3 = "/identity/v3"


async def make(cloud: OpenStack, collection: str, noun: str, **values: Any) -> dict[str, Any]:
    made = await cloud.good("POST", f"{V3}/{collection}", {noun: values})
    found: dict[str, Any] = made[noun]
    return found


async def role_names(cloud: OpenStack, user: str, scope: Any) -> list[str]:
    answer = await cloud.log_in(user, "secret", scope)
    if answer.status == 401:
        return []
    assert answer.status == 201, answer
    return sorted(role["name"] for role in answer.body["token"]["roles"])


async def effective(cloud: OpenStack, query: str) -> list[str]:
    found = await cloud.good("GET", f"{V3}/role_assignments?effective&include_names&{query}")
    return sorted(one["role"]["name"] for one in found["role_assignments"])


async def test_a_role_gives_those_it_implies_and_those_they_imply_until_the_rule_is_gone() -> None:
    async with openstack() as cloud:
        project_id, _ = await cloud.new_project("alice", role="reader")
        roles = [await make(cloud, "roles", "role", name=name) for name in ("one", "two", "three")]
        one, two, three = (role["id"] for role in roles)
        await cloud.good("PUT", f"{V3}/roles/{one}/implies/{two}")
        await cloud.good("PUT", f"{V3}/roles/{two}/implies/{three}")
        await cloud.good("PUT", f"{V3}/roles/{three}/implies/{one}")
        user = (await cloud.good("GET", f"{V3}/users?name=alice"))["users"][0]["id"]
        await cloud.good("PUT", f"{V3}/projects/{project_id}/users/{user}/roles/{one}")
        scope = {"project": {"id": project_id}}
        assert await role_names(cloud, "alice", scope) == ["one", "reader", "three", "two"]
        await cloud.good("DELETE", f"{V3}/roles/{one}/implies/{two}")
        assert (await cloud.ask("GET", f"{V3}/roles/{one}/implies/{two}")).status == 404
        assert await role_names(cloud, "alice", scope) == ["one", "reader"]


async def test_nobody_becomes_an_administrator_by_a_rule() -> None:
    async with openstack() as cloud:
        roles = {role["name"]: role["id"] for role in (await cloud.good("GET", f"{V3}/roles"))["roles"]}
        answer = await cloud.ask("PUT", f"{V3}/roles/{roles['reader']}/implies/{roles['admin']}")
        assert answer.status == 403


async def test_a_role_of_a_domain_is_in_no_token_but_gives_what_it_implies() -> None:
    async with openstack() as cloud:
        domain = await make(cloud, "domains", "domain", name="other")
        user = await make(cloud, "users", "user", name="bob", password="secret", domain_id=domain["id"])
        project = await make(cloud, "projects", "project", name="p", domain_id=domain["id"])
        role = await make(cloud, "roles", "role", name="boss", domain_id=domain["id"])
        reader = (await cloud.good("GET", f"{V3}/roles?name=reader"))["roles"][0]
        assert (await cloud.good("GET", f"{V3}/roles?name=boss"))["roles"] == []
        assert len((await cloud.good("GET", f"{V3}/roles?domain_id={domain['id']}"))["roles"]) == 1
        place = f"{V3}/projects/{project['id']}/users/{user['id']}/roles/{role['id']}"
        await cloud.good("PUT", place)
        assert await effective(cloud, f"user.id={user['id']}") == []
        await cloud.good("PUT", f"{V3}/roles/{role['id']}/implies/{reader['id']}")
        assert await effective(cloud, f"user.id={user['id']}") == ["reader"]
        demo = (await cloud.log_in("demo")).body["token"]["project"]["id"]
        assert (await cloud.ask("PUT", place.replace(project["id"], demo))).status == 403
        assert (await cloud.ask("PUT", f"{V3}/system/users/{user['id']}/roles/{role['id']}")).status == 400


@pytest.mark.parametrize("target", ["domains", "projects"])
async def test_an_inherited_role_holds_on_every_project_below_and_not_on_its_target(target: str) -> None:
    async with openstack() as cloud:
        domain = await make(cloud, "domains", "domain", name="other")
        user = await make(cloud, "users", "user", name="bob", password="secret")
        top = await make(cloud, "projects", "project", name="top", domain_id=domain["id"])
        leaf = await make(cloud, "projects", "project", name="leaf", parent_id=top["id"])
        assert leaf["domain_id"] == domain["id"]
        beside = await make(cloud, "projects", "project", name="beside")
        key = domain["id"] if target == "domains" else top["id"]
        reader = (await cloud.good("GET", f"{V3}/roles?name=reader"))["roles"][0]
        place = f"{V3}/OS-INHERIT/{target}/{key}/users/{user['id']}/roles/{reader['id']}/inherited_to_projects"
        await cloud.good("PUT", place)
        assert (await cloud.ask("HEAD", place)).status == 204
        on_leaf, on_top, on_beside = ({"project": {"id": one["id"]}} for one in (leaf, top, beside))
        assert await role_names(cloud, "bob", on_leaf) == ["reader"]
        assert await role_names(cloud, "bob", on_top) == (["reader"] if target == "domains" else [])
        assert await role_names(cloud, "bob", on_beside) == []
        assert await role_names(cloud, "bob", {"domain": {"id": domain["id"]}}) == []
        assert await effective(cloud, f"scope.project.id={leaf['id']}") == ["reader"]
        projects = (await cloud.good("GET", f"{V3}/users/{user['id']}/projects"))["projects"]
        assert leaf["id"] in [one["id"] for one in projects]
        listed = (await cloud.good("GET", f"{V3}/role_assignments?user.id={user['id']}"))["role_assignments"]
        assert [one["scope"]["OS-INHERIT:inherited_to"] for one in listed] == ["projects"]
        assert listed[0]["links"]["assignment"].endswith("/inherited_to_projects")
        await cloud.good("DELETE", place)
        assert await role_names(cloud, "bob", on_leaf) == []


class Trust:
    """A trust of alice, for her project, to bob."""

    def __init__(self, cloud: OpenStack, **values: Any) -> None:
        self.cloud = cloud
        self.values = values

    async def make(self) -> dict[str, Any]:
        project_id, self.alice = await self.cloud.new_project("alice")
        _, self.bob = await self.cloud.new_project("bob")
        users = (await self.cloud.good("GET", f"{V3}/users"))["users"]
        self.ids = {user["name"]: user["id"] for user in users}
        self.wanted = {
            "trustor_user_id": self.ids["alice"],
            "trustee_user_id": self.ids["bob"],
            "project_id": project_id,
            "impersonation": True,
            "roles": [{"name": "reader"}],
            **self.values,
        }
        made = await self.cloud.good("POST", f"{V3}/OS-TRUST/trusts", {"trust": self.wanted}, token=self.alice)
        self.id = made["trust"]["id"]
        trust: dict[str, Any] = made["trust"]
        return trust

    async def log_in(self, user: str = "bob") -> Any:
        return await self.cloud.log_in(user, "secret", {"OS-TRUST:trust": {"id": self.id}})


@pytest.mark.parametrize("impersonation", [True, False])
async def test_a_trustee_acts_with_the_roles_of_the_trust_and_no_others(impersonation: bool) -> None:
    async with openstack() as cloud:
        trust = Trust(cloud, impersonation=impersonation)
        made = await trust.make()
        assert [role["name"] for role in made["roles"]] == ["reader"]
        answer = await trust.log_in()
        token = answer.body["token"]
        assert token["project"]["name"] == "alice"
        assert token["user"]["name"] == ("alice" if impersonation else "bob")
        assert [role["name"] for role in token["roles"]] == ["reader"]
        assert token["OS-TRUST:trust"]["trustee_user"] == {"id": trust.ids["bob"]}
        text = answer.headers["x-subject-token"]
        assert (await cloud.ask("GET", "/network/v2.0/networks", token=text)).status == 200
        assert (await cloud.ask("POST", "/network/v2.0/networks", {"network": {}}, token=text)).status == 403
        assert (await trust.log_in("demo")).status == 401
        assert (await trust.log_in("alice")).status == 401


async def test_a_token_of_a_trust_ends_with_it() -> None:
    async with openstack() as cloud:
        trust = Trust(cloud)
        await trust.make()
        text = (await trust.log_in()).headers["x-subject-token"]
        assert (await cloud.ask("DELETE", f"{V3}/OS-TRUST/trusts/{trust.id}", token=trust.bob)).status == 403
        await cloud.good("DELETE", f"{V3}/OS-TRUST/trusts/{trust.id}", token=trust.alice)
        assert (await cloud.ask("GET", "/network/v2.0/networks", token=text)).status == 401
        assert (await trust.log_in()).status == 401


async def test_a_token_of_a_trust_is_worth_nothing_when_the_trustor_loses_the_role() -> None:
    async with openstack() as cloud:
        trust = Trust(cloud)
        await trust.make()
        text = (await trust.log_in()).headers["x-subject-token"]
        role = (await cloud.good("GET", f"{V3}/roles?name=member"))["roles"][0]["id"]
        project_id = trust.wanted["project_id"]
        await cloud.good("DELETE", f"{V3}/projects/{project_id}/users/{trust.ids['alice']}/roles/{role}")
        assert (await cloud.ask("GET", "/network/v2.0/networks", token=text)).status == 401


async def test_a_token_of_a_trust_makes_nothing_that_outlives_it() -> None:
    async with openstack() as cloud:
        trust = Trust(cloud)
        await trust.make()
        text = (await trust.log_in()).headers["x-subject-token"]
        user = f"{V3}/users/{trust.ids['alice']}"
        wanted = {"application_credential": {"name": "more"}}
        place = f"{user}/application_credentials"
        assert (await cloud.ask("POST", place, wanted, token=text)).status == 403
        for path in (place, f"{user}/access_rules"):
            assert (await cloud.ask("GET", path, token=text)).status == 403
            assert (await cloud.ask("GET", path, token=trust.alice)).status == 200
        assert (await cloud.ask("POST", f"{V3}/OS-TRUST/trusts", {"trust": trust.wanted}, token=text)).status == 403
        other = (await cloud.log_in("demo")).body["token"]["project"]["id"]
        keys = f"{user}/credentials/OS-EC2"
        assert (await cloud.ask("POST", keys, {"tenant_id": other}, token=text)).status == 403
        own = {"tenant_id": trust.wanted["project_id"]}
        assert (await cloud.ask("POST", keys, own, token=text)).status == 201


@pytest.mark.parametrize("unrestricted", [True, False])
async def test_a_token_of_an_application_credential_gives_no_more_than_itself(unrestricted: bool) -> None:
    async with openstack() as cloud:
        user = (await cloud.log_in("demo")).body["token"]["user"]["id"]
        place = f"{V3}/users/{user}/application_credentials"
        wanted: dict[str, Any] = {"name": "robot", "roles": [{"name": "reader"}], "unrestricted": unrestricted}
        made = (await cloud.good("POST", place, {"application_credential": wanted}, token=cloud.demo))[
            "application_credential"
        ]
        method = {"id": made["id"], "secret": made["secret"]}
        auth = {"identity": {"methods": ["application_credential"], "application_credential": method}}
        robot = (await cloud.ask("POST", f"{V3}/auth/tokens", {"auth": auth}, token="")).headers["x-subject-token"]
        assert (await cloud.ask("GET", f"{V3}/OS-TRUST/trusts?trustor_user_id={user}", token=robot)).status == 403
        more = {"application_credential": {"name": "more", "roles": [{"name": "member"}]}}
        same = {"application_credential": {"name": "same"}}
        assert (await cloud.ask("POST", place, more, token=robot)).status == (400 if unrestricted else 403)
        assert (await cloud.ask("POST", place, same, token=robot)).status == (201 if unrestricted else 403)


async def test_a_trust_is_used_as_often_as_it_says() -> None:
    async with openstack() as cloud:
        trust = Trust(cloud, remaining_uses=2)
        await trust.make()
        assert [(await trust.log_in()).status for _ in range(3)] == [201, 201, 403]


async def test_a_trust_ends_at_its_time_and_so_do_its_tokens() -> None:
    async with openstack() as cloud:
        trust = Trust(cloud)
        await trust.make()
        end = cloud.clock.utc().replace(microsecond=0).isoformat()
        place = f"{V3}/OS-TRUST/trusts"
        past = {"trust": {**trust.wanted, "expires_at": end}}
        assert (await cloud.ask("POST", place, past, token=trust.alice)).status == 400
        soon = cloud.clock.utc().timestamp() + 100
        wanted = {**trust.wanted, "expires_at": datetime.fromtimestamp(soon, UTC).isoformat()}
        trust.id = (await cloud.good("POST", place, {"trust": wanted}, token=trust.alice))["trust"]["id"]
        text = (await trust.log_in()).headers["x-subject-token"]
        await cloud.clock.sleep(101)
        assert (await cloud.ask("GET", "/network/v2.0/networks", token=text)).status == 401
        assert (await trust.log_in()).status == 401
        assert (await cloud.ask("GET", f"{place}/{trust.id}", token=trust.alice)).status == 404


async def test_only_the_trustor_makes_a_trust_and_only_with_roles_it_has() -> None:
    async with openstack() as cloud:
        trust = Trust(cloud)
        await trust.make()
        place = f"{V3}/OS-TRUST/trusts"
        assert (await cloud.ask("POST", place, {"trust": trust.wanted}, token=trust.bob)).status == 403
        more = {**trust.wanted, "roles": [{"name": "admin"}]}
        assert (await cloud.ask("POST", place, {"trust": more}, token=trust.alice)).status == 403
        assert (await cloud.ask("GET", place, token=trust.alice)).status == 403
        assert (await cloud.ask("GET", f"{place}/{trust.id}", token=cloud.demo)).status == 403
        mine = await cloud.good("GET", f"{place}?trustor_user_id={trust.ids['alice']}", token=trust.alice)
        assert [one["id"] for one in mine["trusts"]] == [trust.id]


async def test_an_access_rule_is_shared_and_stays_while_an_application_credential_has_it() -> None:
    async with openstack() as cloud:
        user = (await cloud.log_in("demo")).body["token"]["user"]["id"]
        place, rules = f"{V3}/users/{user}/application_credentials", f"{V3}/users/{user}/access_rules"
        rule = {"service": "network", "method": "GET", "path": "/v2.0/networks"}
        made = []
        for name in ("one", "two"):
            wanted = {"application_credential": {"name": name, "access_rules": [rule]}}
            made.append((await cloud.good("POST", place, wanted, token=cloud.demo))["application_credential"])
        listed = (await cloud.good("GET", rules, token=cloud.demo))["access_rules"]
        assert [one["id"] for one in listed] == [made[0]["access_rules"][0]["id"]]
        assert made[0]["access_rules"] == made[1]["access_rules"]
        assert (await cloud.ask("DELETE", f"{rules}/{listed[0]['id']}", token=cloud.demo)).status == 403
        for one in made:
            await cloud.good("DELETE", f"{place}/{one['id']}", token=cloud.demo)
        await cloud.good("DELETE", f"{rules}/{listed[0]['id']}", token=cloud.demo)
        assert (await cloud.good("GET", rules, token=cloud.demo))["access_rules"] == []


async def test_a_token_with_access_rules_is_good_for_nothing_else() -> None:
    async with openstack() as cloud:
        user = (await cloud.log_in("demo")).body["token"]["user"]["id"]
        rules = [
            {"service": "network", "method": "GET", "path": "/v2.0/networks"},
            {"service": "compute", "method": "GET", "path": "/v2.1/servers/*/ips"},
        ]
        wanted = {"application_credential": {"name": "robot", "access_rules": rules}}
        place = f"{V3}/users/{user}/application_credentials"
        made = (await cloud.good("POST", place, wanted, token=cloud.demo))["application_credential"]
        method = {"id": made["id"], "secret": made["secret"]}
        auth = {"identity": {"methods": ["application_credential"], "application_credential": method}}
        answer = await cloud.ask("POST", f"{V3}/auth/tokens", {"auth": auth}, token="")
        token = answer.headers["x-subject-token"]

        async def status(method: str, path: str) -> int:
            return (await cloud.ask(method, path, {}, token=token)).status

        assert await status("GET", "/network/v2.0/networks") == 200
        assert await status("GET", "/compute/v2.1/servers/there-is-none/ips") == 404
        for method_name, path in (
            ("POST", "/network/v2.0/networks"),
            ("GET", "/network/v2.0/networks/x"),
            ("GET", "/compute/v2.1/servers"),
            ("GET", "/compute/v2.1/servers/a"),
            ("GET", f"{V3}/users/{user}"),
        ):
            assert await status(method_name, path) == 401, path


async def test_credentials_are_seen_by_their_owner_and_administrators() -> None:
    async with openstack() as cloud:
        token = (await cloud.log_in("demo")).body["token"]
        user_id, project_id = token["user"]["id"], token["project"]["id"]
        place = f"{V3}/users/{user_id}/credentials/OS-EC2"
        made = (await cloud.good("POST", place, {"tenant_id": project_id}, token=cloud.demo))["credential"]
        _, other = await cloud.new_project("alice")
        assert (await cloud.ask("GET", place, token=other)).status == 403
        assert (await cloud.good("GET", f"{V3}/credentials", token=other))["credentials"] == []
        [kept] = (await cloud.good("GET", f"{V3}/credentials", token=cloud.demo))["credentials"]
        assert made["access"] in kept["blob"]
        assert (await cloud.ask("GET", f"{V3}/credentials/{kept['id']}", token=other)).status == 403
        await cloud.good("DELETE", f"{place}/{made['access']}", token=cloud.demo)
        assert (await cloud.ask("GET", f"{V3}/credentials/{kept['id']}")).status == 404
