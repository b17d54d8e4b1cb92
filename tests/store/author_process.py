"""A process that commits without end and says on standard output what was acknowledged, until it is killed.

Arguments: path of the store, name of the author, how many commits are under way at once, synchronous.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Literal

from kilonode.store.protocol import Change
from kilonode.store.sqlite import SqliteStore


async def main(path: Path, author: str, concurrency: int, synchronous: str) -> None:
    mode: Literal["normal", "full"] = "full" if synchronous == "full" else "normal"
    store = await SqliteStore.open(path, synchronous=mode, commits_kept=1_000_000)

    async def write(lane: int) -> None:
        number = 0
        while True:
            number += 1
            key = f"{author}-{lane}-{number}"
            # Two documents in one commit: half a commit would show.
            revision = await store.commit([Change("left", key, b"x" * 300, 0), Change("right", key, b"y", 0)])
            os.write(1, f"{revision} {key}\n".encode())

    await asyncio.gather(*(write(lane) for lane in range(concurrency)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]))
