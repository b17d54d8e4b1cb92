"""Two projects that must not know of each other: the victim, which has one of everything, and ours, which asks.

Whatever is the victim's carries `MARK` in a text that only the victim and administrators may read.
"""

from typing import Any, Final

import msgspec

from tests.cloud.openstack.harness import Answer, OpenStack

MARK: Final = "hush-7f3a91"
NETWORK: Final = "/network/v2.0"
COMPUTE: Final = "/compute/v2.1"
IMAGE: Final = "/image/v2"
IDENTITY: Final = "/identity/v3"
LATEST: Final = {"compute": "2.104", "volume": "3.71", "placement": "1.39"}


Documents = dict[tuple[str, str], str]
"""What stands in documents, by kind and key."""


class Pool:
    """The ids of things by what they are."""

    def __init__(self) -> None:
        self.by_noun: dict[str, list[str]] = {}

    def add(self, noun: str, key: str) -> None:
        keys = self.by_noun.setdefault(noun, [])
        if key not in keys:
            keys.append(key)
            del keys[:-20]

    def learn(self, answer: Answer) -> None:
        """Take the ids that a good answer tells."""
        try:
            body = answer.body
        except ValueError:
            return
        if not isinstance(body, dict):
            return
        for name, value in body.items():
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, dict):
                    key = one.get("id") or one.get("uuid") or one.get("name")
                    if isinstance(key, str) and key:
                        self.add(singular(name), key)
        if isinstance(body.get("id"), str) and "status" in body:
            self.add("image", body["id"])


def singular(noun: str) -> str:
    """`volume_types` is `volume_type`."""
    noun = noun.replace("-", "_").removeprefix("os_")
    return f"{noun[:-3]}y" if noun.endswith("ies") else noun.removesuffix("s")


