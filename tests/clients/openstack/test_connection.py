"""A connection: what connecting asks for, where services are found, what a request carries, how failures look."""

import asyncio

import msgspec
import pytest

from kilonode.base.errors import InputError, LabError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.openstack.tokens import TokenCache
from tests.clients.openstack.answering import ACCESS, URL, Answering, Sent, catalog_entry, reply, simulated_clock


async def connected(cloud: Answering | None = None, access: object = ACCESS) -> tuple[Connection, Answering]:
    cloud = cloud or Answering()
    assert isinstance(access, type(ACCESS))
    connection = Connection(access, cloud, simulated_clock())
    await connection.connect()
    return connection, cloud


async def test_connecting_logs_in_once_and_asks_each_service_for_its_versions_once() -> None:
    cloud, tokens = Answering(), TokenCache()
    connection = Connection(ACCESS, cloud, simulated_clock(), tokens)
    assert not connection.connected
    await connection.connect()
    another = Connection(ACCESS, cloud, simulated_clock(), tokens)
    assert another.connected
    await another.connect()
    assert cloud.logins == 1
    assert sorted(sent.path for sent in cloud.sent) == [
        "/compute/v2.1/", "/identity/v3/auth/tokens", "/placement/", "/volume/v3/",
    ]  # fmt: skip
    assert (connection.project_id, connection.user_id, connection.token.roles) == ("p-1", "u-1", ("member",))


async def test_many_connections_that_connect_at_once_share_one_login() -> None:
    cloud, tokens = Answering(), TokenCache()
    cloud.login_takes_s = 1.0
    connections = [Connection(ACCESS, cloud, simulated_clock(), tokens) for _ in range(10)]
    await asyncio.gather(*(connection.connect() for connection in connections))
    assert cloud.logins == 1
    assert len({id(connection.token) for connection in connections}) == 1


async def test_services_are_found_below_their_versions_wherever_the_catalog_puts_them() -> None:
    connection, _ = await connected()
    assert connection.identity.root_url == f"{URL}/identity/v3"
    assert connection.compute.root_url == f"{URL}/compute/v2.1"
    assert connection.network.root_url == f"{URL}:9696/v2.0"
    assert connection.image.root_url == f"{URL}/image/v2"
    assert connection.volume.root_url == f"{URL}/volume/v3/p-1"
    assert connection.placement.root_url == f"{URL}/placement"
    assert connection.service("volumev3") is not connection.compute


async def test_a_service_that_is_missing_is_an_error_at_its_use_that_says_what_there_is() -> None:
    cloud = Answering()
    cloud.catalog = [entry for entry in cloud.catalog if entry["type"] != "block-storage"]
    connection, _ = await connected(cloud)
    with pytest.raises(InputError, match="no volume service") as caught:
        _ = connection.volume
    assert "compute" in str(caught.value)
    with pytest.raises(InputError, match="no volume service"):
        await connection.connect(services=("volume",))


async def test_a_wrong_region_or_interface_is_an_error_that_says_what_there_is() -> None:
    for access, words in [
        (msgspec.structs.replace(ACCESS, region_name="Elsewhere"), "region Elsewhere"),
        (msgspec.structs.replace(ACCESS, interface="internal"), "internal endpoint"),
    ]:
        connection, _ = await connected(access=access)
        with pytest.raises(InputError, match=words) as caught:
            _ = connection.compute
        assert "public in RegionOne" in str(caught.value)


async def test_identity_need_not_be_in_its_own_catalog() -> None:
    cloud = Answering()
    cloud.catalog = []
    connection, _ = await connected(cloud)
    assert connection.identity.root_url == f"{URL}/identity/v3"


async def test_an_address_can_be_overridden_with_the_projects_id_filled_in() -> None:
    access = msgspec.structs.replace(
        ACCESS,
        endpoint_overrides=(("compute", "http://other:8774/v2.1"), ("block-storage", "http://other/v3/%(project_id)s")),
    )
    connection, _ = await connected(access=access)
    assert connection.compute.root_url == "http://other:8774/v2.1"
    assert connection.volume.root_url == "http://other/v3/p-1"


async def test_an_unknown_service_is_taken_as_the_catalog_has_it() -> None:
    cloud = Answering()
    cloud.catalog.append(catalog_entry("orchestration", f"{URL}/heat/v1/p-1/"))
    connection, _ = await connected(cloud)
    assert connection.service("orchestration").root_url == f"{URL}/heat/v1/p-1"


async def test_a_request_carries_token_and_microversion() -> None:
    connection, cloud = await connected()
    cloud.answers["POST /compute/v2.1/servers"] = reply({"server": {"id": "s"}}, 202)
    document = await connection.compute.post("/servers", json={"server": {}}, query=(("limit", 2), ("name", "a b")))
    sent = cloud.of("/compute/v2.1/servers")[0]
    assert document == {"server": {"id": "s"}}
    assert sent.url.endswith("/servers?limit=2&name=a+b")
    assert sent.json() == {"server": {}}
    assert sent.headers == {
        "x-auth-token": "token-1",
        "accept": "application/json",
        "content-type": "application/json",
        "openstack-api-version": "compute 2.79",
    }


