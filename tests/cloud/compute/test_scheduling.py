"""Where servers go, asked through the API: traits, aggregates, images, hints, groups, refusals; both schedulers."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from kilonode.cloud.openstack.compute.extra_specs import amounts, matches
from kilonode.cloud.openstack.compute.hint_queries import holds, read_query
from kilonode.cloud.openstack.compute.model import FLAVOR, Flavor, Server
from kilonode.cloud.openstack.image.model import IMAGE, Image
from kilonode.control.mirror import Put
from tests.cloud.compute.harness import Compute, running

BOTH = pytest.mark.parametrize("scheduler", ["filter-and-weigh", "next-fit"])


async def boot(
    compute: Compute, flavor: str = "1", hints: Any = None, *, as_: str = "member:p1", **more: Any
) -> Server:
    server = {"name": "s", "flavorRef": flavor, "imageRef": "some-image", "networks": "none", **more}
    body: dict[str, Any] = {"server": server}
    if hints:
        body["os:scheduler_hints"] = hints
    made = await compute.ok("POST", "/servers", body, version="2.74", as_=as_)
    found = await compute.rest(made["server"]["id"])
    assert found is not None
    return found


async def nodes_of(compute: Compute, count: int, **more: Any) -> set[str]:
    return {(await boot(compute, **more)).node for _ in range(count)}


async def flavor(compute: Compute, key: str, specs: dict[str, str]) -> str:
    made = Flavor(key, f"flavor-{key}", 1, 64, 1, extra_specs=specs)
    await compute.cloud.mirror.commit([Put(FLAVOR, made, key)])
    return key


async def image(compute: Compute, key: str, properties: dict[str, str]) -> str:
    made = Image(key, "admin-project", 0, 0, status="active", visibility="public", size_bytes=1, properties=properties)
    await compute.cloud.mirror.commit([Put(IMAGE, made, key)])
    return key


async def aggregate(compute: Compute, name: str, metadata: dict[str, str], *hosts: str) -> None:
    made = await compute.ok("POST", "/os-aggregates", {"aggregate": {"name": name}}, as_="admin")
    place = f"/os-aggregates/{made['aggregate']['id']}/action"
    await compute.ok("POST", place, {"set_metadata": {"metadata": metadata}}, as_="admin")
    for host in hosts:
        await compute.ok("POST", place, {"add_host": {"host": host}}, as_="admin")


async def set_trait(compute: Compute, node: str, trait: str) -> None:
    await compute.ok("PUT", f"/placement/traits/{trait}", as_="admin", version="1.39")
    found = await compute.ok("GET", f"/placement/resource_providers?name={node}", as_="admin", version="1.39")
    provider = found["resource_providers"][0]
    body = {"traits": [trait], "resource_provider_generation": provider["generation"]}
    await compute.ok(
        "PUT", f"/placement/resource_providers/{provider['uuid']}/traits", body, as_="admin", version="1.39"
    )


@BOTH
async def test_a_trait_that_is_required_is_had_and_one_that_is_forbidden_is_not(scheduler: str) -> None:
    async with running(nodes=3, scheduler=scheduler) as compute:
        await set_trait(compute, "compute-0002", "CUSTOM_GOLD")
        gold = await flavor(compute, "g", {"trait:CUSTOM_GOLD": "required"})
        plain = await flavor(compute, "p", {"trait:CUSTOM_GOLD": "forbidden"})
        assert await nodes_of(compute, 3, flavor=gold) == {"compute-0002"}
        assert await nodes_of(compute, 4, flavor=plain) == {"compute-0001", "compute-0003"}
        nobody = await flavor(compute, "n", {"trait:CUSTOM_SILVER": "required"})
        assert (await boot(compute, nobody)).state == "error"
        wish = await image(compute, "wish", {"trait:CUSTOM_GOLD": "required"})
        assert (await boot(compute, imageRef=wish)).node == "compute-0002"


@BOTH
async def test_a_flavor_is_kept_to_the_aggregates_it_asks_for(scheduler: str) -> None:
    async with running(nodes=3, scheduler=scheduler) as compute:
        await aggregate(compute, "ssd", {"disk": "ssd", "cores": "8"}, "compute-0003")
        for number, wanted in enumerate(("ssd", "s== ssd", "<or> nvme <or> ssd")):
            key = await flavor(compute, f"f{number}", {"aggregate_instance_extra_specs:disk": wanted})
            assert (await boot(compute, key)).node == "compute-0003"
        none = await flavor(compute, "none", {"aggregate_instance_extra_specs:disk": "tape"})
        assert (await boot(compute, none)).state == "error"


@BOTH
async def test_an_aggregate_that_is_kept_for_projects_takes_no_others(scheduler: str) -> None:
    async with running(nodes=2, scheduler=scheduler) as compute:
        await aggregate(compute, "own", {"filter_tenant_id": "p2, p3"}, "compute-0001")
        assert await nodes_of(compute, 3) == {"compute-0002"}
        assert "compute-0001" in await nodes_of(compute, 3, as_="member:p2")


@BOTH
async def test_an_image_goes_to_nodes_that_can_run_it_and_to_no_aggregate_for_others(scheduler: str) -> None:
    async with running(nodes=2, scheduler=scheduler) as compute:
        arm = await image(compute, "arm", {"hw_architecture": "aarch64"})
        assert (await boot(compute, imageRef=arm)).state == "error"
        await aggregate(compute, "windows", {"os_type": "windows"}, "compute-0001")
        linux = await image(compute, "linux", {"os_type": "linux"})
        assert await nodes_of(compute, 3, imageRef=linux) == {"compute-0002"}


@BOTH
async def test_hints_say_beside_whom_and_where_not(scheduler: str) -> None:
    async with running(nodes=3, scheduler=scheduler) as compute:
        first = await boot(compute)
        assert (await boot(compute, hints={"same_host": [first.id]})).node == first.node
        second = await boot(compute, hints={"different_host": first.id})
        assert second.node != first.node
        third = await boot(compute, hints={"different_host": [first.id, second.id]})
        assert third.node not in (first.node, second.node)
        asked = json.dumps(["=", "$hypervisor_hostname", "compute-0002"])
        assert (await boot(compute, hints={"query": asked})).node == "compute-0002"
        assert (await boot(compute, hints={"query": json.dumps([">", "$free_ram_mb", 10**9])})).state == "error"


@BOTH
async def test_soft_groups_are_together_or_apart_as_far_as_it_goes(scheduler: str) -> None:
    async with running(nodes=3, scheduler=scheduler) as compute:

        async def group(policy: str) -> str:
            body = {"server_group": {"name": policy, "policy": policy}}
            made = await compute.ok("POST", "/os-server-groups", body, version="2.64")
            return str(made["server_group"]["id"])

        together = {"group": await group("soft-affinity")}
        assert len(await nodes_of(compute, 3, hints=together)) == 1
        apart = {"group": await group("soft-anti-affinity")}
        assert len(await nodes_of(compute, 3, hints=apart)) == 3
        assert (await boot(compute, hints=apart)).state == "active"


def profile(folder: Path, odds: float, *, elsewhere: bool) -> str:
    path = folder / "unreliable.yaml"
    failure = {"odds": odds, "message": "The node would not.", "elsewhere": elsewhere}
    path.write_text(json.dumps({"extends": "instant", "failures": {"spawn": failure}}))
    return str(path)


async def test_a_server_that_one_node_refuses_is_built_by_another(tmp_path: Path) -> None:
    async with running(nodes=4, stages=profile(tmp_path, 0.4, elsewhere=True), seed=3) as compute:
        servers = [await boot(compute, "1") for _ in range(12)]
        good = [server for server in servers if server.state == "active"]
        # Each node refuses four of ten, so three in a row refuse one of sixteen.
        assert len(good) >= 9
        assert all(server.refused_by == () for server in good)
        assert any(server.turn > 0 for server in good)
        for server in servers:
            assert len(set(server.refused_by)) == len(server.refused_by) <= 3
        compute.check_books()


async def test_a_server_that_three_nodes_refuse_fails_with_the_last_ones_words(tmp_path: Path) -> None:
    async with running(nodes=5, stages=profile(tmp_path, 1.0, elsewhere=True)) as compute:
        server = await boot(compute)
        assert (server.state, server.node, len(set(server.refused_by))) == ("error", "", 3)
        assert server.fault is not None
        assert server.fault.message == "The node would not."
        compute.check_books()


async def test_a_failure_that_is_not_the_nodes_is_not_tried_elsewhere(tmp_path: Path) -> None:
    async with running(nodes=5, stages=profile(tmp_path, 1.0, elsewhere=False)) as compute:
        server = await boot(compute)
        assert (server.state, len(server.refused_by)) == ("error", 1)


async def test_nothing_is_dropped_and_nothing_overbooked_while_others_take_room_too() -> None:
    async with running(nodes=3, schedulers=2) as compute:
        found = await compute.ok("GET", "/placement/resource_providers", as_="admin", version="1.39")
        providers = [one["uuid"] for one in found["resource_providers"]]

        async def take(number: int) -> None:
            body = {
                "allocations": {providers[number % 3]: {"resources": {"VCPU": 1, "MEMORY_MB": 300}}},
                "project_id": "p",
                "user_id": "u",
                "consumer_generation": None,
                "consumer_type": "OTHER",
            }
            consumer = f"00000000-0000-0000-0000-{number:012d}"
            place = f"/placement/allocations/{consumer}"
            answer = await compute.call("PUT", place, body, as_="admin", version="1.39")
            assert answer.status in (204, 409)
            compute.check_books()

        boots = [asyncio.create_task(compute.boot(f"s{number}")) for number in range(14)]
        await asyncio.gather(*(take(number) for number in range(8)))
        booted = await asyncio.gather(*boots)
        servers = [await compute.rest(key) for key in booted]
        assert {server.state for server in servers if server is not None} <= {"active", "error"}
        assert len(servers) == 14
        compute.check_books()
        taken = sum(compute.usage(f"compute-000{number}").taken.vcpus for number in (1, 2, 3))
        assert taken == 12


@pytest.mark.parametrize(
    ("value", "wanted", "is_so"),
    [
        ("8", ">= 4", True), ("8", "= 9", False), ("8", "== 8.0", True), ("a", "== 8", False), ("8", "!= 8", False),
        ("ssd", "s== ssd", True), ("ssd", "s!= ssd", False), ("b", "s> a", True), ("ssd", "ssd", True),
        ("ssd", "<or> hdd <or> ssd", True), ("ssd", "<or> hdd", False), ("abc", "<in> b", True),
        ("a b c", "<all-in> a c", True), ("a b", "<all-in> a c", False), ("8", "<= 7", False),
    ],
)  # fmt: skip
def test_extra_specs_have_operators(value: str, wanted: str, is_so: bool) -> None:
    assert matches(value, wanted) is is_so


@pytest.mark.parametrize(
    ("condition", "is_so"),
    [
        (["=", "$a", 1], True),
        (["and", ["=", "$a", 1], [">", "$b", 5]], False),
        (["or", ["=", "$a", 1], [">", "$b", 5]], True),
        (["not", ["=", "$a", 1]], False),
        (["in", "$a", 3, 1], True),
        (["=", "$unknown", 1], False),
        ([">", "$a", "text"], False),
        (["what", "$a", 1], False),
        ([], False),
        ("x", False),
    ],
)
def test_conditions_of_hints(condition: Any, is_so: bool) -> None:
    assert holds(condition, {"a": 1, "b": 2}) is is_so


def test_what_is_no_condition_is_none() -> None:
    assert read_query("{") is None
    assert read_query({"a": 1}) is None
    assert read_query(['["=", "$a", 1]']) == ["=", "$a", 1]


@BOTH
async def test_what_a_flavor_takes_is_what_its_extra_specs_say(scheduler: str) -> None:
    async with running(nodes=1, scheduler=scheduler) as compute:
        free = await flavor(compute, "free", {"resources:VCPU": "0", "resources:DISK_GB": "0"})
        for _ in range(6):  # of 1 vCPU each, where there are 4
            assert (await boot(compute, free)).node == "compute-0001"
        used = compute.usage("compute-0001").used
        assert (used.vcpus, used.memory_mb, used.disk_gb) == (0, 6 * 64, 0)
        greedy = await flavor(compute, "greedy", {"resources:MEMORY_MB": "3000", "resources1:MEMORY_MB": "1000"})
        assert (await boot(compute, greedy)).state == "error"
        compute.check_books()


async def test_a_resize_to_what_extra_specs_say_gives_the_rest_back() -> None:
    async with running(nodes=2) as compute:
        server = await boot(compute, "1")
        key = await flavor(compute, "free", {"resources:VCPU": "0"})
        assert (await compute.act(server.id, "resize", {"flavorRef": key})).status == 202
        await compute.rest(server.id)
        await compute.act(server.id, "confirmResize")
        after = await compute.rest(server.id)
        assert after is not None
        assert compute.usage(after.node).used.vcpus == 0
        compute.check_books()


def test_amounts_are_summed_over_groups_and_what_is_none_is_passed_over() -> None:
    specs = {"resources:VCPU": "2", "resources_NUMA1:VCPU": "3", "resources:DISK_GB": "-1", "resources:MEMORY_MB": "x"}
    assert amounts(specs) == {"VCPU": 5}
    assert amounts({"resources:CUSTOM_GOLD": "1", "resource:VCPU": "1", "hw:resources:VCPU": "1"}) == {"CUSTOM_GOLD": 1}
