"""Actions: what they send, what they record, and how they fail, on a cloud that follows a script."""

from itertools import pairwise
from typing import Any

import pytest

from kilonode.base.outcomes import Outcome
from kilonode.scenarios.actions import images, networks, servers
from kilonode.scenarios.registry import find
from tests.scenarios.recording import RUN_ID, Recorder
from tests.scenarios.scripted import TOKEN_TEXT, Answer, ScriptedTransport, scripted, server, volume

POST_SERVER = "POST /compute/v2.1/servers"
SERVER = "/compute/v2.1/servers/s1"
VOLUME = "/volume/v3/p1/volumes/v1"
ATTACHMENT = f"{SERVER}/os-volume_attachments"
BOOTS: dict[str, list[Answer]] = {POST_SERVER: [(202, {"server": {"id": "s1"}})], f"DELETE {SERVER}": [(204, None)]}
ARGUMENTS = {"flavor": "f1", "image": "i1"}


def errors(recorder: Recorder) -> list[tuple[str, str, str]]:
    return [(step.step, step.outcome, step.error) for step in recorder.steps if step.outcome != "ok"]


async def test_a_boot_records_acceptance_and_completion_apart_with_the_polling_resolution() -> None:
    recorder, _ = await scripted(BOOTS | {f"GET {SERVER}": [server("BUILD")] * 3 + [server("ACTIVE")]})
    it = recorder.iteration()
    await servers.boot(it, **ARGUMENTS)
    accepted, active, boot = (recorder.one(name) for name in ("boot.accepted", "boot.active", "boot"))
    assert recorder.names == ["boot.accepted", "boot.active", "boot"]
    assert (accepted.started_ns, boot.started_ns, boot.finished_ns) == (it.due_ns, it.due_ns, active.finished_ns)
    assert accepted.finished_ns - accepted.started_ns == 10_000_000
    assert active.started_ns == accepted.finished_ns
    assert accepted.resolution_ns == 0
    # Three polls of 10 ms that did not see it with 50 ms after each, then the one that did.
    assert active.finished_ns - active.started_ns == (3 * 60 + 10) * 1_000_000
    assert active.resolution_ns == boot.resolution_ns == (10 + 50 + 10) * 1_000_000


async def test_task_states_become_phases_that_add_up_to_the_wait() -> None:
    states = ["scheduling", "scheduling", "networking", "spawning", "spawning", "spawning"]
    polls = [server("BUILD", state) for state in states] + [server("ACTIVE", "spawning"), server("ACTIVE")]
    recorder, _ = await scripted(BOOTS | {f"GET {SERVER}": polls})
    await servers.boot(recorder.iteration(), **ARGUMENTS)
    phases = [step for step in recorder.steps if step.step.startswith("boot.active.")]
    active = recorder.one("boot.active")
    assert [phase.step.rpartition(".")[2] for phase in phases] == ["scheduling", "networking", "spawning"]
    assert phases[0].started_ns == active.started_ns
    assert phases[-1].finished_ns == active.finished_ns
    assert all(one.finished_ns == next_.started_ns for one, next_ in pairwise(phases))
    assert {phase.resolution_ns for phase in phases} == {70_000_000}


async def test_a_server_that_is_active_at_the_first_look_has_no_phases() -> None:
    recorder, _ = await scripted(BOOTS | {f"GET {SERVER}": [server("ACTIVE")]})
    await servers.boot(recorder.iteration(), **ARGUMENTS)
    assert recorder.names == ["boot.accepted", "boot.active", "boot"]
    assert recorder.one("boot.active").resolution_ns == 10_000_000


@pytest.mark.parametrize(
    ("number", "tenant", "sent"),
    [
        (0, {}, {"networks": "none"}),
        (0, {"networks": ("n1", "n2")}, {"networks": [{"uuid": "n1"}]}),
        (3, {"networks": ("n1", "n2")}, {"networks": [{"uuid": "n2"}]}),
        (
            0,
            {"networks": ("n1",), "security_groups": ("g1",)},
            {"networks": [{"uuid": "n1"}], "security_groups": [{"name": "g1"}]},
        ),
        (0, {"security_groups": ("g1",)}, {"networks": "none"}),
    ],
)
async def test_a_boot_asks_for_what_can_be_found_again(number: int, tenant: dict[str, Any], sent: Any) -> None:
    recorder, transport = await scripted(BOOTS | {f"GET {SERVER}": [server("ACTIVE")]}, **tenant)
    await servers.boot(recorder.iteration(number), **ARGUMENTS)
    assert transport.sent(POST_SERVER) == {
        "server": {
            "name": f"kn-{RUN_ID}-work-{number}-server",
            "flavorRef": "f1",
            "imageRef": "i1",
            "metadata": {"kilonode_run": RUN_ID},
        }
        | sent
    }


