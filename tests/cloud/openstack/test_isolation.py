"""What a project has of the newer resources is not there for another project: neither in lists nor by its id."""

from tests.cloud.openstack.harness import openstack
from tests.cloud.openstack.volume_harness import Volumes, volumes

NETWORK = "/network/v2.0"


async def test_backups_snapshots_and_transfers_of_another_project_are_not_there() -> None:
    async with volumes(stages="instant") as service:
        volume_id = await service.make()
        await service.rest()
        backup = (await service.good("POST", "/backups", {"backup": {"volume_id": volume_id}}))["backup"]["id"]
        await service.rest()
        snapshot = (await service.good("POST", "/snapshots", {"snapshot": {"volume_id": volume_id}}))["snapshot"]["id"]
        await service.rest()
        offer = (await service.good("POST", "/os-volume-transfer", {"transfer": {"volume_id": volume_id}}))["transfer"]
        other_id, other = await service.cloud.new_project("other")
        theirs = Volumes(service.cloud, other_id)
        for collection, key in (("backups", backup), ("snapshots", snapshot), ("os-volume-transfer", offer["id"])):
            listed = await theirs.good("GET", f"/{collection}", token=other)
            assert next(iter(listed.values())) == []
            assert (await theirs.ask("GET", f"/{collection}/{key}", token=other)).status == 404
            assert (await theirs.ask("DELETE", f"/{collection}/{key}", token=other)).status == 404
        assert (await theirs.ask("POST", f"/backups/{backup}/restore", {"restore": {}}, token=other)).status == 404
        from_theirs = {"volume": {"snapshot_id": snapshot}}
        assert (await theirs.ask("POST", "/volumes", from_theirs, token=other)).status == 404


async def test_pools_scopes_trunks_and_policies_of_another_project_are_not_there() -> None:
    async with openstack() as cloud:
        network = (await cloud.good("POST", f"{NETWORK}/networks", {"network": {}}, token=cloud.demo))["network"]["id"]
        port = (await cloud.good("POST", f"{NETWORK}/ports", {"port": {"network_id": network}}, token=cloud.demo))[
            "port"
        ]
        friend, _ = await cloud.new_project("friend")
        bodies = {
            "subnetpools": {"subnetpool": {"prefixes": ["10.9.0.0/16"]}},
            "address-scopes": {"address_scope": {"ip_version": 4}},
            "trunks": {"trunk": {"port_id": port["id"]}},
            "rbac-policies": {
                "rbac_policy": {
                    "object_type": "network",
                    "object_id": network,
                    "action": "access_as_shared",
                    "target_tenant": friend,
                }
            },
        }
        _, other = await cloud.new_project("other")
        for collection, body in bodies.items():
            made = await cloud.good("POST", f"{NETWORK}/{collection}", body, token=cloud.demo)
            key = next(iter(made.values()))["id"]
            assert next(iter((await cloud.good("GET", f"{NETWORK}/{collection}", token=other)).values())) == []
            assert (await cloud.ask("GET", f"{NETWORK}/{collection}/{key}", token=other)).status == 404
            assert (await cloud.ask("DELETE", f"{NETWORK}/{collection}/{key}", token=other)).status == 404
