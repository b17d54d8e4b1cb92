"""What is made of volumes: backups, transfers to other projects, images, and what is let go of and taken back."""

from typing import Any

from tests.cloud.openstack.volume_harness import Volumes, volumes


async def _at_rest(service: Volumes, **wanted: Any) -> str:
    volume_id = await service.make(**wanted)
    await service.rest()
    return volume_id


async def test_a_backup_outlives_its_volume_and_is_restored_to_a_new_one_with_its_metadata() -> None:
    async with volumes() as service:
        volume_id = await _at_rest(service, size=2, metadata={"kept": "yes"})
        made = (await service.good("POST", "/backups", {"backup": {"volume_id": volume_id, "name": "b"}}))["backup"]
        assert await service.status(volume_id) == "backing-up"
        await service.rest()
        assert await service.status(volume_id) == "available"
        assert (await service.good("GET", f"/backups/{made['id']}"))["backup"]["status"] == "available"
        await service.good("DELETE", f"/volumes/{volume_id}")
        await service.rest()
        restored = (await service.good("POST", f"/backups/{made['id']}/restore", {"restore": {}}))["restore"]
        assert (await service.good("GET", f"/backups/{made['id']}"))["backup"]["status"] == "restoring"
        await service.rest()
        volume = (await service.good("GET", f"/volumes/{restored['volume_id']}"))["volume"]
        assert (volume["status"], volume["size"], volume["metadata"]) == ("available", 2, {"kept": "yes"})
        assert (await service.good("GET", f"/backups/{made['id']}"))["backup"]["status"] == "available"


async def test_a_backup_that_another_adds_to_is_not_deleted() -> None:
    async with volumes() as service:
        volume_id = await _at_rest(service)
        first = (await service.good("POST", "/backups", {"backup": {"volume_id": volume_id}}))["backup"]["id"]
        await service.rest()
        wanted = {"volume_id": volume_id, "incremental": True}
        second = (await service.good("POST", "/backups", {"backup": wanted}))["backup"]["id"]
        await service.rest()
        assert (await service.good("GET", f"/backups/{first}"))["backup"]["has_dependent_backups"] is True
        assert (await service.good("GET", f"/backups/{second}"))["backup"]["is_incremental"] is True
        assert (await service.ask("DELETE", f"/backups/{first}")).status == 400
        await service.good("DELETE", f"/backups/{second}")
        await service.rest()
        assert (await service.ask("DELETE", f"/backups/{first}")).status == 202


async def test_a_volume_goes_to_whoever_has_the_key_of_its_transfer_and_to_nobody_else() -> None:
    async with volumes() as service:
        volume_id = await _at_rest(service)
        made = (await service.good("POST", "/os-volume-transfer", {"transfer": {"volume_id": volume_id}}))["transfer"]
        assert await service.status(volume_id) == "awaiting-transfer"
        assert "auth_key" not in (await service.good("GET", f"/os-volume-transfer/{made['id']}"))["transfer"]
        other_id, other = await service.cloud.new_project("other")
        theirs = Volumes(service.cloud, other_id)
        place = f"/os-volume-transfer/{made['id']}/accept"
        wrong = await theirs.ask("POST", place, {"accept": {"auth_key": "0" * 16}}, token=other)
        assert wrong.status == 400
        await theirs.good("POST", place, {"accept": {"auth_key": made["auth_key"]}}, token=other)
        assert (await theirs.good("GET", f"/volumes/{volume_id}", token=other))["volume"]["status"] == "available"
        assert (await service.ask("GET", f"/volumes/{volume_id}")).status == 404
        again = await theirs.ask("POST", place, {"accept": {"auth_key": made["auth_key"]}}, token=other)
        assert again.status == 404


async def test_a_withdrawn_transfer_leaves_the_volume_available() -> None:
    async with volumes() as service:
        volume_id = await _at_rest(service)
        made = (await service.good("POST", "/os-volume-transfer", {"transfer": {"volume_id": volume_id}}))["transfer"]
        await service.good("DELETE", f"/os-volume-transfer/{made['id']}")
        assert await service.status(volume_id) == "available"


