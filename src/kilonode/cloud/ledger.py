"""What a batch of decisions takes from nodes and gives back, summed per node, as changes to the nodes' usage documents.

An instance's document and the usage of its node are always written in one commit, each only if nobody wrote it since it
was read. That is the whole argument for "never overbooked": no lock, no reservation that could leak.
"""

import msgspec

from kilonode.base.errors import LabError
from kilonode.cloud.resources import NO_USAGE, NODE_USAGE, NodeUsage, Resources
from kilonode.control.mirror import Mirror, Put


class Claim(msgspec.Struct, frozen=True, gc=False):
    """`amount` of a node, taken by `instances` more (or, when negative, fewer) instances."""

    node: str
    amount: Resources
    instances: int = 1


class Ledger:
    """The usage of nodes as it will be after the claims entered."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._usages: dict[str, NodeUsage] = {}

    def enter(self, claim: Claim) -> None:
        """Count one claim; negative `instances` gives the amount back."""
        usage = self._usages.get(claim.node)
        if usage is None:
            entry = self._mirror.get(NODE_USAGE, claim.node)
            usage = entry.value if entry is not None else NO_USAGE
        used = usage.used + claim.amount if claim.instances > 0 else usage.used - claim.amount
        instances = usage.instances + claim.instances
        if instances < 0 or used.vcpus < 0 or used.memory_mb < 0 or used.disk_gb < 0:
            raise LabError("more was given back than was taken", where=claim.node)
        self._usages[claim.node] = NodeUsage(used, instances, usage.others)

    def changes(self) -> list[Put]:
        """The usage documents to write, each only if it is still as it was read."""
        changes = []
        for node, usage in self._usages.items():
            entry = self._mirror.get(NODE_USAGE, node)
            changes.append(Put(NODE_USAGE, usage, node, entry.revision if entry is not None else 0))
        return changes
