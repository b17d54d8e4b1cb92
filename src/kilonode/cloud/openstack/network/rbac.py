"""`/rbac-policies`: what belongs to one project and is shared with another, or with all (`*`).

The policy and what it shares are written together: the resource itself knows whom it is shared with.
"""

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from kilonode.cloud.context import Cloud
from kilonode.cloud.kinds import document
from kilonode.cloud.openstack.network.address_groups import ADDRESS_GROUPS
from kilonode.cloud.openstack.network.address_scopes import SCOPES
from kilonode.cloud.openstack.network.collection import Changes, Collection, owner, touched
from kilonode.cloud.openstack.network.faults import disallowed, invalid
from kilonode.cloud.openstack.network.model import (
    PORT,
    RBAC_POLICY,
    Resource,
    by_project,
    ports_by_group,
    ports_by_network,
)
from kilonode.cloud.openstack.network.networks import NETWORKS
from kilonode.cloud.openstack.network.qos import QOS_POLICIES
from kilonode.cloud.openstack.network.security_groups import GROUPS
from kilonode.cloud.openstack.network.subnet_pools import POOLS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.index import Index
from kilonode.control.mirror import Delete, Entry, Mirror, Put

SHARED: Final = "access_as_shared"
EXTERNAL: Final = "access_as_external"
EVERYBODY: Final = "*"
_COLLECTIONS: Final[dict[str, Collection[Any]]] = {
    "network": NETWORKS,
    "security_group": GROUPS,
    "address_group": ADDRESS_GROUPS,
    "address_scope": SCOPES,
    "qos_policy": QOS_POLICIES,
    "subnetpool": POOLS,
}


@document(RBAC_POLICY)
class RbacPolicy(Resource, frozen=True, omit_defaults=True, kw_only=True):
    """A resource that is shared, and with whom."""

    object_type: str
    object_id: str
    target_project_id: str
    action: str = SHARED


class WantedPolicy(msgspec.Struct, frozen=True):
    """The `rbac_policy` of a create request."""

    object_type: str
    object_id: str
    action: str
    target_tenant: str | None = None
    target_project: str | None = None
    project_id: str | None = None
    tenant_id: str | None = None


def make_policy_fields(cloud: Cloud) -> Fields[RbacPolicy]:
    """The fields of a policy."""
    return Fields(
        {
            "id": lambda policy: policy.id,
            "object_type": lambda policy: policy.object_type,
            "object_id": lambda policy: policy.object_id,
            "action": lambda policy: policy.action,
            "target_tenant": lambda policy: policy.target_project_id,
            "tenant_id": lambda policy: policy.project_id,
            "project_id": lambda policy: policy.project_id,
        }
    )


POLICIES: Final[Collection[RbacPolicy]] = Collection(
    kind=RBAC_POLICY,
    noun="rbac_policy",
    plural="rbac_policies",
    type_noun="RbacPolicy",
    title="RBAC policy",
    make_fields=make_policy_fields,
    indexes=(("project_id", lambda mirror: by_project(mirror, RBAC_POLICY)),),
)


def policies_by_object(mirror: Mirror) -> Index:
    """The policies that share a resource."""
    return mirror.index(RBAC_POLICY, "object", lambda policy: policy.object_id)


async def list_policies(request: Request) -> Response:
    """`GET /rbac-policies`."""
    return POLICIES.listing(request)


async def show_policy(request: Request) -> Response:
    """`GET /rbac-policies/{id}`."""
    return POLICIES.show(request, POLICIES.find(request, request.params["id"]).value)


async def create_policy(request: Request) -> Response:
    """`POST /rbac-policies`."""
    return await POLICIES.create(request, WantedPolicy, _new_policy)


async def update_policy(request: Request) -> Response:
    """`PUT /rbac-policies/{id}`: another project to share with."""
    entry = POLICIES.find_own(request, request.params["id"], "update")
    wanted = request.json_object().get("rbac_policy")
    target = str(wanted.get("target_tenant") or wanted.get("target_project") or "") if isinstance(wanted, dict) else ""
    if not target:
        raise invalid("Only the target_tenant of a policy can be changed.")
    _check_target(request, target)
    policy = entry.value
    changed = touched(request.cloud, replace(policy, target_project_id=target))
    shared = _find_shared(request, policy)
    if shared is not None:
        _refuse_used(request.cloud, policy, shared.value)
    await request.cloud.mirror.commit(
        [Put(RBAC_POLICY, changed, policy.id, entry.revision), *_sharing(request.cloud, policy, shared, target)]
    )
    return POLICIES.show(request, changed)


async def delete_policy(request: Request) -> Response:
    """`DELETE /rbac-policies/{id}`: not while somebody needs it."""
    entry = POLICIES.find_own(request, request.params["id"], "delete")
    policy = entry.value
    shared = _find_shared(request, policy)
    if shared is not None:
        _refuse_used(request.cloud, policy, shared.value)
    await request.cloud.mirror.commit(
        [Delete(RBAC_POLICY, policy.id, entry.revision), *_sharing(request.cloud, policy, shared, "")]
    )
    return reply(None, 204)


