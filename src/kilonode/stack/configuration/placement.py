"""Placement."""

from kilonode.stack.configuration.site import LOGGING, Sections, Site

DATABASE = "placement"


def files(site: Site) -> dict[str, Sections]:
    """Its configuration files by name."""
    return {
        "placement.conf": {
            "DEFAULT": LOGGING,
            "api": {"auth_strategy": "keystone"},
            "placement_database": site.database_section(DATABASE),
            "keystone_authtoken": site.token_checks("placement"),
        }
    }
