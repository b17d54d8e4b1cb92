"""An os-faults configuration read as a hosts file, with a remark for every key: what it became, or that it is lost.

os-faults takes a key that is written wrong for one that is not there; here nothing is passed over in silence. Passwords
become names of environment variables. What os-faults' cloud drivers know by themselves (DevStack's services, Salt's
minions) is in no file, so it cannot be converted; a remark says so.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.errors import InputError
from kilonode.base.yaml_document import read_document
from kilonode.base.yaml_nodes import Mapping as MappingNode
from kilonode.base.yaml_nodes import Node, Scalar, Sequence, describe
from kilonode.faults.hosts import Become, Host, HostedContainer, HostedService, Hosts, Jump, Login, Power
from kilonode.faults.remarks import Handler, Remark, RemarkingReader

SECTIONS: Final = ("cloud_management", "power_managements", "node_discover", "services", "containers")
_BUILT_IN: Final = "the services that this driver brings with it are in no file: add those you mean"
_DISCOVERY: Final = "nodes are not discovered: list them under hosts"


class Conversion(msgspec.Struct, frozen=True):
    """What an os-faults configuration became."""

    hosts: Hosts
    remarks: tuple[Remark, ...]

    @property
    def lost(self) -> tuple[Remark, ...]:
        """What was not understood."""
        return tuple(remark for remark in self.remarks if remark.kind == "not understood")


def convert(path: Path) -> Conversion:
    """Read a file of os-faults. Raises InputError when it is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError("the file cannot be read", where=str(path), got=error.strerror or str(error)) from error
    node, problems = read_document(data, str(path))
    if problems or node is None:
        raise InputError("the file cannot be read", problems=problems)
    if not isinstance(node, MappingNode) or not set(node.names) & set(SECTIONS):
        raise InputError(
            "not a configuration of os-faults", where=str(path), expected=f"keys from {', '.join(SECTIONS)}",
            got=describe(node),
        )  # fmt: skip
    return _Converter().convert(node)


