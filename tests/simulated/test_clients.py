"""Our clients against the emulated cloud, on virtual time: every way to log in, every service, all sorts of failure."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
import pytest

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.application import ApplicationTransport
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.catalog import SERVICES
from kilonode.clients.openstack.connection import Connection
from kilonode.cloud.context import CloudSettings
from kilonode.cloud.simulated import SimulatedCloud


@contextlib.asynccontextmanager
async def administrator() -> AsyncIterator[Connection]:
    """A connection to a new small cloud."""
    clock = SimulatedClock(asyncio.get_running_loop())
    settings = CloudSettings(nodes=5, stages="instant", seed=3, public_url="http://cloud.simulated")
    async with SimulatedCloud(settings, clock) as cloud:
        transport = ApplicationTransport(cloud.application)
        access = Access(**msgspec.structs.asdict(cloud.access))
        connection = Connection(access, transport, clock)
        await connection.connect(services=tuple(SERVICES))
        yield connection
        await transport.close()


async def reconnected(connection: Connection, access: Access) -> Connection:
    other = Connection(access, connection.transport, connection.clock)
    await other.connect()
    return other


async def failure(connection: Connection, service: str, method: str, path: str, json: object = None) -> OperationError:
    with pytest.raises(OperationError) as caught:
        await connection.service(service).request(method, path, json=json)
    return caught.value


async def test_every_service_is_found_and_lists_what_it_has() -> None:
    async with administrator() as cloud:
        lists = [
            ("identity", "/projects", "projects"),
            ("compute", "/servers/detail", "servers"),
            ("compute", "/os-hypervisors", "hypervisors"),
            ("network", "/networks", "networks"),
            ("image", "/images", "images"),
            ("volume", "/volumes/detail", "volumes"),
            ("placement", "/resource_providers", "resource_providers"),
        ]
        counts = {path: len(await cloud.service(name).list_all(path, collection)) for name, path, collection in lists}
        assert counts["/os-hypervisors"] == counts["/resource_providers"] == 5
        assert counts["/images"] >= 1
        assert counts["/servers/detail"] == counts["/volumes/detail"] == 0


async def test_microversions_are_negotiated_with_those_services_that_have_them() -> None:
    async with administrator() as cloud:
        assert (cloud.compute.microversion, cloud.volume.microversion) == ("2.79", "3.59")
        assert cloud.placement.microversion == "1.36"
        response = await cloud.compute.request("GET", "/servers")
        assert response.header("openstack-api-version") == "compute 2.79"


async def test_password_token_and_application_credential_give_tokens_of_the_same_user() -> None:
    async with administrator() as cloud:
        by_ids = cloud.access.as_user(
            user_id=cloud.user_id, password=cloud.access.password, project_id=cloud.project_id
        )
        by_token = Access(
            auth_url=cloud.access.auth_url, auth_type="token", token=cloud.token.text, project_id=cloud.project_id
        )
        document = await cloud.identity.post(
            f"/users/{cloud.user_id}/application_credentials", json={"application_credential": {"name": "c"}}
        )
        credential = document["application_credential"]
        by_credential = Access(
            auth_url=cloud.access.auth_url,
            auth_type="application_credential",
            application_credential_id=credential["id"],
            application_credential_secret=credential["secret"],
        )
        for access in (by_ids, by_token, by_credential):
            other = await reconnected(cloud, access)
            assert (other.user_id, other.project_id) == (cloud.user_id, cloud.project_id)
            assert len(await other.compute.list_all("/os-hypervisors", "hypervisors")) == 5


async def test_a_wrong_password_is_refused_with_the_services_words() -> None:
    async with administrator() as cloud:
        with pytest.raises(OperationError, match="identity 401: The request you have made requires auth") as caught:
            await reconnected(cloud, msgspec.structs.replace(cloud.access, password="sesame"))
        assert caught.value.outcome == Outcome.HTTP_4XX


async def test_each_service_says_what_is_missing_in_its_own_words() -> None:
    nowhere = "00000000-0000-0000-0000-000000000000"
    async with administrator() as cloud:
        for service, path in [
            ("identity", f"/users/{nowhere}"),
            ("compute", f"/servers/{nowhere}"),
            ("network", f"/networks/{nowhere}"),
            ("image", f"/images/{nowhere}"),
            ("volume", f"/volumes/{nowhere}"),
            ("placement", f"/resource_providers/{nowhere}"),
        ]:
            failed = await failure(cloud, service, "GET", path)
            assert (failed.outcome, failed.status) == (Outcome.HTTP_4XX, 404)
            assert nowhere in failed.message


async def test_a_quota_that_is_used_up_is_told_from_other_refusals() -> None:
    async with administrator() as cloud:
        await cloud.compute.put(f"/os-quota-sets/{cloud.project_id}", json={"quota_set": {"instances": 0}})
        await cloud.network.put(f"/quotas/{cloud.project_id}", json={"quota": {"network": 0}})
        await cloud.volume.put(f"/os-quota-sets/{cloud.project_id}", json={"quota_set": {"volumes": 0}})
        flavor = (await cloud.compute.list_all("/flavors", "flavors"))[0]["id"]
        image = (await cloud.image.list_all("/images", "images"))[0]["id"]
        server = {"name": "s", "flavorRef": flavor, "imageRef": image, "networks": "none"}
        for service, path, body in [
            ("compute", "/servers", {"server": server}),
            ("network", "/networks", {"network": {"name": "n"}}),
            ("volume", "/volumes", {"volume": {"name": "v", "size": 1}}),
        ]:
            assert (await failure(cloud, service, "POST", path, body)).outcome == Outcome.QUOTA, service


async def test_long_lists_are_read_page_by_page() -> None:
    async with administrator() as cloud:
        for number in range(7):
            await cloud.network.post("/networks", json={"network": {"name": f"paged-{number}"}})
            await cloud.compute.post("/os-keypairs", json={"keypair": {"name": f"paged-{number}"}}, microversion="2.79")
            await cloud.volume.post("/volumes", json={"volume": {"name": f"paged-{number}", "size": 1}})
        for service, path, collection, key in [
            ("network", "/networks", "networks", "name"),
            ("compute", "/os-keypairs", "keypairs", "keypair"),
            ("volume", "/volumes/detail", "volumes", "name"),
        ]:
            whole = await cloud.service(service).list_all(path, collection)
            paged = await cloud.service(service).list_all(path, collection, query=(("limit", 2),))
            assert len(paged) == len(whole) >= 7
            names = [item[key]["name"] if key == "keypair" else item[key] for item in paged]
            assert len({name for name in names if str(name).startswith("paged-")}) == 7


async def test_a_token_is_renewed_while_requests_go_on_for_a_day() -> None:
    async with administrator() as cloud:
        life_s = (cloud.token.expires_ns - cloud.token.obtained_ns) / 1e9
        first = cloud.token.text
        for _ in range(20):
            await asyncio.sleep(life_s / 10)
            response = await cloud.compute.request("GET", "/servers")
            assert not response.reauthenticated
        assert cloud.token.text != first
        assert cloud.tokens.counts.refused_tokens == 0


async def test_a_revoked_token_is_replaced_and_the_answer_says_so() -> None:
    async with administrator() as cloud:
        revoked = cloud.token.text
        await cloud.identity.delete("/auth/tokens", headers=(("X-Subject-Token", revoked),))
        response = await cloud.compute.request("GET", "/servers")
        assert response.reauthenticated
        assert cloud.token.text != revoked
