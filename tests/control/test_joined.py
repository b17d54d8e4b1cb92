"""Several stores read as one mirror: each kind has one home, and no commit reaches over two."""

from typing import Self

import pytest

from kilonode.base.errors import LabError
from kilonode.control.joined import JoinedMirror
from kilonode.control.mirror import Delete, Mirror, Put
from kilonode.store.memory import MemoryStore
from kilonode.store.protocol import ConflictError
from tests.control.records import Port, Server


class Joined:
    """A mirror of servers in one store and of ports in another, and another author of each."""

    def __init__(self) -> None:
        self.servers, self.ports = MemoryStore(), MemoryStore()
        self.other_servers = Mirror(self.servers, {"server": Server})
        self.other_ports = Mirror(self.ports, {"port": Port})
        self.mirror = JoinedMirror(Mirror(self.servers, {"server": Server}), Mirror(self.ports, {"port": Port}))

    async def __aenter__(self) -> Self:
        for one in (self.other_servers, self.other_ports, self.mirror):
            await one.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for one in (self.other_servers, self.other_ports, self.mirror):
            await one.stop()


async def test_each_kind_is_written_to_its_own_store_and_read_back_from_one_mirror() -> None:
    async with Joined() as joined:
        await joined.mirror.commit([Put("server", Server("a", "host-1"), "1", 0)])
        await joined.mirror.commit([Put("port", Port("10.0.0.1"), "p", 0)])
        await joined.mirror.commit([Put("port", Port("10.0.0.2"), "q", 0)])
        assert await joined.servers.revision() == 1
        assert await joined.ports.revision() == 2
        by_host = joined.mirror.index("server", "host", lambda server: server.host)
        assert list(by_host.keys("host-1")) == ["1"]
        found = joined.mirror.get("port", "q")
        assert found is not None
        assert found.value == Port("10.0.0.2")


async def test_catching_up_is_with_every_store() -> None:
    async with Joined() as joined:
        await joined.other_servers.commit([Put("server", Server("a"), "1")])
        await joined.other_ports.commit([Put("port", Port("10.0.0.1"), "p")])
        await joined.mirror.catch_up()
        assert list(joined.mirror.all("server")) == ["1"]
        assert list(joined.mirror.all("port")) == ["p"]


async def test_subscribers_hear_of_every_store_and_of_what_was_there() -> None:
    async with Joined() as joined:
        await joined.mirror.commit([Put("port", Port("10.0.0.1"), "p", 0)])
        await joined.mirror.commit([Put("server", Server("a"), "1", 0)])
        heard: list[tuple[str, str]] = []
        joined.mirror.subscribe(lambda kind, key: heard.append((kind, key)), ["port"])
        assert heard == [("port", "p")]
        await joined.mirror.commit([Put("server", Server("b"), "2", 0)])
        await joined.mirror.commit([Delete("port", "p")])
        assert heard[1:] == [("server", "2"), ("port", "p")]


async def test_a_commit_over_two_stores_is_refused_whole() -> None:
    async with Joined() as joined:
        with pytest.raises(LabError, match="two stores"):
            await joined.mirror.commit([Put("server", Server("a"), "1"), Put("port", Port("10.0.0.1"), "p")])
        assert (await joined.servers.revision(), await joined.ports.revision()) == (0, 0)


async def test_a_conflict_in_one_store_is_the_callers() -> None:
    async with Joined() as joined:
        await joined.other_ports.commit([Put("port", Port("10.0.0.1"), "p")])
        with pytest.raises(ConflictError):
            await joined.mirror.commit([Put("port", Port("10.0.0.9"), "p", 0)])
        assert joined.mirror.all("port")["p"].value == Port("10.0.0.1")


async def test_a_store_that_closes_ends_the_whole() -> None:
    joined = Joined()
    await joined.mirror.start()
    await joined.ports.close()
    with pytest.raises(LabError):
        await joined.mirror.ended()
    await joined.mirror.stop()


def test_no_kind_has_two_homes() -> None:
    with pytest.raises(LabError, match="server"):
        JoinedMirror(Mirror(MemoryStore(), {"server": Server}), Mirror(MemoryStore(), {"server": Server}))
