"""Networks and security groups as compute showed them before the network service did (microversions to 2.35)."""

from typing import Any, Final
from urllib.parse import quote

from kilonode.cloud.openstack.compute.acting import ACCEPTED
from kilonode.cloud.openstack.compute.bodies import is_uuid
from kilonode.cloud.openstack.compute.delegated import ask
from kilonode.cloud.openstack.network.service import NETWORK_SERVICE
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply

_NETWORK_FIELDS: Final = (
    *("cidr", "netmask", "gateway", "broadcast", "dns1", "dns2"),
    *("cidr_v6", "gateway_v6", "netmask_v6"),
)
_NETWORK_ADMIN_FIELDS: Final = (
    *("created_at", "updated_at", "deleted_at", "deleted", "injected", "bridge", "vlan", "vpn_public_address"),
    *("vpn_public_port", "vpn_private_address", "dhcp_start", "project_id", "host", "bridge_interface", "multi_host"),
    *("priority", "rxtx_base", "mtu", "dhcp_server", "enable_dhcp", "share_address"),
)
_GROUPS: Final = "/security-groups"
_RULES: Final = "/security-group-rules"
_PORT_LIMIT: Final = 65_535
_ICMP_LIMIT: Final = 255


async def list_networks(request: Request) -> Response:
    """The networks the caller sees. Of a network only id and label are known here, as with Nova itself."""
    found = (await ask(request, NETWORK_SERVICE, "GET", "/networks"))["networks"]
    return reply({"networks": [_network(request, one) for one in found]}, items=len(found))


async def show_network(request: Request) -> Response:
    """One network."""
    return reply({"network": _network(request, await _find_network(request))})


async def list_tenant_networks(request: Request) -> Response:
    """The networks the caller sees, shorter."""
    found = (await ask(request, NETWORK_SERVICE, "GET", "/networks"))["networks"]
    return reply({"networks": [_tenant_network(one) for one in found]}, items=len(found))


async def show_tenant_network(request: Request) -> Response:
    """One network, shorter."""
    return reply({"network": _tenant_network(await _find_network(request))})


async def list_security_groups(request: Request) -> Response:
    """The project's security groups, or everybody's for an administrator who says so."""
    query = "" if request.caller.is_admin and request.query.flag("all_tenants") else _own(request)
    found = (await ask(request, NETWORK_SERVICE, "GET", _GROUPS, query=query))["security_groups"]
    offset, limit = request.query.integer("offset", 0) or 0, request.query.integer("limit")
    shown = found[offset : offset + limit if limit else None]
    return reply({"security_groups": [await _group(request, one) for one in shown]}, items=len(shown))


async def show_security_group(request: Request) -> Response:
    """One security group."""
    found = await ask(request, NETWORK_SERVICE, "GET", _group_place(request))
    return reply({"security_group": await _group(request, found["security_group"])})


async def create_security_group(request: Request) -> Response:
    """A new security group. Compute's have no rules that let out, because everything is let out."""
    wanted = _wanted(request, "security_group")
    body = {"security_group": {name: _text(wanted, name) for name in ("name", "description")}}
    made = await ask(request, NETWORK_SERVICE, "POST", _GROUPS, body=body)
    return reply({"security_group": await _group(request, made["security_group"])})


async def update_security_group(request: Request) -> Response:
    """Another name or description."""
    wanted = _wanted(request, "security_group")
    body = {"security_group": {name: _text(wanted, name) for name in ("name", "description")}}
    found = await ask(request, NETWORK_SERVICE, "PUT", _group_place(request), body=body)
    return reply({"security_group": await _group(request, found["security_group"])})


async def delete_security_group(request: Request) -> Response:
    """Forget a security group that nothing uses."""
    try:
        await ask(request, NETWORK_SERVICE, "DELETE", _group_place(request))
    except Fault as fault:
        raise Fault(400 if fault.status == 409 else fault.status, fault.message) from fault
    return reply(None, ACCEPTED)


