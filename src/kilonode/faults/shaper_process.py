"""A shaper: a process that holds packets back, lets them go on when it is time, or drops them.

Started detached as `python -m kilonode.faults.shaper_process TOKEN QUEUE SHAPE`, in the network namespace of the link,
SHAPE as JSON. It says `holding` when it has the queue. On SIGTERM it lets all go on at once and ends.
"""

import asyncio
import contextlib
import heapq
import signal
import sys

from kilonode.base.encoding import decode_json
from kilonode.faults.link_shaping import Shape, Shaping
from kilonode.faults.packet_queue import Packet, PacketQueue


class Shaper:
    """Works one queue."""

    def __init__(self, queue: PacketQueue, shape: Shape) -> None:
        self._queue = queue
        self._shaping = Shaping(shape)
        self._loop = asyncio.get_running_loop()
        self._held: list[tuple[float, int, Packet]] = []
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def hear(self) -> None:
        """Take in what came."""
        now_s = self._loop.time()
        for packet in self._queue.arrived():
            departure_s = self._shaping.departure_s(now_s, packet.size_bytes)
            if departure_s is None:
                self._queue.decide(packet, passes=False)
            elif departure_s <= now_s:
                self._queue.decide(packet, passes=True)
            else:
                self._count += 1
                heapq.heappush(self._held, (departure_s, self._count, packet))
        self._set()

    def release(self, *, everything: bool = False) -> None:
        """Let go on what is due."""
        self._timer = None
        now_s = self._loop.time()
        while self._held and (everything or self._held[0][0] <= now_s):
            self._queue.decide(heapq.heappop(self._held)[2], passes=True)
        self._set()

    def _set(self) -> None:
        if self._held and self._timer is None:
            self._timer = self._loop.call_at(self._held[0][0], self.release)


async def main(queue: PacketQueue, shape: Shape) -> None:
    """Shape until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    shaper = Shaper(queue, shape)
    loop.add_reader(queue.descriptor, shaper.hear)
    print("holding", flush=True)
    await stop.wait()
    shaper.hear()
    shaper.release(everything=True)
    loop.remove_reader(queue.descriptor)


if __name__ == "__main__":
    with contextlib.closing(PacketQueue(int(sys.argv[2]))) as bound:
        asyncio.run(main(bound, decode_json(sys.argv[3], Shape)))
