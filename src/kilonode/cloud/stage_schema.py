"""The JSON Schema (draft 2020-12) of stage files, for completion and checking in editors.

It is made from the same records as the reader's own checks. It is more permissive than the reader: stages of a file's
own cannot be known, so any name of a stage is let pass.
"""

from collections.abc import Collection
from typing import Any, Final

from kilonode.base.json_schema import DIALECT, SchemaBuilder, unit_definitions
from kilonode.cloud.profiles import known_profiles, load_profile
from kilonode.cloud.stage_files import StageFile

IDENTIFIER: Final = "urn:kilonode:stages"


def stage_schema(operations: Collection[str]) -> dict[str, Any]:
    """The schema; `operations`: those of all services."""
    builder = SchemaBuilder()
    root = builder.record(StageFile)
    names = [stage.name for stage in load_profile("lifecycle").stages]
    schema = builder.definitions.pop(root["$ref"].rpartition("/")[2])
    properties = schema["properties"]
    for section in ("delays", "failures", "couplings"):
        properties[section]["propertyNames"] = {"anyOf": [{"enum": names}, {"type": "string"}]}
    properties["services"]["propertyNames"] = {"enum": sorted(operations)}
    properties["extends"] = {
        "description": properties["extends"]["description"],
        "anyOf": [{"enum": [*known_profiles(), "lifecycle"]}, {"type": "string", "pattern": r"\.ya?ml$"}],
    }
    title = {"$schema": DIALECT, "$id": IDENTIFIER, "title": "Kilonode stage profile"}
    return title | schema | title | {"$defs": {**unit_definitions(), **dict(sorted(builder.definitions.items()))}}