class _Converter(RemarkingReader):
    def __init__(self) -> None:
        super().__init__()
        self.login: Login | None = None
        self.hosts: dict[str, Host] = {}
        self.services: dict[str, HostedService] = {}
        self.containers: dict[str, HostedContainer] = {}
        self.libvirt_names: dict[str, str] = {}
        self.libvirt = ""
        self.libvirt_place = ("", 0)
        self.bmcs: list[tuple[str, Power, str, int]] = []
        """By MAC or name, since hosts may stand later in the file."""

    def convert(self, node: MappingNode) -> Conversion:
        self._each(node, "", {
            "cloud_management": lambda value, path: self._driver(value, path, {
                "universal": self._universal, "devstack": self._devstack, "saltcloud": self._saltcloud}),
            "node_discover": lambda value, path: self._driver(value, path, {"node_list": self._node_list}),
            "services": lambda value, path: self._each_named(value, path, self._service),
            "containers": lambda value, path: self._each_named(value, path, self._container),
            "power_managements": self._powers,
        })  # fmt: skip
        self._join_power()
        return Conversion(Hosts(self.login, self.hosts, self.services, self.containers), tuple(self.remarks))

    # Sections

    def _universal(self, args: Node, path: str) -> None:
        self._each(args, path, {})

    def _devstack(self, args: Node, path: str) -> None:
        found: dict[str, str] = {}
        login: list[Login] = []
        self._each(args, path, {
            "address": self._text_into(found, "address"),
            "auth": lambda value, here: login.append(self._login(value, here, "DEVSTACK")),
            "iface": self._not_needed("os-faults reads the MAC address by it"),
        })  # fmt: skip
        self.login = login[0] if login else None
        if "address" in found:
            self.hosts[found["address"]] = Host(found["address"])
            self._say("became", path, args, f"host {found['address']}")
        self._say(
            "not needed", path, args, "services that the driver devstack brings are in no file: add those you mean"
        )

    def _saltcloud(self, args: Node, path: str) -> None:
        found: dict[str, str] = {}
        logins: dict[str, Login] = {}

        def keep(name: str) -> Handler:
            return lambda value, here: logins.update({name: self._login(value, here, name.upper())})

        self._each(args, path, {
            "address": self._text_into(found, "address"),
            "auth": keep("master"),
            "slave_auth": keep("slaves"),
            "slave_name_regexp": self._not_needed(_DISCOVERY),
            "slave_direct_ssh": self._not_needed("hosts are always reached by ssh, over a jump where one is said"),
            "get_ips_cmd": self._not_needed(_DISCOVERY),
            "serial": self._not_needed("faults are injected into all hosts at once"),
        })  # fmt: skip
        self.login = logins.get("slaves") or logins.get("master")
        if "address" in found:
            self.hosts[found["address"]] = Host(found["address"], login=logins.get("master"))
            self._say("became", path, args, f"host {found['address']}")
        self._say(
            "not needed", path, args, "services that the driver saltcloud brings are in no file: add those you mean"
        )

    def _node_list(self, args: Node, path: str) -> None:
        if not isinstance(args, Sequence):
            self._say("not understood", path, args, f"expected a list of nodes, got {describe(args)}")
            return
        for number, item in enumerate(args.items):
            here = f"{path}[{number}]"
            found: dict[str, str] = {}
            login: list[Login] = []
            self._each(item, here, {
                **{key: self._text_into(found, key) for key in ("ip", "mac", "fqdn", "libvirt_name")},
                "auth": lambda value, at, found=found, login=login: login.append(  # type: ignore[misc]
                    self._login(value, at, found.get("fqdn") or found.get("ip", ""))),
            })  # fmt: skip
            if "ip" not in found:
                self._say("not understood", here, item, "a node without ip")
                continue
            name = found.get("fqdn") or found["ip"]
            self.hosts.pop(found["ip"], None)  # the same host, by its address alone
            self.hosts[name] = Host(found["ip"], found.get("mac"), login[0] if login else None)
            if "libvirt_name" in found:
                self.libvirt_names[name] = found["libvirt_name"]
            self._say("became", here, item, f"host {name}")

    def _service(self, name: str, driver: str, args: Node, hosts: tuple[str, ...], path: str) -> None:
        keys = {
            "process": {"grep": "process", "start_cmd": "start", "terminate_cmd": "stop", "restart_cmd": "restart"},
            "system_service": {"grep": "process", "service_name": "unit"},
            "salt_service": {"grep": "process", "salt_service": "unit"},
        }.get(driver)
        if keys is None:
            known = ("process", "system_service", "salt_service")
            self._unknown(f"{path}.driver", args, driver, known)
            return
        found: dict[str, str] = {}
        self._each(args, f"{path}.args", {
            **{key: self._text_into(found, ours) for key, ours in keys.items()},
            "port": lambda value, here: self._port(value, here, found),
        })  # fmt: skip
        self.services[name] = HostedService(**found, hosts=hosts)
        self._say("became", path, args, f"service {name}")

    def _container(self, name: str, driver: str, args: Node, hosts: tuple[str, ...], path: str) -> None:
        if driver != "docker_container":
            self._unknown(f"{path}.driver", args, driver, ("docker_container",))
            return
        found: dict[str, str] = {}
        self._each(args, f"{path}.args", {"container_name": self._text_into(found, "container")})
        self.containers[name] = HostedContainer(found.get("container", name), hosts)
        self._say("became", path, args, f"container {name}")

    def _powers(self, node: Node, path: str) -> None:
        if not isinstance(node, Sequence):
            self._say("not understood", path, node, f"expected a list, got {describe(node)}")
            return
        for number, item in enumerate(node.items):
            self._driver(item, f"{path}[{number}]", {"ipmi": self._ipmi, "libvirt": self._libvirt})

    def _ipmi(self, args: Node, path: str) -> None:
        begun = len(self.bmcs)

        def controllers(node: Node, here: str) -> None:
            for entry in self._entries(node, here):
                found: dict[str, str] = {}
                at = f"{here}.{entry.key}"
                variable = _variable(entry.key, "BMC")
                self._each(entry.value, at, {
                    "address": self._text_into(found, "address"),
                    "username": self._text_into(found, "user"),
                    "password": self._secret_into(found, "password_variable", variable),
                })  # fmt: skip
                if "address" in found:
                    power = Power("ipmi", found["address"], found.get("user"), found.get("password_variable"))
                    self.bmcs.append((entry.key, power, at, entry.place.line))

        self._each(args, path, {"mac_to_bmc": controllers, "fqdn_to_bmc": controllers})
        # Whichever stands first in the file, os-faults looks for the MAC first.
        self.bmcs[begun:] = sorted(self.bmcs[begun:], key=lambda each: each[2].startswith(f"{path}.fqdn_to_bmc"))

    def _libvirt(self, args: Node, path: str) -> None:
        found: dict[str, str] = {}
        self._each(args, path, {"connection_uri": self._text_into(found, "uri")})
        self.libvirt = found.get("uri", "")
        self.libvirt_place = (f"{path}.connection_uri", args.place.line)
        if self.libvirt:
            self._say("became", path, args, "power of hosts by libvirt, for those that no other is said of")

    def _join_power(self) -> None:
        for key, power, path, line in self.bmcs:
            name = next((name for name, host in self.hosts.items() if key in (name, host.mac)), None)
            if name is None:
                self.remarks.append(Remark("not understood", path, line, f"no host has the name or MAC {key}"))
                continue
            if self.hosts[name].power is not None:
                self.remarks.append(Remark("not needed", path, line, f"host {name} has another controller already"))
                continue
            self.hosts[name] = msgspec.structs.replace(self.hosts[name], power=power)
            self.remarks.append(Remark("became", path, line, f"power of host {name}"))
        for name, host in self.hosts.items():
            if not self.libvirt or host.power is not None:
                continue
            power = Power("libvirt", self.libvirt, name=self.libvirt_names.get(name))
            self.hosts[name] = msgspec.structs.replace(host, power=power)
            if power.name is None:
                what = f"machines are not looked for by their MAC: say the `name` of host {name}'s power"
                self.remarks.append(Remark("not understood", *self.libvirt_place, what))

    # What sections are made of

    def _login(self, node: Node, path: str, whose: str) -> Login:
        found: dict[str, str] = {}
        become: dict[str, str] = {}
        jump: dict[str, str] = {}
        self._each(node, path, {
            "username": self._text_into(found, "user"),
            "password": self._secret_into(found, "password_variable", _variable(whose, "LOGIN")),
            "private_key_file": self._text_into(found, "key_file"),
            "become_username": self._text_into(become, "user"),
            "become_password": self._secret_into(become, "password_variable", _variable(whose, "BECOME")),
            "become_method": self._text_into(become, "method"),
            "jump": lambda value, here: self._each(value, here, {
                "host": self._text_into(jump, "address"), "username": self._text_into(jump, "user"),
                "private_key_file": self._text_into(jump, "key_file")}),
        })  # fmt: skip
        self._say("became", path, node, "login")
        login = Login(jump=Jump(**jump) if "address" in jump else None, become=Become(**become) if become else None)
        return msgspec.structs.replace(login, **found)

    def _driver(self, node: Node, path: str, drivers: Mapping[str, Handler]) -> None:
        found: dict[str, str] = {}
        args: list[Node] = []
        self._each(node, path, {
            "driver": self._text_into(found, "driver"), "args": lambda value, here: args.append(value)
        })  # fmt: skip
        name = found.get("driver", "")
        if name not in drivers:
            self._unknown(f"{path}.driver", node, name, tuple(drivers))
        elif args:
            drivers[name](args[0], f"{path}.args")

    def _each_named(self, node: Node, path: str, read: Callable[[str, str, Node, tuple[str, ...], str], None]) -> None:
        for entry in self._entries(node, path):
            here = f"{path}.{entry.key}"
            found: dict[str, str] = {}
            args: list[Node] = []
            hosts: list[str] = []
            self._each(entry.value, here, {
                "driver": self._text_into(found, "driver"),
                "args": lambda value, at, args=args: args.append(value),  # type: ignore[misc]
                "hosts": lambda value, at, hosts=hosts: self._texts_into(value, at, hosts),  # type: ignore[misc]
            })  # fmt: skip
            read(entry.key, found.get("driver", ""), args[0] if args else entry.value, tuple(hosts), here)

    def _port(self, node: Node, path: str, found: dict[str, str]) -> None:
        items = [item.text for item in node.items if isinstance(item, Scalar)] if isinstance(node, Sequence) else []
        if len(items) == 2 and items[0] in ("tcp", "udp") and items[1].isdecimal() and int(items[1]) < 2**16:
            found["port"] = f"{items[0]}/{items[1]}"
        else:
            self._say("not understood", path, node, "expected [tcp, PORT] or [udp, PORT]")


def _variable(whose: str, what: str) -> str:
    """The name of an environment variable for a secret."""
    letters = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in whose.upper())
    return f"KILONODE_{what}_{letters}".rstrip("_")
