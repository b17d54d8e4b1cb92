"""What the data of an image is found to be, who refuses it, and what a server that boots of it becomes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.cloud.openstack.image.formats import HEAD_BYTES, TAIL_BYTES, Inspector, boot_refusal, inspect, mismatch
from kilonode.cloud.service_settings import ImageSettings, ServiceSettings
from tests.cloud.openstack import disks
from tests.cloud.openstack.harness import OpenStack, openstack

PLACE = "/image/v2"
LAX = ServiceSettings(image=ImageSettings(check_formats=False))


def look(data: bytes) -> Any:
    return inspect(data[:HEAD_BYTES], data[-TAIL_BYTES:], len(data))


@pytest.mark.parametrize(
    ("data", "name", "virtual_bytes"),
    [
        (disks.qcow2(), "qcow2", disks.GIB),
        (disks.qcow2(version=2), "qcow2", disks.GIB),
        (disks.vmdk(), "vmdk", disks.GIB),
        (disks.vmdk("streamOptimized", footer="right"), "vmdk", disks.GIB),
        (disks.vhd(), "vhd", disks.GIB),
        (b"vhdxfile" + bytes(1000), "vhdx", None),
        (disks.vdi(), "vdi", disks.GIB),
        (disks.iso(), "iso", 16 * 2048),
        (disks.gpt(), "gpt", None),
        (b"LUKS\xba\xbe" + bytes(1000), "luks", None),
        (b"not a disk", "raw", 10),
        (b"", "raw", 0),
    ],
)
def test_whole_disks_are_known_by_their_first_bytes(data: bytes, name: str, virtual_bytes: int | None) -> None:
    found = look(data)
    assert (found.format, found.virtual_bytes, found.unsafe) == (name, virtual_bytes, "")


@pytest.mark.parametrize(
    "data",
    [
        disks.qcow2(backing=1024),
        disks.qcow2(features=0b100),
        disks.qcow2(features=1 << 20),
        disks.qcow2(version=9),
        b"QED\0" + bytes(1000),
        disks.vmdk("monolithicFlat"),
        disks.vmdk(extent='RW 2097152 FLAT "disk-flat.vmdk" 0'),
        disks.vmdk(extent='RW 2097152 SPARSE "/etc/passwd"'),
        disks.vmdk(extent=""),
        disks.vmdk("streamOptimized", footer="wrong"),
        disks.gpt(start=9),
        disks.gpt(more=True),
        disks.qcow2()[:0x8000] + disks.iso()[0x8000:],
    ],
)
def test_disks_that_could_lead_elsewhere_are_unsafe(data: bytes) -> None:
    assert look(data).unsafe


def test_a_disc_that_also_starts_from_a_disk_is_a_disc() -> None:
    both = bytearray(disks.iso())
    both[:512] = disks.gpt()[:512]
    assert (look(bytes(both)).format, look(bytes(both)).unsafe) == ("iso", "")


@given(st.binary(max_size=3000), st.sampled_from([b"", b"QFI\xfb", b"KDMV", b"conectix", b"QED\0", b"vhdxfile"]))
def test_no_data_breaks_the_look_at_it(data: bytes, magic: bytes) -> None:
    found = look(magic + data)
    assert found.format
    mismatch("qcow2", "bare", found)
    boot_refusal("qcow2", found.format, found.unsafe)


@given(st.lists(st.binary(max_size=50_000), max_size=6))
def test_what_goes_by_in_parts_is_seen_as_if_it_were_one(parts: list[bytes]) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    async def watched() -> list[bytes]:
        return [part async for part in inspector.watch(stream())]

    inspector = Inspector()
    assert asyncio.run(watched()) == parts
    assert inspector.finding() == look(b"".join(parts))


async def _image(cloud: OpenStack, disk_format: str, data: bytes) -> tuple[str, int]:
    """A new image's id, and what its upload was answered."""
    body = {"name": "i", "disk_format": disk_format, "container_format": "bare", "visibility": "public"}
    image_id = (await cloud.good("POST", f"{PLACE}/images", body))["id"]
    return image_id, (await cloud.ask("PUT", f"{PLACE}/images/{image_id}/file", data)).status


async def test_data_of_another_format_than_was_said_is_refused_and_the_image_stays_queued() -> None:
    async with openstack() as cloud:
        for disk_format, data in (("qcow2", b"no disk"), ("vmdk", disks.qcow2()), ("qcow2", disks.qcow2(backing=9))):
            image_id, status = await _image(cloud, disk_format, data)
            assert status == 400, disk_format
            assert (await cloud.good("GET", f"{PLACE}/images/{image_id}"))["status"] == "queued"
        image_id, status = await _image(cloud, "qcow2", disks.qcow2())
        assert status == 204
        assert (await cloud.good("GET", f"{PLACE}/images/{image_id}"))["virtual_size"] == disks.GIB
        assert (await _image(cloud, "raw", b"anything"))[1] == 204
        assert (await _image(cloud, "ami", b"anything"))[1] == 204


@pytest.mark.parametrize(
    ("disk_format", "data", "state"),
    [
        ("qcow2", disks.qcow2(), "ACTIVE"),
        ("iso", disks.iso(), "ACTIVE"),
        ("raw", b"anything", "ACTIVE"),
        ("qcow2", disks.qcow2(backing=9), "ERROR"),
        ("raw", disks.qcow2(), "ERROR"),
        ("qcow2", b"anything", "ERROR"),
    ],
)
async def test_a_node_boots_only_what_is_what_it_is_said_to_be(disk_format: str, data: bytes, state: str) -> None:
    async with openstack(services=LAX) as cloud:
        image_id, status = await _image(cloud, disk_format, data)
        assert status == 204
        wanted = {"server": {"name": "s", "imageRef": image_id, "flavorRef": "2", "networks": "none"}}
        headers = [("openstack-api-version", "compute 2.60")]
        server = (await cloud.good("POST", "/compute/v2.1/servers", wanted, headers=headers))["server"]["id"]
        await cloud.clock.sleep(2)
        shown = (await cloud.good("GET", f"/compute/v2.1/servers/{server}"))["server"]
        assert shown["status"] == state
        if state == "ERROR":
            assert image_id in shown["fault"]["message"]
