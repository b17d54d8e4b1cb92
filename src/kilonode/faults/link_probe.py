"""Measuring a degraded link before it is trusted: packets of our own, marked, through the very queue that shapes it.

They travel from one socket to another on the loopback interface of the link's namespace. What they say is the delay on
one way, its spread, the share that is lost and the throughput, as medians and counts; whether that is what was asked
for is `misses`. Sockets belong to the namespace in which they were made, whoever uses them.
"""

import asyncio
import ctypes
import os
import socket
import statistics
import struct
import threading
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import FaultError
from kilonode.base.units import format_seconds
from kilonode.faults.link_shaping import Shape

PROBE_MARK: Final = 0x6B6D
LOSS_PACKETS: Final = 600
_DELAY_PACKETS: Final = 20
_SIZES_BYTES: Final = (1_400, 60_000)
"""Of packets for throughput: the larger ones where the smaller would be too many for a program."""
_FAST_BITS_PER_S: Final = 50_000_000
_HEADERS_BYTES: Final = 28
_BUFFER_BYTES: Final = 2**25
_RATE_FOR_S: Final = 0.3
_MOST_RATE_PACKETS: Final = 400
_FORCE_SEND_BUFFER: Final = 32
_FORCE_RECEIVE_BUFFER: Final = 33
_NEW_NETWORK: Final = 0x40000000


class Measured(msgspec.Struct, frozen=True):
    """What the probe found. None: it was not looked for, or nothing arrived."""

    delay_s: float | None = None
    """The median on one way."""
    lost: int = 0
    of: int = 0
    bandwidth_bits_per_s: float | None = None

    def words(self, shape: Shape) -> str:
        """For people: each beside what was asked for."""
        said = []
        if shape.delay_s and self.delay_s is not None:
            said.append(f"delay {format_seconds(self.delay_s)} (asked {format_seconds(shape.delay_s)})")
        if shape.loss_percent:
            said.append(f"{self.lost} of {self.of} lost (asked {shape.loss_percent:g}%)")
        if shape.bandwidth_bits_per_s and self.bandwidth_bits_per_s:
            asked = shape.bandwidth_bits_per_s / 1e6
            said.append(f"{self.bandwidth_bits_per_s / 1e6:.3g} Mbit/s (asked {asked:g})")
        return ", ".join(said)

    def misses(self, shape: Shape) -> str:
        """What is not as it was asked for; empty when all is. A machine under load may add to a delay."""
        if shape.delay_s:
            least, most = shape.delay_s * 0.9 - shape.jitter_s, shape.delay_s * 1.5 + shape.jitter_s + 0.05
            if self.delay_s is None or not least <= self.delay_s <= most:
                return "the delay"
        if shape.loss_percent:
            share = shape.loss_percent / 100
            allowed = 5 * (self.of * share * (1 - share)) ** 0.5 + 1
            if abs(self.lost - self.of * share) > allowed:
                return "the loss"
        if shape.bandwidth_bits_per_s:
            wanted = shape.bandwidth_bits_per_s
            if not self.bandwidth_bits_per_s or not wanted * 0.5 <= self.bandwidth_bits_per_s <= wanted * 1.2:
                return "the bandwidth"
        return ""


async def measure(namespace: str, shape: Shape, clock: Clock) -> Measured:
    """Send packets over the link. Raises FaultError when the namespace cannot be entered."""
    receiving, sending = await asyncio.to_thread(_sockets, namespace)
    try:
        loop = asyncio.get_running_loop()
        arrived: list[tuple[int, int, int]] = []

        def hear() -> None:
            while True:
                try:
                    data = receiving.recv(65_536)
                except BlockingIOError:
                    return
                number, sent_ns = struct.unpack_from("=IQ", data)
                arrived.append((number, sent_ns, clock.now_ns()))

        loop.add_reader(receiving, hear)
        try:
            return await _measure(shape, sending, arrived, clock)
        finally:
            loop.remove_reader(receiving)
    finally:
        receiving.close()
        sending.close()


async def _measure(shape: Shape, sending: socket.socket, arrived: list[tuple[int, int, int]], clock: Clock) -> Measured:
    async def send(count: int, size_bytes: int, pause_s: float) -> list[tuple[int, int, int]]:
        arrived.clear()
        for number in range(count):
            head = struct.pack("=IQ", number, clock.now_ns())
            data = head.ljust(size_bytes, b"\0")
            while True:
                try:
                    sending.send(data)
                except BlockingIOError:  # too much is held
                    await clock.sleep(0.001)
                    continue
                except OSError:  # dropped at once: it is lost
                    pass
                break
            if pause_s or number % 20 == 19:
                await clock.sleep(pause_s or 0.001)
        last_ns = clock.now_ns()
        while len(arrived) < count and clock.now_ns() - last_ns < patience_s * NANOSECONDS_PER_SECOND:
            await clock.sleep(0.01)
        return list(arrived)

    patience_s = shape.delay_s + shape.jitter_s + 0.3
    delay_s = bandwidth = None
    lost = of = 0
    if shape.delay_s:
        seen = await send(_DELAY_PACKETS, 64, 0.005)
        times = [(came - sent) / NANOSECONDS_PER_SECOND for _, sent, came in seen]
        delay_s = statistics.median(times) if times else None
    if shape.loss_percent:
        of = LOSS_PACKETS
        lost = of - len(await send(of, 16, 0))
    if shape.bandwidth_bits_per_s:
        size_bytes = _SIZES_BYTES[shape.bandwidth_bits_per_s > _FAST_BITS_PER_S]
        wire_bits = (size_bytes + _HEADERS_BYTES) * 8
        count = min(max(int(shape.bandwidth_bits_per_s * _RATE_FOR_S / wire_bits), 5), _MOST_RATE_PACKETS)
        patience_s += count * wire_bits / shape.bandwidth_bits_per_s
        seen = await send(count, size_bytes, 0)
        if len(seen) > 2:
            took_s = (seen[-1][2] - seen[0][2]) / NANOSECONDS_PER_SECOND
            bandwidth = (len(seen) - 1) * wire_bits / took_s if took_s else None
    return Measured(delay_s, lost, of, bandwidth)


def _sockets(namespace: str) -> tuple[socket.socket, socket.socket]:
    receiving, sending = made_in(namespace, socket.SOCK_DGRAM, 2)
    receiving.bind(("127.0.0.1", 0))
    receiving.setsockopt(socket.SOL_SOCKET, _FORCE_RECEIVE_BUFFER, _BUFFER_BYTES)
    sending.setsockopt(socket.SOL_SOCKET, _FORCE_SEND_BUFFER, _BUFFER_BYTES)
    sending.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, PROBE_MARK)
    sending.connect(receiving.getsockname())
    receiving.setblocking(False)
    sending.setblocking(False)
    return receiving, sending


def made_in(namespace: str, kind: socket.SocketKind, count: int = 1) -> list[socket.socket]:
    """Sockets of a network namespace; the empty name is our own. Raises FaultError. It blocks for a moment."""
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def make() -> None:
        try:
            if namespace:
                _enter(namespace)
            made.extend(socket.socket(socket.AF_INET, kind) for _ in range(count))
        except OSError as error:
            failed.append(error)

    # A thread of its own that ends then: only it enters the namespace.
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if failed:
        raise FaultError("the network namespace cannot be entered", where=namespace, got=str(failed[0]))
    return made


def _enter(namespace: str) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(Path("/run/netns", namespace), os.O_RDONLY)
    try:
        if library.setns(descriptor, _NEW_NETWORK):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)
