"""A user's day with python-openstackclient, as it comes from PyPI, against the real cloud of this folder."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.commands import CommandFailed, OpenStackCommands

pytestmark = pytest.mark.processes

PATIENCE_S = 30.0


def wait_for(commands: OpenStackCommands, line: str, field: str, value: Any) -> dict[str, Any]:
    """Show something until a field has a value."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        shown: dict[str, Any] = commands.json(line)
        if shown[field] == value:
            return shown
        assert shown[field] != "ERROR" or value == "ERROR", shown
        assert time.monotonic() < deadline, shown


def test_a_token_and_the_catalog_can_be_had(admin: OpenStackCommands) -> None:
    token = admin.json("token issue")
    assert len(token["id"]) > 100
    types = {service["Type"] for service in admin.json("catalog list")}
    assert types >= {"identity", "compute", "network", "image", "placement", "block-storage"}


def test_a_thousand_hypervisors_are_listed(admin: OpenStackCommands) -> None:
    hypervisors = admin.json("hypervisor list")
    assert len(hypervisors) == 1_000
    assert {one["State"] for one in hypervisors} == {"up"}
    assert len({one["Hypervisor Hostname"] for one in hypervisors}) == 1_000
    agents = admin.json("network agent list")
    assert len([agent for agent in agents if agent["Agent Type"] == "Open vSwitch agent"]) == 1_000
    compute = admin.json("compute service list --service nova-compute")
    assert len(compute) == 1_000


def test_an_administrator_makes_a_project_with_a_user_who_sees_only_what_is_its_own(admin: OpenStackCommands) -> None:
    project = admin.json("project create --description made-by-a-test team")
    user = admin.json("user create --project team --password secret --email someone@example.org alice")
    admin.run("role add --project team --user alice member")
    names = admin.json("role assignment list --names --project team")
    assert [(one["Role"], one["User"], one["Project"]) for one in names] == [
        ("member", "alice@Default", "team@Default")
    ]
    login = "--os-username alice --os-password secret --os-project-name team"
    token = admin.json(f"{login} token issue")
    assert (token["project_id"], token["user_id"]) == (project["id"], user["id"])
    assert {one["Name"] for one in admin.json(f"{login} network list")} == {"public"}
    assert admin.json(f"{login} server list") == []
    assert [one["Name"] for one in admin.json(f"{login} image list")] == ["cirros"]
    with pytest.raises(CommandFailed, match="403"):
        admin.run(f"{login} hypervisor list")
    with pytest.raises(CommandFailed, match="401"):
        admin.run("--os-username alice --os-password wrong --os-project-name team token issue")
    admin.run("user set --disable alice")
    with pytest.raises(CommandFailed, match="401"):
        admin.run(f"{login} token issue")
    admin.run("user delete alice")
    admin.run("project delete team")


def test_images_come_and_go_with_their_data(demo: OpenStackCommands, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(range(256)) * 5_000)
    made = demo.json(f"image create --disk-format raw --container-format bare --file {source} --property a=b day")
    assert (made["status"], made["size"]) == ("active", 1_280_000)
    demo.run(f"image save --file {target} day")
    assert target.read_bytes() == source.read_bytes()
    demo.run("image set --name evening --min-ram 256 day")
    shown = demo.json("image show evening")
    assert (shown["min_ram"], shown["properties"]["a"]) == (256, "b")
    assert [one["Name"] for one in demo.json("image list --shared --long")] == ["evening"]
    demo.run("image delete evening")
    with pytest.raises(CommandFailed, match="No Image found"):
        demo.run("image show evening")


