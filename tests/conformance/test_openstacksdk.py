"""The emulated cloud through openstacksdk, as it comes from PyPI: its proxies and its cloud layer."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest
from openstack.config import OpenStackConfig

from kilonode.cloud.launch import CloudStatus
from tests.conformance.conftest import NAME

pytestmark = [pytest.mark.processes, pytest.mark.filterwarnings("ignore")]

QUICKLY = {"interval": 0.2, "wait": 30}


def connect(running_cloud: CloudStatus, name: str) -> Any:
    config = OpenStackConfig(config_files=[running_cloud.clouds_file], load_envvars=False)
    return openstack.connection.Connection(config=config.get_one(cloud=name))


@pytest.fixture(scope="module")
def admin(running_cloud: CloudStatus) -> Iterator[Any]:
    connection = connect(running_cloud, NAME)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def demo(running_cloud: CloudStatus) -> Iterator[Any]:
    connection = connect(running_cloud, f"{NAME}-demo")
    yield connection
    connection.close()


def test_every_service_is_found_and_tells_its_versions(admin: Any) -> None:
    for service, version in (
        ("identity", (3,)),
        ("compute", (2, 1)),
        ("network", (2, 0)),
        ("image", (2,)),
        ("block_storage", (3, 0)),
        ("placement", (1, 0)),
    ):
        endpoint = getattr(admin, service).get_endpoint_data()
        assert endpoint.api_version[: len(version)] == version, service
    assert admin.compute.get_endpoint_data().max_microversion >= (2, 90)


def test_projects_users_and_roles(admin: Any) -> None:
    project = admin.identity.create_project(name="sdk", description="of a test")
    user = admin.identity.create_user(name="sdk", password="secret", default_project_id=project.id)
    role = admin.identity.find_role("member")
    project.assign_role_to_user(admin.identity, user, role, inherited=False)
    assert project.validate_user_has_role(admin.identity, user, role, inherited=False)
    assigned = list(admin.identity.role_assignments(user_id=user.id))
    assert [one.scope["project"]["id"] for one in assigned] == [project.id]
    user = admin.identity.update_user(user, email="someone@example.org")
    assert admin.identity.get_user(user).email == "someone@example.org"
    credential = admin.identity.create_application_credential(
        user=admin.current_user_id, name="robot", roles=[{"name": "reader"}]
    )
    assert credential.secret
    by_credential = openstack.connect(
        auth_type="v3applicationcredential",
        auth={
            "auth_url": admin.config.get_auth_args()["auth_url"],
            "application_credential_id": credential.id,
            "application_credential_secret": credential.secret,
        },
        region_name="RegionOne",
        load_envvars=False,
        load_yaml_config=False,
    )
    assert by_credential.current_project_id == admin.current_project_id
    by_credential.close()
    admin.identity.delete_application_credential(admin.current_user_id, credential)
    admin.identity.delete_user(user)
    admin.identity.delete_project(project)
    assert admin.identity.find_project("sdk") is None


def test_an_image_with_data(demo: Any, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    source = tmp_path / "data"
    source.write_bytes(data)
    image = demo.create_image("sdk", filename=str(source), disk_format="raw", container_format="bare", wait=True,
                              colour="red")  # fmt: skip
    assert (image.status, image.size) == ("active", len(data))
    assert image.hash_value == hashlib.sha512(data).hexdigest()
    assert demo.image.download_image(image).content == data
    # The SDK's own change takes away `stores`, which it does not know, and Glance 32 refuses that as well (409).
    changes = [
        {"op": "replace", "path": "/name", "value": "sdk2"},
        {"op": "replace", "path": "/colour", "value": "blue"},
    ]
    headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    assert demo.image.patch(f"/images/{image.id}", json=changes, headers=headers).status_code == 200
    changed = demo.image.get_image(image.id)
    assert (changed.name, changed.properties["colour"]) == ("sdk2", "blue")
    assert [one.name for one in demo.image.images(owner=demo.current_project_id)] == ["sdk2"]
    demo.image.delete_image(image, ignore_missing=False)
    assert demo.image.find_image("sdk2") is None


def test_networks_are_paged_filtered_and_tagged(demo: Any) -> None:
    made = [demo.network.create_network(name=f"sdk-{number}", description="sdk") for number in range(5)]
    listed = list(demo.network.networks(description="sdk", limit=2))
    assert [one.name for one in listed] == [one.name for one in made]
    demo.network.set_tags(made[0], ["one"])
    assert [one.id for one in demo.network.networks(tags="one")] == [made[0].id]
    for network in made:
        demo.network.delete_network(network, ignore_missing=False)
    with pytest.raises(openstack.exceptions.NotFoundException):
        demo.network.get_network(made[0].id)


def test_a_server_with_network_floating_ip_and_volume(demo: Any) -> None:
    network = demo.network.create_network(name="sdk")
    subnet = demo.network.create_subnet(network_id=network.id, cidr="10.30.0.0/24", ip_version=4, name="sdk")
    public = demo.network.find_network("public", ignore_missing=False)
    router = demo.network.create_router(name="sdk", external_gateway_info={"network_id": public.id})
    demo.network.add_interface_to_router(router, subnet_id=subnet.id)
    group = demo.network.create_security_group(name="sdk")
    demo.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", protocol="tcp", port_range_min=22, port_range_max=22
    )
    port = demo.network.create_port(network_id=network.id, security_groups=[group.id], name="sdk")
    keypair = demo.compute.create_keypair(name="sdk")
    assert "PRIVATE KEY" in keypair.private_key

    server = demo.compute.create_server(
        name="sdk",
        flavor_id=demo.compute.find_flavor("m1.tiny").id,
        image_id=demo.image.find_image("cirros").id,
        networks=[{"port": port.id}],
        key_name="sdk",
        metadata={"of": "sdk"},
    )
    server = demo.compute.wait_for_server(server, **QUICKLY)
    assert server.addresses["sdk"][0]["addr"] == port.fixed_ips[0]["ip_address"]
    assert demo.network.get_port(port).device_id == server.id

    floating = demo.network.create_ip(floating_network_id=public.id, port_id=port.id)
    assert demo.compute.get_server(server).addresses["sdk"][1]["addr"] == floating.floating_ip_address

    volume = demo.block_storage.create_volume(name="sdk", size=2)
    demo.block_storage.wait_for_status(volume, "available", interval=0.2, wait=30)
    demo.compute.create_volume_attachment(server, volume_id=volume.id)
    demo.block_storage.wait_for_status(volume, "in-use", interval=0.2, wait=30)
    attachments = list(demo.compute.volume_attachments(server))
    assert [one.volume_id for one in attachments] == [volume.id]
    demo.compute.delete_volume_attachment(server, volume)
    demo.block_storage.wait_for_status(volume, "available", interval=0.2, wait=30)
    demo.block_storage.delete_volume(volume, ignore_missing=False)
    demo.block_storage.wait_for_delete(volume, interval=0.2, wait=30)

    demo.compute.reboot_server(server, "SOFT")
    server = demo.compute.wait_for_server(server, **QUICKLY)
    demo.network.delete_ip(floating, ignore_missing=False)
    demo.compute.delete_server(server)
    demo.compute.wait_for_delete(server, interval=0.2, wait=30)
    assert demo.network.get_port(port).device_id == ""
    demo.network.delete_port(port, ignore_missing=False)
    demo.network.remove_interface_from_router(router, subnet_id=subnet.id)
    demo.network.delete_router(router, ignore_missing=False)
    demo.network.delete_network(network, ignore_missing=False)
    demo.network.delete_security_group(group, ignore_missing=False)
    demo.compute.delete_keypair("sdk", ignore_missing=False)


def test_the_cloud_layer_boots_and_deletes(demo: Any) -> None:
    server = demo.create_server("layer", image="cirros", flavor="m1.tiny", network="private", auto_ip=False, wait=True,
                                timeout=60)  # fmt: skip
    assert server.status == "ACTIVE"
    assert server.private_v4.startswith("10.0.")
    assert demo.delete_server("layer", wait=True)


def test_administrators_see_nodes_quotas_and_allocations(admin: Any) -> None:
    hypervisors = list(admin.compute.hypervisors(details=True))
    assert len(hypervisors) == 1_000
    assert {one.state for one in hypervisors} == {"up"}
    quotas = admin.network.get_quota(admin.current_project_id, details=True)
    assert quotas.networks["used"] >= 1
    providers = list(admin.placement.resource_providers())
    assert len(providers) == 1_000
