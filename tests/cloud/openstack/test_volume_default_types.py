"""A project has a volume type of its own for volumes that name none, until an administrator takes it away."""

from tests.cloud.openstack.harness import openstack

LATEST = [("openstack-api-version", "volume 3.71")]


async def test_volumes_that_name_no_type_get_their_projects_own() -> None:
    async with openstack() as cloud:
        admin = (await cloud.log_in("admin")).body["token"]["project"]["id"]
        demo = (await cloud.log_in("demo")).body["token"]["project"]["id"]
        body = {"volume_type": {"name": "gold"}}
        gold = (await cloud.good("POST", f"/volume/v3/{admin}/types", body))["volume_type"]["id"]
        place = f"/volume/v3/default-types/{demo}"
        wanted = {"default_type": {"volume_type": "gold"}}
        assert (await cloud.ask("GET", place, headers=LATEST)).status == 404
        assert (await cloud.ask("PUT", place, wanted, headers=LATEST, token=cloud.demo)).status == 403
        made = await cloud.good("PUT", place, wanted, headers=LATEST)
        assert made == {"default_type": {"project_id": demo, "volume_type_id": gold}}
        assert await cloud.good("GET", place, headers=LATEST) == made
        listed = await cloud.good("GET", "/volume/v3/default-types", headers=LATEST)
        assert listed == {"default_types": [made["default_type"]]}

        async def type_of_a_new_volume() -> str:
            body = {"volume": {"size": 1}}
            volume = await cloud.good("POST", f"/volume/v3/{demo}/volumes", body, token=cloud.demo)
            return str(volume["volume"]["volume_type"])

        assert await type_of_a_new_volume() == "gold"
        default = await cloud.good("GET", f"/volume/v3/{demo}/types/default", token=cloud.demo)
        assert default["volume_type"]["name"] == "gold"
        assert (await cloud.ask("DELETE", place, headers=LATEST)).status == 204
        assert await type_of_a_new_volume() != "gold"
        unknown = {"default_type": {"volume_type": "nobody"}}
        assert (await cloud.ask("PUT", place, unknown, headers=LATEST)).status == 400
        assert (await cloud.ask("PUT", f"{place}x", wanted, headers=LATEST)).status == 404


async def test_filters_of_lists_can_be_asked_for() -> None:
    async with openstack() as cloud:
        project = (await cloud.log_in("admin")).body["token"]["project"]["id"]
        place = f"/volume/v3/{project}/resource_filters"
        known = (await cloud.good("GET", place, headers=LATEST))["resource_filters"]
        assert {"status", "name", "bootable"} <= set(
            next(one["filters"] for one in known if one["resource"] == "volume")
        )
        one = (await cloud.good("GET", f"{place}?resource=group", headers=LATEST))["resource_filters"]
        assert one == [{"resource": "group", "filters": ["name", "status"]}]
