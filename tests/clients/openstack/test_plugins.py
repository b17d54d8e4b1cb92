"""Logging in by other keystoneauth plug-ins, against a small Keystone on 127.0.0.1."""

import asyncio
import json

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import InputError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.openstack.login import log_in
from tests.clients.openstack.answering import Answering, catalog_entry
from tests.clients.scripted import Client, answer, serving, transport

TOKEN = {
    "methods": ["totp"],
    "issued_at": "2030-01-01T00:00:00.000000Z",
    "expires_at": "2030-01-01T02:00:00.000000Z",
    "project": {"id": "p-1", "name": "ours", "domain": {"id": "default", "name": "Default"}},
    "user": {"id": "u-1", "name": "me", "domain": {"id": "default", "name": "Default"}},
    "roles": [{"id": "r-1", "name": "member"}],
    "catalog": [catalog_entry("image", "http://image.invalid")],
}


async def keystone(client: Client) -> None:
    """Takes the passcode 123456 and nothing else."""
    while (request := await client.read()) is not None:
        if request.method == "POST" and request.target.endswith("/auth/tokens"):
            user = json.loads(request.body)["auth"]["identity"]["totp"]["user"]
            if user["passcode"] == "123456":
                await client.write(
                    answer(
                        json.dumps({"token": TOKEN}).encode(), status="201 Created", headers="X-Subject-Token: tok\r\n"
                    )
                )
            else:
                body = b'{"error": {"code": 401, "message": "sesame is no passcode", "title": "Unauthorized"}}'
                await client.write(
                    answer(body, status="401 Unauthorized", headers="Content-Type: application/json\r\n")
                )
        else:
            await client.write(answer(b"{}", status="404 Not Found"))


def access(port: int, passcode: str, plugin: str = "v3totp") -> Access:
    return Access(
        auth_url=f"http://127.0.0.1:{port}/v3",
        auth_type=plugin,
        plugin_options=(
            ("auth_url", f"http://127.0.0.1:{port}/v3"),
            ("passcode", passcode),
            ("project_id", "p-1"),
            ("user_id", "u-1"),
        ),
        timeout_s=10,
    )


@pytest.mark.real_loop
async def test_a_plug_in_gives_a_token_like_any_other() -> None:
    async with serving(keystone) as server, transport() as http:
        connection = Connection(access(server.port, "123456"), http, RealClock())
        await connection.connect()
        token = connection.token
        assert (token.text, token.project_id, token.user_id, token.roles) == ("tok", "p-1", "u-1", ("member",))
        assert token.expires_ns - token.obtained_ns == 7200 * 10**9
        assert connection.image.root_url == "http://image.invalid/v2"


@pytest.mark.real_loop
async def test_a_plug_in_that_is_refused_is_classified_without_its_secret() -> None:
    async with serving(keystone) as server, transport() as http:
        with pytest.raises(OperationError, match="… is no passcode") as caught:
            await log_in(access(server.port, "sesame"), http, RealClock())
        assert (caught.value.outcome, caught.value.status) == (Outcome.HTTP_4XX, 401)


@pytest.mark.real_loop
async def test_a_keystone_that_is_not_there_is_refused_and_one_that_hangs_is_a_timeout() -> None:
    never = asyncio.Event()

    async def silent(client: Client) -> None:
        await never.wait()

    async with serving(silent) as server, transport() as http:
        patient = access(server.port, "123456")
        hanging = Access(
            auth_url=patient.auth_url, auth_type="v3totp", plugin_options=patient.plugin_options, timeout_s=0.05
        )
        with pytest.raises(OperationError) as caught:
            await log_in(hanging, http, RealClock())
        assert caught.value.outcome == Outcome.TIMEOUT
        gone = server.port
    async with transport() as http:
        with pytest.raises(OperationError) as caught:
            await log_in(access(gone, "123456"), http, RealClock())
        assert caught.value.outcome == Outcome.REFUSED


@pytest.mark.real_loop
async def test_a_plug_in_that_is_unknown_or_wrongly_set_is_an_input_error() -> None:
    with pytest.raises(InputError, match="no keystoneauth plug-in 'nonsense'"):
        await log_in(access(1, "sesame", "nonsense"), Answering(), RealClock())
    with pytest.raises(InputError, match="v3oidcpassword") as caught:
        await log_in(access(1, "sesame", "v3oidcpassword"), Answering(), RealClock())
    assert "sesame" not in str(caught.value)


@pytest.mark.real_loop
async def test_a_cloud_without_keystone_is_used_by_overridden_addresses() -> None:
    async def service(client: Client) -> None:
        while await client.read() is not None:
            await client.write(answer(b'{"images": []}'))

    async with serving(service) as server, transport() as http:
        alone = Access(
            auth_url="",
            auth_type="none",
            plugin_options=(("endpoint", server.url),),
            endpoint_overrides=(("image", server.url),),
        )
        connection = Connection(alone, http, RealClock())
        await connection.connect()
        document = await connection.image.get("/images")
        assert document["images"] == []
        assert connection.token.catalog == ()
