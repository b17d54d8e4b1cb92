"""The kernel's queue of packets for a program: each is held by the kernel until the program gives its verdict.

The netlink protocol of NFQUEUE, as far as it is needed: bind a queue, hear of packets (their number and size, not what
is in them), let them go on or drop them. When the program ends, what is held is lost, and what comes later passes, if
the rule that sends packets here says `bypass`. Needs root. Which packets come here is not known here.
"""

import socket
import struct
from collections.abc import Iterator
from typing import Final

import msgspec

_NETLINK_NETFILTER: Final = 12
_SUBSYSTEM: Final = 3 << 8
_PACKET, _VERDICT, _CONFIGURE = 0, 1, 2
_REQUEST, _ACKNOWLEDGE = 1, 4
_HEADER: Final = struct.Struct("=IHHII")
_ERROR: Final = 2
_WHOLE_SEGMENTS: Final = 4
_COPY_PACKET: Final = 2
_COPIED_BYTES: Final = 40
_HELD_MOST: Final = 16_384
_FORCE_RECEIVE_BUFFER: Final = 33
_BUFFER_BYTES: Final = 16 * 2**20


class Packet(msgspec.Struct, frozen=True):
    """One that waits for its verdict."""

    number: int
    size_bytes: int


class PacketQueue:
    """One queue of this network namespace."""

    def __init__(self, number: int) -> None:
        """Raises OSError when it cannot be bound: the kernel has none, or the number is another's."""
        self._number = number
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        try:
            self._socket.bind((0, 0))
            self._socket.setsockopt(socket.SOL_SOCKET, _FORCE_RECEIVE_BUFFER, _BUFFER_BYTES)
            self._configure(1, struct.pack(">BxH", 1, 0))
            self._configure(2, struct.pack(">IB", _COPIED_BYTES, _COPY_PACKET))
            self._configure(3, struct.pack(">I", _HELD_MOST))
            self._configure(4, struct.pack(">I", _WHOLE_SEGMENTS), 5, struct.pack(">I", _WHOLE_SEGMENTS))
        except BaseException:
            self._socket.close()
            raise
        self._socket.setblocking(False)

    @property
    def descriptor(self) -> int:
        """What to wait on."""
        return self._socket.fileno()

    def arrived(self) -> Iterator[Packet]:
        """All that came since the last time."""
        while True:
            try:
                data = self._socket.recv(65_536)
            except BlockingIOError:
                return
            except OSError:  # more came than the buffer holds: those are lost, as by any full queue
                continue
            yield from _packets(data)

    def decide(self, packet: Packet, *, passes: bool) -> None:
        """Let it go on, or drop it."""
        self._send(_VERDICT, _attribute(2, struct.pack(">II", int(passes), packet.number)), _REQUEST)

    def close(self) -> None:
        """Give the queue up."""
        self._socket.close()

    def _configure(self, kind: int, value: bytes, other: int = 0, other_value: bytes = b"") -> None:
        attributes = _attribute(kind, value) + (_attribute(other, other_value) if other else b"")
        self._send(_CONFIGURE, attributes, _REQUEST | _ACKNOWLEDGE)
        answer = self._socket.recv(4096)
        _, kind_of_answer, _, _, _ = _HEADER.unpack_from(answer)
        (code,) = struct.unpack_from("=i", answer, _HEADER.size)
        if kind_of_answer == _ERROR and code:
            raise OSError(-code, "the kernel refuses the queue")

    def _send(self, message: int, attributes: bytes, flags: int) -> None:
        body = struct.pack(">BBH", socket.AF_UNSPEC, 0, self._number) + attributes
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), _SUBSYSTEM | message, flags, 0, 0) + body)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _packets(data: bytes) -> Iterator[Packet]:
    place = 0
    while place + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, place)
        if length < _HEADER.size:
            return
        if kind == _SUBSYSTEM | _PACKET:
            found = dict(_attributes(data[place + _HEADER.size + 4 : place + length]))
            if 1 in found:
                (number,) = struct.unpack_from(">I", found[1])
                # The size before it was cut off is told of those that were.
                size = struct.unpack(">I", found[13])[0] if 13 in found else len(found.get(10, b""))
                yield Packet(number, size)
        place += (length + 3) & ~3


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, place)
        if length < 4:
            return
        yield kind & 0x3FFF, data[place + 4 : place + length]
        place += (length + 3) & ~3