class World(msgspec.Struct):
    """Who asks, and what there is."""

    cloud: OpenStack
    ours: str
    """The project that asks."""
    victim: str
    tokens: dict[str, str]
    """Of those who ask, by role; all in our project but the administrator."""
    victim_token: str
    own: Pool
    others: Pool
    """What the victim has."""

    async def ask(self, who: str, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        return await self.cloud.ask(method, path, body, token=self.tokens[who], **options)

    async def victims_documents(self) -> Documents:
        """All documents that are the victim's: in its project, or with its mark."""
        return await self._documents(self.victim, MARK.encode())

    async def our_documents(self) -> Documents:
        """All documents in our project."""
        return await self._documents(self.ours, None)

    async def _documents(self, project_id: str, mark: bytes | None) -> Documents:
        found = {}
        documents = (await self.cloud.store.list()).documents
        images = {one.key: msgspec.msgpack.decode(one.value)["owner"] for one in documents if one.kind == "image"}
        for one in documents:
            value = msgspec.msgpack.decode(one.value)
            owner = value.get("project_id") or value.get("owner") if isinstance(value, dict) else None
            if one.kind == "image_member":
                owner = images.get(value["image_id"])  # whose image it is: it may be offered to anybody
            if owner == project_id or one.key == project_id or (mark is not None and mark in one.value):
                found[one.kind, one.key] = repr(value)
        return found


async def build(cloud: OpenStack) -> World:
    """Make both projects and what the victim has."""
    ours, manager = await cloud.new_project("ours", "manager")
    victim, victim_token = await cloud.new_project("victim", "member")
    tokens = {"admin": cloud.admin, "manager": manager, "none": "", "victim": victim_token}
    for role in ("member", "reader"):
        body = {"user": {"name": f"our-{role}", "password": "secret"}}
        user = (await cloud.good("POST", f"{IDENTITY}/users", body))["user"]["id"]
        roles = (await cloud.good("GET", f"{IDENTITY}/roles?name={role}"))["roles"]
        await cloud.good("PUT", f"{IDENTITY}/projects/{ours}/users/{user}/roles/{roles[0]['id']}")
        scope = {"project": {"name": "ours", "domain": {"name": "Default"}}}
        tokens[role] = await cloud.token(f"our-{role}", "secret", scope)
    world = World(cloud, ours, victim, tokens, victim_token, Pool(), Pool())
    await _give(world)
    await _have(world)
    return world


async def _have(world: World) -> None:
    """What everybody may use, and something of our own."""
    for noun, path in (
        ("image", f"{IMAGE}/images?name=cirros"),
        ("flavor", f"{COMPUTE}/flavors"),
        ("network", f"{NETWORK}/networks?name=public"),
        ("role", f"{IDENTITY}/roles"),
        ("volume_type", f"/volume/v3/{world.ours}/types"),
        ("security_group", f"{NETWORK}/security-groups"),
    ):
        answer = await world.ask("admin" if noun in ("role", "volume_type") else "member", "GET", path)
        if noun != "volume_type":
            assert answer.status == 200, answer
        world.own.learn(answer)
    for noun, path, body in (
        ("network", f"{NETWORK}/networks", {"name": "own"}),
        ("volume", f"/volume/v3/{world.ours}/volumes", {"size": 1}),
        ("image", f"{IMAGE}/images", {"name": "own", "disk_format": "raw", "container_format": "bare"}),
    ):
        world.own.learn(await world.ask("manager", "POST", path, body if noun == "image" else {noun: body}))
    networks = world.own.by_noun["network"]
    subnet = {"subnet": {"network_id": networks[-1], "ip_version": 4, "cidr": "10.5.0.0/24"}}
    world.own.learn(await world.ask("manager", "POST", f"{NETWORK}/subnets", subnet))
    world.own.by_noun["image"] *= 3
    world.own.add("project", world.ours)
    world.others.add("project", world.victim)


async def _give(world: World) -> None:
    """One of everything for the victim."""

    async def make(path: str, noun: str, wanted: dict[str, Any], who: str = "victim", version: str = "") -> str:
        service = path.split("/")[1]
        headers = [("openstack-api-version", f"{service} {LATEST[service]}")] if service in LATEST else []
        body = wanted if service == "image" else {noun: wanted}
        answer = await world.ask(who, "POST", path, body, headers=headers)
        assert 200 <= answer.status < 300, (path, answer)
        world.others.learn(answer)
        shown = answer.body if service == "image" else next(iter(answer.body.values()))
        return str(shown.get("id") or shown.get("name"))

    name = {"name": MARK}
    await world.ask("admin", "PATCH", f"{IDENTITY}/projects/{world.victim}", {"project": {"description": MARK}})
    network = await make(f"{NETWORK}/networks", "network", name)
    wanted = {**name, "network_id": network, "ip_version": 4, "cidr": "10.66.0.0/24"}
    subnet = await make(f"{NETWORK}/subnets", "subnet", wanted)
    port = await make(f"{NETWORK}/ports", "port", {**name, "network_id": network})
    await make(f"{NETWORK}/trunks", "trunk", {**name, "port_id": port})
    public = (await world.cloud.good("GET", f"{NETWORK}/networks?name=public"))["networks"][0]["id"]
    router = await make(f"{NETWORK}/routers", "router", {**name, "external_gateway_info": {"network_id": public}})
    place = f"{NETWORK}/routers/{router}/add_router_interface"
    assert (await world.ask("victim", "PUT", place, {"subnet_id": subnet})).status == 200
    floating = {"floating_network_id": public, "description": MARK}
    await make(f"{NETWORK}/floatingips", "floatingip", floating)
    group = await make(f"{NETWORK}/security-groups", "security_group", name)
    wanted = {"security_group_id": group, "direction": "ingress", "description": MARK}
    await make(f"{NETWORK}/security-group-rules", "security_group_rule", wanted)
    await make(f"{NETWORK}/address-groups", "address_group", {**name, "addresses": ["10.0.0.0/8"]})
    await make(f"{NETWORK}/subnetpools", "subnetpool", {**name, "prefixes": ["10.77.0.0/16"]})
    await make(f"{NETWORK}/address-scopes", "address_scope", {**name, "ip_version": 4})
    await make(f"{NETWORK}/qos/policies", "policy", {**name, "project_id": world.victim}, "admin")
    image = await make(f"{IMAGE}/images", "image", {**name, "disk_format": "raw", "container_format": "bare"})
    octets = [("content-type", "application/octet-stream")]
    assert (await world.ask("victim", "PUT", f"{IMAGE}/images/{image}/file", b"data", headers=octets)).status == 204
    volumes = f"/volume/v3/{world.victim}"
    volume = await make(f"{volumes}/volumes", "volume", {**name, "size": 1})
    await world.cloud.clock.sleep(5)
    await make(f"{volumes}/snapshots", "snapshot", {**name, "volume_id": volume})
    await world.cloud.clock.sleep(5)
    await make(f"{volumes}/backups", "backup", {**name, "volume_id": volume})
    await world.cloud.clock.sleep(5)
    await make(f"{volumes}/os-volume-transfer", "transfer", {**name, "volume_id": volume})
    await make(f"{COMPUTE}/os-keypairs", "keypair", {"name": "theirs", "public_key": PUBLIC_KEY, "type": "ssh"})
    await make(f"{COMPUTE}/os-server-groups", "server_group", {**name, "policy": "affinity"})
    server = {**name, "flavorRef": "1", "imageRef": image, "networks": [{"uuid": network}], "metadata": {"k": MARK}}
    await make(f"{COMPUTE}/servers", "server", server)
    await world.cloud.clock.sleep(20)


PUBLIC_KEY: Final = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7vbqajDhA0cB2M3VXpkLBhBqJ0mOVV3H7kAPrLkN0QYI5p6Ey3QmGqmGTsYW2y9hYw8mDJj"
    "x9C1kLq0F6l6nJ9cCzQ1GdJq2a5p8o0bKk6dCqv3v5Yk2mXhWwN9oKc3n1r2sYy7l8rJt6QGmB4nJw fuzz"
)
