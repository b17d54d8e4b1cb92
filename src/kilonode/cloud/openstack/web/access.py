"""Who calls, and what a caller must be to use a route. How a token proves it is the identity service's business."""

import re
from enum import IntEnum
from functools import lru_cache
from typing import Final

import msgspec


class Access(IntEnum):
    """What a caller must be, each level including the ones below it. Roles imply one another as in Keystone."""

    PUBLIC = 0
    """No token needed."""
    AUTHENTICATED = 1
    """Any valid token, also an unscoped one."""
    READER = 2
    MEMBER = 3
    MANAGER = 4
    ADMIN = 5


ROLE_ACCESS: Final = {
    "reader": Access.READER,
    "member": Access.MEMBER,
    "manager": Access.MANAGER,
    "admin": Access.ADMIN,
}
"""What each of Keystone's default roles allows; any other role allows nothing by itself."""


class AccessRule(msgspec.Struct, frozen=True, gc=False):
    """A kind of requests: of a service (its type), by a method, to a path below the service.

    In the path `*` and `{name}` stand for one segment, `**` for any number of them.
    """

    service: str
    method: str
    path: str

    def allows(self, services: tuple[str, ...], method: str, path: str) -> bool:
        """Whether a request is of this kind; `services`: the types under which the service is known."""
        return self.service in services and self.method == method and _pattern(self.path).fullmatch(path) is not None


@lru_cache(maxsize=1_024)
def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*|\{[^/{}]*\})", path)
    return re.compile("".join(".*" if p == "**" else "[^/]+" if p[:1] in ("*", "{") else re.escape(p) for p in parts))


class Caller(msgspec.Struct, frozen=True):
    """The user behind a request, and the scope of the token. Empty strings: not scoped so."""

    user_id: str = ""
    user_domain_id: str = ""
    project_id: str = ""
    domain_id: str = ""
    """The domain the token is scoped to, not the one the user or project belongs to."""
    system: bool = False
    """True for a token scoped to the whole system."""
    roles: tuple[str, ...] = ()
    """Names of the roles on the scope."""
    access: Access = Access.PUBLIC
    """The highest level of the roles."""
    expires_us: int = 0
    audit_id: str = ""
    """Names the token without being usable as one."""
    access_rules: tuple[AccessRule, ...] | None = None
    """The only requests the token is good for; None: all that its roles allow."""

    @property
    def is_admin(self) -> bool:
        """May see and change every project's resources."""
        return self.access >= Access.ADMIN

    def may_see(self, project_id: str) -> bool:
        """Whether resources of a project are visible: its own, or any to an admin."""
        return project_id == self.project_id or self.access >= Access.ADMIN


ANONYMOUS: Final = Caller()


def access_of(roles: tuple[str, ...]) -> Access:
    """The highest level that any of the role names allows; with no such role, a valid token is still a valid token."""
    return max((ROLE_ACCESS[role] for role in roles if role in ROLE_ACCESS), default=Access.AUTHENTICATED)
