"""Rules of a stage file, whole servers in simulated time: what is counted, what is cached, and both after a restart."""

from pathlib import Path
from typing import Any

import pytest

from kilonode.base.simulation import run_coroutine_simulated
from kilonode.cloud.openstack.compute.model import Server
from kilonode.cloud.openstack.image.model import IMAGE
from kilonode.cloud.tallies import LOOKED_THROUGH_EVERY, TALLY, Tally
from kilonode.control.mirror import Delete
from tests.cloud.compute.harness import Compute, running

BROKEN = "Build of instance failed: the disk is broken."


def profile(folder: Path, rules: str, more: str = "") -> str:
    path = folder / "mine.yaml"
    path.write_text(f"extends: lifecycle\n{more}rules:\n{rules}")
    return str(path)


async def booted(compute: Compute, name: str = "one", **more: Any) -> Server:
    server = await compute.rest(await compute.boot(name, **more))
    assert server is not None
    return server


def boot_s(server: Server) -> float:
    return (server.launched_us - server.created_us) / 1e6


async def test_a_node_that_fails_every_third_spawn_fails_every_third(tmp_path: Path) -> None:
    stages = profile(
        tmp_path, f'  - {{name: bad, stage: spawn, every: 3, per: host, failure: {{odds: 1, message: "{BROKEN}"}}}}\n'
    )
    async with running(nodes=1, stages=stages) as compute:
        states = [(await booted(compute, f"s{n}")).state for n in range(6)]
        assert states == ["active", "active", "error", "active", "active", "error"]


async def test_of_servers_that_come_at_once_just_as_many_fail(tmp_path: Path) -> None:
    stages = profile(
        tmp_path,
        f'  - {{name: bad, stage: spawn, every: 3, failure: {{odds: 1, message: "{BROKEN}"}}}}\n',
        "delays:\n  spawn: {distribution: uniform, min: 1s, max: 3s}\n",
    )
    async with running(nodes=4, stages=stages, schedulers=2, fleets=2) as compute:
        ids = [await compute.boot(f"s{n}") for n in range(9)]
        ended = [await compute.rest(server_id) for server_id in ids]
        assert sorted(server.state for server in ended if server) == ["active"] * 6 + ["error"] * 3
        assert {server.fault.message for server in ended if server and server.fault} == {BROKEN}
        compute.check_books()


def test_counting_goes_on_after_a_restart_in_the_middle_of_a_spawn(tmp_path: Path) -> None:
    stages = profile(
        tmp_path,
        f'  - {{name: bad, stage: spawn, every: 3, failure: {{odds: 1, message: "{BROKEN}"}}}}\n',
        "delays:\n  spawn: {distribution: fixed, value: 5s}\n",
    )

    async def live(*, restarts: bool) -> list[tuple[str, int]]:
        async with running(nodes=1, stages=stages) as compute:
            found = []
            for number in range(4):
                server_id = await compute.boot(f"s{number}")
                await compute.clock.sleep(2)
                if restarts:
                    await compute.kill("fleet")
                    await compute.start_fleet()
                server = await compute.rest(server_id)
                assert server is not None
                found.append((server.state, server.task_since_us - server.created_us))
            return found

    whole = run_coroutine_simulated(live(restarts=False))
    assert whole == [(state, 5_000_000) for state in ("active", "active", "error", "active")]
    assert run_coroutine_simulated(live(restarts=True)) == whole


async def test_only_the_first_so_many_are_meant_and_each_is_counted_once(tmp_path: Path) -> None:
    stages = profile(
        tmp_path,
        "  - {name: warm-up, stage: [plug, attach], first: 2, per: flavor, add: {distribution: fixed, value: 5s}}\n",
    )
    async with running(nodes=1, stages=stages) as compute:
        # A server comes into two stages that are counted together.
        assert [boot_s(await booted(compute, f"s{n}")) for n in range(3)] == [10.0, 0.0, 0.0]
        tally: Tally = compute.cloud.mirror.all(TALLY)["warm-up/tiny"].value
        assert tally.count == 6


