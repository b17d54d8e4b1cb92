"""Kinds of volumes and of groups: who may use them, what belongs to them, and what is made of them."""

from typing import Any

from tests.cloud.openstack.volume_harness import Volumes, volumes

GROUPS = [("openstack-api-version", "volume 3.20")]


async def _admin_place(service: Volumes) -> str:
    projects = (await service.cloud.good("GET", "/identity/v3/projects?name=admin"))["projects"]
    return f"/volume/v3/{projects[0]['id']}"


async def test_a_private_type_is_there_for_the_projects_it_is_given_to() -> None:
    async with volumes() as service:
        place, cloud = await _admin_place(service), service.cloud
        wanted = {"name": "private", "os-volume-type-access:is_public": False}
        made = (await cloud.good("POST", f"{place}/types", {"volume_type": wanted}))["volume_type"]
        assert (await service.ask("GET", f"/types/{made['id']}")).status == 404
        volume = {"volume": {"size": 1, "volume_type": "private"}}
        assert (await service.ask("POST", "/volumes", volume)).status == 404
        project = service.place.rpartition("/")[2]
        action = f"{place}/types/{made['id']}/action"
        await cloud.good("POST", action, {"addProjectAccess": {"project": project}})
        assert (await cloud.ask("POST", action, {"addProjectAccess": {"project": project}})).status == 409
        assert (await service.ask("POST", "/volumes", volume)).status == 202
        await cloud.good("POST", action, {"removeProjectAccess": {"project": project}})
        assert (await service.ask("GET", f"/types/{made['id']}")).status == 404


async def test_a_type_is_encrypted_until_it_is_not_and_its_volumes_say_so() -> None:
    async with volumes() as service:
        place, cloud = await _admin_place(service), service.cloud
        made = (await cloud.good("POST", f"{place}/types", {"volume_type": {"name": "safe"}}))["volume_type"]["id"]
        wanted = {"provider": "luks", "control_location": "front-end", "key_size": 256}
        where = f"{place}/types/{made}/encryption"
        assert await cloud.good("GET", where) == {}
        encryption = (await cloud.good("POST", where, {"encryption": wanted}))["encryption"]
        assert (await cloud.ask("POST", where, {"encryption": wanted})).status == 409
        assert (await cloud.good("GET", f"{where}/key_size")) == {"key_size": 256}
        volume_id = await service.make(volume_type="safe")
        assert (await service.good("GET", f"/volumes/{volume_id}"))["volume"]["encrypted"] is True
        gone = f"{where}/{encryption['encryption_id']}"
        assert (await cloud.ask("DELETE", gone)).status == 400, "a volume is of this type"
        await service.rest()
        await service.good("DELETE", f"/volumes/{volume_id}")
        await service.rest()
        assert (await cloud.ask("DELETE", gone)).status == 202


async def test_a_retyped_volume_is_what_its_new_type_says() -> None:
    async with volumes() as service:
        place, cloud = await _admin_place(service), service.cloud
        wanted = {"name": "many", "extra_specs": {"multiattach": "<is> True"}}
        await cloud.good("POST", f"{place}/types", {"volume_type": wanted})
        volume_id = await service.make()
        await service.rest()
        await service.good("POST", f"/volumes/{volume_id}/action", {"os-retype": {"new_type": "many"}})
        assert await service.status(volume_id) == "retyping"
        await service.rest()
        volume = (await service.good("GET", f"/volumes/{volume_id}"))["volume"]
        assert (volume["status"], volume["volume_type"], volume["multiattach"]) == ("available", "many", True)
        again = await service.ask("POST", f"/volumes/{volume_id}/action", {"os-retype": {"new_type": "many"}})
        assert again.status == 400


async def test_qualities_of_service_are_kept_while_a_type_has_them() -> None:
    async with volumes() as service:
        place, cloud = await _admin_place(service), service.cloud
        kind = (await cloud.good("POST", f"{place}/types", {"volume_type": {"name": "fast"}}))["volume_type"]["id"]
        wanted = {"name": "fast", "consumer": "front-end", "read_iops_sec": "2000"}
        qos = (await cloud.good("POST", f"{place}/qos-specs", {"qos_specs": wanted}))["qos_specs"]
        assert qos["specs"] == {"read_iops_sec": "2000"}
        await cloud.good("GET", f"{place}/qos-specs/{qos['id']}/associate?vol_type_id={kind}")
        assert (await cloud.good("GET", f"{place}/types/{kind}"))["volume_type"]["qos_specs_id"] == qos["id"]
        assert (await cloud.ask("DELETE", f"{place}/qos-specs/{qos['id']}")).status == 400
        await cloud.good("GET", f"{place}/qos-specs/{qos['id']}/disassociate_all")
        assert (await cloud.ask("DELETE", f"{place}/qos-specs/{qos['id']}")).status == 202


