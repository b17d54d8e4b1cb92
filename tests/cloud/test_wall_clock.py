"""Wall clocks that are told to be off: what is believed, what is said of it, and what is no matter of theirs."""

import asyncio
import errno
import os
from pathlib import Path
from typing import cast

import pytest

from kilonode.base.clock import NANOSECONDS_PER_SECOND, SimulatedClock, SkewedClock
from kilonode.base.clock_skews import CLOCKS_FOLDER, SKEW_SUFFIX, SKEWS_FOLDER, ClockSeen, ClockSkew
from kilonode.base.encoding import decode_json, encode_json
from kilonode.base.processes import ProcessIdentity, identify
from kilonode.cloud.sightings import Sightings
from kilonode.cloud.wall_clock import FIRST_OTHERS_LOOKS, WallClock, followed

US = 1_000_000
OURS = cast("ProcessIdentity", identify(os.getpid()))


def clock() -> SimulatedClock:
    return SimulatedClock(asyncio.get_running_loop())


def put(state: Path, token: str, process: str, offset_s: float) -> Path:
    file = state / SKEWS_FOLDER / f"{token}{SKEW_SUFFIX}"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(encode_json(ClockSkew(token, process, offset_s)))
    return file


def seen(state: Path, process: str) -> ClockSeen:
    return decode_json((state / CLOCKS_FOLDER / process).read_bytes(), ClockSeen)


async def test_wall_clock_time_alone_is_off() -> None:
    true = clock()
    skewed = SkewedClock(true)
    skewed.skew(-90)
    assert (true.utc() - skewed.utc()).total_seconds() == 90
    await skewed.sleep(5)
    assert skewed.now_ns() == true.now_ns() == 5 * NANOSECONDS_PER_SECOND
    assert skewed.simulated


async def test_a_process_goes_by_what_concerns_it_and_says_so(tmp_path: Path) -> None:
    fleet, api = WallClock(clock(), tmp_path, "fleet-1"), WallClock(clock(), tmp_path, "api")
    async with followed(fleet), followed(api):
        first = put(tmp_path, "a", "fleet-1", -90)
        put(tmp_path, "b", "fleet-1", 30.5)
        await clock().sleep(1)
        assert (fleet.clock.offset_s, api.clock.offset_s) == (-59.5, 0)
        assert seen(tmp_path, "fleet-1") == ClockSeen(OURS, -59.5, ("a", "b"))
        first.unlink()
        await clock().sleep(1)
        assert (fleet.clock.offset_s, seen(tmp_path, "fleet-1").tokens) == (30.5, ("b",))


async def test_everybody_has_stopped_trusting_timestamps_before_the_first_clock_is_off(tmp_path: Path) -> None:
    fleet, api = WallClock(clock(), tmp_path, "fleet-1"), WallClock(clock(), tmp_path, "api")
    distrusted: list[float] = []
    api.clock.when_distrusted(lambda: distrusted.append(fleet.clock.offset_s))
    put(tmp_path, "a", "fleet-1", -90)
    fleet.look()  # it saw it first
    assert fleet.clock.offset_s == 0
    api.look()
    assert distrusted == [0.0]
    for _ in range(FIRST_OTHERS_LOOKS):
        fleet.look()
    assert fleet.clock.offset_s == -90


async def test_a_process_that_is_started_anew_goes_by_it_from_its_first_instant(tmp_path: Path) -> None:
    put(tmp_path, "a", "fleet-1", -90)
    assert WallClock(clock(), tmp_path, "fleet-1").clock.offset_s == -90


async def test_a_skew_that_cannot_be_read_changes_nothing_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "a", "fleet-1", -90).write_bytes(b"{")
    wall = WallClock(clock(), tmp_path, "fleet-1")
    for _ in range(3):
        wall.look()
    assert wall.clock.offset_s == 0
    assert len(caplog.records) == 1


async def test_a_process_that_cannot_open_files_stays_as_it_is_and_goes_on_looking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = WallClock(clock(), tmp_path, "fleet-1")
    async with followed(wall):
        put(tmp_path, "a", "fleet-1", -90)
        with monkeypatch.context() as patched:
            patched.setattr(Path, "read_bytes", _no_more_files)
            await clock().sleep(1)
            assert wall.clock.offset_s == 0
        await clock().sleep(1)
        assert wall.clock.offset_s == -90


def _no_more_files(path: Path) -> bytes:
    raise OSError(errno.EMFILE, "too many open files")


async def test_a_stage_begins_when_it_is_seen_to_where_timestamps_cannot_be_trusted() -> None:
    mine = SkewedClock(clock())
    mine.skew(-90)
    now_us = 1_000 * US
    sightings = Sightings(mine, {"old": 1_080 * US})
    assert sightings.since_us("new", "spawning", 1_090 * US, now_us) == now_us  # its writer's clock is right
    await clock().sleep(2)
    later_us = now_us + 2 * US
    assert sightings.since_us("new", "spawning", 1_090 * US, later_us) == now_us
    assert sightings.since_us("new", "deleting", 1_092 * US, later_us) == later_us
    assert sightings.since_us("old", "spawning", 1_080 * US, later_us) == 990 * US  # it was right when it was written


async def test_a_stay_that_is_hurried_ends_earlier() -> None:
    sightings = Sightings(SkewedClock(clock()), {})
    assert sightings.since_us("it", "moving", 500 * US, 1_000 * US) == 1_000 * US
    assert sightings.since_us("it", "moving", 400 * US, 1_000 * US) == 900 * US


async def test_what_a_clock_that_jumped_ahead_stamped_before_is_not_in_the_future() -> None:
    mine = SkewedClock(clock())
    assert Sightings(mine, {"it": 5_000 * US}).since_us("it", "x", 5_000 * US, 1_000 * US) == 1_000 * US