def test_a_users_day_with_networks_a_server_and_a_volume(demo: OpenStackCommands, tmp_path: Path) -> None:
    demo.run("network create day")
    demo.run("subnet create --network day --subnet-range 10.20.0.0/24 --dns-nameserver 9.9.9.9 day")
    demo.run("router create day")
    demo.run("router add subnet day day")
    demo.run("router set --external-gateway public day")
    assert demo.json("router show day")["external_gateway_info"]["external_fixed_ips"]
    demo.run("security group create web")
    demo.run("security group rule create --protocol tcp --dst-port 80:90 --remote-ip 10.0.0.0/8 web")
    assert len(demo.json("security group rule list web")) == 3
    key = tmp_path / "key.pub"
    key.write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFSnT3aDQAyGCmdEqRcEFLZqcLsYYh8dGaVXQ5vJ9a8k day@example.org\n")
    demo.run(f"keypair create --public-key {key} day")

    boot = "server create --flavor m1.tiny --image cirros --network day --key-name day --security-group web"
    server = demo.json(f"{boot} --property role=test --wait day")
    assert server["status"] == "ACTIVE"
    assert server["addresses"] == {"day": ["10.20.0.2"]} or server["addresses"]["day"][0].startswith("10.20.0.")
    assert server["key_name"] == "day"
    assert [one["Name"] for one in demo.json("server list")] == ["day"]
    port = demo.json("port list --server day")[0]
    assert port["Status"] == "ACTIVE"

    floating = demo.json("floating ip create public")["floating_ip_address"]
    demo.run(f"server add floating ip day {floating}")
    assert floating in demo.json("server show day")["addresses"]["day"]
    demo.run(f"server remove floating ip day {floating}")
    demo.run(f"floating ip delete {floating}")

    demo.run("volume create --size 3 day")
    wait_for(demo, "volume show day", "status", "available")
    demo.run("server add volume day day")
    attached = wait_for(demo, "volume show day", "status", "in-use")
    assert attached["attachments"][0]["server_id"] == server["id"]
    assert len(demo.json("server show day")["volumes_attached"]) == 1
    with pytest.raises(CommandFailed, match=r"Invalid volume|in-use|must be available|400"):
        demo.run("volume delete day")
    demo.run("server remove volume day day")
    wait_for(demo, "volume show day", "status", "available")
    demo.run("volume snapshot create --volume day day")
    wait_for(demo, "volume snapshot show day", "status", "available")
    demo.run("volume snapshot delete day")

    demo.run("server stop day")
    wait_for(demo, "server show day", "status", "SHUTOFF")
    demo.run("server start day")
    wait_for(demo, "server show day", "status", "ACTIVE")
    demo.run("server resize --flavor m1.small day")
    wait_for(demo, "server show day", "status", "VERIFY_RESIZE")
    demo.run("server resize confirm day")
    resized = wait_for(demo, "server show day", "status", "ACTIVE")
    assert resized["flavor"]["name"] == "m1.small"
    assert {one["Action"] for one in demo.json("server event list day")} >= {"create", "stop", "start", "resize"}

    demo.run("server delete --wait day")
    assert demo.json("server list") == []
    wait_for_empty(demo, "port list --network day --device-owner compute:nova")
    demo.run("volume delete day")
    demo.run("keypair delete day")
    demo.run("security group delete web")
    demo.run("router unset --external-gateway day")
    demo.run("router remove subnet day day")
    demo.run("router delete day")
    demo.run("network delete day")
    assert "day" not in {one["Name"] for one in demo.json("network list")}


def wait_for_empty(commands: OpenStackCommands, line: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while commands.json(line):
        assert time.monotonic() < deadline


def test_a_full_node_has_no_room_until_a_server_is_deleted(admin: OpenStackCommands) -> None:
    admin.run("flavor create --vcpus 1 --ram 130560 --disk 1 whole-node")
    boot = (
        "--os-compute-api-version 2.90 server create --flavor whole-node --image cirros --nic none --host compute-0007"
    )
    admin.run(f"{boot} one")
    placed = wait_for(admin, "server show one", "status", "ACTIVE")
    assert placed["OS-EXT-SRV-ATTR:host"] == "compute-0007"
    admin.run(f"{boot} two")
    refused = wait_for(admin, "server show two", "status", "ERROR")
    assert refused["fault"]["message"].startswith("No valid host was found")
    admin.run("server delete one two")
    wait_for_empty(admin, "server list")
    admin.run(f"{boot} three")
    wait_for(admin, "server show three", "status", "ACTIVE")
    admin.run("server delete three")
    admin.run("flavor delete whole-node")


def test_limits_and_quotas_are_shown_and_set(admin: OpenStackCommands) -> None:
    shown = {one["Resource"]: one["Limit"] for one in admin.json("quota show demo")}
    assert {"instances", "networks", "volumes"} <= set(shown)
    admin.run("quota set --networks 7 --instances 9 --volumes 5 demo")
    changed = {one["Resource"]: one["Limit"] for one in admin.json("quota show demo")}
    assert (changed["networks"], changed["instances"], changed["volumes"]) == (7, 9, 5)
    admin.run("quota set --networks -1 --instances -1 --volumes -1 demo")
    assert admin.json("limits show --absolute")


def test_a_mistake_is_told_in_the_services_words(demo: OpenStackCommands) -> None:
    for line, words in (
        ("server show there-is-none", "No Server found"),
        ("network show there-is-none", "No Network found"),
        ("volume show there-is-none", "No Volume found"),
        ("server create --flavor m1.tiny --image there-is-none x", "No Image found"),
        ("network create --share x", "403"),
        ("server create --flavor m1.xxl --image cirros x", "No Flavor found"),
    ):
        with pytest.raises(CommandFailed, match=words):
            demo.run(line)
