"""How to log in to an emulated cloud: the plain facts, and the `clouds.yaml` made of them.

The file holds two clouds, named as the cloud itself (its administrator) and with `-demo` behind (an ordinary user).
"""

from typing import Final

import msgspec
import yaml

from kilonode.cloud.context import CloudSettings

DOMAIN: Final = "Default"
DEMO_SUFFIX: Final = "-demo"


class AccessFacts(msgspec.Struct, frozen=True):
    """What a client needs to log in."""

    auth_url: str
    username: str
    password: str
    project_name: str
    region_name: str
    user_domain_name: str = DOMAIN
    project_domain_name: str = DOMAIN

    def __repr__(self) -> str:
        return f"AccessFacts({self.username} at {self.auth_url})"


def access_facts(settings: CloudSettings, user: str = "admin") -> AccessFacts:
    """How `user` (`admin` or `demo`) logs in to its project of the same name."""
    return AccessFacts(
        auth_url=f"{settings.public_url}/identity/v3",
        username=user,
        password=settings.secrets.admin_password,
        project_name=user,
        region_name=settings.region,
    )


def clouds_file(settings: CloudSettings) -> str:
    """The text of the cloud's own `clouds.yaml`. It holds a password."""
    clouds = {settings.name: _entry(settings, "admin"), settings.name + DEMO_SUFFIX: _entry(settings, "demo")}
    heading = f"# Made by `kilonode cloud up` for the emulated cloud {settings.name!r}; replaced at each start.\n"
    return heading + yaml.safe_dump({"clouds": clouds}, sort_keys=False)


def _entry(settings: CloudSettings, user: str) -> dict[str, object]:
    facts = access_facts(settings, user)
    return {
        "auth": {
            "auth_url": facts.auth_url,
            "username": facts.username,
            "password": facts.password,
            "project_name": facts.project_name,
            "user_domain_name": facts.user_domain_name,
            "project_domain_name": facts.project_domain_name,
        },
        "region_name": facts.region_name,
        **({"regions": [site.region for site in settings.sites]} if settings.sites else {}),
        "interface": "public",
        "identity_api_version": 3,
        "volume_api_version": 3,
    }
