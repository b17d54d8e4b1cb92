"""os-faults' configuration files: what they become, and that no key is passed over."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.faults.hosts import (
    Become,
    Host,
    HostedContainer,
    HostedService,
    Jump,
    Login,
    Power,
    plain_hosts,
    read_hosts,
)
from kilonode.faults.os_faults import Conversion, convert

WHOLE = """
cloud_management:
  driver: devstack
  args:
    address: 192.0.2.1
    auth:
      username: stack
      password: hunter2
      become_username: root
      become_password: hunter3
      become_method: sudo
      jump: {host: 192.0.2.9, username: gate, private_key_file: gate_key}
    iface: eth0
node_discover:
  driver: node_list
  args:
  - {fqdn: n1.example, ip: 192.0.2.1, mac: "aa:bb:cc:dd:ee:01", auth: {username: root, private_key_file: key}}
  - {ip: 192.0.2.2, mac: "aa:bb:cc:dd:ee:02", libvirt_name: second}
services:
  mysql:
    driver: process
    args: {grep: mysqld, port: [tcp, 3306], start_cmd: up, terminate_cmd: down, restart_cmd: again}
    hosts: [192.0.2.1]
  keystone: {driver: system_service, args: {service_name: apache2, grep: keystone}}
  nova: {driver: salt_service, args: {salt_service: nova-api, grep: nova-api}}
containers:
  neutron_api: {driver: docker_container, args: {container_name: neutron}, hosts: [192.0.2.2]}
power_managements:
- {driver: ipmi, args: {mac_to_bmc: {"aa:bb:cc:dd:ee:01": {address: 192.0.2.101, username: admin, password: hunter4}}}}
- {driver: libvirt, args: {connection_uri: "qemu:///system"}}
"""


def converted(tmp_path: Path, text: str) -> Conversion:
    file = tmp_path / "os-faults.yaml"
    file.write_text(text)
    return convert(file)


def test_every_section_becomes_what_it_means(tmp_path: Path) -> None:
    result = converted(tmp_path, WHOLE)
    hosts = result.hosts
    assert result.lost == ()
    assert hosts.login == Login(
        "stack", None, "KILONODE_LOGIN_DEVSTACK", Jump("192.0.2.9", "gate", "gate_key"),
        Become("root", "sudo", "KILONODE_BECOME_DEVSTACK"),
    )  # fmt: skip
    assert hosts.hosts == {
        "n1.example": Host("192.0.2.1", "aa:bb:cc:dd:ee:01", Login("root", "key"),
                           Power("ipmi", "192.0.2.101", "admin", "KILONODE_BMC_AA_BB_CC_DD_EE_01")),
        "192.0.2.2": Host("192.0.2.2", "aa:bb:cc:dd:ee:02", None, Power("libvirt", "qemu:///system", name="second")),
    }  # fmt: skip
    assert hosts.services == {
        "mysql": HostedService(None, "mysqld", "tcp/3306", "up", "down", "again", ("192.0.2.1",)),
        "keystone": HostedService("apache2", "keystone"),
        "nova": HostedService("nova-api", "nova-api"),
    }
    assert hosts.containers == {"neutron_api": HostedContainer("neutron", ("192.0.2.2",))}


def test_a_machine_of_libvirt_that_is_not_named_is_said_not_to_be_found(tmp_path: Path) -> None:
    result = converted(tmp_path, WHOLE.replace(", libvirt_name: second", ""))
    (lost,) = result.lost
    assert "say the `name` of host 192.0.2.2's power" in lost.words
    assert lost.line > WHOLE[: WHOLE.index("driver: libvirt")].count("\n")


def test_of_two_controllers_of_a_host_the_one_of_its_mac_is_asked_as_os_faults_does(tmp_path: Path) -> None:
    both = """fqdn_to_bmc: {n1.example: {address: 192.0.2.102, username: admin, password: x}},
          mac_to_bmc: {"aa:bb:cc:dd:ee:01\""""
    result = converted(tmp_path, WHOLE.replace('mac_to_bmc: {"aa:bb:cc:dd:ee:01"', both))
    power = result.hosts.hosts["n1.example"].power
    assert power is not None
    assert power.address == "192.0.2.101"
    assert [each.kind for each in result.remarks if each.path.endswith("fqdn_to_bmc.n1.example")] == ["not needed"]


def test_a_json_file_is_read_too_and_what_it_becomes_reads_back(tmp_path: Path) -> None:
    text = json.dumps({"cloud_management": {"driver": "universal"}, "services": {
        "x": {"driver": "process", "args": {"grep": "x"}}}})  # fmt: skip
    result = converted(tmp_path, text)
    assert result.hosts.services == {"x": HostedService(process="x")}
    for each in (result, converted(tmp_path, WHOLE)):
        file = tmp_path / "hosts.yaml"
        file.write_text(json.dumps(plain_hosts(each.hosts)))
        assert read_hosts(file) == each.hosts


def test_no_secret_is_in_what_comes_of_it(tmp_path: Path) -> None:
    assert "hunter" not in repr(converted(tmp_path, WHOLE))


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("iface:", "ifaec:"), ("username: stack", "usernam: stack"), ("fqdn: n1", "fqdm: n1"),
        ("grep: mysqld", "greb: mysqld"),
        ("hosts: [192.0.2.1]", "host: [192.0.2.1]"), ("container_name", "container"), ("mac_to_bmc", "mac_to_bcm"),
        ("connection_uri", "uri"), ("node_discover:", "nodes_discover:"), ("driver: libvirt", "driver: libvird"),
        ("driver: process", "driver: screen"), ("[tcp, 3306]", "[tcp, 99999]"), ("[tcp, 3306]", "3306"),
        ("{username: root, private_key_file: key}", "root"), ("ip: 192.0.2.1,", "address: 192.0.2.1,"),
        ('"aa:bb:cc:dd:ee:01": {address', '"aa:bb:cc:dd:ee:09": {address'),
    ],
)  # fmt: skip
def test_what_is_written_wrong_is_said_with_its_line(tmp_path: Path, wrong: str, right: str) -> None:
    assert wrong in WHOLE
    result = converted(tmp_path, WHOLE.replace(wrong, right, 1))
    line = WHOLE[: WHOLE.index(wrong)].count("\n") + 1
    assert result.lost
    assert min(abs(remark.line - line) for remark in result.lost) <= 3


