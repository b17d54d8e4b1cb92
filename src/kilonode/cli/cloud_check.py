"""`kilonode check --cloud`: whether the cloud has what the experiment needs, before anything is made."""

from kilonode.base.clock import RealClock
from kilonode.base.errors import InputError, OperationError, Problem
from kilonode.cli.connecting import real_access
from kilonode.clients.openstack.connections import Connections
from kilonode.run.reading import ReadExperiment
from kilonode.run.references import missing_from_cloud


async def check_cloud(read: ReadExperiment) -> list[str]:
    """Lines for people about each cloud of the experiment. Raises InputError with all that is missing."""
    lines: dict[str, None] = {}
    problems: dict[Problem, None] = {}
    async with Connections(RealClock()) as connections:
        for point in read.points:
            cloud = point.experiment.cloud
            if cloud is None or cloud.openstack is None:
                lines["no cloud to look at: the run brings its own, or needs none"] = None
                continue
            access = real_access(cloud.openstack)
            try:
                connection = await connections.connect(access)
                found = await missing_from_cloud(connection, point.experiment)
            except OperationError as error:
                raise InputError(
                    f"the cloud {cloud.openstack!r} cannot be used: {error.message}", got=str(error.outcome)
                ) from error
            problems |= dict.fromkeys(found)
            if not found:
                lines[f"the cloud {cloud.openstack!r} has what the experiment needs"] = None
    if problems:
        raise InputError("the cloud lacks what the experiment needs", problems=list(problems))
    return list(lines)