async def test_the_microversion_is_the_highest_that_both_know_unless_a_request_names_one() -> None:
    connection, cloud = await connected()
    assert connection.compute.microversion == "2.79"
    assert connection.volume.microversion == "3.50"
    assert connection.placement.microversion == "1.36"
    assert connection.network.microversion == ""
    cloud.answers["GET /compute/v2.1/servers"] = reply({"servers": []})
    for version, expected in [(None, "compute 2.79"), ("2.1", "compute 2.1"), ("latest", "compute latest"), ("", None)]:
        await connection.compute.get("/servers", microversion=version)
        assert cloud.sent[-1].headers.get("openstack-api-version") == expected
        old = cloud.sent[-1].headers.get("x-openstack-nova-api-version")
        assert old == ("2.1" if version == "2.1" else None)


async def test_old_microversions_of_compute_are_asked_for_in_the_old_way_too() -> None:
    connection, cloud = await connected()
    cloud.answers["GET /compute/v2.1/servers"] = reply({"servers": []})
    await connection.compute.get("/servers", microversion="2.25")
    assert cloud.sent[-1].headers["x-openstack-nova-api-version"] == "2.25"


async def test_the_users_own_default_microversion_wins() -> None:
    access = msgspec.structs.replace(ACCESS, default_microversions=(("compute", "2.53"), ("block-storage", "3.27")))
    connection, _ = await connected(access=access)
    assert (connection.compute.microversion, connection.volume.microversion) == ("2.53", "3.27")


async def test_a_service_without_versions_is_asked_without_one() -> None:
    cloud = Answering()
    cloud.answers["GET /compute/v2.1/"] = reply({"version": {"id": "v2.0", "version": "", "min_version": ""}})
    connection, _ = await connected(cloud)
    assert connection.compute.microversion == ""


async def test_a_service_that_does_not_answer_matters_only_to_those_who_need_it() -> None:
    cloud = Answering()
    cloud.answers["GET /placement/"] = reply(None, 503)
    connection, _ = await connected(cloud)
    with pytest.raises(OperationError, match="placement 503"):
        await connection.connect(services=("placement",))


async def test_a_failure_is_classified_with_the_services_words_and_without_secrets() -> None:
    connection, cloud = await connected()
    cloud.answers["DELETE /compute/v2.1/servers/x"] = reply(
        {"itemNotFound": {"message": "token-1 sesame not found"}}, 404
    )
    with pytest.raises(OperationError) as caught:
        await connection.compute.delete("/servers/x")
    assert (caught.value.outcome, caught.value.status) == (Outcome.HTTP_4XX, 404)
    assert caught.value.message == "compute 404: … … not found"


async def test_a_success_that_was_not_expected_is_a_protocol_failure() -> None:
    connection, cloud = await connected()
    cloud.answers["GET /compute/v2.1/servers"] = reply(None, 302)
    with pytest.raises(OperationError, match="answered 302 instead of 200 or 201") as caught:
        await connection.compute.get("/servers")
    assert caught.value.outcome == Outcome.PROTOCOL
    cloud.answers["GET /compute/v2.1/servers"] = reply({"itemNotFound": {"message": "gone"}}, 404)
    assert (await connection.compute.request("GET", "/servers", expect=(404,))).status == 404


async def test_an_empty_body_decodes_to_none() -> None:
    connection, cloud = await connected()
    for method in ("get", "post", "put", "patch", "delete"):
        cloud.answers[f"{method.upper()} /image/v2/images/x"] = reply(None, 204)
        assert await getattr(connection.image, method)("/images/x") is None


async def test_a_refused_token_is_replaced_once_and_the_answer_says_so() -> None:
    connection, cloud = await connected()

    def only_the_second(sent: Sent) -> object:
        good = sent.headers["x-auth-token"] == "token-2"
        return reply({"servers": []}) if good else reply({"error": {"message": "expired"}}, 401)

    cloud.answers["GET /compute/v2.1/servers"] = only_the_second  # type: ignore[assignment]
    responses = await asyncio.gather(*(connection.compute.request("GET", "/servers") for _ in range(5)))
    assert all(response.reauthenticated for response in responses)
    assert cloud.logins == 2
    assert connection.tokens.counts.refused_tokens == 5
    assert not (await connection.compute.request("GET", "/servers")).reauthenticated


async def test_a_second_refusal_is_a_failure() -> None:
    connection, cloud = await connected()
    cloud.answers["GET /compute/v2.1/servers"] = reply({"error": {"message": "no"}}, 401)
    with pytest.raises(OperationError, match="compute 401: no"):
        await connection.compute.get("/servers")
    assert len(cloud.of("/compute/v2.1/servers")) == 2


async def test_a_request_can_be_sent_without_a_token() -> None:
    connection, cloud = await connected()
    cloud.answers["POST /identity/v3/auth/tokens"] = reply({"error": {"message": "wrong password"}}, 401)
    with pytest.raises(OperationError, match="wrong password"):
        await connection.identity.post("/auth/tokens", json={}, authenticated=False)
    assert "x-auth-token" not in cloud.sent[-1].headers
    assert cloud.logins == 1


async def test_the_token_goes_nowhere_before_connecting() -> None:
    connection = Connection(ACCESS, Answering(), simulated_clock())
    with pytest.raises(LabError, match=r"connect\(\)"):
        _ = connection.compute


async def test_own_timeouts_and_headers_are_passed_on() -> None:
    connection, cloud = await connected()
    cloud.answers["GET /image/v2/images"] = reply({"images": []})
    await connection.image.get("/images", timeout_s=3.5, headers=(("X-Mine", "1"),))
    assert (cloud.sent[-1].timeout_s, cloud.sent[-1].headers["x-mine"]) == (3.5, "1")
