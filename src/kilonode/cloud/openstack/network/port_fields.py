"""What a port shows, and the filters of `GET /ports` that are more than one of its fields."""

from typing import Any, Final

import msgspec

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.collection import Test, standard_fields
from kilonode.cloud.openstack.network.model import NETWORK, PORT, Port
from kilonode.cloud.openstack.network.trunk_model import SUB_PORT_OWNER, TRUNK, trunks_by_parent, trunks_by_sub_port
from kilonode.cloud.openstack.web.fields import Fields

VIF_DETAILS: Final = {"port_filter": True, "connectivity": "l2", "bound_drivers": {"0": "emulated"}}


def make_port_fields(cloud: Cloud) -> Fields[Port]:
    """The fields of a port."""

    def trunk_details(port: Port) -> dict[str, Any] | None:
        for key in trunks_by_parent(cloud.mirror).keys(port.id):
            trunk = cloud.mirror.all(TRUNK)[key].value
            macs = {one.port_id: cloud.mirror.get(PORT, one.port_id) for one in trunk.sub_ports}
            return {
                "trunk_id": key,
                "sub_ports": [
                    {**msgspec.structs.asdict(one), "mac_address": mac.value.mac_address if mac is not None else None}
                    for one, mac in ((one, macs[one.port_id]) for one in trunk.sub_ports)
                ],
            }
        return None

    def network_policy(port: Port) -> str | None:
        entry = cloud.mirror.get(NETWORK, port.network_id)
        return entry.value.qos_policy_id or None if entry is not None else None

    def status(port: Port) -> str:
        """A part of a trunk is as active as the port that carries it."""
        if port.device_owner != SUB_PORT_OWNER:
            return port.status
        for key in trunks_by_sub_port(cloud.mirror).keys(port.id):
            parent = cloud.mirror.get(PORT, cloud.mirror.all(TRUNK)[key].value.port_id)
            return parent.value.status if parent is not None else port.status
        return port.status

    return Fields(
        {
            "id": lambda port: port.id,
            "name": lambda port: port.name,
            "network_id": lambda port: port.network_id,
            "mac_address": lambda port: port.mac_address,
            "fixed_ips": lambda port: port.fixed_ips,
            "admin_state_up": lambda port: port.admin_state_up,
            "status": status,
            "device_id": lambda port: port.device_id,
            "device_owner": lambda port: port.device_owner,
            "security_groups": lambda port: port.security_groups,
            "port_security_enabled": lambda port: port.port_security_enabled,
            "allowed_address_pairs": lambda port: port.allowed_address_pairs,
            "extra_dhcp_opts": lambda port: [
                {"opt_name": one.opt_name, "opt_value": one.opt_value, "ip_version": one.ip_version}
                for one in port.dhcp_options
            ],
            "trunk_details": trunk_details,
            "binding:vnic_type": lambda port: port.vnic_type,
            "binding:host_id": lambda port: port.host,
            "binding:profile": lambda port: port.profile,
            "binding:vif_type": lambda port: "ovs" if port.host else "unbound",
            "binding:vif_details": lambda port: VIF_DETAILS if port.host else {},
            "dns_name": lambda port: port.dns_name,
            "dns_assignment": lambda port: [],
            "dns_domain": lambda port: "",
            "qos_policy_id": lambda port: port.qos_policy_id or None,
            "qos_network_policy_id": network_policy,
            "propagate_uplink_status": lambda port: True,
            "ip_allocation": lambda port: "immediate" if port.fixed_ips else "none",
            **standard_fields(),
        }
    )


def port_test(cloud: Cloud, name: str, texts: list[str]) -> Test[Port] | None:
    """`fixed_ips=ip_address=…`, `fixed_ips=subnet_id=…` (any of either, both together), `security_groups=…`."""
    if name == "security_groups":
        groups = frozenset(part for text in texts for part in text.split(","))
        return lambda port: not groups.isdisjoint(port.security_groups)
    if name != "fixed_ips":
        return None
    subnets = {text.removeprefix("subnet_id=") for text in texts if text.startswith("subnet_id=")}
    exact = {text.removeprefix("ip_address=") for text in texts if text.startswith("ip_address=")}
    inside = {text.removeprefix("ip_address_substr=") for text in texts if text.startswith("ip_address_substr=")}

    def holds(port: Port) -> bool:
        return any(
            (not subnets or fixed.subnet_id in subnets)
            and (not exact or fixed.ip_address in exact)
            and (not inside or any(part in fixed.ip_address for part in inside))
            for fixed in port.fixed_ips
        )

    return holds
