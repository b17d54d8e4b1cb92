"""The life of a token: renewed in the background, replaced when refused, never asked for twice at once."""

import asyncio

import pytest

from kilonode.base.errors import OperationError
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.openstack.login import Token
from kilonode.clients.openstack.tokens import TokenCache
from tests.clients.openstack.answering import ACCESS, Answering, reply, simulated_clock


async def connected(cloud: Answering) -> Connection:
    connection = Connection(ACCESS, cloud, simulated_clock())
    await connection.connect()
    cloud.answers["GET /image/v2/images"] = reply({"images": []})
    return connection


async def use(connection: Connection) -> str:
    """The token that a request carries."""
    await connection.image.get("/images")
    assert isinstance(connection.transport, Answering)
    return connection.transport.of("/image/v2/images")[-1].headers["x-auth-token"]


async def test_a_token_is_renewed_in_the_background_while_the_old_one_is_still_good() -> None:
    cloud = Answering()
    connection = await connected(cloud)
    cloud.login_takes_s = 5.0
    await asyncio.sleep(0.79 * 3600)
    assert (await use(connection), cloud.logins) == ("token-1", 1)
    await asyncio.sleep(0.02 * 3600)
    began_s = asyncio.get_running_loop().time()
    assert await use(connection) == "token-1"
    assert asyncio.get_running_loop().time() == began_s  # nobody waited
    await asyncio.sleep(10)
    assert (await use(connection), cloud.logins) == ("token-2", 2)


async def test_a_token_that_has_ended_is_waited_for_by_all_at_once_with_one_login() -> None:
    cloud = Answering()
    connection = await connected(cloud)
    cloud.login_takes_s = 5.0
    await asyncio.sleep(2 * 3600)
    tokens = await asyncio.gather(*(use(connection) for _ in range(20)))
    assert (set(tokens), cloud.logins) == ({"token-2"}, 2)


async def test_a_renewal_that_fails_is_tried_again_now_and_then_and_harms_nobody_while_the_token_lasts() -> None:
    cloud = Answering()
    connection = await connected(cloud)
    working = cloud.answers["POST /identity/v3/auth/tokens"]
    cloud.answers["POST /identity/v3/auth/tokens"] = reply({"error": {"message": "down"}}, 503)
    await asyncio.sleep(0.9 * 3600)
    for _ in range(100):
        assert await use(connection) == "token-1"
        await asyncio.sleep(1)
    attempts = len(cloud.of("/identity/v3/auth/tokens")) - 1
    assert 15 <= attempts <= 21  # about every five seconds
    assert connection.tokens.counts.failed == attempts
    cloud.answers["POST /identity/v3/auth/tokens"] = working
    await asyncio.sleep(6)
    await use(connection)
    await asyncio.sleep(1)
    assert await use(connection) == "token-2"


async def test_when_the_token_has_ended_and_none_can_be_had_every_request_says_why() -> None:
    cloud = Answering()
    connection = await connected(cloud)
    cloud.answers["POST /identity/v3/auth/tokens"] = reply({"error": {"message": "down"}}, 503)
    await asyncio.sleep(3 * 3600)
    for _ in range(2):
        with pytest.raises(OperationError, match="identity 503: down"):
            await use(connection)


async def test_somebody_who_stops_waiting_for_a_token_does_not_end_the_login_for_the_others() -> None:
    cloud = Answering()
    cloud.login_takes_s = 5.0
    tokens = TokenCache()
    impatient, patient = (Connection(ACCESS, cloud, simulated_clock(), tokens) for _ in range(2))
    first, second = asyncio.ensure_future(impatient.connect()), asyncio.ensure_future(patient.connect())
    await asyncio.sleep(1)
    first.cancel()
    await second
    assert patient.connected
    assert cloud.logins == 1


async def test_closing_gives_up_a_login_under_way() -> None:
    cloud = Answering()
    cloud.login_takes_s = 3600.0
    connection = Connection(ACCESS, cloud, simulated_clock())
    connecting = asyncio.ensure_future(connection.connect())
    await asyncio.sleep(1)
    connection.tokens.close()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert asyncio.get_running_loop().time() == 1


async def test_the_life_of_a_token_is_counted_on_our_own_clock() -> None:
    cloud = Answering()
    cloud.token_life_s = 1800.0
    await asyncio.sleep(77)
    connection = await connected(cloud)
    token = connection.token
    assert (token.obtained_ns, token.expires_ns) == (77 * 10**9, (77 + 1800) * 10**9)


async def test_a_token_does_not_show_itself() -> None:
    connection = await connected(Answering())
    assert connection.token.text == "token-1"
    assert "token-1" not in repr(connection.token) + str(connection.token.__rich_repr__())
    assert isinstance(connection.token, Token)
