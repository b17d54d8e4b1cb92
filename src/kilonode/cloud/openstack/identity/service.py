"""The identity service as data: its routes and version document."""

from typing import Final

from kilonode.cloud.openstack.identity import (
    access_rules,
    application_credentials,
    assignment_lists,
    assignments,
    catalog_routes,
    credentials,
    domain_configuration,
    domains,
    endpoint_filters,
    groups,
    operator_routes,
    project_tags,
    projects,
    regions,
    role_inferences,
    roles,
    token_routes,
    trusts,
    unified_limits,
    users,
)
from kilonode.cloud.openstack.identity.answers import PREFIX
from kilonode.cloud.openstack.web.faults import identity_fault_format
from kilonode.cloud.openstack.web.service import ServiceApp
from kilonode.cloud.openstack.web.versions import Version, discovery

ROOT: Final = "/identity"

IDENTITY: Final = ServiceApp(
    name="identity",
    prefix=PREFIX,
    root=ROOT,
    fault_format=identity_fault_format,
    headers=(("vary", "X-Auth-Token"),),
    refusal="You are not authorized to perform the requested action: identity:{}.",
    guarded=False,
    discovery=discovery(
        Version(
            id="v3.14",
            path=f"{PREFIX}/",
            updated="2020-04-07T00:00:00Z",
            status="stable",
            media_type="application/vnd.openstack.identity-v3+json",
        ),
        "/v3",
        list_status=300,
        nested=True,
    ),
    routes=(
        *token_routes.ROUTES,
        *projects.ROUTES,
        *users.ROUTES,
        *groups.ROUTES,
        *domains.ROUTES,
        *roles.ROUTES,
        *assignments.ROUTES,
        *catalog_routes.ROUTES,
        *application_credentials.ROUTES,
        *access_rules.ROUTES,
        *assignment_lists.ROUTES,
        *credentials.ROUTES,
        *domain_configuration.ROUTES,
        *endpoint_filters.ROUTES,
        *operator_routes.ROUTES,
        *project_tags.ROUTES,
        *regions.ROUTES,
        *role_inferences.ROUTES,
        *trusts.ROUTES,
        *unified_limits.ROUTES,
    ),
)
