"""Placement that is written to: trees, inventories, allocations, generations, and how they bind the scheduler."""

import uuid
from typing import Any

import pytest

from tests.cloud.compute.harness import Answer, Compute, running

LATEST = "1.39"


def new_uuid(number: int) -> str:
    return str(uuid.UUID(int=number))


async def call(compute: Compute, method: str, path: str, body: Any = None, version: str = LATEST) -> Answer:
    return await compute.call(method, f"/placement{path}", body, as_="admin", version=version)


async def good(compute: Compute, method: str, path: str, body: Any = None, version: str = LATEST) -> Any:
    return await compute.ok(method, f"/placement{path}", body, as_="admin", version=version)


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body["errors"][0]["code"]


async def make(compute: Compute, name: str, parent: str | None = None, **totals: int) -> str:
    body = {"name": name, "parent_provider_uuid": parent}
    made = str((await good(compute, "POST", "/resource_providers", body))["uuid"])
    for of, total in totals.items():
        if of.startswith("CUSTOM_"):
            await good(compute, "PUT", f"/resource_classes/{of}")
        await good(compute, "POST", f"/resource_providers/{made}/inventories", {"resource_class": of, "total": total})
    return made


def allocation(amounts: dict[str, dict[str, int]], generation: int | None = None) -> dict[str, Any]:
    return {
        "allocations": {provider: {"resources": some} for provider, some in amounts.items()},
        "project_id": "p",
        "user_id": "u",
        "consumer_generation": generation,
        "consumer_type": "VOLUME",
    }


async def node(compute: Compute, name: str = "compute-0001") -> Any:
    return (await good(compute, "GET", f"/resource_providers?name={name}"))["resource_providers"][0]


async def test_a_tree_has_one_root_and_no_loop_and_cannot_lose_a_parent_that_has_children() -> None:
    async with running(nodes=0) as compute:
        top = await make(compute, "top")
        middle = await make(compute, "middle", top)
        leaf = await make(compute, "leaf", middle)
        shown = await good(compute, "GET", f"/resource_providers/{leaf}")
        assert (shown["parent_provider_uuid"], shown["root_provider_uuid"]) == (middle, top)
        listed = await good(compute, "GET", f"/resource_providers?in_tree={middle}")
        assert {one["name"] for one in listed["resource_providers"]} == {"top", "middle", "leaf"}
        loop = {"name": "top", "parent_provider_uuid": leaf}
        assert (await call(compute, "PUT", f"/resource_providers/{top}", loop)).status == 400
        refused = await call(compute, "DELETE", f"/resource_providers/{middle}")
        assert code(refused) == (409, "placement.resource_provider.cannot_delete_parent")
        apart = {"name": "leaf", "parent_provider_uuid": None}
        assert (await call(compute, "PUT", f"/resource_providers/{leaf}", apart, "1.36")).status == 400
        moved = await good(compute, "PUT", f"/resource_providers/{leaf}", apart)
        assert (moved["parent_provider_uuid"], moved["root_provider_uuid"]) == (None, leaf)
        assert (await call(compute, "DELETE", f"/resource_providers/{middle}")).status == 204


async def test_no_two_providers_have_one_name_nor_that_of_a_node() -> None:
    async with running(nodes=1) as compute:
        await make(compute, "one")
        for name in ("one", "compute-0001"):
            answer = await call(compute, "POST", "/resource_providers", {"name": name})
            assert code(answer) == (409, "placement.duplicate_name")
        again = await good(compute, "GET", "/resource_providers?name=one")
        renamed = {"name": "two"}
        await good(compute, "PUT", f"/resource_providers/{again['resource_providers'][0]['uuid']}", renamed)
        await make(compute, "one")


async def test_whoever_has_not_seen_the_last_change_may_not_make_the_next() -> None:
    async with running(nodes=0) as compute:
        provider = await make(compute, "one", VCPU=4)
        place = f"/resource_providers/{provider}"
        seen = (await good(compute, "GET", place))["generation"]
        body = {"resource_provider_generation": seen, "inventories": {"VCPU": {"total": 8}}}
        after = await good(compute, "PUT", f"{place}/inventories", body)
        assert after["resource_provider_generation"] == seen + 1
        assert code(await call(compute, "PUT", f"{place}/inventories", body)) == (409, "placement.concurrent_update")
        traits = {"resource_provider_generation": seen, "traits": ["HW_CPU_X86_VMX"]}
        assert code(await call(compute, "PUT", f"{place}/traits", traits)) == (409, "placement.concurrent_update")
        old = await call(compute, "PUT", f"{place}/inventories", body, "1.22")
        assert "code" not in old.body["errors"][0]