async def test_a_server_in_error_is_the_wrong_state_with_its_fault_and_is_deleted() -> None:
    fault = "No valid host was found. There are not enough hosts available."
    polls = [server("BUILD", "scheduling"), server("ERROR", fault=fault), server("ERROR", "deleting"), (404, None)]
    recorder, transport = await scripted(BOOTS | {f"GET {SERVER}": polls})
    outcome, message = await recorder.run(find("compute.boot_and_delete"), ARGUMENTS)
    assert (outcome, message) == (Outcome.WRONG_STATE, f"the server is in ERROR, wanted ACTIVE: {fault}")
    assert errors(recorder) == [("boot.active", outcome, message), ("boot", outcome, message)]
    assert recorder.names[-2:] == ["cleanup.server", "cleanup"]
    assert transport.calls("POST", "DELETE") == [POST_SERVER, f"DELETE {SERVER}"]


async def test_a_server_that_goes_away_while_it_is_waited_for_is_the_wrong_state() -> None:
    recorder, _ = await scripted(BOOTS | {f"GET {SERVER}": [server("BUILD"), server("DELETED"), (404, None)]})
    outcome, message = await recorder.run(find("compute.boot"), ARGUMENTS)
    assert (outcome, message) == (Outcome.WRONG_STATE, "the server is in DELETED, wanted ACTIVE")


async def test_a_refused_boot_leaves_nothing_to_clean_up() -> None:
    refusal = (403, {"forbidden": {"code": 403, "message": "Quota exceeded for instances: Requested 1, but already"}})
    recorder, transport = await scripted({POST_SERVER: [refusal]})
    outcome, message = await recorder.run(find("compute.boot"), ARGUMENTS)
    assert outcome == Outcome.QUOTA
    assert message.startswith("compute 403: Quota exceeded for instances")
    assert recorder.names == ["boot.accepted", "boot"]
    assert transport.calls("DELETE") == []


async def test_an_answer_without_an_id_is_no_answer_of_this_api() -> None:
    recorder, _ = await scripted({POST_SERVER: [(202, {"server": {}})]})
    outcome, message = await recorder.run(find("compute.boot"), ARGUMENTS)
    assert (outcome, message) == (Outcome.PROTOCOL, "the answer has no server with an id")


async def test_a_deletion_that_ends_in_error_is_the_wrong_state_and_is_tried_again() -> None:
    polls = [server("ACTIVE"), server("ACTIVE", "deleting"), server("ERROR", fault="no disk"), (404, None)]
    recorder, transport = await scripted(BOOTS | {f"GET {SERVER}": polls})
    outcome, message = await recorder.run(find("compute.boot_and_delete"), ARGUMENTS)
    assert (outcome, message) == (Outcome.WRONG_STATE, "the server is in ERROR and was not deleted: no disk")
    assert transport.calls("DELETE") == [f"DELETE {SERVER}"] * 2
    assert recorder.one("cleanup").outcome == "ok"


async def test_a_soft_deleted_server_is_gone() -> None:
    recorder, _ = await scripted(BOOTS | {f"GET {SERVER}": [server("ACTIVE"), server("SOFT_DELETED")]})
    assert await recorder.run(find("compute.boot_and_delete"), ARGUMENTS) == (Outcome.OK, "")


async def test_a_server_that_stayed_on_its_host_did_not_migrate() -> None:
    polls = [server("ACTIVE"), server("MIGRATING", "migrating"), server("ACTIVE"), (404, None)]
    recorder, _ = await scripted(BOOTS | {f"GET {SERVER}": polls, f"POST {SERVER}/action": [(202, None)]})
    outcome, message = await recorder.run(find("compute.live_migrate"), ARGUMENTS)
    assert (outcome, message) == (Outcome.WRONG_STATE, "the server is still on the host where it was")