async def test_an_image_is_slow_the_first_time_on_each_node(tmp_path: Path) -> None:
    stages = profile(
        tmp_path,
        "  - name: download\n    stage: spawn\n    cache: {images: 20, per_gib: 1000s}\n"
        "    add: {distribution: fixed, value: 4s}\n",
        "delays:\n  spawn: {distribution: fixed, value: 1s}\n",
    )
    async with running(nodes=2, stages=stages) as compute:
        first = boot_s(await booted(compute, "first"))
        other_node = boot_s(await booted(compute, "second"))
        # 20 MB of the image take 18.6 s at this rate.
        assert first == other_node == pytest.approx(1 + 4 + 1000 * 20_000_000 / 2**30, abs=0.001)
        assert [boot_s(await booted(compute, f"s{n}")) for n in range(4)] == [1.0] * 4
        assert boot_s(await booted(compute, "new", imageRef="other")) == first


async def test_a_second_server_waits_for_the_image_that_is_on_its_way(tmp_path: Path) -> None:
    stages = profile(
        tmp_path, "  - {name: download, stage: spawn, cache: {images: 5}, add: {distribution: fixed, value: 10s}}\n"
    )
    async with running(nodes=1, stages=stages) as compute:
        first = await compute.boot("first")
        await compute.clock.sleep(4)
        second = await compute.boot("second")
        await compute.clock.sleep(1)
        await compute.kill("fleet")
        await compute.start_fleet()
        ended = [await compute.rest(server_id) for server_id in (first, second)]
        assert [round(boot_s(server), 1) for server in ended if server] == [10.0, 6.0]


async def test_caches_are_bounded_and_deleted_images_leave_them(tmp_path: Path) -> None:
    stages = profile(
        tmp_path, "  - {name: download, stage: spawn, cache: {images: 2}, add: {distribution: fixed, value: 10s}}\n"
    )
    async with running(nodes=1, stages=stages) as compute:
        for image in ("some-image", "i", "other"):
            assert boot_s(await booted(compute, image, imageRef=image)) == 10.0
        tally = compute.cloud.mirror.all(TALLY)["download/compute-0001"].value
        assert list(tally.images) == ["i", "other"]
        await compute.cloud.mirror.commit([Delete(IMAGE, "i")])
        assert boot_s(await booted(compute, "again", imageRef="some-image")) == 10.0
        tally = compute.cloud.mirror.all(TALLY)["download/compute-0001"].value
        assert list(tally.images) == ["other", "some-image"]


async def test_what_is_counted_forgets_those_that_left_their_stage(tmp_path: Path) -> None:
    stages = profile(
        tmp_path,
        "  - {name: slow, stage: spawn, every: 2, factor: 2}\n",
        "delays:\n  spawn: {distribution: fixed, value: 3s}\n",
    )
    async with running(nodes=1, stages=stages) as compute:
        gone = await compute.boot("gone")
        await compute.clock.sleep(1)
        await compute.call("DELETE", f"/servers/{gone}")
        for number in range(LOOKED_THROUGH_EVERY - 1):
            server = await booted(compute, "kept")
            assert boot_s(server) == (3.0 if number % 2 else 6.0)
            await compute.call("DELETE", f"/servers/{server.id}")
            await compute.rest(server.id)
        tally = compute.cloud.mirror.all(TALLY)["slow"].value
        assert (tally.count, len(tally.visits)) == (LOOKED_THROUGH_EVERY, 1)


@pytest.mark.parametrize(
    ("when", "meant"),
    [
        ("name: web-*", {"web-1"}),
        ("name: [web-*, db-*]", {"web-1", "db-1"}),
        ('name: "!web-*"', {"db-1"}),
        ("flavor: sm*", {"db-1"}),
        ("metadata: {tier: gold}", {"web-1"}),
        ('metadata: {tier: "!gold"}', {"db-1"}),
        ("image: oth*", {"db-1"}),
        ("project: p2", {"db-1"}),
        ("zone: nova", {"web-1", "db-1"}),
        ("{host: compute-0001, name: db*}", {"db-1"}),
        ("host: compute-0002", set()),
    ],
)
async def test_a_rule_is_about_those_for_which_all_it_says_holds(tmp_path: Path, when: str, meant: set[str]) -> None:
    block = when if when.startswith("{") else f"{{{when}}}"
    stages = profile(
        tmp_path, f"  - {{name: r, stage: spawn, when: {block}, add: {{distribution: fixed, value: 1s}}}}\n"
    )
    async with running(nodes=1, stages=stages) as compute:
        web = await booted(compute, "web-1", metadata={"tier": "gold"})
        database = await booted(compute, "db-1", flavor="2", as_="member:p2", imageRef="other")
        assert {server.name for server in (web, database) if boot_s(server)} == meant


