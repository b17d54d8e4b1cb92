"""The documents that operators write: policies, consumers, endpoint filters, domain configuration, unified limits."""

from typing import Any, Final

import msgspec

from kilonode.cloud.kinds import document

POLICY: Final = "identity_policy"
CONSUMER: Final = "oauth_consumer"
ENDPOINT_GROUP: Final = "endpoint_group"
ENDPOINT_FILTER: Final = "endpoint_filter"
DOMAIN_CONFIGURATION: Final = "domain_configuration"
REGISTERED_LIMIT: Final = "registered_limit"
LIMIT: Final = "unified_limit"


@document(POLICY, shared=True)
class Policy(msgspec.Struct, frozen=True, omit_defaults=True):
    """Some text about rights that services may fetch; nothing here reads it. Its key is `id`."""

    id: str
    type: str
    blob: Any
    extra: dict[str, Any] = {}


@document(CONSUMER, shared=True)
class Consumer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A program known by OAuth 1; its key is `id`."""

    id: str
    secret: str
    description: str | None = None
    extra: dict[str, Any] = {}


@document(ENDPOINT_GROUP, shared=True)
class EndpointGroup(msgspec.Struct, frozen=True, omit_defaults=True):
    """Endpoints described by what they have in common; its key is `id`."""

    id: str
    name: str
    filters: dict[str, str]
    """Of `service_id`, `interface`, `region_id`, `enabled`: what an endpoint must have."""
    description: str | None = None


@document(ENDPOINT_FILTER, shared=True)
class EndpointFilter(msgspec.Struct, frozen=True):
    """A project's catalog has this endpoint, or the endpoints of this group; its key is `key`."""

    project_id: str
    endpoint_id: str = ""
    group_id: str = ""

    @property
    def key(self) -> str:
        """The key of its document."""
        return f"{self.project_id}/{self.endpoint_id}/{self.group_id}"


@document(DOMAIN_CONFIGURATION, shared=True)
class DomainConfiguration(msgspec.Struct, frozen=True):
    """What a domain's user driver would be told: kept and shown, never acted on. Its key is the domain's id."""

    groups: dict[str, dict[str, Any]]


@document(REGISTERED_LIMIT, shared=True)
class RegisteredLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much of a resource every project may have; its key is `id`."""

    id: str
    service_id: str
    resource_name: str
    default_limit: int
    region_id: str | None = None
    description: str | None = None


@document(LIMIT, shared=True)
class Limit(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much of a resource one project or domain may have; its key is `id`."""

    id: str
    service_id: str
    resource_name: str
    resource_limit: int
    project_id: str | None = None
    domain_id: str | None = None
    region_id: str | None = None
    description: str | None = None
