"""Tests that want a cloud, or a Tempest, set up in another way than the rest, which would be skipped for that alone.

OpenStack's own gates run Tempest in several jobs that differ in such settings; here each variant is a cloud of its own
for the few tests that ask for it, and what becomes of them there is what counts.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from kilonode.cloud.service_settings import ServiceSettings
from tests.conformance.tempest.running import Outcome


class Variant(msgspec.Struct, frozen=True):
    """Some tests of one service, and what is different for them."""

    name: str
    service: str
    tests: str
    """A regular expression, as stestr selects."""
    told: Mapping[str, Mapping[str, str]]
    """What of Tempest's configuration is different: section, option, value."""
    services: Callable[[ServiceSettings], ServiceSettings] = lambda settings: settings
    """What of the cloud's settings is different."""


def _without_digests(settings: ServiceSettings) -> ServiceSettings:
    return msgspec.structs.replace(settings, image=msgspec.structs.replace(settings.image, secure_hash=False))


VARIANTS: Final = (
    Variant(
        "no digests of locations",
        "image",
        r"test_add_location_with_do_secure_hash_false",
        {"image-feature-enabled": {"do_secure_hash": "false"}},
        _without_digests,
    ),
    Variant(
        "scopes of compute enforced",
        "compute",
        r"test_live_migration\.LiveMigrationManagerWorkflowTest",
        {
            "enforce_scope": {"nova": "true"},
            "compute-feature-enabled": {"nova_policy_roles": "admin,manager,member,reader"},
        },
    ),
)


def together(first: list[Outcome], of_variant: list[Outcome]) -> list[Outcome]:
    """The outcomes of a service, those of the variant's tests as they came out there."""
    there = {outcome.test: outcome for outcome in of_variant}
    return [there.get(outcome.test, outcome) for outcome in first]
