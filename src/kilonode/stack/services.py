"""The OpenStack services of a stack as processes: what each is called, how it is started, what it needs to know.

Several processes can be one service (`nova-compute`); people see services, and each process has a log of its own.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from kilonode.stack.configuration import nova
from kilonode.stack.configuration.site import ADDRESS, Site
from kilonode.stack.plan import ComputePlan

COMPUTE: Final = "nova-compute"
API_MODULES: Final = {
    "keystone": "keystone.wsgi.api:application",
    "placement": "placement.wsgi.api:application",
    "glance": "glance.wsgi.api:application",
    "neutron": "neutron.wsgi.api:application",
    "nova": "nova.wsgi.osapi_compute:application",
}
"""The APIs, and where their packages keep what a server of web applications runs."""


@dataclass(frozen=True, slots=True)
class Service:
    """One process to start."""

    name: str
    command: tuple[str, ...]
    process: str = ""
    """What tells it from others of the same name; empty: there is only one."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Its environment, beside the little that every process has."""
    port: int | None = None
    """Where it listens."""

    @property
    def label(self) -> str:
        """The name of the process and of its log."""
        return self.process or self.name

    def environment(self) -> dict[str, str]:
        """Its whole environment: nothing of the user's own shell, which could change what services do."""
        path = os.environ.get("PATH", os.defpath)
        return {"PATH": path, "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8", **self.variables}


def apis(site: Site) -> dict[str, Service]:
    """The HTTP APIs by name."""
    configurations = {
        name: str(site.directory(name)) for name in ("keystone", "placement", "glance", "neutron", "nova")
    }
    networks = site.directory("neutron")
    variables = {
        "keystone": {"OS_KEYSTONE_CONFIG_DIR": configurations["keystone"]},
        "placement": {"OS_PLACEMENT_CONFIG_DIR": configurations["placement"]},
        "glance": {"OS_GLANCE_CONFIG_DIR": configurations["glance"]},
        "neutron": {
            "OS_NEUTRON_CONFIG_DIR": configurations["neutron"],
            "OS_NEUTRON_CONFIG_FILES": f"{networks / 'neutron.conf'};{networks / 'ml2_conf.ini'}",
        },
        # The folder alone: of files named one by one, the first would be taken for api-paste.ini.
        "nova": {"OS_NOVA_CONFIG_DIR": configurations["nova"]},
    }
    names = {"neutron": "neutron-api", "nova": "nova-api"}
    ports = site.ports.by_name()
    return {
        api: Service(
            name=names.get(api, api),
            command=_uwsgi(site, module, ports[api]),
            variables=variables[api],
            port=ports[api],
        )
        for api, module in API_MODULES.items()
    }


def workers(site: Site) -> dict[str, Service]:
    """The services that only speak over the message bus, by name."""
    configuration = str(site.directory("nova") / "nova.conf")
    networks = site.directory("neutron")
    return {
        "neutron-rpc-server": Service(
            "neutron-rpc-server",
            (
                str(site.environment.program("neutron-rpc-server")),
                "--config-file", str(networks / "neutron.conf"), "--config-file", str(networks / "ml2_conf.ini"),
            ),
        ),
        "nova-conductor": Service(
            "nova-conductor", (str(site.environment.program("nova-conductor")), "--config-file", configuration)
        ),
        "nova-scheduler": Service(
            "nova-scheduler", (str(site.environment.program("nova-scheduler")), "--config-file", configuration)
        ),
    }  # fmt: skip


def compute(site: Site, plan: ComputePlan) -> Service:
    """One compute service with its nodes."""
    folder = site.directory("nova")
    return Service(
        name=COMPUTE,
        process=plan.host,
        command=(
            str(site.environment.program("nova-compute")),
            "--config-file", str(folder / "nova.conf"), "--config-file", str(folder / f"{plan.host}.conf"),
        ),
        variables={"KILONODE_COMPUTE": str(nova.compute_folder(site, plan) / "nodes.json")},
    )  # fmt: skip


def agents(site: Site) -> Service:
    """The reporter of network agents."""
    return Service(
        "neutron-agents",
        (
            str(site.environment.program("python")), str(site.environment.agents_program),
            "--config-file", str(site.directory("neutron") / "neutron.conf"),
        ),
        variables={"KILONODE_HOSTS": str(site.data("neutron", "hosts"))},
    )  # fmt: skip


def _uwsgi(site: Site, module: str, port: int) -> tuple[str, ...]:
    """An API under uwsgi, which answers each request and closes: a process that serves one request at a time must not
    be held by the idle connection of one client while others wait.
    """
    return (
        str(site.environment.program("uwsgi")),
        "--http-socket", f"{ADDRESS}:{port}", "--module", module, "--venv", str(site.environment.path),
        "--master", "--die-on-term", "--need-app", "--lazy-apps", "--enable-threads", "--disable-logging",
        "--processes", str(site.settings.workers), "--threads", "1", "--buffer-size", "65535", "--listen", "128",
        "--no-orphans", "--add-header", "Connection: close",
    )  # fmt: skip
