"""Consoles of servers: their output, and the addresses under which a console could be opened.

Nobody can type into an emulated server: the log is made up from the server's document, the same each time, and an
address leads nowhere. Its token is signed, not kept, so administrators can still ask whose it is until it expires.
"""

import hashlib
import hmac
import re
from typing import Any, Final

import msgspec

from kilonode.cloud.context import Cloud, timestamp
from kilonode.cloud.openstack.compute import neighbours
from kilonode.cloud.openstack.compute.acting import object_of, only_words
from kilonode.cloud.openstack.compute.lookup import find_server
from kilonode.cloud.openstack.compute.model import SERVER, Server
from kilonode.cloud.openstack.compute.states import DELETING, MIGRATE_SCHEDULING, MIGRATING
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.resources import NODE
from kilonode.control.mirror import Entry

DIRECT_SINCE: Final = (2, 99)
TOKEN_LIFE_US: Final = 600_000_000
"""Nova's `token_ttl`."""
PORTS: Final = {
    "novnc": 6080,
    "xvpvnc": 6081,
    "spice-html5": 6082,
    "spice-direct": 6082,
    "serial": 6083,
    "webmks": 6090,
}
_BY_PROTOCOL: Final = {
    "vnc": ("novnc", "xvpvnc"),
    "spice": ("spice-html5", "spice-direct"),
    "serial": ("serial",),
    "mks": ("webmks",),
}
_BY_ACTION: Final = {
    "os-getVNCConsole": _BY_PROTOCOL["vnc"],
    "os-getSPICEConsole": ("spice-html5",),
    "os-getSerialConsole": _BY_PROTOCOL["serial"],
}
_TOKEN: Final = re.compile(r"^([0-9a-f-]{36})\.([a-z0-9-]+)\.(\d{1,12})\.([0-9a-f]{32})$")
_SIGNATURE_LENGTH: Final = 32


class WantedConsole(msgspec.Struct, frozen=True):
    """The `remote_console` of a request."""

    protocol: str
    type: str


class CreateConsole(msgspec.Struct, frozen=True):
    """The body of `POST /servers/{server_id}/remote-consoles`."""

    remote_console: WantedConsole


