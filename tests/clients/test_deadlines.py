import asyncio

from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.simulation import run_coroutine_simulated
from kilonode.clients.deadlines import Deadlines


class Waiting:
    def __init__(self) -> None:
        self.expired_s: float | None = None

    def expire(self) -> None:
        assert self.expired_s is None
        self.expired_s = asyncio.get_running_loop().time()


@given(
    st.lists(
        st.tuples(st.floats(0, 20), st.sampled_from([1.0, 5.0, 60.0]), st.one_of(st.none(), st.floats(0, 70))),
        max_size=30,
    )
)
def test_exactly_those_that_wait_too_long_expire_and_at_their_instant(
    waits: list[tuple[float, float, float | None]],
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop)

        async def wait(start_s: float, seconds: float, over_s: float | None) -> None:
            await asyncio.sleep(start_s)
            began_s, waiting, lane = loop.time(), Waiting(), deadlines.lane(seconds)
            lane.waiting[waiting] = began_s + seconds
            lane.watch()
            await asyncio.sleep(100 if over_s is None else over_s)
            lane.waiting.pop(waiting, None)
            if over_s is None or over_s > seconds:
                assert waiting.expired_s == began_s + seconds
            elif over_s < seconds:
                assert waiting.expired_s is None

        await asyncio.gather(*(wait(*arguments) for arguments in waits))

    run_coroutine_simulated(main())


async def test_very_many_lengths_do_not_pile_up() -> None:
    deadlines = Deadlines(asyncio.get_running_loop())
    late = []
    for number in range(1, 1001):
        lane, waiting = deadlines.lane(float(number)), Waiting()
        late.append(waiting)
        lane.waiting[waiting] = float(number)
        lane.watch()
    assert len(deadlines._lanes) <= 64
    await asyncio.sleep(2000)
    assert [waiting.expired_s for waiting in late] == [float(number) for number in range(1, 1001)]


async def test_a_lane_with_nothing_to_watch_has_no_timer() -> None:
    deadlines = Deadlines(asyncio.get_running_loop())
    lane = deadlines.lane(1.0)
    waiting = Waiting()
    lane.waiting[waiting] = 1.0
    lane.watch()
    del lane.waiting[waiting]
    await asyncio.sleep(5)
    assert lane.timer is None
    lane.watch()
    deadlines.stop()
    assert lane.timer is None
