"""What a server asks of its node besides room, as a scheduler's request: from its flavor, image, project and hints.

Traits (`trait:NAME` of flavor and image), aggregates by `aggregate_instance_extra_specs:` of the flavor and by image
properties, nodes kept for projects, the architecture of the image, and the hints `same_host`, `different_host` and
`query`. Server groups are `group_rules`'.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.openstack.compute.extra_specs import matches
from kilonode.cloud.openstack.compute.hint_queries import facts_of, holds, read_query
from kilonode.cloud.openstack.compute.labels import FOR_ALL, NodeLabels, aggregate_label, project_label
from kilonode.cloud.openstack.compute.model import SERVER, Server, ServerFlavor
from kilonode.cloud.openstack.image.model import IMAGE
from kilonode.cloud.resources import NO_USAGE, NODE, NODE_USAGE
from kilonode.cloud.scheduling import Request
from kilonode.control.mirror import Mirror

KINDS: Final = (IMAGE,)
TRAIT: Final = "trait:"
AGGREGATE_SPEC: Final = "aggregate_instance_extra_specs:"
NODE_FACTS: Final = {
    "hw_architecture": ("x86_64", "amd64", "i686", "i386"),
    "architecture": ("x86_64", "amd64", "i686", "i386"),
    "img_hv_type": ("qemu", "kvm"),
    "hypervisor_type": ("qemu", "kvm"),
    "hw_vm_mode": ("hvm",),
    "vm_mode": ("hvm",),
}
"""What the nodes are, by the image property that asks for it."""
_NOBODY: Final[frozenset[str]] = frozenset()


class Demands:
    """Makes requests."""

    def __init__(self, mirror: Mirror, labels: NodeLabels) -> None:
        self._mirror = mirror
        self._labels = labels

    def narrow(self, request: Request, server: Server, flavor: ServerFlavor) -> Request:
        """The request with everything that the server asks for."""
        image = self._mirror.get(IMAGE, server.image_id) if server.image_id else None
        properties: Mapping[str, str] = image.value.properties if image is not None else {}
        if flavor.extra_specs or properties or self._labels.restricted:
            need, refuse = self._wished(server, flavor, properties)
            if need or refuse:
                request = replace(request, need=tuple(need), refuse=frozenset(refuse))
        return self._hinted(request, server) if server.hints else request

    def _wished(
        self, server: Server, flavor: ServerFlavor, properties: Mapping[str, str]
    ) -> tuple[list[frozenset[str]], set[str]]:
        need: list[frozenset[str]] = []
        refuse: set[str] = set()
        for name, value in (*flavor.extra_specs.items(), *properties.items()):
            if name.startswith(TRAIT) and value == "required":
                need.append(frozenset({name.removeprefix(TRAIT)}))
            elif name.startswith(TRAIT) and value == "forbidden":
                refuse.add(name.removeprefix(TRAIT))
        for name, value in flavor.extra_specs.items():
            if name.startswith(AGGREGATE_SPEC):
                need.append(frozenset(self._having(name.removeprefix(AGGREGATE_SPEC), value)))
        if any(properties.get(name) not in (None, *known) for name, known in NODE_FACTS.items()):
            need.append(_NOBODY)
        if properties:
            refuse.update(self._isolated(properties))
        if self._labels.restricted:
            need.append(frozenset({FOR_ALL, project_label(server.project_id)}))
        return need, refuse

    def _having(self, name: str, wanted: str) -> Iterator[str]:
        """The aggregates whose metadata is as an extra spec wants it."""
        for aggregate in self._labels.all_aggregates():
            value = aggregate.metadata.get(name)
            if value is not None and any(matches(one.strip(), wanted) for one in value.split(",")):
                yield aggregate_label(aggregate)

    def _isolated(self, properties: Mapping[str, str]) -> Iterator[str]:
        """The aggregates that are for images with another value of a property."""
        for aggregate in self._labels.all_aggregates():
            for name, value in aggregate.metadata.items():
                wanted = properties.get(name)
                if wanted is not None and wanted not in [one.strip() for one in value.split(",")]:
                    yield aggregate_label(aggregate)

    def _hinted(self, request: Request, server: Server) -> Request:
        same, different = server.hints.get("same_host"), server.hints.get("different_host")
        if same:
            request = _only(request, self._nodes_of(same))
        if different:
            request = replace(request, avoid=request.avoid + tuple(sorted(self._nodes_of(different))))
        if "query" in server.hints:
            request = _only(request, self._matching(server.hints["query"]))
        return request

    def _nodes_of(self, hint: Any) -> set[str]:
        """The nodes of servers that a hint names, one or several."""
        keys = [key for key in (hint if isinstance(hint, list) else [hint]) if isinstance(key, str)]
        entries = (self._mirror.get(SERVER, key) for key in keys)
        return {entry.value.node for entry in entries if entry is not None and entry.value.node}

    def _matching(self, hint: Any) -> set[str]:
        condition = read_query(hint)
        found = set()
        for name, entry in self._mirror.all(NODE).items():
            usage = self._mirror.get(NODE_USAGE, name)
            if holds(condition, facts_of(entry.value, usage.value if usage is not None else NO_USAGE)):
                found.add(name)
        return found


def _only(request: Request, names: set[str]) -> Request:
    """The request narrowed to some nodes."""
    allowed = names if request.only is None else names & set(request.only)
    return replace(request, only=tuple(sorted(allowed)))
