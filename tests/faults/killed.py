"""What an injector that is killed leaves: a process of its own that does a fault, says so, and is killed."""

import asyncio
import sys
from pathlib import Path

PATIENCE_S = 120.0

INJECTS = """
import asyncio, importlib, pathlib, sys
from kilonode.faults.injecting import Injector
from kilonode.faults.journal import new_journal
from tests.faults.lasting import plan

async def main(module, place, folder, sentence):
    test = importlib.import_module(module)
    drivers = test.drivers_of(pathlib.Path(place))
    with new_journal(pathlib.Path(folder), sentence, test.CLOCK) as journal:
        await Injector(drivers, journal, test.CLOCK).inject(await plan(sentence, drivers))
        print("done", flush=True)
        await asyncio.sleep(600)

asyncio.run(main(*sys.argv[1:]))
"""


async def left_by_one_who_was_killed(module: str, place: Path, folder: Path, sentence: str) -> None:
    """Have it done, and whoever did it killed; the journal is in `folder`.

    `module` is a test's: its `drivers_of(place)` are those that do it.
    """
    injector = await asyncio.create_subprocess_exec(
        sys.executable, "-c", INJECTS, module, str(place), str(folder), sentence, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert injector.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            assert (await injector.stdout.readline()).strip() == b"done"
    finally:
        injector.kill()
        await injector.wait()
