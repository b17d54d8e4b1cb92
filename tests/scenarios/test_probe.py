"""The scenario `probe`: what it asks, what counts as an answer, and which connections it uses."""

from collections.abc import Sequence
from typing import Any

import pytest

from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.openstack.catalog import SERVICES, unversioned_url
from kilonode.clients.transport import Response
from kilonode.scenarios.actions.probing import ask
from kilonode.scenarios.iteration import Iteration
from tests.scenarios.emulated import emulated_cloud
from tests.scenarios.recording import Recorder


class Answering:
    """A transport that gives one answer and remembers what it was asked for."""

    def __init__(self, response: Response) -> None:
        self.asked: list[tuple[str, Sequence[tuple[str, str]]]] = []
        self._response = response

    async def request(self, method: str, url: str, *, headers: Any = (), **_: Any) -> Response:
        self.asked.append((f"{method} {url}", headers))
        return self._response

    async def close(self) -> None:
        pass


def iteration(transport: Any) -> Iteration:
    return Recorder(transport=transport).iteration()


@pytest.mark.parametrize("status", [200, 300])
async def test_a_list_of_versions_is_an_answer(status: int) -> None:
    transport = Answering(Response(status))
    await ask(iteration(transport), "http://cloud:80/compute/", "", "", 5.0)
    assert transport.asked == [("GET http://cloud:80/compute/", ())]


@pytest.mark.parametrize(
    ("status", "outcome"), [(503, Outcome.HTTP_5XX), (404, Outcome.HTTP_4XX), (302, Outcome.PROTOCOL)]
)
async def test_any_other_answer_is_a_failure_of_its_class(status: int, outcome: Outcome) -> None:
    with pytest.raises(OperationError) as raised:
        await ask(iteration(Answering(Response(status))), "http://cloud", "/health", "", 5.0)
    assert raised.value.outcome is outcome


async def test_a_connection_that_turned_out_closed_is_a_reset_though_a_new_one_answered() -> None:
    with pytest.raises(OperationError) as raised:
        await ask(iteration(Answering(Response(200, resent=True))), "http://cloud", "", "", 5.0)
    assert raised.value.outcome is Outcome.RESET


@pytest.mark.parametrize("service", sorted(SERVICES))
async def test_every_service_tells_its_versions_to_anybody(service: str) -> None:
    async with emulated_cloud() as cloud:
        assert await cloud.run("probe", {"endpoint": service}) == (Outcome.OK, "")
        assert cloud.recorder.names == ["answer"]


async def test_a_path_is_asked_for_with_a_token() -> None:
    async with emulated_cloud() as cloud:
        arguments = {"endpoint": "compute", "path": "/servers?limit=1"}
        assert await cloud.run("probe", arguments) == (Outcome.OK, "")


@pytest.mark.parametrize(
    ("service", "root", "unversioned"),
    [
        ("compute", "http://c:8774/v2.1", "http://c:8774/"),
        ("volume", "http://c/volume/v3/0123", "http://c/volume/"),
        ("placement", "http://c/placement", "http://c/placement/"),
        ("network", "http://c:9696/v2.0", "http://c:9696/"),
    ],
)
def test_the_list_of_versions_stands_before_the_version(service: str, root: str, unversioned: str) -> None:
    assert unversioned_url(SERVICES[service], root) == unversioned
