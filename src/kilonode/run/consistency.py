"""What a run does to know whether its cloud kept what it acknowledged: when, where it lies, and how it is read again.

The workers note what they ask (`kilonode.load.asking`), the conductor takes an inventory after the load
(`kilonode.run.inventory`), both lie in the run's folder, and `kilonode.check.consistency` judges them, now or later.
"""

import gzip
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.encoding import encode_json
from kilonode.base.errors import InputError, OperationError
from kilonode.base.files import write_atomically
from kilonode.base.formats import decode_versioned_json
from kilonode.check.consistency import Evidence
from kilonode.check.criteria import parse_criterion
from kilonode.check.inventory import FORMAT_VERSION, Inventory
from kilonode.check.metrics import CONSISTENCY_METRICS
from kilonode.clients.openstack.connection import Connection
from kilonode.history.asked import read_asked
from kilonode.run.experiment import Consistency, Experiment
from kilonode.run.folder import RunFolder
from kilonode.run.inventory import take_inventory

PAUSE_S: Final = 1.0
_COMPRESSION: Final = 6


NEED_INVENTORY: Final = CONSISTENCY_METRICS | {"zero_downtime"}
"""Criteria that ask what there is after the load."""


def settle_s_of(experiment: Experiment) -> float | None:
    """How long the cloud may take to come to rest after the load; None: nobody wants to know what there is then."""
    if experiment.cloud is None:
        return None
    if isinstance(experiment.consistency, Consistency):
        return float(experiment.consistency.settle)
    criteria = (parse_criterion(item.criterion) for item in experiment.criterion_items())
    if experiment.consistency or any(criterion.metric in NEED_INVENTORY for criterion in criteria):
        return float(Consistency().settle)
    return None


async def take_stock(
    folder: RunFolder,
    connect: Callable[[], Awaitable[Connection]],
    run_id: str,
    projects: Sequence[str],
    clock: Clock,
    settle_s: float,
) -> Inventory:
    """Take the inventory and keep it in the run's folder. A cloud that does not answer gives one that says so."""
    deadline_ns = clock.now_ns() + round(settle_s * NANOSECONDS_PER_SECOND)
    inventory: Inventory | None = None
    while inventory is None:
        try:
            connection = await connect()
            left_s = (deadline_ns - clock.now_ns()) / NANOSECONDS_PER_SECOND
            inventory = await take_inventory(connection, run_id, projects, clock, max(0.0, left_s))
        except (OperationError, InputError) as error:
            if clock.now_ns() >= deadline_ns:
                inventory = Inventory(run_id=run_id, settling_s=settle_s, unseen=(f"login: {error.problem.what}",))
            else:
                await clock.sleep(PAUSE_S)
    write_atomically(folder.inventory_file, gzip.compress(encode_json(inventory), _COMPRESSION, mtime=0))
    return inventory


def read_evidence(folder: RunFolder) -> Evidence:
    """What the run has kept. Raises InputError for what a newer Kilonode wrote, or is broken."""
    inventory = None
    where = str(folder.inventory_file)
    try:
        data = gzip.decompress(folder.inventory_file.read_bytes())
        inventory = decode_versioned_json(data, Inventory, FORMAT_VERSION, what="this inventory", where=where)
    except FileNotFoundError:
        pass  # the run was ended before one was taken
    except (OSError, EOFError, msgspec.DecodeError) as error:
        raise InputError("a broken inventory", where=where, got=str(error)) from error
    return Evidence(read_asked(folder.journal_folder), inventory)
