"""A hosts file: the machines that faults reach from outside, how to log in to them, and what runs on them.

    login: {user: stack, key_file: cloud_key}
    hosts:
      node-1: {address: 192.0.2.10}
    services:
      keystone: {unit: devstack@keystone, hosts: [node-1]}

Secrets are never in it: it names the environment variable that each is in. Only the format is known here.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from kilonode.base.encoding import to_plain
from kilonode.base.errors import InputError
from kilonode.base.validation import INVALID, Validator
from kilonode.base.yaml_document import read_document

Port = Annotated[str, msgspec.Meta(pattern=r"^(tcp|udp)/\d{1,5}$")]


class Jump(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A host that the way leads over."""

    address: str
    user: str | None = None
    key_file: str | None = None


class Become(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Whom to become after the login."""

    user: str = "root"
    method: str = "sudo"
    password_variable: str | None = None


class Login(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How to log in by ssh."""

    user: str | None = None
    key_file: str | None = None
    """None: the user's own keys. A path that is not absolute begins where the hosts file is."""
    password_variable: str | None = None
    jump: Jump | None = None
    become: Become | None = None
    known_hosts: str | None = None
    """The file with the hosts' keys; None: the user's own. A host with another key, or none there, is not spoken to."""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 22


class Power(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a host is switched off and on."""

    by: Literal["redfish", "ipmi", "libvirt"]
    address: str
    """Of the management controller, for Redfish also its URL or that of the machine, for IPMI also with its port; the
    connection URI of libvirt."""
    user: str | None = None
    password_variable: str | None = None
    name: str | None = None
    """Of the machine in libvirt; its identifier in Redfish, where the controller has more than one."""
    ca_file: str | None = None
    """What the controller's certificate is checked against; None: what the system trusts."""
    cipher_suite: Literal[3, 17] | None = None
    """The only one of IPMI that may be used; None: 17, and where that is refused, 3."""


class Host(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One machine."""

    address: str
    mac: str | None = None
    login: Login | None = None
    """None: that of the file."""
    power: Power | None = None
    docker_socket: str = "/var/run/docker.sock"
    """Where Docker's engine, or Podman's service, listens on it."""


class HostedService(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A service on hosts, and how it is known."""

    unit: str | None = None
    """Of systemd or its like."""
    process: str | None = None
    """A pattern that its command line matches."""
    port: Port | None = None
    start: str | None = None
    """The command that starts it, where it is no unit."""
    stop: str | None = None
    restart: str | None = None
    hosts: tuple[str, ...] = ()
    """Names or addresses; empty: it is looked for on all."""


class HostedContainer(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A Docker container on hosts."""

    container: str
    """Its own name, or its service where it was made by Compose."""
    hosts: tuple[str, ...] = ()
    """Names or addresses; empty: it is looked for on all."""


class Hosts(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A whole file."""

    login: Login | None = None
    hosts: dict[str, Host] = {}
    services: dict[str, HostedService] = {}
    containers: dict[str, HostedContainer] = {}


def read_hosts(path: Path) -> Hosts:
    """Read a hosts file. Raises InputError with every mistake and its place."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError("the hosts file cannot be read", where=str(path), got=error.strerror or str(error)) from error
    node, problems = read_document(data, str(path))
    validator = Validator()
    hosts = validator.read(node, Hosts) if node is not None else INVALID
    problems = [*problems, *validator.problems]
    if problems or not isinstance(hosts, Hosts):
        raise InputError("the hosts file has mistakes", problems=problems)
    return hosts


def login_of(hosts: Hosts, name: str, folder: Path) -> Login:
    """How to log in to a host, with paths that hold everywhere; `folder` is that of the hosts file."""
    login = hosts.hosts[name].login or hosts.login or Login()
    jump = login.jump and msgspec.structs.replace(login.jump, key_file=absolute(login.jump.key_file, folder))
    return msgspec.structs.replace(
        login,
        key_file=absolute(login.key_file, folder),
        known_hosts=absolute(login.known_hosts, folder),
        jump=jump,
    )


def absolute(path: str | None, folder: Path) -> str | None:
    """A path of a hosts file, which begins where the file is."""
    return None if path is None else str(folder.absolute() / Path(path).expanduser())


def plain_hosts(hosts: Hosts) -> object:
    """The file as mappings and lists, for whoever writes it."""
    return to_plain(hosts)