async def test_an_allocation_is_within_capacity_and_portions() -> None:
    async with running(nodes=0) as compute:
        provider = await make(compute, "one", VCPU=4)
        generation = (await good(compute, "GET", f"/resource_providers/{provider}"))["generation"]
        inventory = {"total": 10, "reserved": 2, "allocation_ratio": 2.0, "min_unit": 2, "max_unit": 8, "step_size": 2}
        body = {"resource_provider_generation": generation, **inventory}
        await good(compute, "PUT", f"/resource_providers/{provider}/inventories/VCPU", body)
        for amount, status in ((1, 409), (3, 409), (10, 409), (8, 204)):
            body = allocation({provider: {"VCPU": amount}})
            answer = await call(compute, "PUT", f"/allocations/{new_uuid(1)}", body)
            assert answer.status == status, amount
        assert (
            await call(compute, "PUT", f"/allocations/{new_uuid(2)}", allocation({provider: {"VCPU": 8}}))
        ).status == 204
        full = await call(compute, "PUT", f"/allocations/{new_uuid(3)}", allocation({provider: {"VCPU": 2}}))
        assert full.status == 409
        assert (await good(compute, "GET", f"/resource_providers/{provider}/usages"))["usages"] == {"VCPU": 16}


async def test_a_consumer_is_changed_only_by_who_knows_its_generation_and_is_gone_with_its_last_allocation() -> None:
    async with running(nodes=0) as compute:
        provider = await make(compute, "one", VCPU=4)
        place = f"/allocations/{new_uuid(1)}"
        await good(compute, "PUT", place, allocation({provider: {"VCPU": 2}}))
        shown = await good(compute, "GET", place)
        assert (shown["consumer_generation"], shown["consumer_type"]) == (1, "VOLUME")
        for generation in (None, 0, 2):
            answer = await call(compute, "PUT", place, allocation({provider: {"VCPU": 1}}, generation))
            assert code(answer) == (409, "placement.concurrent_update")
        await good(compute, "PUT", place, allocation({provider: {"VCPU": 1}}, 1))
        usage = await good(compute, "GET", "/usages?project_id=p")
        assert usage["usages"] == {"VOLUME": {"consumer_count": 1, "VCPU": 1}}
        await good(compute, "PUT", place, allocation({}, 2))
        assert await good(compute, "GET", place) == {"allocations": {}}
        assert (await call(compute, "DELETE", place)).status == 404


async def test_several_consumers_are_written_together_or_not_at_all() -> None:
    async with running(nodes=0) as compute:
        provider = await make(compute, "one", VCPU=4)
        both = {new_uuid(1): allocation({provider: {"VCPU": 3}}), new_uuid(2): allocation({provider: {"VCPU": 2}})}
        assert (await call(compute, "POST", "/allocations", both)).status == 409
        assert (await good(compute, "GET", f"/resource_providers/{provider}/allocations"))["allocations"] == {}
        both[new_uuid(2)] = allocation({provider: {"VCPU": 1}})
        assert (await call(compute, "POST", "/allocations", both)).status == 204
        assert len((await good(compute, "GET", f"/resource_providers/{provider}/allocations"))["allocations"]) == 2


async def test_a_reshape_moves_inventory_and_what_is_allocated_of_it_at_once() -> None:
    async with running(nodes=0) as compute:
        top = await make(compute, "top", VGPU=8)
        child = await make(compute, "child", top)
        await good(compute, "PUT", f"/allocations/{new_uuid(1)}", allocation({top: {"VGPU": 8}}))

        async def inventories(uuid: str, **totals: int) -> Any:
            generation = (await good(compute, "GET", f"/resource_providers/{uuid}"))["generation"]
            return {
                "resource_provider_generation": generation,
                "inventories": {name: {"total": total} for name, total in totals.items()},
            }

        body = {
            "inventories": {top: await inventories(top), child: await inventories(child, VGPU=8)},
            "allocations": {},
        }
        assert code(await call(compute, "POST", "/reshaper", body)) == (409, "placement.inventory.inuse")
        body["allocations"] = {new_uuid(1): allocation({child: {"VGPU": 8}}, 1)}
        assert (await call(compute, "POST", "/reshaper", body)).status == 204
        assert (await good(compute, "GET", f"/resource_providers/{top}/inventories"))["inventories"] == {}
        assert (await good(compute, "GET", f"/resource_providers/{child}/usages"))["usages"] == {"VGPU": 8}
        assert code(await call(compute, "POST", "/reshaper", body)) == (409, "placement.concurrent_update")


async def test_what_others_take_of_a_node_the_scheduler_leaves_alone() -> None:
    async with running(nodes=1) as compute:
        first = await node(compute)
        await good(compute, "PUT", f"/allocations/{new_uuid(1)}", allocation({first["uuid"]: {"VCPU": 3}}))
        assert (await node(compute))["generation"] > first["generation"]
        refused = await compute.rest(await compute.boot(flavor="2"))
        assert refused is not None
        assert refused.state == "error"
        placed = await compute.rest(await compute.boot(flavor="1"))
        assert placed is not None
        assert placed.state == "active"
        usages = (await good(compute, "GET", f"/resource_providers/{first['uuid']}/usages"))["usages"]
        assert usages["VCPU"] == 4
        taken = await call(compute, "PUT", f"/allocations/{new_uuid(2)}", allocation({first["uuid"]: {"VCPU": 1}}))
        assert taken.status == 409
        compute.check_books()
        await compute.call("DELETE", f"/servers/{refused.id}")
        assert (await call(compute, "DELETE", f"/allocations/{new_uuid(1)}")).status == 204
        again = await compute.rest(await compute.boot(flavor="2"))
        assert again is not None
        assert again.state == "active"
        compute.check_books()


