"""Setup: what an experiment wants made before the load.

`prepare` makes it in parallel, times each action as an Op, and gives the tenants that the load runs as. It leaves
cleaning to its caller, whatever happens: everything it makes carries the run's name prefix from the first request on,
so `kilonode.run.cleanup` finds it also when `prepare` failed or was killed half-way.
"""

from typing import Any

import msgspec

from kilonode.base.clock import Clock
from kilonode.clients.openstack.access import Access
from kilonode.history.records import OpKind
from kilonode.run.actions import Actions, Record
from kilonode.run.artefacts import make_flavors, make_images
from kilonode.run.experiment import Setup
from kilonode.run.leftovers import has_service
from kilonode.run.naming import check_run_id
from kilonode.run.networking import find_external_network
from kilonode.run.tenants import Connect, make_tenants, own_tenant
from kilonode.scenarios.tenant import Tenant


class Prepared(msgspec.Struct, frozen=True):
    """What stands ready for the load."""

    tenants: tuple[Tenant, ...]
    """At least one."""
    flavors: dict[str, str] = {}
    """Name in the experiment to id, of the flavors made for this run."""
    images: dict[str, str] = {}
    """Name in the experiment to id, of the images made for this run."""
    arguments: dict[str, dict[str, Any]] = {}
    """Workload to its scenario's arguments, with ids in place of names."""


async def prepare(
    access: Access, connect: Connect, setup: Setup, run_id: str, clock: Clock, record: Record
) -> Prepared:
    """Make what `setup` wants on the cloud of `access`; `record` takes an Op of kind setup for each action.

    Raises InputError when the cloud or the user lacks something, OperationError when the cloud failed.
    """
    actions = Actions(clock, record, OpKind.SETUP, setup.concurrency)
    check_run_id(run_id)
    connection = await connect(access)
    flavors = await make_flavors(connection, setup, run_id, actions)
    images = await make_images(connection, setup, run_id, actions, public=setup.projects > 0)
    external = (
        await find_external_network(connection, setup.external_network) if has_service(connection, "network") else ""
    )
    if setup.projects:
        tenants = await make_tenants(access, connect, setup, run_id, actions, external)
    else:
        tenants = (await own_tenant(access, connection, setup, run_id, actions, external),)
    return Prepared(tenants, flavors, images)
