"""What goes with a user, a group or a project that is deleted: its role assignments and application credentials."""

from collections.abc import Iterable

from kilonode.cloud.openstack.identity.model import (
    APPLICATION_CREDENTIAL,
    ASSIGNMENT,
    assignments_by_actor,
    credentials_by_user,
)
from kilonode.control.mirror import Delete, Mirror


def assignments_on(keys: Iterable[str]) -> list[Delete]:
    """The changes that remove these assignments."""
    return [Delete(ASSIGNMENT, key) for key in keys]


def of_actor(mirror: Mirror, actor_id: str) -> list[Delete]:
    """The changes that remove the assignments of a user or group."""
    return assignments_on(assignments_by_actor(mirror).keys(actor_id))


def credentials_of(mirror: Mirror, user_id: str) -> list[Delete]:
    """The changes that remove the application credentials of a user."""
    return [Delete(APPLICATION_CREDENTIAL, key) for key in credentials_by_user(mirror).keys(user_id)]
