"""Getting a token: who it is (password, token, application credential) and what for (project, domain, system, nothing).

Refusals are the same 401, so that nobody learns what was wrong, but for what Keystone tells: that the right password is
too old, and that there is no application credential of an id.
"""

from typing import Final, Literal

import msgspec

from kilonode.cloud.context import Changes, Cloud
from kilonode.cloud.openstack.identity.authority import Authority, Session
from kilonode.cloud.openstack.identity.delegation_model import TRUST, Trust
from kilonode.cloud.openstack.identity.instants import MALFORMED
from kilonode.cloud.openstack.identity.model import (
    APPLICATION_CREDENTIAL,
    DEFAULT_DOMAIN,
    DOMAIN,
    PROJECT,
    USER,
    ApplicationCredential,
    User,
    credentials_by_user,
    find_by_name,
)
from kilonode.cloud.openstack.identity.options import satisfies_rules
from kilonode.cloud.openstack.identity.password_rules import after_failure, after_success, is_expired, is_locked
from kilonode.cloud.openstack.identity.tokens import Token, new_token, refused
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.control.mirror import Put


class NamedDomain(msgspec.Struct, frozen=True):
    """A domain by id or name."""

    id: str | None = None
    name: str | None = None


class NamedProject(msgspec.Struct, frozen=True):
    """A project by id, or by name and domain."""

    id: str | None = None
    name: str | None = None
    domain: NamedDomain | None = None


class NamedUser(msgspec.Struct, frozen=True):
    """A user by id, or by name and domain, and the password."""

    id: str | None = None
    name: str | None = None
    domain: NamedDomain | None = None
    password: str | None = None


class PasswordMethod(msgspec.Struct, frozen=True):
    """`identity.password`."""

    user: NamedUser


class TokenMethod(msgspec.Struct, frozen=True):
    """`identity.token`."""

    id: str


class CredentialMethod(msgspec.Struct, frozen=True):
    """`identity.application_credential`: by id, or by name and user."""

    secret: str
    id: str | None = None
    name: str | None = None
    user: NamedUser | None = None


class Identity(msgspec.Struct, frozen=True):
    """Who it is."""

    methods: tuple[str, ...]
    password: PasswordMethod | None = None
    token: TokenMethod | None = None
    application_credential: CredentialMethod | None = None


class WholeSystem(msgspec.Struct, frozen=True):
    """`scope.system`."""

    all: bool = False


class NamedTrust(msgspec.Struct, frozen=True):
    """`scope.OS-TRUST:trust`."""

    id: str


class Scope(msgspec.Struct, frozen=True):
    """What for."""

    project: NamedProject | None = None
    domain: NamedDomain | None = None
    system: WholeSystem | None = None
    trust: NamedTrust | None = msgspec.field(default=None, name="OS-TRUST:trust")


class Login(msgspec.Struct, frozen=True):
    """The `auth` of a request."""

    identity: Identity
    scope: Scope | Literal["unscoped"] | None = None


class LoginRequest(msgspec.Struct, frozen=True):
    """The body of `POST /auth/tokens`."""

    auth: Login


class Who(msgspec.Struct, frozen=True):
    """Who logs in, proven."""

    user: User
    methods: tuple[str, ...]
    earlier: Token | None = None
    """The token that proved it."""
    credential: ApplicationCredential | None = None
    changes: Changes = ()
    """What the proof itself changes."""


class WrongPasswordError(Fault):
    """The login is refused, and that it failed has to be written."""

    def __init__(self, changes: Changes) -> None:
        super().__init__(401, refused().message)
        self.changes = changes


METHODS: Final = ("password", "token", "application_credential")


