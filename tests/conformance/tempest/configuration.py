"""Tempest's configuration for one cloud: tempest.ini, and what only the running cloud knows.

Tempest makes its own projects and users with the administrator's login. It wants two images and two flavors, and a type
of volumes that several servers can have; the second image and the type are made here, once for a cloud.
"""

import configparser
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import openstack
from openstack.config import OpenStackConfig

from kilonode.cloud.service_settings import IdentitySettings, ImageSettings, ImageStore, PasswordRules, ServiceSettings
from tests.conformance.tempest.image_server import IMAGE, QCOW2_IMAGE

TEMPLATE: Final = Path(__file__).with_name("tempest.ini")
STAGES: Final = str(Path(__file__).with_name("stages.yaml"))
SECOND_IMAGE: Final = "cirros-second"
MULTIATTACH_TYPE: Final = "multiattach"
LOCKOUT_FAILURES: Final = 2
LOCKOUT_S: Final = 5
UNIQUE_PASSWORDS: Final = 2
_MEBIBYTE: Final = 1024 * 1024


def service_settings(images_at: str) -> ServiceSettings:
    """How the services of a cloud for Tempest are set up: what OpenStack's own gates switch on. `images_at`: the
    address of the only files that the image service may read from the web."""
    stores = (ImageStore("cheap", weight=100), ImageStore("fast", weight=50))
    image = ImageSettings(
        stores=stores,
        fetch_from=(images_at,),
        locations=True,
        cache=True,
        second_endpoint=True,
        # Most of the tests upload random bytes as a disk of some format, and skip themselves where that is refused.
        check_formats=False,
    )
    rules = PasswordRules(
        lockout_failures=LOCKOUT_FAILURES, lockout_s=float(LOCKOUT_S), unique_last_count=UNIQUE_PASSWORDS
    )
    return ServiceSettings(image=image, identity=IdentitySettings(rules), quotas="openstack")


def write_configuration(
    workspace: Path,
    clouds_file: Path,
    cloud: str,
    images_at: str,
    more: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> Path:
    """Write `tempest.conf` into the workspace for the administrator's entry of a clouds.yaml; its path.

    `more` is what a variant says besides: section, option, value.
    """
    config = OpenStackConfig(config_files=[str(clouds_file)], load_envvars=False)
    region = config.get_one(cloud=cloud)
    login = region.get_auth_args()
    connection = openstack.connection.Connection(config=region)
    try:
        found = {
            "image_ref": connection.image.find_image("cirros", ignore_missing=False).id,
            "image_ref_alt": _second_image(connection),
            "flavor_ref": connection.compute.find_flavor("m1.nano", ignore_missing=False).id,
            "flavor_ref_alt": connection.compute.find_flavor("m1.micro", ignore_missing=False).id,
            "min_compute_nodes": str(min(len(list(connection.compute.hypervisors())), 2)),
        }
        multiattach = _multiattach_type(connection)
        public = connection.network.find_network("public", ignore_missing=False)
    finally:
        connection.close()
    told = configparser.ConfigParser(interpolation=None)
    told.read(TEMPLATE)
    _add(told, "DEFAULT", log_file=str(workspace / "tempest.log"), debug="true")
    _add(told, "oslo_concurrency", lock_path=str(workspace / "lock"))
    _add(
        told,
        "auth",
        admin_username=login["username"],
        admin_password=login["password"],
        admin_project_name=login["project_name"],
        admin_domain_name=login["user_domain_name"],
    )
    uri = login["auth_url"].rstrip("/")
    _add(told, "identity", uri_v3=uri if uri.endswith("/v3") else f"{uri}/v3", region=str(region.get_region_name()))
    _add(
        told,
        "identity",
        user_lockout_failure_attempts=str(LOCKOUT_FAILURES),
        user_lockout_duration=str(LOCKOUT_S),
        user_unique_last_password_count=str(UNIQUE_PASSWORDS),
    )
    _add(told, "compute", **found)
    _add(told, "compute", certified_image_ref=found["image_ref"], certified_image_trusted_certs="first,second")
    _add(told, "network", public_network_id=public.id, floating_network_name=public.name)
    _add(told, "volume", volume_type_multiattach=multiattach)
    _add(told, "image", http_image=f"{images_at}{IMAGE}", http_qcow2_image=f"{images_at}{QCOW2_IMAGE}")
    for section, options in more.items():
        _add(told, section, **options)
    path = workspace / "tempest.conf"
    with path.open("w") as file:
        path.chmod(0o600)
        told.write(file)
    return path


def _add(told: configparser.ConfigParser, section: str, **values: str) -> None:
    if section != "DEFAULT" and not told.has_section(section):
        told.add_section(section)
    told[section].update(values)


def _second_image(connection: Any) -> str:
    found = connection.image.find_image(SECOND_IMAGE)
    if found is None:
        found = connection.image.create_image(
            name=SECOND_IMAGE, disk_format="raw", container_format="bare", visibility="public", data=bytes(_MEBIBYTE)
        )
    image_id: str = found.id
    return image_id


def _multiattach_type(connection: Any) -> str:
    if connection.block_storage.find_type(MULTIATTACH_TYPE) is None:
        connection.block_storage.create_type(name=MULTIATTACH_TYPE, extra_specs={"multiattach": "<is> True"})
    return MULTIATTACH_TYPE
