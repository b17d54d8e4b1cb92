"""What a project may have where nobody limited it: anything, or what OpenStack's services allow by default."""

from kilonode.cloud.service_settings import ServiceSettings
from tests.cloud.openstack.harness import OpenStack, openstack


async def limits(cloud: OpenStack) -> tuple[int, int, int]:
    """Servers, routers and volumes that a project may have."""
    own, project = [
        (await cloud.good("GET", f"/identity/v3/projects?name={name}"))["projects"][0]["id"]
        for name in ("admin", "demo")
    ]
    compute = await cloud.good("GET", f"/compute/v2.1/os-quota-sets/{project}")
    network = await cloud.good("GET", f"/network/v2.0/quotas/{project}")
    volume = await cloud.good("GET", f"/volume/v3/{own}/os-quota-sets/{project}")
    return compute["quota_set"]["instances"], network["quota"]["router"], volume["quota_set"]["volumes"]


async def test_nothing_is_limited_until_somebody_says_so() -> None:
    async with openstack() as cloud:
        assert await limits(cloud) == (-1, -1, -1)


async def test_the_limits_are_openstacks_own_where_the_settings_ask_for_them_and_they_hold() -> None:
    async with openstack(services=ServiceSettings(quotas="openstack")) as cloud:
        assert await limits(cloud) == (10, 10, 10)
        defaults = await cloud.good("GET", "/network/v2.0/quotas/any/default")
        assert (defaults["quota"]["floatingip"], defaults["quota"]["subnetpool"]) == (50, -1)
        statuses = [
            (await cloud.ask("POST", "/network/v2.0/routers", {"router": {"name": f"{number}"}})).status
            for number in range(11)
        ]
        assert statuses == [201] * 10 + [409]