def _new_policy(request: Request, wanted: WantedPolicy) -> tuple[RbacPolicy, Changes]:
    cloud = request.cloud
    collection = _COLLECTIONS.get(wanted.object_type)
    if collection is None:
        raise Fault(400, f"Invalid input for object_type: {wanted.object_type!r}.", type="HTTPBadRequest")
    if wanted.action not in ((SHARED, EXTERNAL) if wanted.object_type == "network" else (SHARED,)):
        raise Fault(
            400,
            f"Action {wanted.action} is not valid for object type {wanted.object_type}.",
            type="InvalidInput",
        )
    if wanted.action == EXTERNAL and not request.caller.is_admin:
        raise disallowed("create_rbac_policy")
    target = wanted.target_tenant or wanted.target_project or ""
    if not target:
        raise invalid("Failed to parse request. Required attribute 'target_tenant' not specified")
    _check_target(request, target)
    shared = collection.find_own(request, wanted.object_id, "create_rbac_policy")
    for key in policies_by_object(cloud.mirror).keys(wanted.object_id):
        known = cloud.mirror.all(RBAC_POLICY)[key].value
        if (known.target_project_id, known.action) == (target, wanted.action):
            raise Fault(409, "An RBAC policy already exists with those values.", type="DuplicateRbacPolicy")
    policy = RbacPolicy(
        id=cloud.new_id(),
        project_id=owner(request, wanted.project_id or wanted.tenant_id),
        object_type=wanted.object_type,
        object_id=wanted.object_id,
        target_project_id=target,
        action=wanted.action,
        created_us=cloud.now_us(),
        updated_us=cloud.now_us(),
    )
    return policy, [Put(RBAC_POLICY, policy, policy.id, 0), *_sharing(cloud, policy, shared, target, new=True)]


def _check_target(request: Request, target: str) -> None:
    if target == EVERYBODY and not request.caller.is_admin:
        raise disallowed("create_rbac_policy:target_tenant")


def _find_shared(request: Request, policy: RbacPolicy) -> Entry[Any] | None:
    kind = _COLLECTIONS[policy.object_type].kind
    entry: Entry[Any] | None = request.cloud.mirror.get(kind, policy.object_id)
    return entry


def _sharing(cloud: Cloud, policy: RbacPolicy, shared: Entry[Any] | None, target: str, *, new: bool = False) -> Changes:
    """What to write of the resource so that it knows whom it is shared with: `target` instead of the policy's own."""
    if shared is None:
        return []
    field = "external_for" if policy.action == EXTERNAL else "shared_with"
    old = getattr(shared.value, field)
    kept = old if new else tuple(one for one in old if one != policy.target_project_id)
    having = tuple(dict.fromkeys([*kept, *([target] if target else [])]))
    facts: dict[str, Any] = {field: having}
    if policy.object_type == "network":
        flag = "external" if policy.action == EXTERNAL else "shared"
        gained, lost = EVERYBODY in having, EVERYBODY in old and EVERYBODY not in having
        facts[flag] = True if gained else False if lost else getattr(shared.value, flag)
    record = touched(cloud, replace(shared.value, **facts))
    return [Put(_COLLECTIONS[policy.object_type].kind, record, record.id, shared.revision)]


def _refuse_used(cloud: Cloud, policy: RbacPolicy, resource: Any) -> None:
    """Raises Fault 409 when what is shared is used by whom it would be taken from."""
    mirror = cloud.mirror
    if policy.object_type == "network" and policy.action == SHARED:
        keys = ports_by_network(mirror).keys(resource.id)
    elif policy.object_type == "security_group":
        keys = ports_by_group(mirror).keys(resource.id)
    else:
        return
    users = {mirror.all(PORT)[key].value.project_id for key in keys} - {resource.project_id, ""}
    if policy.target_project_id == EVERYBODY:
        users -= {one for one in resource.shared_with if one != EVERYBODY}
    else:
        users = users & {policy.target_project_id} if EVERYBODY not in resource.shared_with else set()
    if users:
        raise Fault(
            409,
            f"RBAC policy on object {resource.id} cannot be removed because other objects depend on it: ports of "
            f"project {min(users)}.",
            type="RbacPolicyInUse",
        )


ROUTES: Final = (
    Route("GET", "/rbac-policies", list_policies, Access.READER),
    Route("POST", "/rbac-policies", create_policy, Access.MEMBER),
    Route("GET", "/rbac-policies/{id}", show_policy, Access.READER),
    Route("PUT", "/rbac-policies/{id}", update_policy, Access.MEMBER),
    Route("DELETE", "/rbac-policies/{id}", delete_policy, Access.MEMBER),
)
