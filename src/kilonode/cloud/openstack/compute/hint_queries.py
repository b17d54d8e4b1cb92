"""The scheduler hint `query`: a condition on a node as JSON, such as `[">=", "$free_ram_mb", 1024]`.

Conditions combine by `and`, `or` and `not`; a name after `$` stands for what the node has. What cannot be understood is
true of no node.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from kilonode.cloud.resources import Node, NodeUsage

DEPTH_LIMIT: Final = 16
Condition = Any
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def read_query(hint: Any) -> Condition | None:
    """The condition of a hint: JSON text, a list that was JSON, or a list of one such text; None: not understood."""
    if isinstance(hint, list) and len(hint) == 1:
        hint = hint[0]
    if isinstance(hint, str):
        try:
            hint = msgspec.json.decode(hint)
        except msgspec.DecodeError:
            return None
    return hint if isinstance(hint, list) and hint else None


def holds(condition: Condition, facts: Mapping[str, Any], depth: int = 0) -> bool:
    """Whether a condition is true of what a node has."""
    if not isinstance(condition, list) or not condition or depth > DEPTH_LIMIT:
        return False
    word, *rest = condition
    if word == "and":
        return all(holds(one, facts, depth + 1) for one in rest)
    if word == "or":
        return any(holds(one, facts, depth + 1) for one in rest)
    if word == "not":
        return len(rest) == 1 and not holds(rest[0], facts, depth + 1)
    values = [facts.get(one[1:]) if isinstance(one, str) and one.startswith("$") else one for one in rest]
    if len(values) < 2 or any(value is None for value in values):
        return False
    if word == "in":
        return values[0] in values[1:]
    if not isinstance(word, str) or word not in _COMPARE:
        return False
    try:
        return all(_COMPARE[word](values[0], other) for other in values[1:])
    except TypeError:
        return False


def facts_of(node: Node, usage: NodeUsage) -> dict[str, Any]:
    """What a condition may ask of a node, by Nova's names."""
    size, taken = node.size(), usage.taken
    return {
        "hypervisor_hostname": node.name,
        "host": node.name,
        "free_ram_mb": size.memory_mb - taken.memory_mb,
        "free_disk_mb": (size.disk_gb - taken.disk_gb) * 1024,
        "total_usable_ram_mb": size.memory_mb,
        "vcpus_total": size.vcpus,
        "vcpus_used": taken.vcpus,
        "num_instances": usage.instances,
    }