async def show_output(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """The newest lines of the console's log, or all of it."""
    wanted = object_of(arguments, "os-getConsoleOutput")
    only_words(wanted, "length")
    length, server = wanted.get("length"), entry.value
    if length is not None and not re.fullmatch(r"-1|\d{1,9}", str(length)):
        raise Fault(400, f"Invalid input for field/attribute length. Value: {length}. It is a number from -1.")
    if not server.node:
        raise Fault(409, f"Instance {server.id} is not ready")
    lines = _log(request.cloud, server)
    if length is not None and int(length) >= 0:
        lines = lines[len(lines) - int(length) :] if int(length) < len(lines) else lines
    return reply({"output": "\n".join(lines)})


async def open_console(request: Request, name: str, entry: Entry[Server], arguments: Any) -> Response:
    """The older actions, one for each protocol (before 2.6)."""
    kind = object_of(arguments, name).get("type")
    if kind not in _BY_ACTION[name]:
        raise Fault(400, f"Invalid input for field/attribute type. Value: {kind}. It is one of {_BY_ACTION[name]}")
    return reply({"console": {"type": kind, "url": _url(request, entry.value, str(kind))}})


async def create_remote_console(request: Request) -> Response:
    """The address of a console (from 2.6)."""
    wanted = request.json(CreateConsole).remote_console
    version = request.microversion
    known = _BY_PROTOCOL if version >= (2, 8) else {name: _BY_PROTOCOL[name] for name in _OLDER}
    if wanted.type == "spice-direct" and version < DIRECT_SINCE:
        raise Fault(400, f"Invalid input for field/attribute type. Value: {wanted.type}.")
    if wanted.type not in known.get(wanted.protocol, ()):
        raise Fault(400, f"Invalid input for field/attribute type. Value: {wanted.type}. Unavailable console type.")
    url = _url(request, find_server(request).value, wanted.type)
    return reply({"remote_console": {"protocol": wanted.protocol, "type": wanted.type, "url": url}})


async def show_console_token(request: Request) -> Response:
    """Whose console a token opens."""
    found = _TOKEN.match(request.params["token"])
    cloud = request.cloud
    if found is not None:
        server_id, kind, expires, signature = found.groups()
        good = hmac.compare_digest(signature, _signature(cloud, server_id, kind, expires))
        entry = cloud.mirror.get(SERVER, server_id)
        if good and entry is not None and int(expires) * 1_000_000 > cloud.now_us():
            node = cloud.mirror.get(NODE, entry.value.node)
            if node is not None:
                return reply(
                    {
                        "console": {
                            "instance_uuid": server_id,
                            "host": node.value.host_ip,
                            "port": PORTS[kind],
                            **({"tls_port": None} if request.microversion >= DIRECT_SINCE else {}),
                            "internal_access_path": None,
                        }
                    }
                )
    raise Fault(404, "Token not found")


def _url(request: Request, server: Server, kind: str) -> str:
    if server.task in (DELETING, MIGRATING, MIGRATE_SCHEDULING):
        raise Fault(409, f"Cannot open a console of instance {server.id} while it is in task_state {server.task}")
    if not server.node:
        raise Fault(409, f"Instance {server.id} is not ready")
    cloud = request.cloud
    expires = str((cloud.now_us() + TOKEN_LIFE_US) // 1_000_000)
    token = f"{server.id}.{kind}.{expires}.{_signature(cloud, server.id, kind, expires)}"
    host = cloud.settings.public_url.split("//", 1)[-1].split("/")[0].rsplit(":", 1)[0]
    if kind == "novnc":
        return f"http://{host}:{PORTS[kind]}/vnc_auto.html?path=%3Ftoken%3D{token}"
    if kind == "serial":
        return f"ws://{host}:{PORTS[kind]}/?token={token}"
    return f"http://{host}:{PORTS[kind]}/{kind}.html?token={token}"


def _signature(cloud: Cloud, *words: str) -> str:
    key = cloud.settings.secrets.token_key.encode() or cloud.settings.name.encode()
    return hmac.new(key, "/".join(words).encode(), hashlib.sha256).hexdigest()[:_SIGNATURE_LENGTH]


def _log(cloud: Cloud, server: Server) -> list[str]:
    """What the server would have printed since it was last started."""
    if not server.launched_us:
        return []
    started = timestamp(server.launched_us)
    lines = [
        f"[    0.000000] Linux version 6.1.0-emulated (kilonode) #1 SMP {started}",
        "[    0.000000] Command line: root=LABEL=root ro console=tty1 console=ttyS0",
        f"[    0.004211] smpboot: Allowing {server.flavor.vcpus} CPUs, 0 hotplug CPUs",
        f"[    0.010730] Memory: {server.flavor.memory_mb * 1024}K available",
        "[    0.712004] virtio_blk virtio1: [vda] new disk",
        "[    0.934118] virtio_net virtio0 eth0: renamed from virtio0",
        "[    1.302551] EXT4-fs (vda1): mounted filesystem",
    ]
    for number, address in enumerate(_fixed(cloud, server)):
        lines.append(f"ci-info: eth{number} up {address}")
    lines += [
        f"ci-info: instance-id {server.id}",
        f"login as 'cirros' user. Emulated by Kilonode: nobody logs in to {server.hostname}.",
        f"{server.hostname} login:",
    ]
    return lines


def _fixed(cloud: Cloud, server: Server) -> list[str]:
    networks = neighbours.addresses(cloud, server).values()
    return [one["addr"] for addresses in networks for one in addresses if one["OS-EXT-IPS:type"] == "fixed"]


_OLDER: Final = ("vnc", "spice", "serial")
