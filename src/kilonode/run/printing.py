"""An experiment as YAML text that reads back as the same experiment.

The text is for people too: keys in the order of the records, defaults left out, small mappings on one line. Text that
YAML could take for something else, in this reader (YAML 1.2) or an older one (1.1), is quoted.
"""

from typing import Any

import yaml
from yaml.representer import SafeRepresenter

from kilonode.base.encoding import to_plain
from kilonode.base.yaml_document import resolve_scalar
from kilonode.run.experiment import Experiment
from kilonode.run.parameters import UNTOUCHED_KEYS, escape

LINE_LIMIT_CHARACTERS = 110


def print_experiment(experiment: Experiment) -> str:
    """The YAML text of `experiment`."""
    plain = to_plain(experiment)
    return print_plain({key: value if key in UNTOUCHED_KEYS else _escaped(value) for key, value in plain.items()})


def print_plain(value: dict[str, Any]) -> str:
    """The YAML text of a mapping of plain values, one of its keys on each line."""
    return yaml.serialize(
        _node(value, depth=0), Dumper=yaml.SafeDumper, allow_unicode=True, width=LINE_LIMIT_CHARACTERS
    )


def _node(value: Any, depth: int) -> yaml.Node:
    if isinstance(value, dict):
        pairs = [(_node(key, depth + 1), _node(item, depth + 1)) for key, item in value.items()]
        return yaml.MappingNode(
            "tag:yaml.org,2002:map", pairs, flow_style=not value or (depth > 0 and _is_small(value))
        )
    if isinstance(value, list):
        items = [_node(item, depth + 1) for item in value]
        return yaml.SequenceNode(
            "tag:yaml.org,2002:seq", items, flow_style=not value or (depth > 1 and _is_small(value))
        )
    if isinstance(value, str) and not isinstance(resolve_scalar(value), str):
        return yaml.ScalarNode("tag:yaml.org,2002:str", value, style='"')
    return SafeRepresenter().represent_data(value)


def _is_small(value: Any) -> bool:
    """Whether a mapping or list reads well on one line."""
    items = value.values() if isinstance(value, dict) else value
    if any(
        isinstance(part, dict | list) and part
        for item in items
        if isinstance(item, dict | list)
        for part in (item.values() if isinstance(item, dict) else item)
    ):
        return False
    return len(str(value)) <= LINE_LIMIT_CHARACTERS


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return escape(value) if isinstance(value, str) else value
