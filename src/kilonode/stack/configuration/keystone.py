"""Keystone: Fernet tokens, cached, and password hashes as costly as the stack's settings say."""

from kilonode.stack.configuration.site import LOGGING, Sections, Site

DATABASE = "keystone"


def files(site: Site) -> dict[str, Sections]:
    """Its configuration files by name."""
    return {
        "keystone.conf": {
            "DEFAULT": LOGGING,
            "database": site.database_section(DATABASE),
            "token": {"provider": "fernet"},
            "fernet_tokens": {"key_repository": site.data("keystone", "fernet-keys")},
            "credential": {"key_repository": site.data("keystone", "credential-keys")},
            "cache": {
                "enabled": True,
                "backend": "dogpile.cache.pymemcache",
                "memcache_servers": site.cache,
            },
            "identity": {"password_hash_rounds": site.settings.password_rounds},
        }
    }