async def test_a_nodes_ratio_is_the_schedulers_too() -> None:
    async with running(nodes=1) as compute:
        provider = await node(compute)
        place = f"/resource_providers/{provider['uuid']}/inventories/VCPU"
        inventory = await good(compute, "GET", place)
        await good(compute, "PUT", place, inventory | {"allocation_ratio": 16.0, "reserved": 1})
        assert (await good(compute, "GET", place))["allocation_ratio"] == 16.0
        servers = [await compute.rest(await compute.boot(f"s{number}")) for number in range(6)]
        assert [server.state for server in servers if server is not None] == ["active"] * 6
        for ratio in (0, -1.0, 1e9):
            now = await good(compute, "GET", place)
            assert (await call(compute, "PUT", place, now | {"allocation_ratio": ratio})).status == 400


async def test_a_node_keeps_what_is_computes_and_takes_on_what_clients_add() -> None:
    async with running(nodes=1) as compute:
        provider = await node(compute)
        place = f"/resource_providers/{provider['uuid']}"
        await good(compute, "PUT", "/traits/CUSTOM_GOLD")
        body = {"traits": ["CUSTOM_GOLD"], "resource_provider_generation": provider["generation"]}
        answer = await good(compute, "PUT", f"{place}/traits", body)
        traits = await good(compute, "GET", f"{place}/traits")
        assert {"CUSTOM_GOLD", "COMPUTE_NODE"} <= set(traits["traits"])
        assert answer["resource_provider_generation"] == traits["resource_provider_generation"]
        await good(compute, "PUT", "/resource_classes/CUSTOM_LICENCE")
        await good(compute, "POST", f"{place}/inventories", {"resource_class": "CUSTOM_LICENCE", "total": 2})
        await good(compute, "PUT", f"/allocations/{new_uuid(1)}", allocation({provider["uuid"]: {"CUSTOM_LICENCE": 2}}))
        found = await good(compute, "GET", "/allocation_candidates?resources=VCPU:1,CUSTOM_LICENCE:1")
        assert found["allocation_requests"] == []
        in_use = await call(compute, "DELETE", f"{place}/inventories/VCPU")
        assert code(in_use) == (409, "placement.concurrent_update")
        assert code(await call(compute, "DELETE", place)) == (409, "placement.resource_provider.inuse")
        child = await make(compute, "gpu", provider["uuid"], VGPU=1)
        both = await good(compute, "GET", "/allocation_candidates?resources=VCPU:1,VGPU:1")
        assert set(both["allocation_requests"][0]["allocations"]) == {provider["uuid"], child}


async def test_a_servers_allocations_are_computes() -> None:
    async with running(nodes=1) as compute:
        provider = await node(compute)
        server = await compute.boot()
        await compute.rest(server)
        body = allocation({provider["uuid"]: {"VCPU": 1}}, 1)
        assert (await call(compute, "PUT", f"/allocations/{server}", body)).status == 409
        assert (await call(compute, "DELETE", f"/allocations/{server}")).status == 409


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/resource_providers", {}, 400),
        ("POST", "/resource_providers", {"name": "x" * 201}, 400),
        ("POST", "/resource_providers", {"name": "x", "uuid": "no"}, 400),
        ("POST", "/resource_providers", {"name": "x", "parent_provider_uuid": new_uuid(9)}, 400),
        ("PUT", "/traits/NOT_CUSTOM", None, 400),
        ("PUT", "/resource_classes/VCPU", None, 400),
        ("DELETE", "/resource_classes/VCPU", None, 400),
        ("DELETE", "/traits/HW_CPU_X86_VMX", None, 400),
        ("GET", f"/resource_providers/{new_uuid(9)}", None, 404),
        ("PUT", "/allocations/no", {"allocations": {}}, 400),
        ("PUT", f"/allocations/{new_uuid(9)}", allocation({new_uuid(9): {"VCPU": 1}}), 400),
        ("POST", "/reshaper", {"inventories": {}, "allocations": {}}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    method: str, path: str, body: Any, status: int
) -> None:
    async with running(nodes=0) as compute:
        assert (await call(compute, method, path, body)).status == status
        assert (await good(compute, "GET", "/resource_providers"))["resource_providers"] == []


async def test_a_body_that_is_not_json_is_refused_by_its_media_type() -> None:
    async with running(nodes=0) as compute:
        answer = await call(compute, "POST", "/resource_providers")
        assert answer.status == 415


async def test_a_member_sees_what_its_own_project_uses_and_nothing_else() -> None:
    async with running(nodes=1) as compute:
        assert (await compute.call("GET", "/placement/usages?project_id=p1", version=LATEST)).status == 200
        assert (await compute.call("GET", "/placement/usages?project_id=p2", version=LATEST)).status == 403
        assert (
            await compute.call("POST", "/placement/resource_providers", {"name": "x"}, version=LATEST)
        ).status == 403