async def test_a_server_on_another_host_has_migrated() -> None:
    polls = [server("ACTIVE"), server("MIGRATING", "migrating"), server("ACTIVE", host="h2"), (404, None)]
    recorder, transport = await scripted(BOOTS | {f"GET {SERVER}": polls, f"POST {SERVER}/action": [(202, None)]})
    assert await recorder.run(find("compute.live_migrate"), ARGUMENTS) == (Outcome.OK, "")
    assert transport.sent(f"POST {SERVER}/action") == {"os-migrateLive": {"host": None, "block_migration": "auto"}}


async def test_what_was_made_before_a_failure_is_deleted_in_the_opposite_order() -> None:
    made: dict[str, list[Answer]] = {
        f"POST /network/v2.0/{path}": [(201, {noun: {"id": f"{noun}1"}})]
        for path, noun in (("networks", "network"), ("subnets", "subnet"), ("routers", "router"))
    }
    refused: dict[str, list[Answer]] = {
        "PUT /network/v2.0/routers/router1/add_router_interface": [(500, {"NeutronError": {"message": "no"}})]
    }
    recorder, transport = await scripted(made | refused)
    outcome, message = await recorder.run(find("network.create_and_delete_router"), {})
    assert (outcome, message) == (Outcome.HTTP_5XX, "network 500: no")
    assert transport.calls("DELETE") == [
        "DELETE /network/v2.0/routers/router1",
        "DELETE /network/v2.0/subnets/subnet1",
        "DELETE /network/v2.0/networks/network1",
    ]
    assert recorder.names[-4:] == ["cleanup.router", "cleanup.subnet", "cleanup.network", "cleanup"]
    assert recorder.one("cleanup").outcome == "ok"  # a 404 is as good as a deletion


async def test_a_volume_in_error_is_the_wrong_state_and_is_deleted() -> None:
    script = {
        "POST /volume/v3/p1/volumes": [(202, {"volume": {"id": "v1"}})],
        f"GET {VOLUME}": [volume("creating"), volume("error"), volume("error"), volume("deleting"), (404, None)],
        f"DELETE {VOLUME}": [(202, None)],
    }
    recorder, transport = await scripted(script)
    outcome, message = await recorder.run(find("volume.create_and_delete_volume"), {"size": "1500MiB"})
    assert (outcome, message) == (Outcome.WRONG_STATE, "the volume is error, wanted available")
    assert transport.sent("POST /volume/v3/p1/volumes") == {
        "volume": {"name": f"kn-{RUN_ID}-work-0-volume", "size": 2, "metadata": {"kilonode_run": RUN_ID}}
    }
    assert transport.calls("DELETE") == [f"DELETE {VOLUME}"]
    assert recorder.one("cleanup.volume").outcome == "ok"


async def test_cleaning_up_an_attached_volume_deletes_the_server_first_and_waits_for_the_volume() -> None:
    script = {
        "POST /volume/v3/p1/volumes": [(202, {"volume": {"id": "v1"}})],
        f"GET {VOLUME}": [volume("available"), volume("in-use"), volume("in-use"), volume("available"), (404, None)],
        f"DELETE {VOLUME}": [(202, None)],
        f"GET {SERVER}": [server("ACTIVE"), (404, None)],
        f"POST {ATTACHMENT}": [(200, {"volumeAttachment": {"id": "v1"}})],
        f"DELETE {ATTACHMENT}/v1": [(409, {"conflictingRequest": {"code": 409, "message": "busy"}})],
    }
    recorder, transport = await scripted(BOOTS | script)
    outcome, message = await recorder.run(find("volume.attach_and_detach_volume"), ARGUMENTS)
    assert (outcome, message) == (Outcome.HTTP_4XX, "compute 409: busy")
    assert transport.calls("DELETE")[1:] == [f"DELETE {SERVER}", f"DELETE {VOLUME}"]
    assert recorder.names[-3:] == ["cleanup.server", "cleanup.volume", "cleanup"]
    assert recorder.one("cleanup").outcome == "ok"


async def test_an_image_is_uploaded_whole_and_a_failed_one_is_deleted() -> None:
    script: dict[str, list[Answer]] = {
        "POST /image/v2/images": [(201, {"id": "i1", "status": "queued"})],
        "PUT /image/v2/images/i1/file": [(204, None)],
        "GET /image/v2/images/i1": [(200, {"id": "i1", "status": "killed"})],
        "DELETE /image/v2/images/i1": [(204, None)],
    }
    recorder, transport = await scripted(script)
    outcome, _ = await recorder.run(find("image.create_and_delete_image"), {"size": "200001B"})
    assert outcome == Outcome.WRONG_STATE
    assert [asked.body_bytes for asked in transport.asked if asked.call.startswith("PUT")] == [200_001]
    assert recorder.names[:2] == ["create_image.registered", "create_image.uploaded"]
    assert transport.calls("DELETE") == ["DELETE /image/v2/images/i1"]


