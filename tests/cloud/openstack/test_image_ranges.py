"""A part of an image's data is what `Range` asks for, or it is refused."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.simulation import run_coroutine_simulated
from kilonode.cloud.openstack.image.ranges import part, wanted_range
from kilonode.cloud.openstack.web.faults import Fault
from tests.cloud.openstack.harness import openstack

IMAGES = "/image/v2/images"


async def stream(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@given(st.lists(st.binary(max_size=5)), st.integers(0, 30), st.integers(0, 30))
def test_a_part_of_a_stream_is_what_a_slice_of_the_whole_is(pieces: list[bytes], start: int, length: int) -> None:
    async def read() -> bytes:
        return b"".join([piece async for piece in part(stream(pieces), start, start + length)])

    assert run_coroutine_simulated(read()) == b"".join(pieces)[start : start + length + 1]


@pytest.mark.parametrize(
    ("header", "found"),
    [(None, None), ("bytes=0-0", (0, 0)), ("bytes=3-", (3, 9)), ("bytes=-4", (6, 9)), ("bytes=8-99", (8, 9))],
)
def test_a_range_is_read(header: str | None, found: tuple[int, int] | None) -> None:
    assert wanted_range(header, 10) == found


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=5-4", "bytes=-", "bytes=1-2,4-5", "lines=1-2", "x"])
def test_a_range_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(Fault) as caught:
        wanted_range(header, 10)
    assert caught.value.status == 416


async def test_data_is_given_in_part_and_only_octets_are_taken() -> None:
    async with openstack() as cloud:
        wanted = {"disk_format": "raw", "container_format": "bare"}
        place = f"{IMAGES}/{(await cloud.good('POST', IMAGES, wanted))['id']}/file"
        typed = [("content-type", "application/json")]
        assert (await cloud.ask("PUT", place, b"0123456789", headers=typed)).status == 415
        octets = [("content-type", "application/octet-stream")]
        await cloud.good("PUT", place, b"0123456789", headers=octets)
        answer = await cloud.ask("GET", place, headers=[("range", "bytes=2-4")])
        assert (answer.status, answer.raw, answer.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
        assert (await cloud.ask("GET", place, headers=[("range", "bytes=12-")])).status == 416
