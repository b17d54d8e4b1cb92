"""Who may what: the roles a user has on a scope, and the caller that a token stands for.

Everything is looked up in the mirror when it is asked for and remembered only until any identity document changes, so
a token of a user who was disabled or lost a role is worth what that user is worth now.
"""

from typing import Final

import msgspec

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.identity.delegation_model import ACCESS_RULE, TRUST, Trust
from kilonode.cloud.openstack.identity.model import (
    APPLICATION_CREDENTIAL,
    ASSIGNMENT,
    DOMAIN,
    GROUP,
    PROJECT,
    REVOCATION,
    ROLE,
    ROLE_INFERENCE,
    SYSTEM,
    USER,
    ApplicationCredential,
    Assignment,
    Project,
    Role,
    User,
    assignments_by_actor,
    groups_by_member,
    inferences_by_prior,
)
from kilonode.cloud.openstack.identity.passwords import PasswordChecker
from kilonode.cloud.openstack.identity.tokens import Token, TokenSigner, refused
from kilonode.cloud.openstack.web.access import AccessRule, Caller, access_of

REMEMBERED_LIMIT: Final = 20_000
_DECIDING_KINDS: Final = frozenset(
    {
        DOMAIN, PROJECT, USER, GROUP, ROLE, ROLE_INFERENCE, ASSIGNMENT, APPLICATION_CREDENTIAL, REVOCATION, TRUST,
        ACCESS_RULE,
    }
)  # fmt: skip


class Session(msgspec.Struct, frozen=True, gc=False):
    """A token that holds, and the caller it stands for."""

    token: Token
    caller: Caller
    roles: tuple[Role, ...]