async def test_the_data_of_images_is_as_long_as_asked() -> None:
    for size in (1, 65_535, 65_536, 65_537, 200_000):
        assert sum([len(block) async for block in images.blocks(size)]) == size


async def test_a_floating_ip_without_an_external_network_is_the_experiments_mistake() -> None:
    recorder, transport = await scripted({})
    outcome, message = await recorder.run(find("network.create_floating_ip"), {})
    assert outcome == Outcome.SCENARIO
    assert "the cloud shows no external network" in message
    assert transport.asked == []


async def test_a_port_without_a_network_is_the_experiments_mistake() -> None:
    recorder, _ = await scripted({})
    outcome, message = await recorder.run(find("network.create_port"), {})
    assert outcome == Outcome.SCENARIO
    assert "the tenant has no network for a port" in message


async def test_each_rule_of_a_security_group_lets_in_a_port_of_its_own() -> None:
    script: dict[str, list[Answer]] = {
        "POST /network/v2.0/security-groups": [(201, {"security_group": {"id": "g1"}})],
        "POST /network/v2.0/security-group-rules": [(201, {"security_group_rule": {"id": "r1"}})],
    }
    recorder, transport = await scripted(script)
    await networks.create_security_group(recorder.iteration(), rules=3)
    rules = [asked.json["security_group_rule"] for asked in transport.asked[1:]]
    assert [rule["port_range_min"] for rule in rules] == [10_000, 10_001, 10_002]
    assert recorder.names == ["create_security_group", *["create_security_group_rule"] * 3]


@pytest.mark.parametrize(
    ("status", "wanted", "outcome", "message"),
    [
        (200, 200, "ok", ""),
        (404, 404, "ok", ""),
        (404, 200, "http_4xx", "404: Not Found"),
        (503, 200, "http_5xx", "503: Service Unavailable"),
        (301, 200, "protocol", "answered 301 instead of 200"),
    ],
)
async def test_another_status_than_the_expected_one_fails(status: int, wanted: int, outcome: str, message: str) -> None:
    recorder = Recorder(transport=ScriptedTransport({"GET /page": [(status, None)]}))
    arguments = {"url": "http://anywhere/page", "status": wanted}
    assert await recorder.run(find("http.get"), arguments) == (outcome, message)
    assert (recorder.one("get").outcome, recorder.one("get").error) == (outcome, message)


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ({}, "resources=VCPU%3A1%2CMEMORY_MB%3A256%2CDISK_GB%3A10"),
        ({"resources": {"VCPU": 2}, "required": ["A", "B"], "limit": 5}, "resources=VCPU%3A2&required=A%2CB&limit=5"),
    ],
)
async def test_allocation_candidates_are_asked_for_with_resources_traits_and_limit(
    arguments: dict[str, Any], query: str
) -> None:
    answer: dict[str, Any] = {"allocation_requests": [{}, {}], "provider_summaries": {}}
    recorder, transport = await scripted({"GET /placement/allocation_candidates": [(200, answer)]})
    assert await recorder.run(find("placement.allocation_candidates"), arguments) == (Outcome.OK, "")
    assert [asked.query for asked in transport.asked] == [query]


async def test_validating_a_token_sends_it_as_the_subject() -> None:
    recorder, transport = await scripted({"GET /identity/v3/auth/tokens": [(200, {"token": {}})]})
    assert await recorder.run(find("identity.validate_token"), {}) == (Outcome.OK, "")
    assert ("X-Subject-Token", TOKEN_TEXT) in transport.asked[0].headers


@pytest.mark.parametrize(("everyone", "path"), [(True, "projects"), (False, "auth/projects")])
async def test_projects_are_listed_for_the_user_or_for_everyone(everyone: bool, path: str) -> None:
    recorder, _ = await scripted({f"GET /identity/v3/{path}": [(200, {"projects": [], "links": {}})]})
    assert await recorder.run(find("identity.list_projects"), {"everyone": everyone}) == (Outcome.OK, "")
