"""Names in scenarios' arguments to ids, once, before the load, for all workloads of an experiment.

`flavor: m1.tiny` in the file is what a person knows; the scenario gets the id, so that no iteration spends a request on
looking it up. How one name is looked up stands in `kilonode.scenarios.resolve`; here all that is missing is gathered.
"""

from typing import Any

import msgspec

from kilonode.base.errors import InputError, Problem
from kilonode.clients.openstack.connection import Connection
from kilonode.run.experiment import Experiment
from kilonode.run.leftovers import has_service
from kilonode.run.setup import Prepared
from kilonode.scenarios import registry
from kilonode.scenarios.declaration import Scenario
from kilonode.scenarios.references import ReferenceKind
from kilonode.scenarios.resolve import Resolver


async def resolve_references(connection: Connection, experiment: Experiment, prepared: Prepared) -> Prepared:
    """`prepared` with each workload's arguments, ids in place of names. Raises InputError with all that is missing."""
    arguments, problems = await _resolve(connection, experiment, prepared)
    if problems:
        raise InputError("the cloud lacks what the experiment needs", problems=problems)
    return msgspec.structs.replace(prepared, arguments=arguments)


async def missing_from_cloud(connection: Connection, experiment: Experiment) -> list[Problem]:
    """What the experiment needs that the cloud does not have, before anything is made."""
    setup = experiment.setup
    to_be_made = Prepared((), dict.fromkeys(setup.flavors, "made"), dict.fromkeys(setup.images, "made"))
    return (await _resolve(connection, experiment, to_be_made))[1]


async def _resolve(
    connection: Connection, experiment: Experiment, prepared: Prepared
) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    resolver = Resolver(connection, {ReferenceKind.FLAVOR: prepared.flavors, ReferenceKind.IMAGE: prepared.images})
    found: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    for name, workload in experiment.workloads.items():
        scenario = registry.find(workload.scenario)
        missing = _missing_services(connection, scenario, f"workloads.{name}.scenario")
        problems += missing
        found[name] = dict(workload.args)
        if missing:
            continue
        for argument in scenario.references:
            only = {argument: workload.args.get(argument)}
            try:
                resolved = await resolver.arguments(scenario, only, f"workloads.{name}.args")
            except InputError as error:
                problems += error.problems
            else:
                found[name] |= {key: value for key, value in resolved.items() if value is not None}
    return found, problems


def _missing_services(connection: Connection, scenario: Scenario, place: str) -> list[Problem]:
    return [
        Problem(f"the cloud has no {service} service", path=place, got=scenario.name)
        for service in scenario.services
        if not has_service(connection, service)
    ]
