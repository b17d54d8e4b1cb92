"""`/users`: who logs in."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.openstack.identity.answers import (
    checked_name,
    extra_of,
    find,
    is_domain_reader,
    listing,
    name_taken,
    require,
    require_manager,
    show,
)
from kilonode.cloud.openstack.identity.authority import Authority
from kilonode.cloud.openstack.identity.model import (
    DEFAULT_DOMAIN,
    DOMAIN,
    GROUP,
    USER,
    User,
    find_by_name,
    free_name,
    groups_by_member,
    take_name,
)
from kilonode.cloud.openstack.identity.options import LOCK_PASSWORD, USER_OPTIONS, changed_options
from kilonode.cloud.openstack.identity.password_rules import (
    after_failure,
    check_own,
    check_pattern,
    is_locked,
    password_expires_at,
    with_password,
)
from kilonode.cloud.openstack.identity.removal import credentials_of, of_actor
from kilonode.cloud.openstack.identity.tokens import refused
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Entry, Put

USER_FIELDS: Final[Fields[User]] = Fields(
    {
        "id": lambda user: user.id,
        "name": lambda user: user.name,
        "domain_id": lambda user: user.domain_id,
        "enabled": lambda user: user.enabled,
        "email": lambda user: user.email,
        "description": lambda user: user.description,
        "default_project_id": lambda user: user.default_project_id,
        "password_expires_at": password_expires_at,
        "options": lambda user: user.options,
    }
)


class WantedUser(msgspec.Struct, frozen=True):
    """The `user` of a create request."""

    name: str
    domain_id: str | None = None
    password: str | None = None
    enabled: bool = True
    email: str | None = None
    description: str | None = None
    default_project_id: str | None = None
    options: dict[str, Any] = {}


class CreateUser(msgspec.Struct, frozen=True):
    """The body of `POST /users`."""

    user: WantedUser


class ChangedUser(msgspec.Struct, frozen=True):
    """The `user` of an update request."""

    name: str | UnsetType = UNSET
    password: str | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    email: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    default_project_id: str | UnsetType | None = UNSET
    options: dict[str, Any] = {}
    domain_id: str | UnsetType = UNSET


class UpdateUser(msgspec.Struct, frozen=True):
    """The body of `PATCH /users/{user_id}`."""

    user: ChangedUser


class TwoPasswords(msgspec.Struct, frozen=True):
    """The `user` of a request of a user for a new password."""

    password: str
    original_password: str


class ChangePassword(msgspec.Struct, frozen=True):
    """The body of `POST /users/{user_id}/password`."""

    user: TwoPasswords


async def list_users(request: Request) -> Response:
    """`GET /users`: all to administrators, those of its domain to a reader of a domain."""
    values = (entry.value for entry in request.cloud.mirror.all(USER).values())
    if is_domain_reader(request.caller) and not request.caller.is_admin:
        values = (user for user in values if user.domain_id == request.caller.domain_id)
    else:
        require(request, "list_users")
    return listing(request, "users", USER_FIELDS, values)


async def list_group_users(request: Request) -> Response:
    """`GET /groups/{group_id}/users`."""
    require(request, "list_users_in_group")
    group = find(request, GROUP, "group", request.params["group_id"]).value
    table = request.cloud.mirror.all(USER)
    return listing(request, "users", USER_FIELDS, (table[key].value for key in group.user_ids if key in table))


async def create_user(request: Request) -> Response:
    """`POST /users`."""
    wanted = request.json(CreateUser).user
    cloud = request.cloud
    name = checked_name("user", wanted.name)
    domain_id = wanted.domain_id or request.caller.domain_id or DEFAULT_DOMAIN
    require_manager(request, "create_user", domain_id)
    find(request, DOMAIN, "domain", domain_id)
    if find_by_name(cloud, USER, domain_id, name):
        raise name_taken("user", name, domain_id)
    user = User(
        cloud.new_hexadecimal_id(),
        name,
        domain_id,
        enabled=wanted.enabled,
        email=wanted.email,
        description=wanted.description,
        default_project_id=wanted.default_project_id,
        tokens_since_us=cloud.now_us(),
        options=changed_options({}, wanted.options, USER_OPTIONS),
        extra=extra_of(request, "user", WantedUser, USER_FIELDS),
    )
    user = _with_password(request, user, wanted.password)
    await cloud.mirror.commit([Put(USER, user, user.id, 0), take_name(USER, domain_id, name, user.id)])
    return show(request, "user", "users", USER_FIELDS, user, 201)


async def show_user(request: Request) -> Response:
    """`GET /users/{user_id}`: to administrators, and to the user."""
    user_id = request.params["user_id"]
    entry = request.cloud.mirror.get(USER, user_id)
    require(request, "get_user", user_id=user_id, domain_id=entry.value.domain_id if entry is not None else "")
    return show(request, "user", "users", USER_FIELDS, find(request, USER, "user", user_id).value)


async def update_user(request: Request) -> Response:
    """`PATCH /users/{user_id}`. A new password, or being disabled, voids the user's tokens."""
    entry = _managed(request, "update_user")
    changed = request.json(UpdateUser).user
    old = entry.value
    if changed.domain_id not in (UNSET, old.domain_id):
        raise Fault(400, "Cannot change Domain ID")
    name = old.name if changed.name is UNSET else checked_name("user", changed.name)
    enabled = old.enabled if changed.enabled is UNSET else changed.enabled
    tokens_since_us = old.tokens_since_us
    if changed.password is not UNSET or (old.enabled and not enabled):
        tokens_since_us = request.cloud.now_us() + 1
    user = msgspec.structs.replace(
        old,
        name=name,
        enabled=enabled,
        tokens_since_us=tokens_since_us,
        email=old.email if changed.email is UNSET else changed.email,
        description=old.description if changed.description is UNSET else changed.description,
        default_project_id=(
            old.default_project_id if changed.default_project_id is UNSET else changed.default_project_id
        ),
        options=changed_options(old.options, changed.options, USER_OPTIONS),
        extra={**old.extra, **extra_of(request, "user", ChangedUser, USER_FIELDS)},
    )
    if changed.password is not UNSET:
        user = _with_password(request, user, changed.password)
    changes: list[Put | Delete] = [Put(USER, user, user.id, entry.revision)]
    if name != old.name:
        if find_by_name(request.cloud, USER, old.domain_id, name):
            raise name_taken("user", name, old.domain_id)
        changes += [free_name(USER, old.domain_id, old.name), take_name(USER, old.domain_id, name, old.id)]
    await request.cloud.mirror.commit(changes)
    return show(request, "user", "users", USER_FIELDS, user)


