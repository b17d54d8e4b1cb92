"""The emulated OpenStack as one ASGI application: all its services, with the identity service at the door.

Importing it registers the kinds of all services' documents.
"""

from typing import Final

from kilonode.base.errors import InputError, nearest
from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.compute.routes import COMPUTE
from kilonode.cloud.openstack.identity.authority import Authority
from kilonode.cloud.openstack.identity.service import IDENTITY
from kilonode.cloud.openstack.image.data import ImageData
from kilonode.cloud.openstack.image.model import IMAGE
from kilonode.cloud.openstack.image.resuming import resume_imports
from kilonode.cloud.openstack.image.service import IMAGE_SERVICE, SECOND_IMAGE_SERVICE
from kilonode.cloud.openstack.network.service import NETWORK_SERVICE
from kilonode.cloud.openstack.placement.routes import PLACEMENT
from kilonode.cloud.openstack.volume.service import VOLUME_SERVICE
from kilonode.cloud.openstack.web.application import Application
from kilonode.cloud.openstack.web.service import ServiceApp
from kilonode.cloud.seed import seed

SERVICES: Final[tuple[ServiceApp, ...]] = (IDENTITY, COMPUTE, PLACEMENT, IMAGE_SERVICE, NETWORK_SERVICE, VOLUME_SERVICE)
"""Every service of a catalog that nobody asked more of."""


def operations() -> tuple[str, ...]:
    """Every operation of every service that a cloud may have, as stage profiles name them."""
    return tuple(dict.fromkeys(name for service in (*SERVICES, SECOND_IMAGE_SERVICE) for name in service.operations()))


def services(cloud: Cloud) -> tuple[ServiceApp, ...]:
    """Every service of this cloud."""
    return (*SERVICES, SECOND_IMAGE_SERVICE) if cloud.settings.services.image.second_endpoint else SERVICES


def application(cloud: Cloud, *, with_stages: bool = True) -> Application:
    """The application over a view of the cloud that mirrors all kinds; without stages all of it is quick and well.

    Raises InputError when the stage profile gives a service time to an operation that no service has.
    """
    served = services(cloud)
    operations = {name for service in served for name in service.operations()}
    for name in cloud.profile.services:
        if name not in operations:
            raise InputError(
                "the stage profile gives a service time to an operation that there is not",
                where=f"{cloud.profile.name}: services",
                got=name,
                hint=nearest(name, operations),
            )
    service_times = cloud.profile.services if with_stages else {}
    return Application(cloud, served, cloud.part(Authority).caller, service_times)


async def open_application(cloud: Cloud) -> Application:
    """The same, after giving a new cloud its first contents."""
    await seed(cloud)
    data = cloud.part(ImageData)
    found = data.found()
    await cloud.mirror.catch_up()  # now all images that the files were of are known
    data.sweep(found, lambda image_id: cloud.mirror.get(IMAGE, image_id) is not None)
    resume_imports(cloud)
    return application(cloud)
