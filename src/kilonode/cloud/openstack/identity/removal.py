"""What goes with a user, a group, a project or a domain that is deleted."""

from collections.abc import Iterable

from kilonode.cloud.openstack.identity.delegation_model import (
    ACCESS_RULE,
    CREDENTIAL,
    TRUST,
    access_rules_by_user,
    kept_credentials_by_user,
    trusts_by_user,
)
from kilonode.cloud.openstack.identity.model import (
    APPLICATION_CREDENTIAL,
    ASSIGNMENT,
    DOMAIN,
    GROUP,
    PROJECT,
    ROLE,
    ROLE_INFERENCE,
    USER,
    Domain,
    assignments_by_actor,
    assignments_by_target,
    credentials_by_user,
    free_name,
    projects_by_domain,
)
from kilonode.cloud.openstack.identity.operator_model import DOMAIN_CONFIGURATION, ENDPOINT_FILTER, LIMIT
from kilonode.control.mirror import Delete, Entry, Mirror


def assignments_on(keys: Iterable[str]) -> list[Delete]:
    """The changes that remove these assignments."""
    return [Delete(ASSIGNMENT, key) for key in keys]


def of_actor(mirror: Mirror, actor_id: str) -> list[Delete]:
    """The changes that remove the assignments of a user or group."""
    return assignments_on(assignments_by_actor(mirror).keys(actor_id))


def credentials_of(mirror: Mirror, user_id: str) -> list[Delete]:
    """The changes that remove what a user lets others act with: credentials of every kind, and trusts."""
    kinds = (
        (APPLICATION_CREDENTIAL, credentials_by_user(mirror)),
        (CREDENTIAL, kept_credentials_by_user(mirror)),
        (ACCESS_RULE, access_rules_by_user(mirror)),
        (TRUST, trusts_by_user(mirror)),
    )
    return [Delete(kind, key) for kind, index in kinds for key in index.keys(user_id)]


def of_project(mirror: Mirror, project_id: str) -> list[Delete]:
    """The changes that remove what only made sense for a project. What it owns in other services stays there."""
    kinds = (APPLICATION_CREDENTIAL, CREDENTIAL, TRUST, ENDPOINT_FILTER, LIMIT)
    return [
        *assignments_on(assignments_by_target(mirror).keys(project_id)),
        *(
            Delete(kind, key)
            for kind in kinds
            for key, entry in mirror.all(kind).items()
            if entry.value.project_id == project_id
        ),
    ]


def of_role(mirror: Mirror, role_id: str) -> list[Delete]:
    """The changes that remove the assignments of a role and the rules that name it."""
    rules = mirror.all(ROLE_INFERENCE).items()
    return [
        *assignments_on(key for key, held in mirror.all(ASSIGNMENT).items() if held.value.role_id == role_id),
        *(
            Delete(ROLE_INFERENCE, key)
            for key, rule in rules
            if role_id in (rule.value.prior_role_id, rule.value.implied_role_id)
        ),
    ]


def of_domain(mirror: Mirror, entry: Entry[Domain]) -> list[Delete]:
    """The changes that remove a domain and all that is in it, each once."""
    domain = entry.value
    changes = [free_name(DOMAIN, "", domain.name), *assignments_on(assignments_by_target(mirror).keys(domain.id))]
    for key in projects_by_domain(mirror).keys(domain.id):
        changes += [
            Delete(PROJECT, key),
            free_name(PROJECT, domain.id, mirror.all(PROJECT)[key].value.name),
            *of_project(mirror, key),
        ]
    for kind in (USER, GROUP, ROLE):
        for key, held in mirror.all(kind).items():
            if held.value.domain_id == domain.id:
                changes += [Delete(kind, key), free_name(kind, domain.id, held.value.name)]
                changes += of_role(mirror, key) if kind == ROLE else of_actor(mirror, key)
                changes += credentials_of(mirror, key) if kind == USER else []
    changes += [Delete(LIMIT, key) for key, limit in mirror.all(LIMIT).items() if limit.value.domain_id == domain.id]
    if mirror.get(DOMAIN_CONFIGURATION, domain.id) is not None:
        changes.append(Delete(DOMAIN_CONFIGURATION, domain.id))
    once = {(change.kind, change.key): change for change in changes}
    return [Delete(DOMAIN, domain.id, entry.revision), *once.values()]
