"""Nova: one cell, no limits, computes with many nodes each that spawn nothing."""

import json
from pathlib import Path

from kilonode.stack.configuration.site import ADDRESS, GRACEFUL_SHUTDOWN_S, LOGGING, REGION, Sections, Site
from kilonode.stack.plan import ComputePlan

API_DATABASE = "nova_api"
CELL_DATABASE = "nova"
CELL0_DATABASE = "nova_cell0"
DRIVER = "kilonode_nodes.ManyNodesDriver"
COMPUTES_FILE = "nova-compute.conf"
"""What all compute services read; they have no way to a database, as everywhere."""

_UNLIMITED = (
    "instances", "cores", "ram", "metadata_items", "injected_files", "key_pairs", "server_groups",
    "server_group_members",
)  # fmt: skip


def files(site: Site) -> dict[str, Sections]:
    """Its configuration files by name, without those of computes."""
    sections = _sections(site)
    databases = ("api_database", "database")
    return {
        "nova.conf": sections,
        COMPUTES_FILE: {name: options for name, options in sections.items() if name not in databases},
    }


def _sections(site: Site) -> Sections:
    intervals: dict[str, object] = {}
    if site.settings.report_interval_s:
        intervals["update_resources_interval"] = site.settings.report_interval_s
    return {
        "DEFAULT": {
            **LOGGING,
            "transport_url": site.messages,
            "graceful_shutdown_timeout": GRACEFUL_SHUTDOWN_S,
            "my_ip": ADDRESS,
            "state_path": site.data("nova"),
            "compute_driver": DRIVER,
            "vif_plugging_timeout": 0,
            "vif_plugging_is_fatal": False,
            **intervals,
        },
        "api_database": site.database_section(API_DATABASE),
        "database": site.database_section(CELL_DATABASE),
        "keystone_authtoken": site.token_checks("nova"),
        "service_user": {**site.login("nova"), "send_service_user_token": True},
        "placement": site.login("placement"),
        "glance": {"service_type": "image", "region_name": REGION},
        "neutron": site.login("neutron"),
        "vnc": {"enabled": False},
        "spice": {"enabled": False},
        "oslo_concurrency": {"lock_path": site.data("nova", "locks")},
        "cache": {
            "enabled": True,
            "backend": "dogpile.cache.pymemcache",
            "memcache_servers": site.cache,
        },
        "quota": dict.fromkeys(_UNLIMITED, -1),
        "filter_scheduler": {
            "enabled_filters": (
                "ComputeFilter",
                "ComputeCapabilitiesFilter",
                "ImagePropertiesFilter",
                "ServerGroupAntiAffinityFilter",
                "ServerGroupAffinityFilter",
            ),
        },
        "scheduler": {"workers": 1},
        "conductor": {"workers": site.settings.workers},
        "workarounds": {"skip_cpu_compare_at_startup": True},
        # In the middle of an upgrade nobody says to an older compute service what that would not understand.
        "upgrade_levels": {"compute": "auto"},
    }


def compute_file(site: Site, compute: ComputePlan) -> Sections:
    """What one compute service has beside what all of Nova has."""
    return {
        "DEFAULT": {
            "host": compute.host,
            "state_path": compute_folder(site, compute),
        },
        "oslo_concurrency": {"lock_path": compute_folder(site, compute) / "locks"},
    }


def compute_folder(site: Site, compute: ComputePlan) -> Path:
    """Where one compute service keeps what is its own."""
    return site.data("nova", compute.host)


def compute_description(site: Site, compute: ComputePlan) -> str:
    """What the driver of one compute service offers, as the placed driver reads it."""
    shape, delays = site.settings.shape, site.settings.delays
    description = {
        "stack": site.folder.name,
        "nodes": compute.node_names(),
        "vcpus": shape.vcpus,
        "memory_mib": shape.memory_mib,
        "disk_gib": shape.disk_gib,
        "delays": {"spawn_s": delays.spawn_s, "destroy_s": delays.destroy_s},
        "seed": compute.host,
    }
    return json.dumps(description, indent=1)
