"""The documents of the identity service, and the rules that hold for them whoever writes them.

Ids are hexadecimal without dashes, as Keystone's. Names are unique in their domain: each has a `Name` document that is
written in the same commit as its owner, so two requests at one instant, in one process or several, cannot both take it;
it is also how an owner is found by name. Instants are `_us`.
"""

from typing import Final

import msgspec

from kilonode.cloud.context import Cloud
from kilonode.cloud.kinds import document
from kilonode.control.index import Index
from kilonode.control.mirror import Delete, Mirror, Put

DOMAIN: Final = "domain"
PROJECT: Final = "project"
USER: Final = "user"
GROUP: Final = "user_group"
ROLE: Final = "role"
ASSIGNMENT: Final = "role_assignment"
APPLICATION_CREDENTIAL: Final = "application_credential"
REVOCATION: Final = "token_revocation"
REGION: Final = "region"
SERVICE: Final = "catalog_service"
ENDPOINT: Final = "catalog_endpoint"
NAME: Final = "identity_name"

DEFAULT_DOMAIN: Final = "default"
SYSTEM: Final = "system"
"""The target of assignments on the whole system."""

IMPLIED_ROLES: Final = {"admin": "manager", "manager": "member", "member": "reader"}
"""Who has the first role has the second one too, as a Keystone sets it up."""

INTERFACES: Final = ("public", "internal", "admin")


@document(DOMAIN)
class Domain(msgspec.Struct, frozen=True, omit_defaults=True):
    """A realm of users and projects; its key is `id`."""

    id: str
    name: str
    description: str = ""
    enabled: bool = True


@document(PROJECT)
class Project(msgspec.Struct, frozen=True, omit_defaults=True):
    """What owns resources; its key is `id`."""

    id: str
    name: str
    domain_id: str
    description: str = ""
    enabled: bool = True
    parent_id: str = ""
    tags: tuple[str, ...] = ()


@document(USER)
class User(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who logs in; its key is `id`."""

    id: str
    name: str
    domain_id: str
    password_hash: str = ""
    """Made by `passwords.hash_password`; empty: no password lets in."""
    enabled: bool = True
    email: str | None = None
    description: str | None = None
    default_project_id: str | None = None
    tokens_since_us: int = 0
    """Tokens issued before this are void: the password changed, or the user was disabled."""


@document(GROUP)
class Group(msgspec.Struct, frozen=True, omit_defaults=True):
    """Users that get roles together; its key is `id`."""

    id: str
    name: str
    domain_id: str
    description: str = ""
    user_ids: tuple[str, ...] = ()


@document(ROLE)
class Role(msgspec.Struct, frozen=True, omit_defaults=True):
    """A name that policies speak of; its key is `id`."""

    id: str
    name: str
    description: str | None = None
    domain_id: str | None = None


@document(ASSIGNMENT)
class Assignment(msgspec.Struct, frozen=True, omit_defaults=True):
    """An actor has a role on a target."""

    actor_id: str
    """A user, or with `group` a group."""
    target_kind: str
    """`project`, `domain` or `system`."""
    target_id: str
    role_id: str
    group: bool = False

    @property
    def key(self) -> str:
        """The key of its document: the assignment itself."""
        return f"{self.actor_id}/{self.target_kind}/{self.target_id}/{self.role_id}"


@document(APPLICATION_CREDENTIAL)
class ApplicationCredential(msgspec.Struct, frozen=True, omit_defaults=True):
    """A secret of its own with which a program logs in for a user, on one project; its key is `id`."""

    id: str
    name: str
    user_id: str
    project_id: str
    role_ids: tuple[str, ...]
    secret_hash: str
    description: str | None = None
    expires_us: int = 0
    """0: never."""
    unrestricted: bool = False
    """May make and delete application credentials itself."""


@document(REVOCATION)
class Revocation(msgspec.Struct, frozen=True, omit_defaults=True):
    """A token that is void before its time; its key is the token's audit id."""

    expires_us: int
    """When the token would have ended by itself; the document is of no use after it."""


@document(REGION)
class Region(msgspec.Struct, frozen=True, omit_defaults=True):
    """A region of the catalog; its key is `id`."""

    id: str
    description: str = ""
    parent_region_id: str | None = None


@document(SERVICE)
class Service(msgspec.Struct, frozen=True, omit_defaults=True):
    """A service of the catalog; its key is `id`."""

    id: str
    type: str
    name: str = ""
    description: str = ""
    enabled: bool = True


@document(ENDPOINT)
class Endpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a service is; its key is `id`."""

    id: str
    service_id: str
    interface: str
    region_id: str
    url: str
    """May name `$(project_id)s`. It begins with a slash when it is below the cloud's own public address."""
    enabled: bool = True


@document(NAME)
class Name(msgspec.Struct, frozen=True):
    """Who has a name; its key is `name_key`."""

    owner_id: str


def name_key(kind: str, domain_id: str, name: str) -> str:
    """The key of a name: unique for a kind in a domain (roles, domains: in no domain)."""
    return f"{kind}/{domain_id}/{name}"


def take_name(kind: str, domain_id: str, name: str, owner_id: str) -> Put:
    """The change that takes a name; it fails when somebody has it."""
    return Put(NAME, Name(owner_id), name_key(kind, domain_id, name), 0)


def free_name(kind: str, domain_id: str, name: str) -> Delete:
    """The change that gives a name back."""
    return Delete(NAME, name_key(kind, domain_id, name))


def find_by_name(cloud: Cloud, kind: str, domain_id: str, name: str) -> str:
    """The id of who has a name, or an empty string."""
    entry = cloud.mirror.get(NAME, name_key(kind, domain_id, name))
    return entry.value.owner_id if entry is not None else ""


def assignments_by_actor(mirror: Mirror) -> Index:
    """The role assignments of a user or group."""
    return mirror.index(ASSIGNMENT, "actor", lambda assignment: assignment.actor_id)


def assignments_by_target(mirror: Mirror) -> Index:
    """The role assignments on a project, a domain, or `SYSTEM`."""
    return mirror.index(ASSIGNMENT, "target", lambda assignment: assignment.target_id)


def groups_by_member(mirror: Mirror) -> Index:
    """The groups of a user."""
    return mirror.index(GROUP, "member", lambda group: group.user_ids)


def credentials_by_user(mirror: Mirror) -> Index:
    """The application credentials of a user."""
    return mirror.index(APPLICATION_CREDENTIAL, "user", lambda credential: credential.user_id)