class Authority:
    """Answers questions about rights. One per view: `cloud.part(Authority)`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._mirror = cloud.mirror
        self._assignments = assignments_by_actor(cloud.mirror)
        self._groups = groups_by_member(cloud.mirror)
        self._inferences = inferences_by_prior(cloud.mirror)
        self._sessions: dict[str, Session] = {}
        self.signer = TokenSigner(cloud.settings.secrets.token_key)
        self.passwords = PasswordChecker()
        cloud.mirror.subscribe(self._on_change)

    def caller(self, text: str) -> Caller:
        """The caller of a token. Raises Fault 401."""
        return self.session(text).caller

    def session(self, text: str) -> Session:
        """A token that holds now. Raises Fault 401."""
        session = self._sessions.get(text)
        if session is None:
            session = self.open(self.signer.read(text))
            if len(self._sessions) >= REMEMBERED_LIMIT:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[text] = session
        if session.token.expires_us <= self._cloud.now_us():
            raise refused()
        return session

    def open(self, token: Token) -> Session:
        """What a token is worth now, apart from its time. Raises Fault 401."""
        user = self.enabled_user(token.user_id)
        if (
            user is None
            or token.issued_us < user.tokens_since_us
            or any(self._mirror.get(REVOCATION, audit_id) is not None for audit_id in token.audit_ids)
        ):
            raise refused()
        roles = self._roles_of_token(token)
        if token.is_scoped and not roles:
            raise refused()
        names = tuple(role.name for role in roles)
        caller = Caller(
            user_id=user.id,
            user_domain_id=user.domain_id,
            project_id=token.project_id,
            domain_id=token.domain_id,
            system=token.system,
            roles=names,
            access=access_of(names),
            expires_us=token.expires_us,
            audit_id=token.audit_ids[0],
            access_rules=self._rules_of_token(token),
        )
        return Session(token, caller, roles)

    def enabled_user(self, user_id: str) -> User | None:
        """The user, if it and its domain are enabled."""
        entry = self._mirror.get(USER, user_id)
        if entry is None or not entry.value.enabled or not self.is_domain_enabled(entry.value.domain_id):
            return None
        user: User = entry.value
        return user

    def enabled_project(self, project_id: str) -> Project | None:
        """The project, if it and its domain are enabled."""
        entry = self._mirror.get(PROJECT, project_id)
        if entry is None or not entry.value.enabled or not self.is_domain_enabled(entry.value.domain_id):
            return None
        project: Project = entry.value
        return project

    def is_domain_enabled(self, domain_id: str) -> bool:
        """Whether there is such a domain, and it is enabled."""
        entry = self._mirror.get(DOMAIN, domain_id)
        return entry is not None and entry.value.enabled

    def assignments(self, user_id: str) -> list[Assignment]:
        """The user's own assignments and those of its groups."""
        actors = [user_id, *self._groups.keys(user_id)]
        return [self._mirror.all(ASSIGNMENT)[key].value for actor in actors for key in self._assignments.keys(actor)]

    def above(self, project_id: str) -> list[str]:
        """What is above a project: its parent, the parent's parent, and so on, and at last its domain."""
        found: list[str] = []
        entry = self._mirror.get(PROJECT, project_id)
        while entry is not None:
            project: Project = entry.value
            parent_id = project.parent_id or project.domain_id
            found.append(parent_id)
            entry = self._mirror.get(PROJECT, parent_id) if project.parent_id else None
        return found

    def roles(self, user_id: str, target_kind: str, target_id: str) -> tuple[Role, ...]:
        """The roles a user has on a target: its own, inherited ones, and those they imply, each once."""
        above = self.above(target_id) if target_kind == "project" else []
        ids = [
            assignment.role_id
            for assignment in self.assignments(user_id)
            if (
                assignment.target_id in above
                if assignment.inherited
                else assignment.target_kind == target_kind and assignment.target_id == target_id
            )
        ]
        return self.with_implied(ids)

    def with_implied(self, role_ids: list[str]) -> tuple[Role, ...]:
        """These roles and those they imply, each once, without those that are gone and those of a domain."""
        found: dict[str, Role] = {}
        waiting = list(reversed(role_ids))
        while waiting:
            entry = self._mirror.get(ROLE, waiting.pop())
            if entry is None or entry.value.id in found:
                continue
            found[entry.value.id] = entry.value
            rules = (self._mirror.all(ROLE_INFERENCE)[key].value for key in self._inferences.keys(entry.value.id))
            waiting += [rule.implied_role_id for rule in rules]
        return tuple(role for role in found.values() if not role.domain_id)

    def projects_of(self, user_id: str) -> list[str]:
        """The projects on which a user has any role, also by inheritance."""
        assignments = self.assignments(user_id)
        found = dict.fromkeys(
            assignment.target_id
            for assignment in assignments
            if assignment.target_kind == "project" and not assignment.inherited
        )
        inherited = {assignment.target_id for assignment in assignments if assignment.inherited}
        if inherited:
            found |= dict.fromkeys(key for key in self._mirror.all(PROJECT) if inherited & set(self.above(key)))
        return list(found)

    def _roles_of_token(self, token: Token) -> tuple[Role, ...]:
        if token.credential_id:
            return self._roles_of_credential(token)
        if token.trust_id:
            return self._roles_of_trust(token)
        if token.project_id:
            if self.enabled_project(token.project_id) is None:
                return ()
            return self.roles(token.user_id, "project", token.project_id)
        if token.domain_id:
            if not self.is_domain_enabled(token.domain_id):
                return ()
            return self.roles(token.user_id, "domain", token.domain_id)
        return self.roles(token.user_id, "system", SYSTEM) if token.system else ()

    def _rules_of_token(self, token: Token) -> tuple[AccessRule, ...] | None:
        """The access rules of the application credential that a token was made from; None when it has none."""
        entry = self._mirror.get(APPLICATION_CREDENTIAL, token.credential_id) if token.credential_id else None
        if entry is None or entry.value.access_rule_ids is None:
            return None
        rules = (self._mirror.get(ACCESS_RULE, key) for key in entry.value.access_rule_ids)
        return tuple(AccessRule(rule.value.service, rule.value.method, rule.value.path) for rule in rules if rule)

    def _roles_of_credential(self, token: Token) -> tuple[Role, ...]:
        """The roles of an application credential that its user still has."""
        entry = self._mirror.get(APPLICATION_CREDENTIAL, token.credential_id)
        if entry is None or self.enabled_project(token.project_id) is None:
            return ()
        credential: ApplicationCredential = entry.value
        had = {role.id for role in self.roles(token.user_id, "project", token.project_id)}
        return self.with_implied([role_id for role_id in credential.role_ids if role_id in had])

    def _roles_of_trust(self, token: Token) -> tuple[Role, ...]:
        """The roles of a trust that the trustor still has; none when either of the two is disabled."""
        trust = self.open_trust(token.trust_id)
        if trust is None or self.enabled_project(trust.project_id) is None:
            return ()
        if self.enabled_user(trust.trustor_user_id) is None or self.enabled_user(trust.trustee_user_id) is None:
            return ()
        had = {role.id for role in self.roles(trust.trustor_user_id, "project", trust.project_id)}
        return self.with_implied([role_id for role_id in trust.role_ids if role_id in had])

    def open_trust(self, trust_id: str) -> Trust | None:
        """The trust, if it is there and has not ended."""
        entry = self._mirror.get(TRUST, trust_id)
        if entry is None or 0 < entry.value.expires_us <= self._cloud.now_us():
            return None
        trust: Trust = entry.value
        return trust

    def _on_change(self, kind: str, key: str) -> None:
        if kind in _DECIDING_KINDS and self._sessions:
            self._sessions.clear()
