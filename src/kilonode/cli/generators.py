"""Which generator makes the load: worker processes, or on virtual time a worker in the same event loop."""

from collections.abc import Callable

from kilonode.base.clock import Clock
from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.openstack.connections import OpenTransport
from kilonode.clients.transport import DEFAULT_TIMEOUT_S, BodyStream, HeaderPairs, Response
from kilonode.load.local import LocalWorkers
from kilonode.load.processes import WorkerProcesses
from kilonode.run.surroundings import Generator


def open_generator(clock: Clock, open_transport: OpenTransport | None) -> Generator:
    """Worker processes over sockets; where a transport is given, a worker in this loop over that."""
    if open_transport is not None or clock.simulated:
        return LocalWorkers(clock, open_transport or _no_transport)
    return WorkerProcesses()


class _NoNetwork:
    """What a simulated run without a cloud has: every request is refused."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: HeaderPairs = (),
        body: bytes | BodyStream = b"",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        receive: Callable[[bytes], object] | None = None,
    ) -> Response:
        """See `kilonode.clients.transport.Transport`."""
        raise OperationError(Outcome.REFUSED, "there is no network in simulated time, only the emulated cloud")

    async def close(self) -> None:
        """Nothing to close."""


def _no_transport(access: object) -> _NoNetwork:
    return _NoNetwork()