async def test_all_rules_that_match_apply_in_their_order(tmp_path: Path) -> None:
    stages = profile(
        tmp_path,
        "  - {name: a, stage: spawn, delay: {distribution: fixed, value: 100s}, factor: 2}\n"
        "  - {name: b, stage: spaw*, delay: {distribution: fixed, value: 5s}}\n"
        "  - {name: c, stage: spawn, add: {distribution: fixed, value: 1s}, factor: 3}\n"
        "  - {name: d, stage: spawn, add: {distribution: fixed, value: 2s}}\n"
        "  - {name: e, stage: plug, add: {distribution: fixed, value: 50s}}\n",
    )
    async with running(nodes=1, stages=stages) as compute:
        assert boot_s(await booted(compute)) == 50 + 5 * 6 + 1 + 2


async def test_a_node_that_refuses_by_a_rule_sends_servers_elsewhere(tmp_path: Path) -> None:
    stages = profile(
        tmp_path,
        "  - {name: bad, stage: spawn, when: {host: compute-0001}, "
        f'failure: {{odds: 1, message: "{BROKEN}", elsewhere: true}}}}\n',
    )
    async with running(nodes=2, stages=stages) as compute:
        servers = [await booted(compute, f"s{n}") for n in range(3)]
        assert [(server.state, server.node) for server in servers] == [("active", "compute-0002")] * 3
        compute.check_books()


async def test_rules_are_for_volumes_too(tmp_path: Path) -> None:
    stages = profile(
        tmp_path,
        "  - {name: big, stage: volume-create, when: {name: big*}, add: {distribution: fixed, value: 9s}}\n"
        '  - {name: second, stage: volume-create, every: 2, failure: {odds: 1, message: "no room"}}\n',
    )
    async with running(stages=stages) as compute:
        ids = []
        for name in ("big-1", "small", "big-2"):
            body = {"volume": {"size": 1, "name": name}}
            ids.append((await compute.ok("POST", "/volume/v3/p1/volumes", body))["volume"]["id"])
        await compute.clock.sleep(1)
        assert [await volume_status(compute, key) for key in ids] == ["creating", "error", "creating"]
        await compute.clock.sleep(9)
        assert [await volume_status(compute, key) for key in ids] == ["available", "error", "available"]


async def volume_status(compute: Compute, key: str) -> str:
    return str((await compute.ok("GET", f"/volume/v3/p1/volumes/{key}"))["volume"]["status"])


def test_the_same_seed_draws_the_same_by_rules(tmp_path: Path) -> None:
    stages = profile(
        tmp_path,
        "  - {name: slow, stage: spawn, every: 2, add: {distribution: uniform, min: 1s, max: 99s}}\n"
        '  - {name: bad, stage: spawn, failure: {odds: 0.5, message: "x"}}\n',
    )

    async def live(seed: int) -> list[tuple[str, int]]:
        async with running(nodes=2, stages=stages, seed=seed) as compute:
            servers = [await booted(compute, f"s{n}") for n in range(8)]
            return [(server.state, server.task_since_us - server.created_us) for server in servers]

    first = run_coroutine_simulated(live(5))
    assert first == run_coroutine_simulated(live(5))
    assert first != run_coroutine_simulated(live(6))
    assert {state for state, _ in first} == {"active", "error"}


async def test_without_rules_nothing_is_counted() -> None:
    async with running(stages="fast") as compute:
        await booted(compute)
        assert not compute.cloud.mirror.all(TALLY)
        assert not compute.cloud.rules
