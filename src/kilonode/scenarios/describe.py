"""Descriptions of scenarios as typed values, for the command line, documents and editors."""

from typing import Any, Final, get_type_hints

import msgspec
from msgspec import inspect

from kilonode.base.encoding import schema_hook, to_plain
from kilonode.scenarios.declaration import Scenario

_PLAIN_WORDS: Final[dict[type[inspect.Type], str]] = {
    inspect.BoolType: "true or false",
    inspect.IntType: "whole number",
    inspect.FloatType: "number",
    inspect.StrType: "text",
    inspect.NoneType: "nothing",
    inspect.DictType: "mapping",
    inspect.StructType: "mapping",
    inspect.AnyType: "anything",
}


class ArgumentDescription(msgspec.Struct, frozen=True):
    """One argument of a scenario."""

    name: str
    type: str
    """In words."""
    required: bool
    default: Any
    """As it would stand in a file; None for a required argument."""
    description: str
    reference: str
    """What in the cloud the argument names (a value of `ReferenceKind`), or empty."""


class ScenarioDescription(msgspec.Struct, frozen=True):
    """One scenario."""

    name: str
    summary: str
    description: str
    services: tuple[str, ...]
    steps: tuple[str, ...]
    arguments: tuple[ArgumentDescription, ...]
    source: str
    """File and line of the function."""
    schema: dict[str, Any]
    """The JSON Schema (draft 2020-12) of the arguments."""


def describe(scenario: Scenario) -> ScenarioDescription:
    """Everything a person, or an editor, wants to know before using it."""
    arguments = tuple(_argument(scenario, field) for field in _fields(scenario.arguments))
    return ScenarioDescription(
        name=scenario.name,
        summary=scenario.summary,
        description=scenario.description,
        services=scenario.services,
        steps=scenario.steps,
        arguments=arguments,
        source=scenario.source,
        schema=_schema(scenario, arguments),
    )


def _schema(scenario: Scenario, arguments: tuple[ArgumentDescription, ...]) -> dict[str, Any]:
    hints = get_type_hints(scenario.arguments, include_extras=True)
    schemas, definitions = msgspec.json.schema_components(
        hints.values(), schema_hook=schema_hook, ref_template="#/$defs/{name}"
    )
    properties = dict(zip(hints, schemas, strict=True))
    for argument in arguments:
        if not argument.required:
            properties[argument.name] = properties[argument.name] | {"default": argument.default}
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": scenario.name,
        "description": scenario.summary,
        "type": "object",
        "properties": properties,
        "required": [argument.name for argument in arguments if argument.required],
        "additionalProperties": False,
    }
    return schema | ({"$defs": definitions} if definitions else {})


def _fields(arguments: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(arguments)
    return info.fields if isinstance(info, inspect.StructType) else ()


def _argument(scenario: Scenario, field: inspect.Field) -> ArgumentDescription:
    default = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    return ArgumentDescription(
        name=field.name,
        type=_words(field.type),
        required=field.required,
        default=None if default is msgspec.NODEFAULT else to_plain(default),
        description=_description(field.type),
        reference=str(scenario.references.get(field.name, "")),
    )


def _description(kind: inspect.Type) -> str:
    if not isinstance(kind, inspect.Metadata):
        return ""
    return str((kind.extra_json_schema or {}).get("description", "")) or _description(kind.type)


def _words(kind: inspect.Type) -> str:
    match kind:
        case inspect.Metadata():
            return _words(kind.type)
        case inspect.UnionType():
            return " or ".join(_words(option) for option in kind.types)
        case inspect.LiteralType():
            return " or ".join(str(value) for value in kind.values)
        case inspect.EnumType():
            return " or ".join(str(member.value) for member in kind.cls)
        case inspect.ListType() | inspect.VarTupleType():
            return f"list of {_words(kind.item_type)}"
        case inspect.CustomType():
            return kind.cls.__name__.lower()
        case _:
            return _PLAIN_WORDS.get(type(kind), type(kind).__name__)
