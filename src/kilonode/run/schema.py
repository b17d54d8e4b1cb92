"""The JSON Schema (draft 2020-12) of experiment files, for completion and checking in editors.

It is made from the same records and scenario signatures as the reader's own checks, with their docstrings as
descriptions, so it cannot fall behind them. It is a little more permissive than the reader: it cannot see whether a
`${name}` has a value of the right type, nor whether a criterion names a workload that is there; and a scenario that is
not of the library is allowed, since it may come from a file of the user's own.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import inspect

from kilonode.base.encoding import UNIT_TYPES, schema_hook, to_plain
from kilonode.base.errors import LabError
from kilonode.run.descriptions import describe_fields, describe_record
from kilonode.run.experiment import Cloud, Experiment, Workload
from kilonode.scenarios import registry
from kilonode.scenarios.declaration import Scenario

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
IDENTIFIER: Final = "urn:kilonode:experiment"
PARAMETER: Final = {
    "title": "parameter",
    "description": "The value of a parameter, which has its default under `parameters:`.",
    "type": "string",
    "pattern": r"\$\{[^{}]+\}",
}
_EXACTLY_ONE_KEY: Final = {"minProperties": 1, "maxProperties": 1}


def experiment_schema(scenarios: Sequence[Scenario] | None = None) -> dict[str, Any]:
    """The schema, with the names and arguments of `scenarios`, or of all that are installed."""
    known = registry.all_scenarios() if scenarios is None else scenarios
    builder = _Builder()
    root = builder.record(Experiment)
    workload = builder.definitions[Workload.__name__]
    workload["properties"]["scenario"] |= _scenario_names(known)
    if known:
        workload["allOf"] = [builder.arguments_rule(scenario) for scenario in known]
    builder.definitions[Cloud.__name__] |= _EXACTLY_ONE_KEY
    units = {unit.__name__.lower(): schema_hook(unit) for unit in UNIT_TYPES}
    definitions = {"parameter": PARAMETER, **units, **dict(sorted(builder.definitions.items()))}
    title = {"$schema": DIALECT, "$id": IDENTIFIER, "title": "Kilonode experiment"}
    return title | builder.definitions[root["$ref"].rpartition("/")[2]] | title | {"$defs": definitions}


def _scenario_names(scenarios: Sequence[Scenario]) -> dict[str, Any]:
    """Known names one by one, or a name whose first word is not one of the library's."""
    known = [{"const": scenario.name, "description": scenario.summary} for scenario in scenarios]
    groups = sorted({scenario.name.partition(".")[0] for scenario in scenarios if "." in scenario.name})
    foreign = rf"^(?!({'|'.join(groups)})\.)." if groups else "."
    own = {"type": "string", "pattern": foreign, "description": "A scenario of your own."}
    return {"anyOf": [*known, own, {"$ref": "#/$defs/parameter"}]}


