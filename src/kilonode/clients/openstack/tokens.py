"""Tokens: one per access in a process, shared by all its connections, renewed before it ends.

A token's life is counted on the monotonic clock from the answer that brought it, as long as the cloud says it lasts, so
clocks that differ do no harm. Renewal begins in the background when four fifths of the life have passed; an operation
waits for it only when the token has ended altogether. What a login is: `kilonode.clients.openstack.login`.
"""

import asyncio
from typing import Final

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.login import Token, log_in
from kilonode.clients.openstack.microversions import VersionRange
from kilonode.clients.transport import Transport

_RENEW_AFTER_LIFE_FRACTION: Final = 0.8
_RENEW_AGAIN_AFTER_NS: Final = 5 * NANOSECONDS_PER_SECOND
"""How long to leave a cloud alone that refused a renewal in the background, while the old token lasts."""


class LoginCounts(msgspec.Struct):
    """What happened to the tokens of a process, for the generator's own health."""

    logins: int = 0
    """Tokens obtained, renewals included."""
    failed: int = 0
    """Attempts that gave none."""
    refused_tokens: int = 0
    """Answers 401 to a token that should have been good; each request was repeated once with another."""


class SharedToken:
    """The token of one access."""

    def __init__(self, access: Access, counts: LoginCounts) -> None:
        self.access = access
        self.token: Token | None = None
        self.renew_at_ns = 0
        """From this instant on, `get` is to be called before the token is used. Zero: there is no token yet."""
        self._counts = counts
        self._login: asyncio.Task[Token] | None = None

    async def get(self, transport: Transport, clock: Clock) -> Token:
        """The token; waits only when there is none that is good. Begins the renewal when that is due."""
        token = self.token
        now_ns = clock.now_ns()
        if token is not None and now_ns < token.expires_ns:
            if now_ns >= self.renew_at_ns:
                self.renew_at_ns = min(token.expires_ns, now_ns + _RENEW_AGAIN_AFTER_NS)
                self._begin(transport, clock)
            return token
        return await asyncio.shield(self._begin(transport, clock))

    async def replace(self, refused: Token, transport: Transport, clock: Clock) -> Token:
        """Another token than the one that a service refused; one login, however many ask for it at once."""
        self._counts.refused_tokens += 1
        if self.token is not None and self.token is not refused:
            return self.token
        return await asyncio.shield(self._begin(transport, clock))

    def cancel(self) -> None:
        """Give up a login that is under way."""
        if self._login is not None:
            self._login.cancel()

    def _begin(self, transport: Transport, clock: Clock) -> asyncio.Task[Token]:
        if self._login is None:
            self._login = asyncio.get_running_loop().create_task(self._log_in(transport, clock), name="log in")
            self._login.add_done_callback(self._done)
        return self._login

    async def _log_in(self, transport: Transport, clock: Clock) -> Token:
        token = await log_in(self.access, transport, clock)
        self.token = token
        life_ns = token.expires_ns - token.obtained_ns
        self.renew_at_ns = token.obtained_ns + round(life_ns * _RENEW_AFTER_LIFE_FRACTION)
        return token

    def _done(self, login: asyncio.Task[Token]) -> None:
        self._login = None
        # Asking for the exception also keeps asyncio from reporting it a second time.
        if login.cancelled() or login.exception() is not None:  # noqa: LOG004 - a task, not a logger
            self._counts.failed += 1
        else:
            self._counts.logins += 1


class TokenCache:
    """What the connections of one process share: tokens by access, and the versions that services said they have."""

    def __init__(self) -> None:
        self.counts = LoginCounts()
        self.versions: dict[str, VersionRange] = {}
        """Microversions by the address of the version document; as many as the catalog has services."""
        self._tokens: dict[Access, SharedToken] = {}

    def shared(self, access: Access) -> SharedToken:
        """The one token of `access`, obtained or not."""
        if access not in self._tokens:
            self._tokens[access] = SharedToken(access, self.counts)
        return self._tokens[access]

    def close(self) -> None:
        """Give up the logins that are under way."""
        for shared in self._tokens.values():
            shared.cancel()
