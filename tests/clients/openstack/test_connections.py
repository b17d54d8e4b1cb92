"""All connections of a process: what equal accesses share, what a failure of one means, what closing ends."""

import asyncio

import msgspec
import pytest

from kilonode.base.errors import InputError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connections import LOGINS_AT_ONCE, Connections
from kilonode.clients.transport import Transport
from tests.clients.openstack.answering import ACCESS, Answering, reply, simulated_clock


class Opened:
    """Opens transports to one cloud, and counts them."""

    def __init__(self) -> None:
        self.cloud = Answering()
        self.cloud.login_takes_s = 1.0
        self.count = 0

    def __call__(self, access: Access | None) -> Transport:
        self.count += 1
        return self.cloud


def of_user(name: str) -> Access:
    return msgspec.structs.replace(ACCESS, username=name)


async def test_equal_accesses_share_a_connection_and_all_with_the_same_certificates_a_transport() -> None:
    opened = Opened()
    async with Connections(simulated_clock(), opened) as connections:
        names = ["a", "b", "a", "c", "b"]
        found = await connections.connect_all([of_user(name) for name in names])
        assert [connection.access.username for connection in found] == names
        assert len({id(connection) for connection in found}) == 3
        assert await connections.connect(of_user("b")) is found[1]
        assert (opened.cloud.logins, opened.count) == (3, 1)
        assert connections.transport(None) is opened.cloud
        connections.transport(msgspec.structs.replace(ACCESS, verify=False))
        assert opened.count == 2


async def test_only_so_many_log_in_at_once() -> None:
    opened = Opened()
    async with Connections(simulated_clock(), opened) as connections:
        await connections.connect_all([of_user(str(number)) for number in range(3 * LOGINS_AT_ONCE)])
        assert opened.cloud.logins == 3 * LOGINS_AT_ONCE
        assert asyncio.get_running_loop().time() == pytest.approx(3.0)


async def test_services_that_must_answer_are_asked_even_when_the_connection_is_there() -> None:
    opened = Opened()
    async with Connections(simulated_clock(), opened) as connections:
        opened.cloud.catalog = [entry for entry in opened.cloud.catalog if entry["type"] != "compute"]
        await connections.connect(ACCESS)
        with pytest.raises(InputError, match="compute"):
            await connections.connect_all([ACCESS], ["compute"])


async def test_a_login_that_fails_is_the_error_and_is_tried_anew_next_time() -> None:
    opened = Opened()
    cloud = opened.cloud
    working = cloud.answers["POST /identity/v3/auth/tokens"]
    async with Connections(simulated_clock(), opened) as connections:
        cloud.answers["POST /identity/v3/auth/tokens"] = reply({"error": {"message": "down"}}, 503)
        with pytest.raises(OperationError) as caught:
            await connections.connect_all([of_user("a"), of_user("b")])
        assert caught.value.outcome is Outcome.HTTP_5XX
        cloud.answers["POST /identity/v3/auth/tokens"] = working
        assert (await connections.connect(of_user("a"))).connected


async def test_closing_gives_up_logins_under_way() -> None:
    opened = Opened()
    connections = Connections(simulated_clock(), opened)
    logging_in = asyncio.ensure_future(connections.connect(ACCESS))
    await asyncio.sleep(0.5)
    await connections.close()
    with pytest.raises(asyncio.CancelledError):
        await logging_in
    assert opened.cloud.logins == 0
