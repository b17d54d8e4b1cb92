"""Requests made up of the routes: who asks, for what, with which path, query, headers and body; all by one number.

Bodies: a good one for the operations that make things, one derived of the record that the operation reads, or junk; the
first two are then bent. Ids are ours, the victim's, of something else, or nonsense.
"""

import json
import random
import re
import sys
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import inspect

from kilonode.cloud.openstack.application import SERVICES
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.service import Route, ServiceApp
from tests.cloud.fuzz.world import PUBLIC_KEY, World, singular

ROUTES: Final = [(service, route) for service in SERVICES for route in service.routes]
JUNK: Final[Sequence[Any]] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**70), 1.5, 1e300, "", " ", "x", "é\u0000", "a" * 300, "10.0.0.0/8",
    "fe80::1", "999.1.1.1", "2026-01-01T00:00:00Z", "' OR 1=1 --", "../../x", "{}", [], {}, [None], [[]], [{}],
    {"x": None}, {"id": "x"}, ["x", "x"], {"": ""}, "%s%n", "0", "-1", "True", "\ud7ff", "<b>",
)  # fmt: skip
ODD_HEADERS: Final = (
    ("if-match", "revision_number=1"), ("if-match", "x"), ("accept", "text/html"), ("range", "bytes=0-1"),
    ("x-openstack-nova-api-version", "9.9"), ("if-none-match", "*"), ("content-type", "text/plain"),
)  # fmt: skip
WRONG_IDS: Final = (
    "x", "0", "-1", "00000000-0000-0000-0000-000000000000", "%00", "..", "%2e%2e", "a" * 300, "%ff", "é", "detail",
    "default", "null", "None", "1;2", "%27", "*",
)  # fmt: skip
QUERIES: Final = (
    "limit=1", "limit=0", "limit=x", "marker=x", "sort_key=id", "sort_key=x", "fields=id", "all_tenants=1", "name=x",
    "all_projects=1", "detail=true", "status=ACTIVE", "visibility=all", "visibility=shared", "member_status=all",
    "project_id={victim}", "tenant_id={victim}", "owner={victim}", "id={theirs}", "changes-since=2000-01-01T00:00:00Z",
    "deleted=True", "tags=x", "effective", "include_names=1", "scope.project.id={victim}", "user.id=x", "shared=true",
    "device_id={theirs}", "network_id={theirs}", "volume_id={theirs}", "instance_uuid={theirs}", "resources=VCPU:1",
    "page_reverse=True", "offset=3", "with_count=true", "user_id={theirs}", "ip=.*", "reservation_id=x",
    "sort=created_at:asc", "metadata={{'k':'x'}}", "not-tags=x", "revision_number=1", "force=true", "cascade=True",
)  # fmt: skip
GOOD: Final[dict[str, Any]] = {
    "POST /compute/v2.1/servers": {
        "server": {"name": "s", "flavorRef": "1", "imageRef": "$image", "networks": [{"uuid": "$network"}]}
    },
    "POST /compute/v2.1/os-keypairs": {"keypair": {"name": "$word", "type": "ssh", "public_key": PUBLIC_KEY}},
    "POST /compute/v2.1/os-server-groups": {"server_group": {"name": "g", "policy": "anti-affinity"}},
    "POST /compute/v2.1/servers/{server_id}/os-interface": {"interfaceAttachment": {"net_id": "$network"}},
    "POST /compute/v2.1/servers/{server_id}/os-volume_attachments": {"volumeAttachment": {"volumeId": "$volume"}},
    "PUT /compute/v2.1/os-quota-sets/{project_id}": {"quota_set": {"instances": 3, "cores": 4}},
    "POST /network/v2.0/networks": {"network": {"name": "n"}},
    "POST /network/v2.0/subnets": {"subnet": {"network_id": "$network", "ip_version": 4, "cidr": "10.9.0.0/24"}},
    "POST /network/v2.0/ports": {"port": {"network_id": "$network", "security_groups": ["$security_group"]}},
    "PUT /network/v2.0/ports/{id}": {"port": {"device_id": "$server", "qos_policy_id": "$policy"}},
    "POST /network/v2.0/routers": {"router": {"name": "r", "external_gateway_info": {"network_id": "$network"}}},
    "PUT /network/v2.0/routers/{id}/add_router_interface": {"subnet_id": "$subnet"},
    "PUT /network/v2.0/routers/{id}/remove_router_interface": {"subnet_id": "$subnet"},
    "POST /network/v2.0/floatingips": {"floatingip": {"floating_network_id": "$network", "port_id": "$port"}},
    "POST /network/v2.0/floatingips/{id}/port_forwardings": {
        "port_forwarding": {"protocol": "tcp", "internal_port_id": "$port", "internal_port": 22, "external_port": 22}
    },
    "POST /network/v2.0/security-group-rules": {
        "security_group_rule": {
            "security_group_id": "$security_group", "direction": "ingress", "remote_address_group_id": "$address_group"
        }
    },
    "POST /network/v2.0/rbac-policies": {
        "rbac_policy": {
            "object_type": "network", "object_id": "$network", "action": "access_as_shared",
            "target_tenant": "$project",
        }
    },
    "POST /network/v2.0/trunks": {"trunk": {"port_id": "$port", "sub_ports": []}},
    "PUT /network/v2.0/trunks/{id}/add_subports": {
        "sub_ports": [{"port_id": "$port", "segmentation_type": "vlan", "segmentation_id": 7}]
    },
    "POST /network/v2.0/subnetpools": {"subnetpool": {"name": "p", "prefixes": ["10.1.0.0/16"]}},
    "POST /network/v2.0/address-groups": {"address_group": {"name": "a", "addresses": ["10.0.0.0/24"]}},
    "POST /network/v2.0/qos/policies": {"policy": {"name": "q", "project_id": "$project"}},
    "PUT /network/v2.0/quotas/{project_id}": {"quota": {"network": 2, "port": 3}},
    "POST /image/v2/images": {"name": "i", "disk_format": "raw", "container_format": "bare"},
    "POST /image/v2/images/{image_id}/members": {"member": "$project"},
    "PATCH /image/v2/images/{image_id}": [{"op": "replace", "path": "/visibility", "value": "shared"}],
    "POST /volume/v3/{project_id}/volumes": {"volume": {"size": 1, "snapshot_id": "$snapshot"}},
    "POST /volume/v3/{project_id}/snapshots": {"snapshot": {"volume_id": "$volume"}},
    "POST /volume/v3/{project_id}/backups": {"backup": {"volume_id": "$volume"}},
    "POST /volume/v3/{project_id}/attachments": {"attachment": {"volume_uuid": "$volume", "instance_uuid": "$server"}},
    "POST /volume/v3/{project_id}/os-volume-transfer": {"transfer": {"volume_id": "$volume"}},
    "PUT /volume/v3/{project_id}/os-quota-sets/{target}": {"quota_set": {"volumes": 2, "gigabytes": 4}},
    "POST /identity/v3/projects": {"project": {"name": "$word", "parent_id": "$project"}},
    "POST /identity/v3/users": {"user": {"name": "$word", "default_project_id": "$project"}},
    "POST /identity/v3/users/{user_id}/application_credentials": {"application_credential": {"name": "$word"}},
    "POST /identity/v3/OS-TRUST/trusts": {
        "trust": {"trustor_user_id": "$user", "trustee_user_id": "$user", "project_id": "$project"}
    },
    "POST /identity/v3/credentials": {"credential": {"type": "x", "blob": "{}", "user_id": "$user"}},
    "PUT /placement/resource_providers/{uuid}/inventories": {
        "resource_provider_generation": 0, "inventories": {"VCPU": {"total": 4}}
    },
}  # fmt: skip
"""Bodies that do something. `$noun` becomes an id of one of those."""


