"""The documents of the identity service, and the rules that hold for them whoever writes them.

Ids are hexadecimal without dashes, as Keystone's. Names are unique in their domain: each has a `Name` document that is
written in the same commit as its owner, so two requests at one instant, in one process or several, cannot both take it;
it is also how an owner is found by name. Instants are `_us`.
"""

from typing import Any, Final

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
ROLE_INFERENCE: Final = "role_inference"
NAME: Final = "identity_name"

DEFAULT_DOMAIN: Final = "default"
SYSTEM: Final = "system"
"""The target of assignments on the whole system."""

INTERFACES: Final = ("public", "internal", "admin")


@document(DOMAIN, shared=True)
class Domain(msgspec.Struct, frozen=True, omit_defaults=True):
    """A realm of users and projects; its key is `id`."""

    id: str
    name: str
    description: str = ""
    enabled: bool = True
    tags: tuple[str, ...] = ()
    options: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    """What a client gave beyond the fields of the API; kept and shown, as Keystone does."""


@document(PROJECT, shared=True)
class Project(msgspec.Struct, frozen=True, omit_defaults=True):
    """What owns resources; its key is `id`."""

    id: str
    name: str
    domain_id: str
    description: str = ""
    enabled: bool = True
    parent_id: str = ""
    """The project above; empty: it is directly below its domain."""
    tags: tuple[str, ...] = ()
    options: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    is_domain: bool = False
    """Never in a document: a domain is shown so where a project is asked for."""


@document(USER, shared=True)
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
    options: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    password_set_us: int = 0
    password_expires_us: int = 0
    """0: never."""
    earlier_passwords: tuple[str, ...] = ()
    """Hashes, the newest first, as far back as the rules look."""
    failed_logins: int = 0
    """How many wrong passwords there were in a row, where that is counted."""
    failed_us: int = 0


@document(GROUP, shared=True)
class Group(msgspec.Struct, frozen=True, omit_defaults=True):
    """Users that get roles together; its key is `id`."""

    id: str
    name: str
    domain_id: str
    description: str = ""
    user_ids: tuple[str, ...] = ()


@document(ROLE, shared=True)
class Role(msgspec.Struct, frozen=True, omit_defaults=True):
    """A name that policies speak of; its key is `id`."""

    id: str
    name: str
    description: str | None = None
    domain_id: str | None = None
    """A role of a domain is never in a token: it is there to imply others."""
    options: dict[str, Any] = {}
    extra: dict[str, Any] = {}


@document(ROLE_INFERENCE, shared=True)
class RoleInference(msgspec.Struct, frozen=True):
    """Who has the prior role has the implied one too; its key is `key`."""

    prior_role_id: str
    implied_role_id: str

    @property
    def key(self) -> str:
        """The key of its document: the rule itself."""
        return f"{self.prior_role_id}/{self.implied_role_id}"


@document(ASSIGNMENT, shared=True)
class Assignment(msgspec.Struct, frozen=True, omit_defaults=True):
    """An actor has a role on a target."""

    actor_id: str
    """A user, or with `group` a group."""
    target_kind: str
    """`project`, `domain` or `system`."""
    target_id: str
    role_id: str
    group: bool = False
    inherited: bool = False
    """It is not for the target but for all projects below it."""

    @property
    def key(self) -> str:
        """The key of its document: the assignment itself."""
        end = "/inherited" if self.inherited else ""
        return f"{self.actor_id}/{self.target_kind}/{self.target_id}/{self.role_id}{end}"


@document(APPLICATION_CREDENTIAL, shared=True)
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
    unrestricted: bool | None = None
    """May make and delete application credentials itself."""
    access_rule_ids: tuple[str, ...] | None = None
    """The only requests its tokens may make; None: all."""


@document(REVOCATION, shared=True)
class Revocation(msgspec.Struct, frozen=True, omit_defaults=True):
    """A token that is void before its time; its key is the token's audit id."""

    expires_us: int
    """When the token would have ended by itself; the document is of no use after it."""


@document(REGION, shared=True)
class Region(msgspec.Struct, frozen=True, omit_defaults=True):
    """A region of the catalog; its key is `id`."""

    id: str
    description: str = ""
    parent_region_id: str | None = None
    extra: dict[str, Any] = {}


@document(SERVICE, shared=True)
class Service(msgspec.Struct, frozen=True, omit_defaults=True):
    """A service of the catalog; its key is `id`."""

    id: str
    type: str
    name: str = ""
    description: str = ""
    enabled: bool = True
    extra: dict[str, Any] = {}


@document(ENDPOINT, shared=True)
class Endpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a service is; its key is `id`."""

    id: str
    service_id: str
    interface: str
    region_id: str
    url: str
    """May name `$(project_id)s`. It begins with a slash when it is below the cloud's own public address."""
    enabled: bool = True


@document(NAME, shared=True)
class Name(msgspec.Struct, frozen=True):
    """Who has a name; its key is `name_key`."""

    owner_id: str


def name_key(kind: str, domain_id: str, name: str) -> str:
    """The key of a name: unique for a kind in a domain (domains, and roles of no domain: an empty one)."""
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


def inferences_by_prior(mirror: Mirror) -> Index:
    """What roles a role implies by itself."""
    return mirror.index(ROLE_INFERENCE, "prior", lambda inference: inference.prior_role_id)


def projects_by_domain(mirror: Mirror) -> Index:
    """The projects of a domain."""
    return mirror.index(PROJECT, "domain", lambda project: project.domain_id)


def projects_by_parent(mirror: Mirror) -> Index:
    """The projects directly below a project."""
    return mirror.index(PROJECT, "parent", lambda project: project.parent_id or None)


def groups_by_member(mirror: Mirror) -> Index:
    """The groups of a user."""
    return mirror.index(GROUP, "member", lambda group: group.user_ids)


def credentials_by_user(mirror: Mirror) -> Index:
    """The application credentials of a user."""
    return mirror.index(APPLICATION_CREDENTIAL, "user", lambda credential: credential.user_id)
