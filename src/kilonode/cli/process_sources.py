"""Which processes a cloud of this machine should have, as runs look whether one of them dies."""

from kilonode.base.processes import is_alive
from kilonode.cloud.folder import ProcessRecord, ProcessState, StateFolder
from kilonode.cloud.usage import SUPERVISOR
from kilonode.run.deaths import Standing
from kilonode.stack.folder import StackFolder

FATES = {
    ProcessState.FAILED: "given up",
    ProcessState.WAITING: "it is to be started again",
    ProcessState.RUNNING: "started again",
}


class CloudProcesses:
    """The processes of an emulated cloud, by what its supervisor says of them, and the supervisor."""

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder

    def standings(self) -> list[Standing]:
        """See `kilonode.run.deaths.ProcessSource`."""
        table = self._folder.read_processes()
        if table is None:
            return []
        if not is_alive(table.supervisor):  # the others end with it, and nobody says so any more
            return [Standing(SUPERVISOR, None, words="all processes of the cloud end with it")]
        return [Standing(SUPERVISOR, table.supervisor), *(_standing(one) for one in table.processes)]


class StackProcesses:
    """The processes of a stack that were started. Nobody starts one again that died."""

    def __init__(self, folder: StackFolder) -> None:
        self._folder = folder

    def standings(self) -> list[Standing]:
        """See `kilonode.run.deaths.ProcessSource`."""
        found = []
        for one in self._folder.services():
            alive = is_alive(one.identity)
            words = "" if alive else "nobody starts it again"
            found.append(Standing(one.process, one.identity if alive else None, words=words))
        return found


def _standing(one: ProcessRecord) -> Standing:
    words = ", ".join(part for part in (one.last_exit, FATES.get(one.state, "")) if part)
    return Standing(one.name, one.identity, one.replacements, one.restarts, words)