class Asked(msgspec.Struct, frozen=True):
    """One request."""

    who: str
    service: ServiceApp
    route: Route
    path: str
    body: bytes
    headers: list[tuple[str, str]]

    def __repr__(self) -> str:
        return f"{self.who}: {self.route.method} {self.path} {self.body[:400]!r} {self.headers}"


def make_up(number: int, world: World, who: Sequence[str]) -> Asked:
    """The request that a number stands for in this world."""
    return _Maker(random.Random(number), world).request(who)


class _Maker:
    def __init__(self, chance: random.Random, world: World) -> None:
        self.chance = chance
        self.world = world

    def request(self, who: Sequence[str]) -> Asked:
        chance = self.chance
        asking = chance.choice(who)
        draw = chance.random()
        known = _MAKING if draw < 0.4 else _OPEN if draw < 0.85 and asking != "admin" else ROUTES
        service, route = chance.choice(known)
        path = re.sub(r"{(\w+)}", lambda match: self.of_path(route.path, match[1]), service.prefix + route.path)
        if chance.random() < 0.3:
            query = "&".join(chance.choice(QUERIES) for _ in range(chance.randint(1, 2)))
            path += "?" + query.format(victim=self.world.victim, theirs=self.any_id(self.world.others.by_noun))
        headers = []
        if service.microversions is not None and chance.random() < 0.9:
            versions = service.microversions
            minor = chance.choice((versions.maximum[1], chance.randint(0, versions.maximum[1] + 1)))
            headers.append(("openstack-api-version", f"{versions.service} {versions.maximum[0]}.{minor}"))
        if route.method == "PATCH" and service.name == "image" and chance.random() < 0.9:
            headers.append(("content-type", "application/openstack-images-v2.1-json-patch"))
        elif route.streams and chance.random() < 0.8:
            headers.append(("content-type", "application/octet-stream"))
        elif chance.random() < 0.9:
            headers.append(("content-type", "application/json"))
        if chance.random() < 0.1:
            headers.append(chance.choice(ODD_HEADERS))
        body = b"" if route.method in ("GET", "HEAD", "DELETE") else self.body(service, route)
        return Asked(asking, service, route, path, body, headers)

    def of_path(self, path: str, name: str) -> str:
        if name in ("project_id", "tenant_id", "target") and self.chance.random() < 0.8:
            return self.world.ours if self.chance.random() < 0.85 else self.world.victim
        before = path.partition(f"{{{name}}}")[0].rstrip("/").rpartition("/")[2]
        noun = name.removesuffix("_id") if name.endswith("_id") else singular(before)
        found = self.id_of(noun)
        return found if re.fullmatch(r"[\w.%*;é-]+", found) else "x"

    def id_of(self, noun: str, ours: float = 0.65) -> str:
        """Ours (with these odds), theirs, of something else, or nonsense."""
        draw = self.chance.random()
        own, others = self.world.own.by_noun.get(noun), self.world.others.by_noun.get(noun)
        if draw < ours and own:
            return self.chance.choice(own)
        if draw < 0.93 and others:
            return self.chance.choice(others)
        if draw < 0.96:
            return self.any_id(self.world.own.by_noun)
        return self.chance.choice(WRONG_IDS)

    def any_id(self, pool: dict[str, list[str]]) -> str:
        return self.chance.choice(pool[self.chance.choice(list(pool))])

    def body(self, service: ServiceApp, route: Route) -> bytes:
        chance = self.chance
        if route.streams:
            return chance.randbytes(chance.randint(0, 200))
        template = GOOD.get(f"{route.method} {service.prefix}{route.path}")
        draw = chance.random()
        value: Any
        if route.actions and draw < 0.9:
            arguments: Any = {self.word(): self.something() for _ in range(chance.randint(0, 2))}
            value = {chance.choice(list(route.actions)): chance.choice((None, {}, arguments))}
        elif template is not None and draw < 0.85:
            value = self.filled(template)
        elif draw < 0.9:
            value = self.derived(route)
        else:
            value = chance.choice(JUNK)
        for _ in range(chance.choice((0, 0, 0, 0, 1, 1, 2))):
            value = self.bent(value)
        return json.dumps(value).encode()

    def filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self.filled(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.filled(one) for one in value]
        if isinstance(value, str) and value.startswith("$"):
            return f"w{self.chance.randrange(10_000)}" if value == "$word" else self.id_of(value[1:], 0.88)
        return value

    def derived(self, route: Route) -> Any:
        """Of one of the records in the handler's module."""
        module = sys.modules[route.handler.__module__]
        records = [
            one
            for one in vars(module).values()
            if isinstance(one, type) and issubclass(one, msgspec.Struct) and one.__module__ == module.__name__
        ]
        value = self.of_type(inspect.type_info(self.chance.choice(records)), 0) if records else self.something()
        last = [part for part in route.path.split("/") if part and not part.startswith("{")]
        return value if not last or self.chance.random() < 0.3 else {singular(last[-1]): value}

    def of_type(self, kind: inspect.Type, depth: int) -> Any:
        chance = self.chance
        match kind:
            case inspect.Metadata():
                return self.of_type(kind.type, depth)
            case inspect.StructType() if depth < 4:
                fields = [one for one in kind.fields if one.required or chance.random() < 0.5]
                return {
                    one.encode_name: self.reference(one.encode_name) or self.of_type(one.type, depth + 1)
                    for one in fields
                }
            case inspect.UnionType():
                return self.of_type(
                    chance.choice([one for one in kind.types if "Unset" not in type(one).__name__]), depth
                )
            case inspect.VarTupleType() | inspect.ListType():
                return [self.of_type(kind.item_type, depth + 1) for _ in range(chance.randint(0, 2))]
            case inspect.DictType():
                return {self.word(): self.of_type(kind.value_type, depth + 1) for _ in range(chance.randint(0, 2))}
            case inspect.BoolType():
                return chance.random() < 0.5
            case inspect.IntType():
                return chance.choice((0, 1, 2, 7, 64, -1, 65_536, 2**40))
            case inspect.StrType():
                return chance.choice(("", "x", "10.0.0.0/24", "10.0.0.9", "tcp", "ingress", self.word()))
            case inspect.LiteralType():
                return chance.choice(kind.values)
            case _:
                return self.something()

    def reference(self, name: str) -> str:
        """An id for a field that wants one, or nothing."""
        for end in ("_id", "_uuid", "Ref", "Id"):
            if name.endswith(end):
                return self.id_of(name.removesuffix(end))
        return ""

    def bent(self, value: Any) -> Any:
        """The value with one thing wrong."""
        chance = self.chance
        if isinstance(value, dict) and value and chance.random() < 0.85:
            name = chance.choice(list(value))
            draw = chance.random()
            if draw < 0.2:
                return {one: what for one, what in value.items() if one != name}
            if draw < 0.35:
                return {**value, self.word(): self.something()}
            if draw < 0.45:
                return {**value, chance.choice(("tenant_id", "project_id", "owner", "user_id")): self.world.victim}
            return {**value, name: self.bent(value[name])}
        if isinstance(value, list) and value and chance.random() < 0.7:
            place = chance.randrange(len(value))
            return [*value[:place], self.bent(value[place]), *value[place + 1 :]]
        return self.something()

    def something(self) -> Any:
        if self.chance.random() < 0.3:
            return self.any_id(self.world.others.by_noun)
        return self.chance.choice(JUNK)

    def word(self) -> str:
        words = (
            "name",
            "description",
            "id",
            "status",
            "metadata",
            "size",
            "type",
            "tags",
            "shared",
            "enabled",
            "x",
            "",
        )
        return self.chance.choice(words)


_OPEN: Final = [
    (service, route)
    for service, route in ROUTES
    if route.access != Access.ADMIN and getattr(route.handler, "__name__", "") != "refuse_what_is_gone"
]
"""What is worth a try without being an administrator."""
_MAKING: Final = [
    (service, route) for service, route in ROUTES if f"{route.method} {service.prefix}{route.path}" in GOOD
]
