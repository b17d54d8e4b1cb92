"""Giant bodies, bodies of too many parts, and callers who ask too often are refused in each service's own words."""

import asyncio
from typing import Any

import msgspec
import pytest

from kilonode.base.clock import SimulatedClock
from kilonode.cloud.context import CloudSettings
from kilonode.cloud.limits import Limits, RateLimit
from kilonode.cloud.service_settings import ServiceSettings, read_service_settings
from kilonode.cloud.simulated import SimulatedCloud
from tests.cloud.openstack.harness import Answer, OpenStack, openstack

PLACES = {
    "identity": ("POST", "/identity/v3/projects"),
    "compute": ("POST", "/compute/v2.1/servers"),
    "placement": ("POST", "/placement/resource_providers"),
    "image": ("POST", "/image/v2/images"),
    "network": ("POST", "/network/v2.0/networks"),
    "volume": ("POST", "/volume/v3/{project}/volumes"),
}


def words(service: str, answer: Answer) -> str:
    """The words of an error, from where the service has them."""
    if service == "image":
        return answer.raw.decode()
    body = answer.body
    if service == "placement":
        return str(body["errors"][0]["detail"])
    error = {"identity": "error", "network": "NeutronError"}.get(service, "overLimit")
    return str(body[error]["message"])


async def limited(limits: Limits) -> Any:
    settings = CloudSettings(
        nodes=1, stages="instant", seed=7, public_url="http://cloud.test", services=ServiceSettings(limits=limits)
    )
    return SimulatedCloud(settings, SimulatedClock(asyncio.get_running_loop()))


async def project_of(cloud: OpenStack) -> str:
    return str((await cloud.log_in("admin")).body["token"]["project"]["id"])


@pytest.mark.parametrize("service", list(PLACES))
async def test_a_giant_body_is_413_in_the_services_words_and_ends_the_connection(service: str) -> None:
    async with openstack() as cloud:
        method, path = PLACES[service]
        path = path.replace("{project}", await project_of(cloud))
        giant = b" " * (Limits().body_bytes + 1)
        whole = await cloud.ask(method, path, giant)
        pieces = await cloud.ask(method, path, parts=[b" " * 300_000] * 4 + [b""])
        announced = await cloud.ask(method, path, b"{}", headers=[("content-length", str(10**12))])
        for answer in (whole, pieces, announced):
            assert (answer.status, answer.headers["connection"]) == (413, "close")
            assert "Request is too large." in words(service, answer)


@pytest.mark.parametrize("service", [name for name in PLACES if name != "placement"])
async def test_a_body_of_too_many_values_or_too_deep_is_refused(service: str) -> None:
    async with openstack() as cloud:
        method, path = PLACES[service]
        path = path.replace("{project}", await project_of(cloud))
        wide = b'{"x": [' + b"1," * 100_000 + b"1]}"
        assert (await cloud.ask(method, path, wide)).status == 413
        for deep in (b"[" * 40_000, b'{"x":' * 20_000 + b"1" + b"}" * 20_000):
            assert (await cloud.ask(method, path, deep)).status == 400


async def test_image_data_has_a_limit_of_its_own_and_what_is_refused_leaves_the_image_as_it_was() -> None:
    async with await limited(Limits(image_bytes=1_000)) as simulated:
        cloud = OpenStack(simulated)
        cloud.admin = await cloud.token("admin")
        body = {"name": "big", "disk_format": "raw", "container_format": "bare"}
        image = (await cloud.good("POST", "/image/v2/images", body))["id"]
        octets = [("content-type", "application/octet-stream")]
        place = f"/image/v2/images/{image}"
        refused = await cloud.ask("PUT", f"{place}/file", parts=[b"x" * 600, b"x" * 600, b""], headers=octets)
        assert refused.status == 413
        assert (await cloud.good("GET", place))["status"] == "queued"
        assert (await cloud.ask("PUT", f"{place}/file", b"x" * 1_000, headers=octets)).status == 204


@pytest.mark.parametrize("service", list(PLACES))
async def test_who_asks_too_often_is_told_when_to_come_back_and_others_are_not_held_up(service: str) -> None:
    limits = Limits(rates=(RateLimit(requests_per_s=0.1, burst=4),))
    async with await limited(limits) as simulated:
        cloud = OpenStack(simulated)
        cloud.admin, cloud.demo = await cloud.token("admin"), await cloud.token("demo")
        path = PLACES[service][1].replace("{project}", await project_of(cloud))
        statuses = [(await cloud.ask("GET", path)).status for _ in range(4)]
        assert 429 not in statuses
        answer = await cloud.ask("GET", path)
        assert (answer.status, answer.headers["retry-after"]) == (429, "10")
        assert "rate-limited" in words(service, answer)
        if service in ("compute", "volume"):
            assert answer.body["overLimit"]["retryAfter"] == "10"
        assert (await cloud.ask("GET", path, token=cloud.demo)).status != 429
        await cloud.clock.sleep(10)
        assert (await cloud.ask("GET", path)).status != 429


async def test_who_has_no_token_is_limited_by_address() -> None:
    limits = Limits(rates=(RateLimit(requests_per_s=1, burst=2, each="address"),))
    async with await limited(limits) as simulated:
        cloud = OpenStack(simulated)
        statuses = [(await cloud.log_in("nobody", "wrong")).status for _ in range(3)]
        assert statuses == [401, 401, 429]


def test_limits_are_read_from_the_file_of_the_services(tmp_path: Any) -> None:
    path = tmp_path / "services.yaml"
    path.write_text("limits: {connections_per_address: 50, rates: [{requests_per_s: 20, burst: 40, each: user}]}\n")
    limits = read_service_settings(path).limits
    assert limits.connections_per_address == 50
    assert limits.rates == (RateLimit(20, 40, "user"),)
    assert msgspec.structs.replace(limits, connections_per_address=None, rates=()) == Limits()
