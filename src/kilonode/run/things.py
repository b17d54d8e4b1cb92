"""From what a service lists to the records of an inventory. What an answer leaves out stays empty."""

from typing import Any, Final

from kilonode.check.inventory import DISK_GB, MEMORY_MB, VCPU, Thing

_MIB_PER_GIB: Final = 1024


def thing_of(kind: str, item: dict[str, Any]) -> Thing:
    """One resource of a kind (a name out of `kilonode.run.leftovers.KINDS`) as its service lists it."""
    if kind == "keypair":  # it has no other id
        name = str(item["keypair"]["name"])
        return Thing(kind=kind, id=name, name=name)
    project_id = str(item.get("project_id") or item.get("tenant_id") or item.get("owner") or "")
    identity, status = str(item["id"]), str(item.get("status") or "")
    name = str(item.get("name") or "")
    match kind:
        case "server":
            return Thing(
                kind=kind,
                id=identity,
                name=name,
                project_id=project_id,
                status=status,
                task=str(item.get("OS-EXT-STS:task_state") or ""),
                flavor=str((item.get("flavor") or {}).get("original_name") or ""),
                amount=_amount(item.get("flavor") or {}, from_image=bool(item.get("image"))),
                node=str(item.get("OS-EXT-SRV-ATTR:hypervisor_hostname") or ""),
            )
        case "snapshot":
            return Thing(
                kind=kind,
                id=identity,
                name=name,
                project_id=str(item.get("os-extended-snapshot-attributes:project_id") or project_id),
                status=status,
                size_gib=int(item.get("size") or 0),
                holds=(str(item.get("volume_id") or ""),),
            )
        case "volume":
            attachments = item.get("attachments") or ()
            return Thing(
                kind=kind,
                id=identity,
                name=name,
                project_id=str(item.get("os-vol-tenant-attr:tenant_id") or project_id),
                status=status,
                size_gib=int(item.get("size") or 0),
                holds=tuple(str(one["server_id"]) for one in attachments if one.get("server_id")),
            )
        case "port":
            network_id = str(item.get("network_id") or "")
            holder = str(item.get("device_owner") or "")
            device = str(item.get("device_id") or "")
            return Thing(
                kind=kind,
                id=identity,
                name=name,
                project_id=project_id,
                status=status,
                network_id=network_id,
                holder=holder,
                holds=(device,) if device else (),
                addresses=tuple(f"{network_id} {one['ip_address']}" for one in item.get("fixed_ips") or ()),
            )
        case "floating_ip":
            port = str(item.get("port_id") or "")
            address = f"{item.get('floating_network_id')} {item.get('floating_ip_address')}"
            return Thing(
                kind=kind,
                id=identity,
                name=str(item.get("description") or ""),
                project_id=project_id,
                status=status,
                holds=(port,) if port else (),
                addresses=(address,),
            )
        case "subnet":
            network_id = str(item.get("network_id") or "")
            return Thing(kind=kind, id=identity, name=name, project_id=project_id, network_id=network_id)
    return Thing(kind=kind, id=identity, name=name, project_id=project_id, status=status)


def _amount(flavor: dict[str, Any], *, from_image: bool) -> dict[str, int]:
    """What a server of this flavor takes of its node; a disk that is a volume takes nothing there."""
    disk_gb = int(flavor.get("disk") or 0) if from_image else 0
    disk_gb += int(flavor.get("ephemeral") or 0) + -(-int(flavor.get("swap") or 0) // _MIB_PER_GIB)
    amount = {VCPU: int(flavor.get("vcpus") or 0), MEMORY_MB: int(flavor.get("ram") or 0), DISK_GB: disk_gb}
    return {name: value for name, value in amount.items() if value}
