"""Neutron: ML2 with VXLAN networks, ports bound by the Open vSwitch mechanism to agents that are only reported."""

from kilonode.stack.configuration.site import GRACEFUL_SHUTDOWN_S, LOGGING, Sections, Site

DATABASE = "neutron"


def files(site: Site) -> dict[str, Sections]:
    """Its configuration files by name."""
    return {
        "neutron.conf": {
            "DEFAULT": {
                **LOGGING,
                "transport_url": site.messages,
                "graceful_shutdown_timeout": GRACEFUL_SHUTDOWN_S,
                "core_plugin": "ml2",
                "service_plugins": "router",
                "api_paste_config": site.environment.shared_file("neutron", "api-paste.ini"),
                "state_path": site.data("neutron"),
                "auth_strategy": "keystone",
                "rpc_workers": 1,
                "rpc_state_report_workers": 0,
                # Ports stay DOWN, as nobody wires them: there is nothing to tell Nova.
                "notify_nova_on_port_status_changes": False,
                "notify_nova_on_port_data_changes": False,
            },
            "database": site.database_section(DATABASE),
            "oslo_concurrency": {"lock_path": site.data("neutron", "locks")},
            "keystone_authtoken": site.token_checks("neutron"),
            "nova": site.login("nova"),
            "placement": site.login("placement"),
            "quotas": dict.fromkeys(("default_quota", *(f"quota_{what}" for what in _LIMITED)), -1),
        },
        "ml2_conf.ini": {
            "ml2": {
                "type_drivers": "vxlan",
                "tenant_network_types": "vxlan",
                "mechanism_drivers": "openvswitch",
                "extension_drivers": "port_security",
            },
            # Each identifier is a row of the database, made when the server starts.
            "ml2_type_vxlan": {"vni_ranges": "1:20000"},
            "securitygroup": {"enable_security_group": True, "enable_ipset": False},
        },
    }


_LIMITED = ("network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule")