class _Builder:
    """Turns inspected types into schemas, each record once under `$defs`."""

    def __init__(self) -> None:
        self.definitions: dict[str, dict[str, Any]] = {}
        self._names: dict[type, str] = {}

    def arguments_rule(self, scenario: Scenario) -> dict[str, Any]:
        """If the scenario is this one, its arguments are these."""
        info = inspect.type_info(scenario.arguments)
        if not isinstance(info, inspect.StructType):
            raise LabError(f"the arguments of {scenario.name} are no record")
        then: dict[str, Any] = {"properties": {"args": self._object(info, f"Arguments of {scenario.name}.")}}
        if any(field.required for field in info.fields):
            then["required"] = ["args"]
        return {"if": {"properties": {"scenario": {"const": scenario.name}}, "required": ["scenario"]}, "then": then}

    def record(self, kind: type) -> dict[str, Any]:
        """A reference to the record's schema, which is made when it is not there yet."""
        return self.schema(inspect.type_info(kind))

    def schema(self, kind: inspect.Type) -> dict[str, Any]:
        """The schema of an inspected type, with `${…}` allowed wherever a scalar stands."""
        match kind:
            case inspect.Metadata():
                return self._with_metadata(kind)
            case inspect.StructType():
                return self._reference(kind)
            case inspect.UnionType():
                return self._union(kind)
            case inspect.DictType():
                return self._dict(kind)
            case inspect.VarTupleType() | inspect.ListType():
                bounds = {"minItems": kind.min_length} if kind.min_length else {}
                return {"type": "array", "items": self.schema(kind.item_type)} | bounds
            case inspect.AnyType():
                return {}
            case inspect.StrType(pattern=None, min_length=None):
                return {"type": "string"}
            case _:
                return {"anyOf": [_scalar(kind), {"$ref": "#/$defs/parameter"}]}

    def _with_metadata(self, kind: inspect.Metadata) -> dict[str, Any]:
        schema = self.schema(kind.type)
        if (kind.extra or {}).get("more_than_zero"):
            schema["description"] = "More than zero."
        if known := (kind.extra or {}).get("known"):
            endings = [re.escape(ending) for ending in (kind.extra or {}).get("or_ending", ())]
            file = [{"type": "string", "pattern": f"({'|'.join(endings)})$"}] if endings else []
            schema = {"anyOf": [{"enum": list(known)}, *file, {"$ref": "#/$defs/parameter"}]}
        return schema | dict(kind.extra_json_schema or {})

    def _reference(self, kind: inspect.StructType) -> dict[str, Any]:
        if kind.cls not in self._names:
            name = kind.cls.__name__
            name = name if name not in self.definitions else f"{kind.cls.__module__}.{name}"
            self._names[kind.cls] = name  # known before its fields are, for records that contain themselves
            self.definitions[name] = {}
            self.definitions[name] |= self._object(kind, describe_record(kind.cls))
        return {"$ref": f"#/$defs/{self._names[kind.cls]}"}

    def _object(self, kind: inspect.StructType, description: str) -> dict[str, Any]:
        descriptions = describe_fields(kind.cls)
        properties: dict[str, Any] = {}
        if kind.tag_field is not None:
            properties[kind.tag_field] = {"const": kind.tag, "description": description}
        for field in kind.fields:
            schema = self.schema(field.type)
            words = [descriptions.get(field.name, ""), str(schema.get("description", ""))]
            about: dict[str, Any] = {"description": " ".join(word for word in words if word)}
            if field.default is not msgspec.NODEFAULT and field.default is not None:
                about["default"] = to_plain(field.default)
            properties[field.encode_name] = schema | about
        required = [*([kind.tag_field] if kind.tag_field else []), *(f.encode_name for f in kind.fields if f.required)]
        title = {"title": str(kind.tag or kind.cls.__name__)}
        shape = {"type": "object", "properties": properties, "additionalProperties": False}
        return title | {"description": description} | shape | ({"required": required} if required else {})

    def _union(self, kind: inspect.UnionType) -> dict[str, Any]:
        options = [self.schema(option) for option in kind.types if not isinstance(option, inspect.NoneType)]
        flat = [part for option in options for part in (option["anyOf"] if list(option) == ["anyOf"] else [option])]
        unique = [part for number, part in enumerate(flat) if part not in flat[:number]]
        if len(options) < len(kind.types):
            unique.append({"type": "null"})
        return {"anyOf": unique}

    def _dict(self, kind: inspect.DictType) -> dict[str, Any]:
        schema = {"type": "object", "additionalProperties": self.schema(kind.value_type)}
        key = kind.key_type.type if isinstance(kind.key_type, inspect.Metadata) else kind.key_type
        if isinstance(key, inspect.StrType) and key.pattern is not None:
            schema["propertyNames"] = _scalar(key)
        return schema | ({"minProperties": kind.min_length} if kind.min_length else {})


def _scalar(kind: inspect.Type) -> dict[str, Any]:
    match kind:
        case inspect.CustomType():
            return {"$ref": f"#/$defs/{kind.cls.__name__.lower()}"}
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.NoneType():
            return {"type": "null"}
        case inspect.IntType() | inspect.FloatType():
            bounds = {"minimum": kind.ge, "maximum": kind.le, "exclusiveMinimum": kind.gt, "exclusiveMaximum": kind.lt}
            word = "integer" if isinstance(kind, inspect.IntType) else "number"
            return {"type": word} | {name: bound for name, bound in bounds.items() if bound is not None}
        case inspect.StrType():
            bounds = {"minLength": kind.min_length, "maxLength": kind.max_length}
            pattern = {"pattern": kind.pattern} if kind.pattern is not None else {}
            return {"type": "string"} | {name: bound for name, bound in bounds.items() if bound is not None} | pattern
        case inspect.LiteralType():
            return {"enum": list(kind.values)}
        case inspect.EnumType():
            return {"enum": [member.value for member in kind.cls]}
        case _:
            raise LabError(f"{type(kind).__name__} has no JSON Schema here")
