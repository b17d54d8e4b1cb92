"""What compute speaks: version 2.1 with microversions to 2.104, the newest whose changes of format are all honoured."""

from typing import Any, Final

from kilonode.cloud.openstack.compute.paging import BOOKMARK_PREFIX, PREFIX
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.microversions import Microversions
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.cloud.openstack.web.versions import Version, discovery

MICROVERSIONS: Final = Microversions(
    "compute", (2, 1), (2, 104), bounds_in_refusals=False, own_header="X-OpenStack-Nova-API-Version"
)
VERSION: Final = Version(
    id="v2.1",
    path=f"{PREFIX}/",
    updated="2013-07-23T11:33:21Z",
    media_type="application/vnd.openstack.compute+json;version=2.1",
    microversions=MICROVERSIONS,
)
OLDER: Final = Version(
    id="v2.0",
    path=f"{BOOKMARK_PREFIX}/v2/",
    updated="2011-01-21T11:33:21Z",
    status="DEPRECATED",
    media_type="application/vnd.openstack.compute+json;version=2",
)
"""What clients and tests expect to find listed first. Its routes are those of 2.1 and are served there alone."""


def no_such_operation(method: str, allowed: tuple[str, ...]) -> Fault:
    """Nova knows no method that is not allowed: nothing is there."""
    return Fault(404, "The resource could not be found.")


async def list_versions(request: Request) -> Response:
    """Both versions."""
    url = request.cloud.settings.public_url
    return reply({"versions": [_older(url), VERSION.document(url)]})


async def show_older_version(request: Request) -> Response:
    """The older version."""
    return reply({"version": _older(request.cloud.settings.public_url)})


def _older(url: str) -> dict[str, Any]:
    return {**OLDER.document(url), "version": "", "min_version": ""}


DISCOVERY: Final = (
    Route("GET", "", list_versions, Access.PUBLIC),
    Route("GET", "/v2", show_older_version, Access.PUBLIC),
    *discovery(VERSION, "/v2.1", list_status=200)[1:],
)


_EXTENSIONS: Final = {
    "NMN": "Multinic",
    "OS-DCF": "DiskConfig",
    "OS-EXT-AZ": "ExtendedAvailabilityZone",
    "OS-EXT-IMG-SIZE": "ImageSize",
    "OS-EXT-IPS": "ExtendedIps",
    "OS-EXT-IPS-MAC": "ExtendedIpsMac",
    "OS-EXT-SRV-ATTR": "ExtendedServerAttributes",
    "OS-EXT-STS": "ExtendedStatus",
    "OS-FLV-DISABLED": "FlavorDisabled",
    "OS-FLV-EXT-DATA": "FlavorExtraData",
    "OS-SCH-HNT": "SchedulerHints",
    "OS-SRV-USG": "ServerUsage",
    "os-admin-actions": "AdminActions",
    "os-aggregates": "Aggregates",
    "os-assisted-volume-snapshots": "AssistedVolumeSnapshots",
    "os-attach-interfaces": "AttachInterfaces",
    "os-availability-zone": "AvailabilityZone",
    "os-consoles": "Consoles",
    "os-create-backup": "CreateBackup",
    "os-deferred-delete": "DeferredDelete",
    "os-evacuate": "Evacuate",
    "os-extended-volumes": "ExtendedVolumes",
    "os-flavor-access": "FlavorAccess",
    "os-flavor-extra-specs": "FlavorExtraSpecs",
    "os-flavor-manage": "FlavorManage",
    "os-flavor-rxtx": "FlavorRxtx",
    "os-flavor-swap": "FlavorSwap",
    "os-floating-ip-pools": "FloatingIpPools",
    "os-floating-ips": "FloatingIps",
    "os-hosts": "Hosts",
    "os-hypervisors": "Hypervisors",
    "os-instance-actions": "InstanceActions",
    "os-instance_usage_audit_log": "OSInstanceUsageAuditLog",
    "os-keypairs": "Keypairs",
    "os-migrations": "Migrations",
    "os-multiple-create": "MultipleCreate",
    "os-networks": "Networks",
    "os-quota-class-sets": "QuotaClasses",
    "os-quota-sets": "Quotas",
    "os-rescue": "Rescue",
    "os-security-groups": "SecurityGroups",
    "os-server-diagnostics": "ServerDiagnostics",
    "os-server-external-events": "ServerExternalEvents",
    "os-server-groups": "ServerGroups",
    "os-server-password": "ServerPassword",
    "os-services": "Services",
    "os-shelve": "Shelve",
    "os-simple-tenant-usage": "SimpleTenantUsage",
    "os-tenant-networks": "TenantNetworks",
    "os-used-limits": "UsedLimits",
    "os-user-data": "UserData",
    "os-virtual-interfaces": "VirtualInterfaces",
    "os-volumes": "Volumes",
}
"""Alias and name of what were extensions once."""


async def list_extensions(request: Request) -> Response:
    """Extensions are part of 2.1; the list is kept for clients that look."""
    return reply({"extensions": [_extension(alias) for alias in _EXTENSIONS]}, items=len(_EXTENSIONS))


async def show_extension(request: Request) -> Response:
    """One extension."""
    alias = request.params["alias"]
    if alias not in _EXTENSIONS:
        raise Fault(404, f"Extension {alias} could not be found.")
    return reply({"extension": _extension(alias)})


def _extension(alias: str) -> dict[str, Any]:
    name = _EXTENSIONS[alias]
    return {
        "alias": alias,
        "name": name,
        "description": f"{name} support.",
        "links": [],
        "namespace": "http://docs.openstack.org/compute/ext/fake_xml",
        "updated": "2014-12-03T00:00:00Z",
    }
