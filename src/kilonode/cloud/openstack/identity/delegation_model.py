"""The documents with which a user lets others act for it: trusts, credentials, and what programs may ask for."""

from typing import Final

import msgspec

from kilonode.cloud.kinds import document
from kilonode.control.index import Index
from kilonode.control.mirror import Mirror

TRUST: Final = "trust"
CREDENTIAL: Final = "identity_credential"
ACCESS_RULE: Final = "access_rule"


@document(TRUST, shared=True)
class Trust(msgspec.Struct, frozen=True, omit_defaults=True):
    """The trustor lets the trustee act with some of its roles on a project; its key is `id`."""

    id: str
    trustor_user_id: str
    trustee_user_id: str
    project_id: str
    impersonation: bool
    role_ids: tuple[str, ...]
    expires_us: int = 0
    """0: never."""
    remaining_uses: int | None = None
    """How many more tokens; None: any number."""
    redelegation_count: int = 0
    """How many times it may be handed on."""
    redelegated_trust_id: str | None = None
    """The trust that it hands on."""


@document(CREDENTIAL, shared=True)
class Credential(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something secret that is kept for a user; its key is `id`, of kind `ec2` the SHA-256 of its access key."""

    id: str
    user_id: str
    type: str
    blob: str
    project_id: str | None = None


@document(ACCESS_RULE, shared=True)
class AccessRule(msgspec.Struct, frozen=True):
    """A kind of requests that an application credential may be limited to; its key is `id`."""

    id: str
    user_id: str
    service: str
    method: str
    path: str


def trusts_by_user(mirror: Mirror) -> Index:
    """The trusts in which a user is trustor or trustee."""
    return mirror.index(TRUST, "user", lambda trust: (trust.trustor_user_id, trust.trustee_user_id))


def kept_credentials_by_user(mirror: Mirror) -> Index:
    """The credentials that are kept for a user."""
    return mirror.index(CREDENTIAL, "user", lambda credential: credential.user_id)


def access_rules_by_user(mirror: Mirror) -> Index:
    """The access rules of a user."""
    return mirror.index(ACCESS_RULE, "user", lambda rule: rule.user_id)
