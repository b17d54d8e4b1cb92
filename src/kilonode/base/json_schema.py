"""The JSON Schema (draft 2020-12) of records: what editors need to complete and check the files that people write.

It is made from the records' own types and docstrings, so it cannot fall behind them. What a whole file's schema has
around its records is said where that file is known.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import inspect

from kilonode.base.descriptions import describe_fields, describe_record
from kilonode.base.encoding import UNIT_TYPES, schema_hook, to_plain
from kilonode.base.errors import LabError

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def unit_definitions() -> dict[str, Any]:
    """The schemas of durations, rates and sizes, by the names under `$defs` that the builder refers to."""
    return {unit.__name__.lower(): schema_hook(unit) for unit in UNIT_TYPES}


class SchemaBuilder:
    """Turns inspected types into schemas, each record once under `$defs`."""

    def __init__(self, *, or_else: Mapping[str, Any] | None = None) -> None:
        """`or_else`: a schema of what may stand in the place of any scalar."""
        self._or_else = [dict(or_else)] if or_else else []
        self.definitions: dict[str, dict[str, Any]] = {}
        self._names: dict[type, str] = {}

    def record(self, kind: type) -> dict[str, Any]:
        """A reference to the record's schema, which is made when it is not there yet."""
        return self.schema(inspect.type_info(kind))

    def schema(self, kind: inspect.Type) -> dict[str, Any]:
        """The schema of an inspected type, with `or_else` allowed wherever a scalar stands."""
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
                bounds |= {"maxItems": kind.max_length} if kind.max_length else {}
                return {"type": "array", "items": self.schema(kind.item_type)} | bounds
            case inspect.AnyType():
                return {}
            case inspect.StrType(pattern=None, min_length=None):
                return {"type": "string"}
            case _:
                return {"anyOf": [_scalar(kind), *self._or_else]} if self._or_else else _scalar(kind)

    def _with_metadata(self, kind: inspect.Metadata) -> dict[str, Any]:
        schema = self.schema(kind.type)
        if (kind.extra or {}).get("more_than_zero"):
            schema["description"] = "More than zero."
        if known := (kind.extra or {}).get("known"):
            endings = [re.escape(ending) for ending in (kind.extra or {}).get("or_ending", ())]
            file = [{"type": "string", "pattern": f"({'|'.join(endings)})$"}] if endings else []
            schema = {"anyOf": [{"enum": list(known)}, *file, *self._or_else]}
        return schema | dict(kind.extra_json_schema or {})

    def _reference(self, kind: inspect.StructType) -> dict[str, Any]:
        if kind.cls not in self._names:
            name = kind.cls.__name__
            name = name if name not in self.definitions else f"{kind.cls.__module__}.{name}"
            self._names[kind.cls] = name  # known before its fields are, for records that contain themselves
            self.definitions[name] = {}
            self.definitions[name] |= self.object(kind, describe_record(kind.cls))
        return {"$ref": f"#/$defs/{self._names[kind.cls]}"}

    def object(self, kind: inspect.StructType, description: str) -> dict[str, Any]:
        """The schema of a record itself, not a reference to it."""
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