async def change_own_password(request: Request) -> Response:
    """`POST /users/{user_id}/password`: a user's new password, for the old one."""
    entry = find(request, USER, "user", request.params["user_id"])
    passwords = request.json(ChangePassword).user
    old: User = entry.value
    cloud, now_us = request.cloud, request.cloud.now_us()
    rules, checker = cloud.settings.services.identity.password_rules, cloud.part(Authority).passwords
    if is_locked(rules, old, now_us):
        raise refused()
    if not checker.check(passwords.original_password, old.password_hash):
        counted = after_failure(rules, old, now_us)
        if counted is not None:
            await cloud.mirror.commit([Put(USER, counted, old.id, entry.revision)])
        raise refused()
    if old.options.get(LOCK_PASSWORD):
        raise Fault(400, "Password change not permitted: the password of this user is locked.")
    if not passwords.password:
        raise Fault(400, "Invalid input for field 'password': it is empty.")
    check_own(rules, checker, old, passwords.password, now_us)
    user = with_password(rules, old, passwords.password, cloud.new_hexadecimal_id(), now_us)
    user = msgspec.structs.replace(user, tokens_since_us=now_us + 1)
    await cloud.mirror.commit([Put(USER, user, user.id, entry.revision)])
    return reply(None, 204)


async def delete_user(request: Request) -> Response:
    """`DELETE /users/{user_id}`, with the user's roles, group memberships and application credentials."""
    entry = _managed(request, "delete_user")
    user = entry.value
    mirror = request.cloud.mirror
    changes: list[Put | Delete] = [Delete(USER, user.id, entry.revision), free_name(USER, user.domain_id, user.name)]
    changes += [*of_actor(mirror, user.id), *credentials_of(mirror, user.id)]
    for group_id in groups_by_member(mirror).keys(user.id):
        group = mirror.all(GROUP)[group_id]
        left = tuple(member for member in group.value.user_ids if member != user.id)
        changes.append(Put(GROUP, msgspec.structs.replace(group.value, user_ids=left), group_id, group.revision))
    await mirror.commit(changes)
    return reply(None, 204)


def _with_password(request: Request, user: User, password: str | None) -> User:
    """The user with a password that an administrator sets. Raises Fault 400."""
    cloud = request.cloud
    rules = cloud.settings.services.identity.password_rules
    if password:
        check_pattern(rules, password)
    return with_password(rules, user, password, cloud.new_hexadecimal_id(), cloud.now_us())


def _managed(request: Request, action: str) -> Entry[User]:
    """The user, if the caller may change it. Raises Fault."""
    known = request.cloud.mirror.get(USER, request.params["user_id"])
    require_manager(request, action, known.value.domain_id if known is not None else None)
    return find(request, USER, "user", request.params["user_id"])


ROUTES = (
    Route("GET", "/users", list_users, Access.AUTHENTICATED),
    Route("POST", "/users", create_user, Access.MANAGER),
    Route("GET", "/users/{user_id}", show_user, Access.AUTHENTICATED),
    Route("PATCH", "/users/{user_id}", update_user, Access.MANAGER),
    Route("DELETE", "/users/{user_id}", delete_user, Access.MANAGER),
    Route("POST", "/users/{user_id}/password", change_own_password, Access.PUBLIC),
    Route("GET", "/groups/{group_id}/users", list_group_users, Access.AUTHENTICATED),
)
