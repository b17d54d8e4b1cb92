"""Rings between processes that share a folder: everybody but the ringer hears them, and the dead are forgotten."""

import asyncio
import socket
from pathlib import Path

import pytest

from kilonode.store.bell import Bell

pytestmark = pytest.mark.real_loop

MORE_THAN_A_BUFFER = 1_000


class Ear:
    """A bell that counts what it hears."""

    def __init__(self, folder: Path) -> None:
        self.heard = asyncio.Event()
        self.bell = Bell(folder)
        self.bell.listen(self.heard.set)

    async def hears(self) -> bool:
        """Whether it is rung, and then waits for the next."""
        await asyncio.wait_for(self.heard.wait(), 10)
        self.heard.clear()
        return True


async def test_everybody_but_the_ringer_hears_it_also_who_came_later(tmp_path: Path) -> None:
    ears = [Ear(tmp_path / "bell") for _ in range(3)]
    ears[0].bell.ring()
    assert await ears[1].hears()
    assert await ears[2].hears()
    ears.append(Ear(tmp_path / "bell"))
    ears[0].bell.ring()
    assert all([await ear.hears() for ear in ears[1:]])
    assert not ears[0].heard.is_set()
    for ear in ears:
        ear.bell.close()
    assert list((tmp_path / "bell").iterdir()) == []


async def test_what_a_dead_listener_left_is_removed_and_the_others_hear(tmp_path: Path) -> None:
    ringer, ear = Ear(tmp_path / "bell"), Ear(tmp_path / "bell")
    before, after = tmp_path / "bell" / "before", tmp_path / "bell" / "after"
    for left in (before, after):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind(str(left))
        if left == after:
            ringer.bell.ring()  # known and alive when it dies
            assert await ear.hears()
        listener.close()
    ringer.bell.ring()
    assert await ear.hears()
    assert not before.exists()
    assert not after.exists()
    ringer.bell.ring()
    assert await ear.hears()
    ringer.bell.close()
    ear.bell.close()


async def test_who_does_not_listen_holds_up_nobody(tmp_path: Path) -> None:
    ringer, deaf, ear = Ear(tmp_path / "bell"), Bell(tmp_path / "bell"), Ear(tmp_path / "bell")
    for _ in range(MORE_THAN_A_BUFFER):
        ringer.bell.ring()
    assert await ear.hears()
    heard = asyncio.Event()
    deaf.listen(heard.set)
    await asyncio.wait_for(heard.wait(), 10)  # what was rung before it listened is not lost
    for bell in (ringer.bell, deaf, ear.bell):
        bell.close()


async def test_who_has_closed_is_rung_no_more_and_comes_back_under_another_name(tmp_path: Path) -> None:
    ringer, ear = Ear(tmp_path / "bell"), Ear(tmp_path / "bell")
    ringer.bell.ring()
    assert await ear.hears()
    ear.bell.close()
    ringer.bell.ring()
    again = Ear(tmp_path / "bell")
    ringer.bell.ring()
    assert await again.hears()
    ringer.bell.close()
    again.bell.close()
