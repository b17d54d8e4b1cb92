"""Following pages, whichever way a service names the next one."""

from typing import Any

import pytest

from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.transport import Response
from tests.clients.openstack.answering import ACCESS, Answering, Sent, reply, simulated_clock

LINKS: dict[str, Any] = {
    "servers": lambda url: {"servers_links": [{"rel": "next", "href": url}]},
    "networks": lambda url: {"networks_links": [{"rel": "previous", "href": "x"}, {"rel": "next", "href": url}]},
    "images": lambda url: {"next": url.removeprefix("http://cloud")},
    "projects": lambda url: {"links": {"self": "x", "previous": None, "next": url}},
}


@pytest.mark.parametrize("collection", list(LINKS))
async def test_every_service_is_read_to_its_last_page(collection: str) -> None:
    cloud = Answering()
    connection = Connection(ACCESS, cloud, simulated_clock())
    await connection.connect()

    def page(sent: Sent) -> Response:
        marker = int(sent.url.partition("marker=")[2] or 0)
        document = {collection: [{"id": str(marker + number)} for number in range(2)]}
        # The host in the link is another than the one we asked: that of the service behind its proxy.
        if marker < 4:
            document |= LINKS[collection](f"http://behind:1/{collection}?limit=2&marker={marker + 2}")
        return reply(document)

    cloud.answers[f"GET /image/v2/{collection}"] = page
    found = await connection.image.list_all(f"/{collection}", collection, query=(("limit", 2),))
    assert [item["id"] for item in found] == ["0", "1", "2", "3", "4", "5"]
    assert [sent.url.partition("?")[2] for sent in cloud.of(f"/image/v2/{collection}")] == [
        "limit=2", "limit=2&marker=2", "limit=2&marker=4",
    ]  # fmt: skip
    assert all(sent.url.startswith("http://cloud/") for sent in cloud.sent)


async def test_pages_without_an_end_are_a_protocol_failure() -> None:
    cloud = Answering()
    connection = Connection(ACCESS, cloud, simulated_clock())
    await connection.connect()
    cloud.answers["GET /image/v2/images"] = reply({"images": [{"id": "1"}], "next": "/v2/images?marker=1"})
    with pytest.raises(OperationError, match="no end") as caught:
        await connection.image.list_all("/images", "images")
    assert caught.value.outcome == Outcome.PROTOCOL
    assert len(cloud.of("/image/v2/images")) == 2


@pytest.mark.parametrize("document", [{}, [], {"images": {}}, None])
async def test_an_answer_without_the_list_is_a_protocol_failure(document: Any) -> None:
    cloud = Answering()
    connection = Connection(ACCESS, cloud, simulated_clock())
    await connection.connect()
    cloud.answers["GET /image/v2/images"] = reply(document)
    with pytest.raises(OperationError, match="no list 'images'") as caught:
        await connection.image.list_all("/images", "images")
    assert caught.value.outcome == Outcome.PROTOCOL