async def create_security_group_rule(request: Request) -> Response:
    """Let something in."""
    wanted = _wanted(request, "security_group_rule")
    group_id = str(wanted.get("parent_group_id") or "")
    if not is_uuid(group_id):
        raise Fault(400, "Security group id should be uuid")
    remote_group = wanted.get("group_id")
    protocol = str(wanted.get("ip_protocol") or "").lower()
    if not remote_group and protocol not in ("tcp", "udp", "icmp"):
        raise Fault(400, f"Invalid IP protocol {wanted.get('ip_protocol')}.")
    low, high = (_port(wanted, name, protocol) for name in ("from_port", "to_port"))
    if not remote_group and (low is None or high is None or (protocol != "icmp" and low > high)):
        raise Fault(400, f"Invalid port range {wanted.get('from_port')}:{wanted.get('to_port')}.")
    cidr = wanted.get("cidr") or "0.0.0.0/0"
    unlimited = protocol == "icmp" and low == -1
    rule: dict[str, Any] = {
        "security_group_id": group_id,
        "direction": "ingress",
        "ethertype": "IPv6" if ":" in str(cidr) else "IPv4",
        "protocol": protocol or None,
        "port_range_min": None if unlimited else low,
        "port_range_max": None if unlimited or high == -1 else high,
        "remote_group_id": remote_group,
        "remote_ip_prefix": None if remote_group else cidr,
    }
    try:
        made = await ask(request, NETWORK_SERVICE, "POST", _RULES, body={"security_group_rule": rule})
    except Fault as fault:
        raise Fault(400 if fault.status == 409 else fault.status, fault.message) from fault
    return reply({"security_group_rule": await _rule(request, made["security_group_rule"])})


async def delete_security_group_rule(request: Request) -> Response:
    """Let something in no longer."""
    await ask(request, NETWORK_SERVICE, "DELETE", f"{_RULES}/{quote(request.params['rule_id'], safe='')}")
    return reply(None, ACCEPTED)


async def _find_network(request: Request) -> dict[str, Any]:
    found = await ask(request, NETWORK_SERVICE, "GET", f"/networks/{quote(request.params['network_id'], safe='')}")
    body: dict[str, Any] = found["network"]
    return body


def _network(request: Request, one: dict[str, Any]) -> dict[str, Any]:
    fields = _NETWORK_FIELDS + (_NETWORK_ADMIN_FIELDS if request.caller.is_admin else ())
    return {"id": one["id"], "label": one["name"], **dict.fromkeys(fields)}


def _tenant_network(one: dict[str, Any]) -> dict[str, Any]:
    return {"id": one["id"], "cidr": "None", "label": one["name"]}


async def _group(request: Request, group: dict[str, Any]) -> dict[str, Any]:
    rules = [rule for rule in group["security_group_rules"] if rule["direction"] == "ingress"]
    return {
        "id": group["id"],
        "name": group["name"],
        "description": group["description"],
        "tenant_id": group["tenant_id"],
        "rules": [await _rule(request, rule) for rule in rules],
    }


async def _rule(request: Request, rule: dict[str, Any]) -> dict[str, Any]:
    remote: dict[str, Any] = {}
    if rule["remote_group_id"]:
        found = await ask(request, NETWORK_SERVICE, "GET", f"{_GROUPS}/{rule['remote_group_id']}")
        remote = {"name": found["security_group"]["name"], "tenant_id": found["security_group"]["tenant_id"]}
    anything = "::/0" if rule["ethertype"] == "IPv6" else "0.0.0.0/0"
    unlimited = -1 if rule["protocol"] == "icmp" else None
    return {
        "id": rule["id"],
        "parent_group_id": rule["security_group_id"],
        "ip_protocol": rule["protocol"],
        "from_port": unlimited if rule["port_range_min"] is None else rule["port_range_min"],
        "to_port": unlimited if rule["port_range_max"] is None else rule["port_range_max"],
        "group": remote,
        "ip_range": {} if remote else {"cidr": rule["remote_ip_prefix"] or anything},
    }


def _own(request: Request) -> str:
    return f"project_id={quote(request.caller.project_id)}"


def _group_place(request: Request) -> str:
    return f"{_GROUPS}/{quote(request.params['group_id'], safe='')}"


def _wanted(request: Request, name: str) -> dict[str, Any]:
    wanted = request.json_object().get(name)
    if not isinstance(wanted, dict):
        raise Fault(400, f"Invalid input for field/attribute {name}. It is a required property")
    return wanted


def _text(wanted: dict[str, Any], name: str) -> str:
    value = wanted.get(name)
    if value is None and name == "description":
        return ""
    if not isinstance(value, str) or len(value) > 255 or (name == "name" and not value.strip()):
        raise Fault(400, f"Security group {name} is not a string or has no 1 to 255 characters.")
    return value


def _port(wanted: dict[str, Any], name: str, protocol: str) -> int | None:
    value = wanted.get(name)
    if value is None:
        return None
    most = _ICMP_LIMIT if protocol == "icmp" else _PORT_LIMIT
    least = -1 if protocol in ("icmp", "") else 1
    try:
        port = int(value)
    except (TypeError, ValueError) as error:
        raise Fault(400, f"Invalid input for {name}: {value!r} is not a number.") from error
    if not least <= port <= most:
        raise Fault(400, f"Invalid port range: {port} is not between {least} and {most}.")
    return port
