"""The table of coverage is that of the routes, and what it says of actions is what the services do."""

from typing import Any

import pytest

from kilonode.cloud.openstack.application import SERVICES
from kilonode.cloud.openstack.web.service import Route, ServiceApp
from tests.cloud.openstack.harness import OpenStack, openstack
from tests.cloud.openstack.test_no_request_breaks_it import microversion, place, things
from tests.conformance.coverage import MISPRINTS, PAGE, Count, Operation, find, page, places, read_reference
from tests.conformance.reference.__main__ import SOURCES, operations

WITH_ACTIONS = [(service, route) for service in SERVICES for route in service.routes if route.actions]
UNKNOWN = "There is no such action"


def test_the_page_is_as_the_routes_are() -> None:
    if PAGE.read_text() != page():
        pytest.fail("docs/coverage.md is not as the routes are: run `make coverage` and commit the page")


def test_every_service_of_the_reference_is_one_of_ours_and_names_its_commit() -> None:
    for service, (repository, _) in SOURCES.items():
        source, found = read_reference(service)
        assert source.startswith(f"openstack/{repository} ")
        assert len(source.split()[1]) == 40
        assert len(found) > 30
        assert all(one.action != "?" for one in found)
    assert {service.name for service in SERVICES} >= set(SOURCES)


def test_a_name_in_a_path_matches_any_name_and_a_word_only_itself() -> None:
    for service in SERVICES:
        if service.name == "volume":
            served = places(service)
            assert find("volume", Operation("x", "GET", "/v3/{tenant}/volumes/{name}"), served)
            assert find("volume", Operation("x", "GET", "/v3/{tenant}/volumes/summary"), served)
            assert not find("volume", Operation("x", "GET", "/v3/{tenant}/volumes/other"), served)
            assert not find("volume", Operation("x", "POST", "/v3/{p}/volumes/{v}/action", "os-other"), served)


async def test_what_the_reference_writes_otherwise_is_really_served() -> None:
    async with openstack() as cloud:
        project_id = (await cloud.log_in("admin")).body["token"]["project"]["id"]
        for service, path in MISPRINTS:
            if path.endswith("/types/default"):
                path = path.replace("{project_id}", project_id)
                assert (await cloud.ask("GET", f"/{service}{path}")).status == 200


def test_actions_and_paths_are_read_out_of_a_page_of_the_reference() -> None:
    text = (
        "Things\n======\n\nDo it (doIt Action)\n-------------------\n\n.. rest_method:: POST /things/{id}/action\n\n"
        "Undo it\n-------\n\n.. rest_method:: POST /things/{id}/action\n\nSpecify the ``undoIt`` action.\n\n"
        "Other\n-----\n\n.. rest_method::\n   GET /things?x=y\n\nNormal response codes: 200\n"
    )
    assert operations(text, "things") == [
        "things: POST /things/{id}/action doIt",
        "things: POST /things/{id}/action undoIt",
        "things: GET /things",
    ]


def test_totals_count_what_is_gone_apart() -> None:
    compute = next(service for service in SERVICES if service.name == "compute")
    served = places(compute)
    count = Count()
    for path in ("/servers", "/os-cells", "/nothing"):
        count.add(next(iter(find("compute", Operation("x", "GET", path), served)), None))
    assert count.row("x") == "| x | 3 | 1 | 1 | 1 | 66.7 % |"


async def test_every_action_that_is_named_is_known_and_no_other_is() -> None:
    async with openstack() as cloud:
        ids = await things(cloud)
        for service, route in WITH_ACTIONS:
            for action in route.actions:
                answer = await act(cloud, service, route, ids, action)
                assert UNKNOWN not in answer.raw.decode(), (route.path, action)
            assert 400 <= (await act(cloud, service, route, ids, "nobody-does-this")).status < 500


async def act(cloud: OpenStack, service: ServiceApp, route: Route, ids: dict[str, str], action: str) -> Any:
    version = microversion(service)
    if action in ("addFloatingIp", "removeFloatingIp", "addFixedIp", "removeFixedIp") or action.endswith("Console"):
        version = []
    return await cloud.ask(route.method, place(service, route, ids), {action: {}}, headers=version)
