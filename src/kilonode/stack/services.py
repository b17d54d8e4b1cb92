"""The OpenStack services of a stack as processes: what each is called, how it is started, what it needs to know.

Several processes can be one service (`nova-compute`); people see services, and each process has a log of its own.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from kilonode.base.clock_file import CLOCK_VARIABLE
from kilonode.stack.clock_library import clock_library
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
API_LABELS: Final = {
    "keystone": "keystone", "placement": "placement", "glance": "glance", "neutron": "neutron-api", "nova": "nova-api",
}  # fmt: skip
"""What their processes are called."""
AGENTS: Final = "neutron-agents"
WORKER_FILES: Final = {
    "neutron-rpc-server": (("neutron", "neutron.conf"), ("neutron", "ml2_conf.ini")),
    "nova-conductor": (("nova", "nova.conf"),),
    "nova-scheduler": (("nova", "nova.conf"),),
}
"""The services without an API of their own, and the files they read."""


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
    release: str = ""
    """The release that it is of; empty: it comes from the system's packages."""

    @property
    def label(self) -> str:
        """The name of the process and of its log."""
        return self.process or self.name

    def environment(self) -> dict[str, str]:
        """Its whole environment: nothing of the user's own shell, which could change what services do."""
        path = os.environ.get("PATH", os.defpath)
        return {"PATH": path, "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8", **self.variables}


def apis(site: Site) -> dict[str, Service]:
    """The HTTP APIs by name, each of the release that it is to be of."""
    return {api: told(site, _api(site.of_process(label), api, label)) for api, label in API_LABELS.items()}


def workers(site: Site) -> dict[str, Service]:
    """The services that only speak over the message bus, by name."""
    found = {}
    for name, files in WORKER_FILES.items():
        own = site.of_process(name)
        options = [part for service, file in files for part in ("--config-file", str(own.directory(service) / file))]
        command = (str(own.environment.program(name)), *options)
        found[name] = told(site, Service(name, command, release=own.environment.release.name))
    return found


def compute(site: Site, plan: ComputePlan) -> Service:
    """One compute service with its nodes."""
    own = site.of_process(plan.host)
    folder = own.directory("nova")
    service = Service(
        name=COMPUTE,
        process=plan.host,
        command=(
            str(own.environment.program("nova-compute")),
            "--config-file", str(folder / nova.COMPUTES_FILE), "--config-file", str(folder / f"{plan.host}.conf"),
        ),
        variables={"KILONODE_COMPUTE": str(nova.compute_folder(site, plan) / "nodes.json")},
        release=own.environment.release.name,
    )  # fmt: skip
    return told(site, service)


def agents(site: Site) -> Service:
    """The reporter of network agents."""
    own = site.of_process(AGENTS)
    service = Service(
        AGENTS,
        (
            str(own.environment.program("python")), str(own.environment.agents_program),
            "--config-file", str(own.directory("neutron") / "neutron.conf"),
        ),
        variables={"KILONODE_HOSTS": str(site.data("neutron", "hosts"))},
        release=own.environment.release.name,
    )  # fmt: skip
    return told(site, service)


def openstack_services(site: Site) -> list[Service]:
    """Every process of a stack that a release of OpenStack brings, in the order of starting."""
    services = [*apis(site).values(), *workers(site).values()]
    services += [compute(site, plan) for plan in site.settings.computes]
    return [*services, agents(site)] if site.settings.network else services


def told(site: Site, service: Service) -> Service:
    """The service, with the library that lets its wall clock be told to be off, where the stack is to have it."""
    if not site.settings.clocks:
        return service
    file = site.data("clocks", service.label)
    variables = {"LD_PRELOAD": str(clock_library(site)), CLOCK_VARIABLE: str(file)}
    return replace(service, variables={**service.variables, **variables})


def _api(site: Site, api: str, label: str) -> Service:
    networks = site.directory("neutron")
    variables = {f"OS_{api.upper()}_CONFIG_DIR": str(site.directory(api))}
    if api == "neutron":
        variables["OS_NEUTRON_CONFIG_FILES"] = f"{networks / 'neutron.conf'};{networks / 'ml2_conf.ini'}"
    # Of Nova the folder alone: of files named one by one, the first would be taken for api-paste.ini.
    port = site.ports.by_name()[api]
    command = uwsgi(site, API_MODULES[api], port, label)
    return Service(label, command, variables=variables, port=port, release=site.environment.release.name)


def uwsgi(site: Site, module: str, port: int, label: str) -> tuple[str, ...]:
    """An API under uwsgi, which answers each request and closes: a process that serves one request at a time must not
    be held by the idle connection of one client while others wait. By its pipe it can be told to end when it has
    answered what is under way; SIGTERM ends it at once. Its Python is not taken apart then: that takes seconds, in
    which whoever asks waits in vain.
    """
    return (
        str(site.environment.program("uwsgi")),
        "--http-socket", f"{ADDRESS}:{port}", "--module", module, "--venv", str(site.environment.path),
        "--master", "--die-on-term", "--need-app", "--lazy-apps", "--enable-threads", "--disable-logging",
        "--processes", str(site.settings.workers), "--threads", "1", "--buffer-size", "65535", "--listen", "128",
        "--no-orphans", "--add-header", "Connection: close", "--master-fifo", str(site.folder.control_pipe(label)),
        "--skip-atexit-teardown",
    )  # fmt: skip
