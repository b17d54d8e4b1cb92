"""The web layer: routes, microversions, faults, limits, conflicts and service times, on a service of the tests' own."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.clock import SimulatedClock
from kilonode.cloud.context import Cloud, CloudSettings
from kilonode.cloud.limits import Limits
from kilonode.cloud.openstack.web.access import Access, Caller, access_of
from kilonode.cloud.openstack.web.application import Application
from kilonode.cloud.openstack.web.faults import Fault, identity_fault_format, named_fault_format
from kilonode.cloud.openstack.web.microversions import Microversions, version_text
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.router import Router
from kilonode.cloud.openstack.web.service import Route, ServiceApp
from kilonode.store.memory import MemoryStore
from kilonode.store.protocol import ConflictError
from tests.cloud.openstack.harness import Answer, ask

RANGE = Microversions("thing", (2, 1), (2, 9), "X-Thing-Version")


async def show_things(request: Request) -> Response:
    return reply({"version": version_text(request.microversion), "query": list(request.query)}, items=3)


async def show_thing(request: Request) -> Response:
    return reply({"id": request.params["thing_id"], "caller": request.caller.user_id})


async def break_thing(request: Request) -> Response:
    raise RuntimeError("a secret of the inside")


async def refuse_thing(request: Request) -> Response:
    raise Fault(409, "It is in use.")


async def read_number(request: Request) -> Response:
    return reply({"sum": sum(request.json(list[int]))})


def authenticate(token: str) -> Caller:
    if token not in ("reader", "member", "admin"):
        raise Fault(401, "no")
    return Caller(user_id=token, roles=(token,), access=access_of((token,)))


class Things:
    """An application of one service, whose handlers the tests choose."""

    def __init__(self, cloud: Cloud, *more: Route) -> None:
        self.cloud = cloud
        service = ServiceApp(
            name="thing",
            prefix="/thing/v2",
            routes=(
                Route("GET", "/things", show_things, Access.PUBLIC),
                Route("GET", "/things/detail", show_things, Access.PUBLIC, "detail", since=(2, 4), until=(2, 6)),
                Route("GET", "/things/{thing_id}", show_thing, Access.READER),
                Route("DELETE", "/things/{thing_id}", refuse_thing, Access.ADMIN),
                Route("POST", "/things", read_number, Access.PUBLIC),
                Route("PUT", "/things", break_thing, Access.PUBLIC),
                *more,
            ),
            fault_format=named_fault_format("thingFault"),
            microversions=RANGE,
            request_id_headers=("x-openstack-request-id", "x-thing-request-id"),
        )
        self._application = Application(cloud, [service], authenticate)

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        return await ask(self._application, method, f"/thing/v2{path}", body, **options)


@asynccontextmanager
async def things(*more: Route, stages: str = "instant") -> AsyncIterator[Things]:
    clock = SimulatedClock(asyncio.get_running_loop())
    cloud = await Cloud.open(MemoryStore(), clock, CloudSettings(stages=stages), "api", ())
    try:
        yield Things(cloud, *more)
    finally:
        await cloud.close()


async def test_a_fixed_path_goes_before_a_named_one() -> None:
    async with things() as service:
        answer = await service.ask("GET", "/things/detail", headers=[("openstack-api-version", "thing 2.5")])
        assert answer.body["version"] == "2.5"
        answer = await service.ask("GET", "/things/other%2Fone", token="reader")
        assert answer.body["id"] == "other/one"


async def test_a_trailing_slash_means_nothing() -> None:
    async with things() as service:
        assert (await service.ask("GET", "/things/")).status == 200


async def test_an_unknown_path_is_404_and_a_wrong_method_405_with_what_is_allowed() -> None:
    async with things() as service:
        answer = await service.ask("GET", "/nothing", token="reader")
        assert (answer.status, list(answer.body)) == (404, ["itemNotFound"])
        answer = await service.ask("PATCH", "/things", token="reader")
        assert answer.status == 405
        assert answer.headers["allow"] == "GET, POST, PUT"
        assert (await service.ask("GET", "/nothing")).status == 401


async def test_an_operation_exists_only_in_its_microversions() -> None:
    async with things() as service:
        for version, status in (("2.3", 404), ("2.4", 200), ("2.6", 200), ("2.7", 404)):
            answer = await service.ask("GET", "/things/detail", headers=[("openstack-api-version", f"thing {version}")],
                                       token="reader")  # fmt: skip
            assert answer.status == status, version


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ([], "2.1"),
        ([("openstack-api-version", "thing 2.3")], "2.3"),
        ([("openstack-api-version", "thing latest")], "2.9"),
        ([("openstack-api-version", "other 2.3")], "2.1"),
        ([("openstack-api-version", "other 2.3, thing 2.5")], "2.5"),
        ([("x-thing-version", "2.4")], "2.4"),
        ([("x-thing-version", "latest"), ("openstack-api-version", "thing 2.2")], "2.2"),
    ],
)
async def test_the_microversion_asked_for_answers_and_says_so(headers: list[tuple[str, str]], version: str) -> None:
    async with things() as service:
        answer = await service.ask("GET", "/things", headers=headers)
        assert answer.body["version"] == version
        assert answer.headers["openstack-api-version"] == f"thing {version}"
        assert answer.headers["x-thing-version"] == version
        assert {value for name, value in answer.all_headers if name == "vary"} == {
            "OpenStack-API-Version",
            "X-Thing-Version",
        }


@pytest.mark.parametrize(
    ("version", "status"), [("2.10", 406), ("3.1", 406), ("1.9", 406), ("2", 400), ("two", 400), ("2.1.1", 400)]
)
async def test_a_microversion_that_is_not_spoken_is_refused(version: str, status: int) -> None:
    async with things() as service:
        answer = await service.ask("GET", "/things", headers=[("openstack-api-version", f"thing {version}")])
        assert answer.status == status
        fault = next(iter(answer.body.values()))
        assert fault["code"] == status
        if status == 406:
            assert (fault["min_version"], fault["max_version"]) == ("2.1", "2.9")


async def test_without_a_token_401_with_a_role_too_small_403() -> None:
    async with things() as service:
        for token in ("", "forged"):
            answer = await service.ask("GET", "/things/1", token=token)
            assert answer.status == 401
            assert answer.body["error"]["code"] == 401
            assert answer.headers["www-authenticate"].startswith("Keystone uri=")
        assert (await service.ask("DELETE", "/things/1", token="member")).status == 403
        assert (await service.ask("DELETE", "/things/1", token="admin")).status == 409


async def test_every_answer_has_a_request_id_and_no_two_the_same() -> None:
    async with things() as service:
        answers = [await service.ask("GET", path) for path in ("/things", "/things", "/nothing", "/things/1")]
        ids = [answer.headers["x-openstack-request-id"] for answer in answers]
        assert len(set(ids)) == 4
        assert all(len(one) == len("req-") + 36 for one in ids)
        assert answers[0].headers["x-thing-request-id"] == ids[0]


async def test_a_bug_is_logged_with_the_request_id_and_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with things() as service:
        with caplog.at_level(logging.ERROR):
            answer = await service.ask("PUT", "/things")
        assert answer.status == 500
        assert list(answer.body) == ["thingFault"]
        assert b"secret" not in answer.raw
        assert answer.headers["x-openstack-request-id"] in caplog.text


async def test_a_body_that_is_wrong_is_400_with_the_place_of_the_mistake() -> None:
    async with things() as service:
        assert (await service.ask("POST", "/things", [1, 2])).body == {"sum": 3}
        answer = await service.ask("POST", "/things", [1, "two"])
        assert answer.status == 400
        assert "$[1]" in answer.body["badRequest"]["message"]
        assert (await service.ask("POST", "/things", b"{")).status == 400
        assert (await service.ask("POST", "/things")).status == 400


async def test_a_body_that_is_too_long_is_413_whether_it_says_so_or_not() -> None:
    async with things() as service:
        told = await service.ask("POST", "/things", b"1", headers=[("content-length", str(Limits().body_bytes + 1))])
        assert told.status == 413
        half = b" " * (Limits().body_bytes // 2 + 1)
        assert (await service.ask("POST", "/things", parts=[half, half, b""])).status == 413


async def test_a_client_that_goes_away_in_the_middle_gets_no_answer() -> None:
    async with things() as service:
        assert (await service.ask("POST", "/things", parts=[b"[1,"])).status == 0


async def test_after_a_conflict_the_handler_decides_anew_and_not_for_ever() -> None:
    calls: list[int] = []

    async def conflict_twice(request: Request) -> Response:
        calls.append(len(calls))
        if len(calls) < 3:
            raise ConflictError("somebody was first")
        return reply({})

    async def conflict_always(request: Request) -> Response:
        calls.append(len(calls))
        raise ConflictError("somebody was first")

    routes = (
        Route("POST", "/twice", conflict_twice, Access.PUBLIC),
        Route("POST", "/always", conflict_always, Access.PUBLIC),
    )
    async with things(*routes) as service:
        assert (await service.ask("POST", "/twice")).status == 200
        assert len(calls) == 3
        assert (await service.ask("POST", "/always")).status == 409
        assert len(calls) < 100


async def test_the_profile_gives_an_operation_its_service_time(tmp_path: Path) -> None:
    profile = tmp_path / "slow.yaml"
    profile.write_text("extends: instant\nservices:\n  thing.show_things: {base: 700ms, per_item: 100ms}\n")
    async with things(stages=str(profile)) as service:
        clock = service.cloud.clock
        before_ns = clock.now_ns()
        await service.ask("GET", "/things")
        assert clock.now_ns() - before_ns == 1_000_000_000
        before_ns = clock.now_ns()
        await service.ask("GET", "/things/1", token="reader")
        assert clock.now_ns() == before_ns


async def test_a_service_time_before_is_drawn_for_each_request_and_passes_before_the_handler(tmp_path: Path) -> None:
    profile = tmp_path / "slow.yaml"
    profile.write_text(
        "extends: instant\nservices:\n"
        "  thing.show_things: {base: 1s, before: {distribution: uniform, min: 100ms, max: 200ms}}\n"
    )
    took_s = []
    for _ in range(2):
        async with things(stages=str(profile)) as service:
            for _ in range(20):
                before_ns = service.cloud.clock.now_ns()
                await service.ask("GET", "/things")
                took_s.append((service.cloud.clock.now_ns() - before_ns) / 1e9)
    assert all(1.1 <= seconds <= 1.2 for seconds in took_s)
    assert len({round(seconds, 6) for seconds in took_s[:20]}) == 20
    assert took_s[:20] == pytest.approx(took_s[20:])


async def test_the_profile_has_a_share_of_the_requests_fail_before_anything_is_done(tmp_path: Path) -> None:
    profile = tmp_path / "bad.yaml"
    profile.write_text(
        "extends: instant\nservices:\n  thing.count: {failure: {odds: 0.3, status: 503, message: not today}}\n"
    )
    done: list[int] = []

    async def count(request: Request) -> Response:
        done.append(1)
        return reply({})

    runs = []
    for _ in range(2):
        async with things(Route("POST", "/count", count, Access.PUBLIC), stages=str(profile)) as service:
            runs.append([(await service.ask("POST", "/count")).status for _ in range(200)])
            assert (await service.ask("GET", "/things")).status == 200
    assert runs[0] == runs[1]
    failed = runs[0].count(503)
    assert 35 <= failed <= 85
    assert len(done) == 2 * (200 - failed)


async def test_what_a_request_does_is_done_after_the_time_before(tmp_path: Path) -> None:
    profile = tmp_path / "slow.yaml"
    profile.write_text(
        "extends: instant\nservices:\n  thing.note_when: {base: 1s, before: {distribution: fixed, value: 2s}}\n"
    )
    done_ns: list[int] = []

    async def note_when(request: Request) -> Response:
        done_ns.append(request.cloud.clock.now_ns())
        return reply({})

    async with things(Route("POST", "/when", note_when, Access.PUBLIC), stages=str(profile)) as service:
        asked_ns = service.cloud.clock.now_ns()
        await service.ask("POST", "/when")
        assert done_ns == [asked_ns + 2_000_000_000]
        assert service.cloud.clock.now_ns() - asked_ns == 3_000_000_000


def test_a_fault_of_the_identity_service_has_its_form() -> None:
    assert identity_fault_format(Fault(404, "gone"), "req-1").body == (
        b'{"error":{"code":404,"message":"gone","title":"Not Found"}}'
    )


SEGMENTS = st.lists(st.sampled_from(["a", "b", "{x}", "{y}"]), min_size=0, max_size=4)


@given(st.lists(SEGMENTS, max_size=8), st.lists(st.sampled_from(["a", "b", "c"]), max_size=4))
def test_the_router_finds_what_fits_and_prefers_fixed_segments(paths: list[list[str]], asked: list[str]) -> None:
    router: Router[str] = Router()
    entered: dict[str, list[str]] = {}
    for segments in paths:
        shape = "/".join("*" if segment.startswith("{") else segment for segment in segments)
        if shape in entered:
            continue
        entered[shape] = segments
        router.add("GET", "/" + "/".join(segments), shape)
    fitting = [
        shape
        for shape, segments in entered.items()
        if len(segments) == len(asked)
        and all(want.startswith("{") or want == got for want, got in zip(segments, asked, strict=True))
    ]
    found = router.find("/" + "/".join(asked))
    if not fitting:
        assert found is None
        return
    assert found is not None
    target = found.target("GET")
    assert target is not None
    # From the left, a fixed segment beats a named one.
    assert target[0] == min(fitting, key=lambda shape: [part == "*" for part in shape.split("/")])