def log_in(cloud: Cloud, login: Login) -> tuple[Token, Changes]:
    """The token asked for, and what must be written with it.

    Raises Fault 401 (a WrongPasswordError when something must be written), or 400 for what makes no sense.
    """
    who = _prove(cloud, login.identity)
    scope = login.scope
    user = who.user
    if not satisfies_rules(user.options, who.methods):
        raise refused()
    trust: Trust | None = None
    changes: Changes = ()
    project_id, domain_id, system = "", "", False
    if who.credential is not None:
        if scope is not None:
            words = "Error authenticating with application credential: Application credentials cannot request a scope."
            raise Fault(401, words, extra={"identity": {}})
        project_id = who.credential.project_id
    elif isinstance(scope, Scope) and scope.trust is not None:
        trust, changes = _use_trust(cloud, user, scope)
        project_id = trust.project_id
    elif isinstance(scope, Scope):
        project_id, domain_id, system = _scope(cloud, scope)
    elif scope is None and who.earlier is None:
        project_id = _default_project(cloud, user)
    # A password changed at this very instant voids the tokens before it, not this one.
    acting = user
    if trust is not None and trust.impersonation:
        acting = cloud.mirror.all(USER)[trust.trustor_user_id].value
    issued_us = max(cloud.now_us(), acting.tokens_since_us)
    audit_ids: tuple[str, ...] = (cloud.new_hexadecimal_id()[:22],)
    expires_us = 0
    if who.earlier is not None:
        audit_ids = (*audit_ids, who.earlier.audit_ids[-1])
        expires_us = who.earlier.expires_us
    if who.credential is not None:
        expires_us = who.credential.expires_us
    if trust is not None and trust.expires_us:
        expires_us = min(expires_us or trust.expires_us, trust.expires_us)
    token = new_token(
        acting.id,
        who.methods,
        issued_us,
        audit_ids,
        expires_us=expires_us,
        project_id=project_id,
        domain_id=domain_id,
        system=system,
        credential_id=who.credential.id if who.credential is not None else "",
        trust_id=trust.id if trust is not None else "",
    )
    return token, (*who.changes, *changes)


def _prove(cloud: Cloud, identity: Identity) -> Who:
    """Check every method that the request names; all must speak of the same user."""
    if not identity.methods:
        raise refused()
    found: Who | None = None
    for method in dict.fromkeys(identity.methods):
        if method == "password" and identity.password is not None:
            proven = _by_password(cloud, identity.password.user)
        elif method == "token" and identity.token is not None:
            proven = _by_token(cloud, identity.token.id)
        elif method == "application_credential" and identity.application_credential is not None:
            proven = _by_credential(cloud, identity.application_credential)
        elif method in METHODS:
            raise expecting(method, "identity")
        else:
            known = {"identity": {"methods": list(METHODS)}}
            raise Fault(401, "Attempted to authenticate with an unsupported method.", extra=known)
        if found is not None and found.user.id != proven.user.id:
            raise refused()
        found = msgspec.structs.replace(
            proven, changes=(*proven.changes, *(found.changes if found is not None else ()))
        )
    assert found is not None  # noqa: S101 - there was at least one method
    return found


def _by_password(cloud: Cloud, named: NamedUser) -> Who:
    authority = cloud.part(Authority)
    user = authority.enabled_user(_user_id(cloud, named))
    # An unknown user costs as much as a wrong password, so the time tells nothing.
    right = authority.passwords.check(named.password or "", user.password_hash if user is not None else "")
    if user is None:
        raise refused()
    rules, now_us = cloud.settings.services.identity.password_rules, cloud.now_us()
    if is_locked(rules, user, now_us):
        raise refused()
    counted = after_success(user) if right else after_failure(rules, user, now_us)
    # Said with the revision, so that two wrong passwords at one instant count as two.
    revision = cloud.mirror.all(USER)[user.id].revision
    changes = () if counted is None else (Put(USER, counted, user.id, revision),)
    if not right:
        raise WrongPasswordError(changes)
    if is_expired(user, now_us):
        raise Fault(401, f"The password is expired and needs to be changed for user: {user.id}.")
    return Who(user, ("password",), changes=changes)


def _by_token(cloud: Cloud, text: str) -> Who:
    authority = cloud.part(Authority)
    session = subject(authority, text)
    if session.token.credential_id:
        raise Fault(403, "A token of an application credential cannot be used for another scope.")
    if session.token.trust_id:
        raise Fault(403, "A token of a trust cannot be used for another scope.")
    user = authority.enabled_user(session.token.user_id)
    if user is None:
        raise refused()
    methods = tuple(dict.fromkeys([*session.token.methods, "token"]))
    return Who(user, methods, earlier=session.token)