@pytest.mark.parametrize("text", ["a: 1", "[]", "x", "", "a: [", "cloud_management: 1: 2"])
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError):
        converted(tmp_path, text)


def test_a_hosts_file_with_a_mistake_is_refused_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "hosts.yaml"
    file.write_text("hosts:\n  a: {adress: 192.0.2.1}\n")
    with pytest.raises(InputError, match=r"hosts.yaml:2:7: hosts.a.adress"):
        read_hosts(file)


KEYS = ["driver", "args", "auth", "hosts", "ip", "port", "jump", "x"]
SECTIONS = ["cloud_management", "node_discover", "services", "containers", "power_managements"]
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(st.characters(codec="ascii"), max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["driver", "args", "auth", "hosts", "ip", "port", "jump", "x"]), inner, max_size=4
        ),
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(SECTIONS), plain, min_size=1))
def test_any_shape_of_file_is_read_with_remarks_or_refused(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_text(json.dumps(value))
    try:
        result = convert(file)
    except InputError:
        return
    file.write_text(json.dumps(plain_hosts(result.hosts)))
    assert read_hosts(file) == result.hosts


DRIVERS = ["devstack", "saltcloud", "universal", "node_list", "process", "ipmi", "libvirt", "docker_container"]


@given(st.sampled_from(DRIVERS), plain)
def test_any_arguments_of_any_driver_are_read_with_remarks(
    tmp_path_factory: pytest.TempPathFactory, driver: str, args: object
) -> None:
    one = {"driver": driver, "args": args}
    value = {"cloud_management": one, "node_discover": one, "services": {"s": one}, "containers": {"c": one},
             "power_managements": [one]}  # fmt: skip
    file = tmp_path_factory.getbasetemp() / "any-driver.json"
    file.write_text(json.dumps(value))
    assert convert(file).remarks