async def test_a_group_is_deleted_with_its_volumes_and_copied_with_them() -> None:
    async with volumes() as service:
        place, cloud = await _admin_place(service), service.cloud

        async def ask(method: str, path: str, body: Any = None) -> Any:
            return await service.good(method, path, body, headers=GROUPS)

        kind = await cloud.good("POST", f"{place}/group_types", {"group_type": {"name": "g"}}, headers=GROUPS)
        wanted = {"group_type": kind["group_type"]["id"], "volume_types": ["lvmdriver-1"], "name": "first"}
        group = (await ask("POST", "/groups", {"group": wanted}))["group"]["id"]
        await service.rest()
        made = await ask("POST", "/volumes", {"volume": {"size": 1, "group_id": group}})
        await service.rest()
        assert (await service.ask("DELETE", f"/volumes/{made['volume']['id']}")).status == 400, "it is in a group"
        shot = (await ask("POST", "/group_snapshots", {"group_snapshot": {"group_id": group}}))["group_snapshot"]["id"]
        await service.rest()
        assert len((await service.good("GET", "/snapshots"))["snapshots"]) == 1
        refused = await service.ask(
            "POST", f"/groups/{group}/action", {"delete": {"delete-volumes": True}}, headers=GROUPS
        )
        assert refused.status == 400, "it has a snapshot"
        await ask("DELETE", f"/group_snapshots/{shot}")
        await service.rest()
        assert (await service.good("GET", "/snapshots"))["snapshots"] == []
        source = {"create-from-src": {"source_group_id": group, "name": "second"}}
        copy = (await ask("POST", "/groups/action", source))["group"]["id"]
        await service.rest()
        assert len((await service.good("GET", "/volumes"))["volumes"]) == 2
        everything = {"delete": {"delete-volumes": True}}
        for one in (group, copy):
            await ask("POST", f"/groups/{one}/action", everything)
        await service.rest()
        assert (await ask("GET", "/groups"))["groups"] == []
        assert (await service.good("GET", "/volumes"))["volumes"] == []


async def test_a_limit_of_one_type_counts_the_volumes_of_that_type_alone() -> None:
    async with volumes() as service:
        place, cloud = await _admin_place(service), service.cloud
        await cloud.good("POST", f"{place}/types", {"volume_type": {"name": "few"}})
        project = service.place.rpartition("/")[2]
        await cloud.good("PUT", f"{place}/os-quota-sets/{project}", {"quota_set": {"volumes_few": 1}})
        unknown = await cloud.ask("PUT", f"{place}/os-quota-sets/{project}", {"quota_set": {"colours": 1}})
        assert unknown.status == 400
        await service.make(volume_type="few")
        assert (await service.ask("POST", "/volumes", {"volume": {"size": 1, "volume_type": "few"}})).status == 413
        await service.make()


async def test_attachments_reserve_connect_and_give_up_a_volume() -> None:
    version = [("openstack-api-version", "volume 3.44")]
    async with volumes() as service:
        volume_id = await service.make()
        await service.rest()
        wanted = {"volume_uuid": volume_id, "instance_uuid": "6b6c4b1e-0a0f-4d0e-9a0b-1f2e3d4c5b6a"}
        made = await service.good("POST", "/attachments", {"attachment": wanted}, headers=version)
        assert await service.status(volume_id) == "reserved"
        assert (await service.ask("POST", "/attachments", {"attachment": wanted}, headers=version)).status == 400
        place = f"/attachments/{made['attachment']['id']}"
        connector = {"attachment": {"connector": {"host": "compute-1", "mountpoint": "/dev/vdb"}}}
        await service.good("PUT", place, connector, headers=version)
        await service.good("POST", f"{place}/action", {"os-complete": {}}, headers=version)
        assert await service.status(volume_id) == "in-use"
        await service.good("DELETE", place, headers=version)
        await service.rest()
        assert await service.status(volume_id) == "available"