async def test_a_volume_is_uploaded_to_an_image_that_is_active_when_the_upload_ends() -> None:
    async with volumes() as service:
        volume_id = await _at_rest(service)
        action = {"os-volume_upload_image": {"image_name": "of-volume", "disk_format": "raw"}}
        made = (await service.good("POST", f"/volumes/{volume_id}/action", action))["os-volume_upload_image"]
        place = f"/image/v2/images/{made['image_id']}"
        assert (await service.cloud.good("GET", place, token=service.cloud.demo))["status"] == "queued"
        assert await service.status(volume_id) == "uploading"
        await service.rest()
        image = await service.cloud.good("GET", place, token=service.cloud.demo)
        assert (image["status"], image["disk_format"], image["size"]) == ("active", "raw", 2**30)
        assert await service.status(volume_id) == "available"


async def test_what_is_let_go_of_stays_on_the_backend_and_can_be_taken_back_once() -> None:
    async with volumes() as service:
        volume_id = await _at_rest(service, size=3)
        cloud = service.cloud
        admin = (await cloud.good("GET", "/identity/v3/projects?name=admin"))["projects"][0]["id"]
        place = f"/volume/v3/{admin}"
        refused = await service.ask("POST", f"/volumes/{volume_id}/action", {"os-unmanage": {}})
        assert refused.status == 403
        await cloud.good("POST", f"{place}/volumes/{volume_id}/action", {"os-unmanage": {}})
        assert (await service.ask("GET", f"/volumes/{volume_id}")).status == 404
        wanted = {"host": "kilonode@lvmdriver-1#lvmdriver-1", "ref": {"source-name": f"volume-{volume_id}"}}
        managed = (await cloud.good("POST", f"{place}/os-volume-manage", {"volume": wanted}))["volume"]
        assert managed["size"] == 3
        assert (await cloud.ask("POST", f"{place}/os-volume-manage", {"volume": wanted})).status == 400


async def test_a_status_set_by_hand_stays_until_it_is_set_again() -> None:
    async with volumes() as service:
        volume_id = await _at_rest(service)
        cloud = service.cloud
        admin = (await cloud.good("GET", "/identity/v3/projects?name=admin"))["projects"][0]["id"]
        action = {"os-reset_status": {"status": "creating"}}
        await cloud.good("POST", f"/volume/v3/{admin}/volumes/{volume_id}/action", action)
        await service.rest()
        assert await service.status(volume_id) == "creating"


async def test_metadata_of_volumes_and_snapshots_is_added_to_replaced_and_taken_by_item() -> None:
    async with volumes() as service:
        volume_id = await _at_rest(service, metadata={"a": "1"})
        snapshot = (await service.good("POST", "/snapshots", {"snapshot": {"volume_id": volume_id}}))["snapshot"]["id"]
        for place in (f"/volumes/{volume_id}/metadata", f"/snapshots/{snapshot}/metadata"):
            await service.good("POST", place, {"metadata": {"b": "2"}})
            assert (await service.good("GET", f"{place}/b"))["meta"] == {"b": "2"}
            await service.good("PUT", f"{place}/b", {"meta": {"b": "3"}})
            assert (await service.ask("PUT", f"{place}/b", {"meta": {"c": "3"}})).status == 400
            await service.good("PUT", place, {"metadata": {"only": "this"}})
            assert (await service.good("GET", place))["metadata"] == {"only": "this"}
            await service.good("DELETE", f"{place}/only")
            assert (await service.ask("DELETE", f"{place}/only")).status == 404


async def test_a_volume_of_a_type_that_no_backend_serves_fails_and_its_owner_is_told() -> None:
    async with volumes() as service:
        cloud = service.cloud
        admin = (await cloud.good("GET", "/identity/v3/projects?name=admin"))["projects"][0]["id"]
        kind = {"name": "elsewhere", "extra_specs": {"vendor_name": "Nobody"}}
        await cloud.good("POST", f"/volume/v3/{admin}/types", {"volume_type": kind})
        volume_id = await _at_rest(service, volume_type="elsewhere")
        assert await service.status(volume_id) == "error"
        messages = (await service.good("GET", "/messages", headers=[("openstack-api-version", "volume 3.3")]))[
            "messages"
        ]
        assert [message["resource_uuid"] for message in messages] == [volume_id]
