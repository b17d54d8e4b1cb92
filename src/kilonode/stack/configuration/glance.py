"""Glance: images as files."""

from kilonode.stack.configuration.site import LOGGING, Sections, Site

DATABASE = "glance"


def files(site: Site) -> dict[str, Sections]:
    """Its configuration files by name."""
    return {
        "glance-api.conf": {
            "DEFAULT": {**LOGGING, "enabled_backends": "files:file", "enabled_import_methods": "[]"},
            "database": site.database_section(DATABASE),
            "glance_store": {"default_backend": "files"},
            "files": {"filesystem_store_datadir": site.data("glance", "images")},
            "os_glance_staging_store": {"filesystem_store_datadir": site.data("glance", "staging")},
            "os_glance_tasks_store": {"filesystem_store_datadir": site.data("glance", "tasks")},
            "keystone_authtoken": site.token_checks("glance"),
            "paste_deploy": {
                "flavor": "keystone",
                "config_file": site.environment.shared_file("glance", "glance-api-paste.ini"),
            },
        }
    }
