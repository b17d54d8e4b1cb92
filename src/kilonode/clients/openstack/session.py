"""What the clients of one user's services share: the access, the transport, the clock and the token."""

from kilonode.base.clock import Clock
from kilonode.base.errors import LabError
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.login import Token
from kilonode.clients.openstack.observing import ChangeObserver
from kilonode.clients.openstack.tokens import SharedToken
from kilonode.clients.transport import Transport


class Session:
    """One user over one transport."""

    __slots__ = ("access", "clock", "observer", "secrets", "shared", "transport")

    def __init__(
        self,
        access: Access,
        transport: Transport,
        clock: Clock,
        shared: SharedToken,
        observer: ChangeObserver | None = None,
    ) -> None:
        self.access = access
        self.transport = transport
        self.clock = clock
        self.shared = shared
        self.observer = observer
        """Told of every request that would change something; None: nobody is."""
        self.secrets = access.secrets()

    @property
    def current(self) -> Token:
        """The token as it stands; LabError when there is none yet."""
        if self.shared.token is None:
            raise LabError("the connection was used before connect()")
        return self.shared.token

    async def token(self) -> Token:
        """A token that is good now; waits only for the first one, or when the last has ended."""
        shared = self.shared
        token = shared.token
        if token is not None and self.clock.now_ns() < shared.renew_at_ns:
            return token
        return await shared.get(self.transport, self.clock)

    async def replace(self, refused: Token) -> Token:
        """Another token than the one that a service refused."""
        return await self.shared.replace(refused, self.transport, self.clock)
