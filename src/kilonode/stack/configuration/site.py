"""What the configuration of every service is made of: where things listen, where they lie, who may do what."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from kilonode.stack.environment import Environment
from kilonode.stack.folder import Ports, Secrets, StackFolder
from kilonode.stack.plan import Settings
from kilonode.stack.releases import find_release

ADDRESS: Final = "127.0.0.1"
"""Nothing of a stack listens anywhere else."""
REGION: Final = "RegionOne"
ADMIN: Final = "admin"
DOMAIN: Final = "Default"
SERVICE_PROJECT: Final = "service"
MESSAGE_USER: Final = "openstack"

LOGGING: Final[Mapping[str, object]] = {"use_stderr": True, "debug": False}
"""Services speak to standard error, which goes to the log of their process."""
GRACEFUL_SHUTDOWN_S: Final = 5
"""How long a service may finish what it is at when it is ended; its own default is a minute."""

Sections = Mapping[str, Mapping[str, object]]
"""A configuration file: section to option to value."""


@dataclass(frozen=True, slots=True)
class Site:
    """One stack as its services must know it."""

    folder: StackFolder
    environment: Environment
    settings: Settings
    ports: Ports
    secrets: Secrets
    releases: Mapping[str, str] = field(default_factory=dict)
    """The processes that are of another release than the rest, and which."""

    def of_release(self, name: str) -> "Site":
        """The same stack as services of another release must know it. Raises InputError when there is none."""
        return replace(self, environment=Environment(self.folder.state, find_release(name)))

    def of_process(self, process: str) -> "Site":
        """The same stack as this process must know it."""
        release = self.releases.get(process)
        return self if release is None else self.of_release(release)

    @property
    def configuration(self) -> Path:
        """Where the configuration files lie: each release in the stack has its own, as they name files of it."""
        release = self.environment.release.name
        above = self.folder.configuration
        return above if release == self.settings.release else above / f"release-{release}"

    @property
    def identity_url(self) -> str:
        """Keystone."""
        return f"http://{ADDRESS}:{self.ports.keystone}/v3"

    def url(self, service: str) -> str:
        """The root of an API."""
        return f"http://{ADDRESS}:{self.ports.by_name()[service]}"

    def database(self, name: str) -> str:
        """A connection to one database."""
        user = f"kilonode:{self.secrets.database}"
        return f"mysql+pymysql://{user}@{ADDRESS}:{self.ports.mariadb}/{name}?charset=utf8"

    @property
    def messages(self) -> str:
        """A connection to the message bus."""
        return f"rabbit://{MESSAGE_USER}:{self.secrets.messages}@{ADDRESS}:{self.ports.rabbitmq}/"

    @property
    def cache(self) -> str:
        """Where memcached listens."""
        return f"{ADDRESS}:{self.ports.memcached}"

    def directory(self, service: str) -> Path:
        """Where the configuration files of a service lie."""
        return self.configuration / service

    def data(self, *names: str) -> Path:
        """Where a service keeps what is its own."""
        return self.folder.data.joinpath(*names)

    def login(self, user: str) -> dict[str, object]:
        """How a service logs in as its own user, in the options of keystoneauth."""
        return {
            "auth_type": "password",
            "auth_url": self.identity_url,
            "username": user,
            "password": self.secrets.services,
            "project_name": SERVICE_PROJECT,
            "user_domain_name": DOMAIN,
            "project_domain_name": DOMAIN,
            "region_name": REGION,
        }

    def token_checks(self, user: str) -> dict[str, object]:
        """How a service checks the tokens of its users."""
        return {
            **self.login(user),
            "www_authenticate_uri": self.identity_url,
            "memcached_servers": self.cache,
            "service_token_roles_required": True,
        }

    def database_section(self, name: str) -> dict[str, object]:
        """How a service uses its database."""
        return {"connection": self.database(name), "max_retries": 10, "max_pool_size": 10, "max_overflow": 50}


def render(sections: Sections) -> str:
    """The text of a configuration file."""
    blocks = []
    for section, options in sections.items():
        lines = [f"[{section}]", *(f"{name} = {_text(value)}" for name, value in options.items())]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def digest(files: Mapping[str, Sections], site: Site) -> str:
    """Twelve characters that tell two configurations apart, whatever the secrets, ports and paths of their stacks."""
    text = "\n".join(f"{name}\n{render(files[name])}" for name in sorted(files))
    hidden = dict.fromkeys(site.secrets.all(), "SECRET")
    hidden |= {str(site.folder.path): "STACK", str(site.environment.path): "ENVIRONMENT"}
    hidden[str(site.configuration)] = "STACK/configuration"
    hidden |= {f":{port}": f":{name}" for name, port in site.ports.by_name().items()}
    for shown in sorted(hidden, key=len, reverse=True):
        text = text.replace(shown, hidden[shown])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(str(part) for part in value)
    return str(value)
