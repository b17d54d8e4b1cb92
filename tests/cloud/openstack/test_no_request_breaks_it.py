"""Whatever a client sends, to any operation of any service, is answered and never by 500."""

import itertools
import json
import logging
import re
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kilonode.base.clock import SimulatedClock
from kilonode.base.simulation import run_simulated
from kilonode.cloud.openstack.application import SERVICES
from kilonode.cloud.openstack.web.service import Route, ServiceApp
from tests.cloud.openstack.harness import OpenStack, openstack

NAMES: Final = {
    "{project_id}": "project",
    "{server_id}": "server",
    "{volume_id}": "volume",
    "{image_id}": "image",
    "{user_id}": "user",
    "{id}": "network",
}
"""Where a path wants the id of something that exists, it gets one; elsewhere a name that nothing has."""

JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
QUERIES: Final = (
    "", "limit=x", "limit=-1", "limit=99999999999999999999", "marker=x", "sort_key=x&sort_dir=y", "sort=x:y", "sort=,",
    "fields=&fields=x", "all_tenants=maybe", "name=%00&id=%ff", "created_at=gt:x", "changes-since=x", "visibility=x",
    "resources=VCPU:x", "resources=VCPU:1,MEMORY_MB", "required=!", "member_of=in:", "tags=a,b&not-tags=", "detailed=2",
    "start=x&end=y", "scope.project.id=x&effective", "page_reverse=x", "ip=(", "status=x", "host=x", "metadata=x",
    "is_public=x", "with_servers=x", "metadata={}", "offset=x", "minDisk=x&minRam=-1", "usage=x", "servers=x",
)  # fmt: skip


def routes() -> list[tuple[ServiceApp, Route]]:
    return [(service, route) for service in SERVICES for route in service.routes]


async def things(cloud: OpenStack) -> dict[str, str]:
    """The ids of things that exist."""
    token = (await cloud.log_in("admin")).body["token"]
    project_id = token["project"]["id"]
    networks = (await cloud.good("GET", "/network/v2.0/networks?name=lab"))["networks"]
    images = (await cloud.good("GET", "/image/v2/images"))["images"]
    volume = await cloud.good("POST", f"/volume/v3/{project_id}/volumes", {"volume": {"size": 1, "name": "v"}})
    server = {"name": "s", "flavorRef": "1", "imageRef": images[0]["id"], "networks": [{"uuid": networks[0]["id"]}]}
    made = await cloud.good("POST", "/compute/v2.1/servers", {"server": server})
    await cloud.clock.sleep(1)
    return {
        "project": project_id,
        "user": token["user"]["id"],
        "network": networks[0]["id"],
        "image": images[0]["id"],
        "volume": volume["volume"]["id"],
        "server": made["server"]["id"],
    }


def place(service: ServiceApp, route: Route, ids: dict[str, str]) -> str:
    path = service.prefix + route.path
    return re.sub(r"\{\w+\}", lambda match: ids.get(NAMES.get(match[0], ""), "there-is-none"), path)


def bodies(service: ServiceApp, route: Route) -> list[bytes]:
    """Bodies of every wrong shape, with the nouns that the operation might look for."""
    last = [part for part in route.path.split("/") if part and not part.startswith("{")]
    noun = (last[-1] if last else "x").replace("-", "_").removeprefix("os_")
    nouns = {noun, noun.removesuffix("s"), noun.removesuffix("ies") + "y", "auth", "quota", "quota_set", "metadata"}
    actions = {"os-start", "resize", "reboot", "createImage", "os-extend", "os-migrateLive", "rebuild", "addFixedIp"}
    shapes: list[Any] = [None, [], {}, "text", 1, [None], [{}], [{"op": 1}]]
    for name, value in itertools.product(sorted(nouns | actions), (None, [], {}, "x", 3, [None], {"name": 5})):
        shapes.append({name: value})
    return [b"", b"{", b"\xff\xfe", *(json.dumps(shape).encode() for shape in shapes)]


def microversion(service: ServiceApp) -> list[tuple[str, str]]:
    if service.microversions is None:
        return []
    return [("openstack-api-version", f"{service.microversions.service} latest")]


async def test_no_body_of_a_wrong_shape_breaks_any_operation(caplog: pytest.LogCaptureFixture) -> None:
    broken = []
    async with openstack() as cloud:
        ids = await things(cloud)
        for service, route in routes():
            if route.method in ("GET", "HEAD", "DELETE"):
                continue
            for body in bodies(service, route):
                path = place(service, route, ids)
                with caplog.at_level(logging.CRITICAL):
                    answer = await cloud.ask(route.method, path, body, headers=microversion(service))
                if answer.status >= 500 and answer.status != 501:
                    broken.append((route.method, path, body, answer))
    assert broken == []


async def test_no_query_breaks_any_list(caplog: pytest.LogCaptureFixture) -> None:
    broken = []
    async with openstack() as cloud:
        ids = await things(cloud)
        for service, route in routes():
            if route.method != "GET":
                continue
            for query in QUERIES:
                path = f"{place(service, route, ids)}?{query}"
                with caplog.at_level(logging.CRITICAL):
                    answer = await cloud.ask(route.method, path, headers=microversion(service))
                if answer.status >= 500 and answer.status != 501:
                    broken.append((path, answer))
    assert broken == []


async def test_every_operation_refuses_who_has_no_token_and_who_has_no_role() -> None:
    async with openstack() as cloud:
        ids = await things(cloud)
        unscoped = await cloud.token("demo", scope="unscoped")
        for service, route in routes():
            path = place(service, route, ids)
            if route.access.name == "PUBLIC":
                continue
            assert (await cloud.ask(route.method, path, token="")).status == 401, path
            if route.access.name != "AUTHENTICATED":
                assert (await cloud.ask(route.method, path, token=unscoped)).status in (403, 404), path
            if route.access.name == "ADMIN":
                assert (await cloud.ask(route.method, path, token=cloud.demo)).status in (403, 404), path


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, 10_000), JSON, st.text(max_size=12)), max_size=30))
def test_no_json_at_all_breaks_any_operation(requests: list[tuple[int, Any, str]]) -> None:
    async def run(clock: SimulatedClock) -> None:
        async with openstack() as cloud:
            ids = await things(cloud)
            known = [(service, route) for service, route in routes() if route.method in ("POST", "PUT", "PATCH")]
            for number, value, name in requests:
                service, route = known[number % len(known)]
                path = place(service, route, ids)
                noun = path.rstrip("/").split("/")[-1].removesuffix("s").replace("-", "_")
                for body in (value, {noun: value}, {noun: {"name": value, name: value}}):
                    answer = await cloud.ask(
                        route.method, path, json.dumps(body).encode(), headers=microversion(service)
                    )
                    assert answer.status < 500 or answer.status == 501, (route.method, path, body, answer)
                    if answer.status == 401:
                        return  # the administrator disabled itself, or its project

    run_simulated(run)