def _by_credential(cloud: Cloud, named: CredentialMethod) -> Who:
    authority = cloud.part(Authority)
    credential_id = named.id or ""
    if not credential_id and named.user is not None:
        for key in credentials_by_user(cloud.mirror).keys(_user_id(cloud, named.user)):
            if cloud.mirror.all(APPLICATION_CREDENTIAL)[key].value.name == named.name:
                credential_id = key
    entry = cloud.mirror.get(APPLICATION_CREDENTIAL, credential_id)
    if entry is None and named.id:
        raise Fault(404, f"Could not find Application Credential: {named.id}.")
    credential: ApplicationCredential | None = entry.value if entry is not None else None
    right = authority.passwords.check(named.secret, credential.secret_hash if credential is not None else "")
    if credential is None or not right or 0 < credential.expires_us <= cloud.now_us():
        raise refused()
    user = authority.enabled_user(credential.user_id)
    if user is None:
        raise refused()
    return Who(user, ("application_credential",), credential=credential)


def subject(authority: Authority, text: str) -> Session:
    """The token that a request is about, not the one it is made with. Raises Fault 404 when it does not hold."""
    if not text:
        raise Fault(404, "No token in the request")
    try:
        authority.signer.read(text)
    except Fault as fault:
        raise Fault(404, "Could not recognize Fernet token") from fault
    try:
        return authority.session(text)
    except Fault as fault:
        raise Fault(404, "Failed to validate token") from fault


def expecting(what: str, where: str) -> Fault:
    """The refusal of a body that lacks something."""
    return Fault(
        400,
        f"Expecting to find {what} in {where}.{MALFORMED}",
    )


def _user_id(cloud: Cloud, named: NamedUser) -> str:
    if named.id:
        return named.id
    if not named.name:
        raise Fault(400, "Invalid input for field identity/password/user: id or name must be present.")
    if named.domain is None:
        raise expecting("domain", "user")
    return find_by_name(cloud, USER, _domain_id(cloud, named.domain), named.name)


def _domain_id(cloud: Cloud, named: NamedDomain | None) -> str:
    if named is None:
        return DEFAULT_DOMAIN
    return named.id or find_by_name(cloud, DOMAIN, "", named.name or "")


def _scope(cloud: Cloud, scope: Scope) -> tuple[str, str, bool]:
    """Project id, domain id, whole system: one of them. Whether the user has a role there is checked with the token."""
    if sum(part is not None for part in (scope.project, scope.domain, scope.system)) != 1:
        raise expecting("system, project, domain, OS-TRUST:trust or unscoped", "scope")
    if scope.project is not None:
        named = scope.project
        if not named.id and named.domain is None:
            raise expecting("domain", "project")
        project_id = named.id or find_by_name(cloud, PROJECT, _domain_id(cloud, named.domain), named.name or "")
        if not project_id:
            raise refused()
        return project_id, "", False
    if scope.domain is not None:
        domain_id = _domain_id(cloud, scope.domain)
        if not domain_id:
            raise refused()
        return "", domain_id, False
    return "", "", True


def _use_trust(cloud: Cloud, user: User, scope: Scope) -> tuple[Trust, Changes]:
    """The trust, and the change that counts its use. Raises Fault 401, 403 when it was used as often as it may be."""
    assert scope.trust is not None  # noqa: S101 - the caller saw it
    if scope.project is not None or scope.domain is not None or scope.system is not None:
        raise expecting("system, project, domain, OS-TRUST:trust or unscoped", "scope")
    authority = cloud.part(Authority)
    trust = authority.open_trust(scope.trust.id)
    if trust is None or trust.trustee_user_id != user.id:
        raise refused()
    trustor = authority.enabled_user(trust.trustor_user_id)
    if trustor is None:
        raise refused()
    if trust.remaining_uses is None:
        return trust, ()
    if trust.remaining_uses == 0:
        raise Fault(403, f"No remaining uses for trust: {trust.id}.")
    used = msgspec.structs.replace(trust, remaining_uses=trust.remaining_uses - 1)
    return trust, [Put(TRUST, used, trust.id, cloud.mirror.all(TRUST)[trust.id].revision)]


def _default_project(cloud: Cloud, user: User) -> str:
    """The user's default project, if it has a role there; a login without a scope never fails for it."""
    project_id = user.default_project_id or ""
    authority = cloud.part(Authority)
    if project_id and authority.enabled_project(project_id) and authority.roles(user.id, "project", project_id):
        return project_id
    return ""
