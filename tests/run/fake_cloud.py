"""A small cloud in memory behind a `Transport`: collections with the rules that setup and cleanup depend on, and
failures on request. It is no emulation (that is `kilonode.cloud`): it knows just enough to be as awkward as real ones.
"""

import itertools
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kilonode.base.clock import Clock
from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.transport import BodyStream, Response

URL = "http://cloud"
ADMIN = Access(
    auth_url=f"{URL}/identity/v3",
    username="admin",
    user_domain_name="Default",
    password="admin-secret",
    project_id="p-own",
)
SERVICES = {
    "identity": "/identity/v3", "compute": "/compute/v2.1", "network": "/network/v2.0", "image": "/image/v2",
    "volumev3": "/volume/v3/%s",
}  # fmt: skip
SINGULAR = {
    "servers": "server", "volumes": "volume", "flavors": "flavor", "projects": "project", "users": "user",
    "networks": "network", "subnets": "subnet", "ports": "port", "routers": "router", "floatingips": "floatingip",
    "security-groups": "security_group", "security-group-rules": "security_group_rule", "os-keypairs": "keypair",
    "images": "", "roles": "role", "snapshots": "snapshot",
}  # fmt: skip
PLURAL = {
    "security-groups": "security_groups",
    "security-group-rules": "security_group_rules",
    "os-keypairs": "keypairs",
}
ADMIN_ONLY = frozenset({"projects", "users", "roles", "flavors"})
QUOTAS = {
    "compute": ["instances", "cores", "ram", "metadata_items"], "network": ["network", "port"], "volume": ["volumes"],
}  # fmt: skip
SERVER_DELETION_S = 3.0

Item = dict[str, Any]


class Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class FakeCloud:
    """The cloud; also its own `Transport`."""

    def __init__(self, clock: Clock, *, administrator: bool = True) -> None:
        self.clock = clock
        self.administrator = administrator
        self.items: dict[str, dict[str, Item]] = {name: {} for name in SINGULAR}
        self.requests: list[tuple[str, str]] = []
        self.filters_names = True
        """Keystone filters by the beginning of a name; over LDAP, say, it may not."""
        self.listed: dict[str, int] = {}
        """How many were in the last list of each collection."""
        self.uploaded: dict[str, int] = {}
        self.quotas: dict[tuple[str, str], Item] = {}
        self.assigned: set[tuple[str, str, str]] = set()
        self.before_write: Callable[[int], None] = lambda number: None
        self.after_write: Callable[[int], None] = lambda number: None
        self.before_read: Callable[[int], None] = lambda number: None
        self._writes = itertools.count()
        self._reads = itertools.count()
        self._ids = itertools.count(1)
        self._sessions: dict[str, tuple[str, str]] = {}
        for name in ("admin", "member", "reader"):
            self.add("roles", name=name)
        self.add("users", id="u-own", name="admin", password="admin-secret")
        self.add("projects", id="p-own", name="admin")

    def add(self, collection: str, **fields: Any) -> str:
        """Put something there; returns its id."""
        singular = SINGULAR[collection] or "image"
        item_id = fields.pop("id", None) or f"{singular}-{next(self._ids)}"
        self.items[collection][item_id] = {"id": item_id, **fields}
        return str(item_id)

    def names(self) -> list[tuple[str, str]]:
        """Collection and name (or address) of everything there is, sorted."""
        return sorted(
            (collection, str(item.get("name") or item.get("description") or ""))
            for collection, items in self.items.items()
            for item in items.values()
            if collection != "security-group-rules"
        )

    async def connect(self, access: Access) -> Connection:
        """As `kilonode.run.tenants.Connect`."""
        connection = Connection(access, self, self.clock)
        await connection.connect()
        return connection

    async def close(self) -> None:
        """Nothing to close."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Any = (),
        body: bytes | BodyStream = b"",
        timeout_s: float = 60.0,
        receive: Callable[[bytes], object] | None = None,
    ) -> Response:
        await self.clock.sleep(0.01)
        parts = urlsplit(url)
        self.requests.append((method, parts.path))
        token = {name.lower(): value for name, value in headers}.get("x-auth-token", "")
        writing = method in ("POST", "PUT", "DELETE") and "auth/tokens" not in url
        number = next(self._writes) if writing else -1
        try:
            if writing:
                self.before_write(number)
            elif "auth/tokens" not in url:
                self.before_read(next(self._reads))
            data = await read(body)
            status, answer = self._answer(method, parts.path, parse_qs(parts.query), token, data)
        except Refused as refused:
            status, answer = refused.status, {"error": {"message": str(refused), "code": refused.status}}
        if writing:
            self.after_write(number)
        content = b"" if answer is None else json.dumps(answer).encode()
        found = ((("x-subject-token"), f"t-{len(self._sessions)}"),) if "auth/tokens" in url else ()
        return Response(status, found, content)

    def _answer(self, method: str, path: str, query: dict[str, list[str]], token: str, body: bytes) -> tuple[int, Any]:
        if path == "/identity/v3/auth/tokens":
            return 201, {"token": self._log_in(json.loads(body)["auth"])}
        user, project = self._sessions.get(token, ("", ""))
        if not user:
            raise Refused(401, "no token")
        match = re.fullmatch(r"/(?:identity/v3|compute/v2\.1|network/v2\.0|image/v2|volume/v3/[^/]+)/(.+)", path)
        if match is None:
            raise Refused(404, "no such path")
        steps = match[1].split("/")
        if steps[0] in ("os-quota-sets", "quotas"):
            return self._quota(method, path, body)
        if len(steps) > 2:
            return self._action(method, steps, body, project)
        return self._resource(method, steps, query, body, project, user)

    def _log_in(self, auth: Item) -> Item:
        who = auth["identity"]["password"]["user"]
        for user in self.items["users"].values():
            if user.get("password") == who["password"] and who.get("id", user["id"]) == user["id"]:
                break
        else:
            raise Refused(401, "wrong password")
        project = auth["scope"]["project"]["id"]
        if user["id"] != "u-own" and not any(entry[:2] == (project, user["id"]) for entry in self.assigned):
            raise Refused(401, "no role in the project")
        self._sessions[f"t-{len(self._sessions) + 1}"] = (user["id"], project)
        catalog = [
            {
                "type": name,
                "endpoints": [{"interface": "public", "region_id": "R", "url": URL + path.replace("%s", project)}],
            }
            for name, path in SERVICES.items()
        ]
        return {
            "user": {"id": user["id"], "name": user["name"]},
            "project": {"id": project},
            "roles": [{"name": "admin"}],
            "catalog": catalog,
            "issued_at": "2030-01-01T00:00:00Z",
            "expires_at": "2030-01-02T00:00:00Z",
        }

    def _resource(
        self, method: str, steps: list[str], query: dict[str, list[str]], body: bytes, project: str, user: str
    ) -> tuple[int, Any]:
        collection = steps[0]
        if collection not in self.items:
            raise Refused(404, "no such collection")
        if collection in ADMIN_ONLY - {"flavors"} and not self._is_admin(user):
            raise Refused(403, "you may not")
        if method == "GET" and (len(steps) == 1 or steps[1] == "detail"):
            return 200, {PLURAL.get(collection, collection): self._list(collection, query, project, user)}
        if method == "POST":
            return 201, self._create(collection, json.loads(body), project, user)
        item = self.items[collection].get(steps[1])
        if collection == "os-keypairs":
            owner = query.get("user_id", [user])[0]
            known = (pair for pair in self.items[collection].values() if pair["name"] == steps[1])
            item = next((pair for pair in known if pair["user_id"] == owner), None)
        if item is None:
            raise Refused(404, "no such thing")
        if method == "DELETE":
            self._delete(collection, item)
            return 204, None
        return 200, item

    def _is_admin(self, user: str) -> bool:
        return user == "u-own" and self.administrator

    def _list(self, collection: str, query: dict[str, list[str]], project: str, user: str) -> list[Any]:
        everything = "all_tenants" in query
        if everything and not self._is_admin(user):
            raise Refused(403, "not for you")
        found = list(self.items[collection].values())
        if collection == "servers":
            now = self.clock.now_ns()
            for server in found:
                if server.get("gone_ns", now + 1) <= now:
                    self._forget_server(server)
            found = list(self.items[collection].values())
        if collection == "os-keypairs":
            owner = query.get("user_id", [user])[0]
            return [{"keypair": item} for item in found if item.get("user_id") == owner]
        per_project = collection in ("servers", "volumes", "snapshots") and not everything
        if per_project or not self._is_admin(user):
            found = [item for item in found if item.get("project_id", project) == project]
        for key in ("device_id", "network_id"):
            if key in query:
                found = [item for item in found if item.get(key) == query[key][0]]
        if "name" in query and collection == "servers":  # as Nova has it: a regular expression, somewhere in the name
            found = [item for item in found if re.search(query["name"][0], item["name"], re.IGNORECASE)]
        if "name__startswith" in query and collection in ("users", "projects") and self.filters_names:
            found = [item for item in found if item["name"].startswith(query["name__startswith"][0])]
        self.listed[collection] = len(found)
        if "router:external" in query:
            found = [item for item in found if item.get("router:external")]
        return found

    def _create(self, collection: str, body: Item, project: str, user: str) -> Any:
        singular = SINGULAR[collection]
        fields = body[singular] if singular else body
        if collection in ADMIN_ONLY and not self._is_admin(user):
            raise Refused(403, "you may not")
        if collection == "images":
            fields = {**fields, "status": "queued", "owner": project}
        elif collection in ("projects", "users", "flavors"):
            if any(item["name"] == fields["name"] for item in self.items[collection].values()):
                raise Refused(409, "there is one of that name")
        else:
            fields = {**fields, "project_id": project}
        item_id = self.add(collection, **fields)
        if collection == "projects":
            self.add("security-groups", name="default", project_id=item_id)
        item = self.items[collection][item_id]
        return {singular: item} if singular else item

    def _delete(self, collection: str, item: Item) -> None:
        if collection == "servers":
            item.setdefault("gone_ns", self.clock.now_ns() + int(SERVER_DELETION_S * 1e9))
            return
        ports = self.items["ports"].values()
        if collection == "networks" and any(port["network_id"] == item["id"] for port in ports):
            raise Refused(409, "ports on it")
        if collection == "routers" and any(port.get("device_id") == item["id"] for port in ports):
            raise Refused(409, "interfaces on it")
        if collection == "subnets" and any(port.get("subnet_id") == item["id"] for port in ports):
            raise Refused(409, "ports in it")
        if collection == "volumes" and item.get("server_id") in self.items["servers"]:
            raise Refused(400, "in use")
        if collection == "volumes" and any(one["volume_id"] == item["id"] for one in self.items["snapshots"].values()):
            raise Refused(400, "it has snapshots")
        if collection == "projects" and any(
            other.get("project_id") == item["id"]
            for name in ("servers", "volumes", "networks", "routers")
            for other in self.items[name].values()
        ):
            raise AssertionError("a project was deleted before what is in it")
        del self.items[collection][item["id"]]
        if collection == "networks":
            for subnet in [subnet for subnet in self.items["subnets"].values() if subnet["network_id"] == item["id"]]:
                del self.items["subnets"][subnet["id"]]

    def _forget_server(self, server: Item) -> None:
        del self.items["servers"][server["id"]]
        for port in list(self.items["ports"].values()):
            if port.get("device_id") == server["id"] and not port.get("stuck"):
                del self.items["ports"][port["id"]]

    def _action(self, method: str, steps: list[str], body: bytes, project: str) -> tuple[int, Any]:
        match steps:
            case ["projects", project_id, "users", user_id, "roles", role]:
                self.assigned.add((project_id, user_id, role))
                return 204, None
            case ["images", image_id, "file"]:
                self.uploaded[image_id] = len(body)
                self.items["images"][image_id]["status"] = "active"
                return 204, None
            case ["flavors", flavor_id, "os-extra_specs"]:
                self.items["flavors"][flavor_id]["extra_specs"] = json.loads(body)["extra_specs"]
                return 200, {}
            case ["routers", router_id, "add_router_interface"]:
                subnet = self.items["subnets"][json.loads(body)["subnet_id"]]
                self.add(
                    "ports", name="", network_id=subnet["network_id"], subnet_id=subnet["id"], device_id=router_id,
                    device_owner="network:router_interface", fixed_ips=[{"subnet_id": subnet["id"]}],
                    project_id=project,
                )  # fmt: skip
                return 200, {}
            case ["routers", router_id, "remove_router_interface"]:
                subnet_id = json.loads(body)["subnet_id"]
                for port in list(self.items["ports"].values()):
                    if port.get("device_id") == router_id and port.get("subnet_id") == subnet_id:
                        del self.items["ports"][port["id"]]
                return 200, {}
        raise Refused(404, f"no such action: {method} {steps}")

    def _quota(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        service, project_id = path.split("/")[1], path.rpartition("/")[2]
        if method == "GET":
            key = "quota" if service == "network" else "quota_set"
            return 200, {key: {"id": project_id, **dict.fromkeys(QUOTAS[service], 10)}}
        if method == "DELETE":
            self.quotas.pop((service, project_id), None)
            return 204, None
        (values,) = json.loads(body).values()
        self.quotas[service, project_id] = values
        return 200, {}


def fail_with_status(*at: int, status: int = 503) -> Callable[[int], None]:
    """For `before_write` and `before_read`: the requests with these numbers are refused."""

    def fail(number: int) -> None:
        if number in at:
            raise Refused(status, "out of order")

    return fail


def lose_answer(at: int) -> Callable[[int], None]:
    """For `after_write`: the `at`-th write is done, but its answer is lost."""

    def lose(number: int) -> None:
        if number == at:
            raise OperationError(Outcome.RESET, "the connection broke")

    return lose


async def read(body: bytes | BodyStream) -> bytes:
    """The whole body."""
    if isinstance(body, BodyStream):
        data = b"".join([chunk async for chunk in stream(body)])
        assert body.length_bytes in (None, len(data))
        return data
    return body


async def stream(body: BodyStream) -> AsyncIterator[bytes]:
    """The body's pieces."""
    async for chunk in body.open():
        yield chunk
