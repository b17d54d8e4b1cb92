"""Which processes an emulated cloud's services are, and what they use. Roles are services, and so is the supervisor."""

from kilonode.base.clock import Clock
from kilonode.base.processes import ProcessIdentity
from kilonode.base.usage import ServiceUsage, look
from kilonode.cloud.folder import StateFolder

SUPERVISOR = "supervisor"


class CloudServices:
    """The services of one cloud by what its supervisor last said."""

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder

    def services(self) -> dict[str, tuple[ProcessIdentity, ...]]:
        """Each role's processes; none while it is down. Without a cloud: nothing."""
        table = self._folder.read_processes()
        if table is None:
            return {}
        roles = {one.name: (one.identity,) if one.identity else () for one in table.processes}
        return {SUPERVISOR: (table.supervisor,), **roles}


async def usage_of(folder: StateFolder, clock: Clock) -> dict[str, ServiceUsage]:
    """What each service that runs uses now, after a short look."""
    return await look(CloudServices(folder).services(), clock)
