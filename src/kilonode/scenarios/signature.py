"""From the signature of a scenario to the record of its arguments.

    async def boot(it: Iteration, *, flavor: FlavorName, count: Annotated[int, Meta(ge=1)] = 1) -> None

becomes a frozen record with the fields `flavor` and `count`, which experiment files are checked against and JSON Schema
is made from. Whatever msgspec can validate can be an argument's type; `Duration`, `Rate` and `Size` too.
"""

import inspect
import keyword
from collections.abc import Callable
from typing import Annotated, Any, Final, get_type_hints

import msgspec
from msgspec import Meta
from msgspec import inspect as types

from kilonode.base.encoding import UNIT_TYPES
from kilonode.base.errors import InputError, nearest
from kilonode.scenarios.references import ReferenceKind, reference_kind

EXAMPLE: Final = "async def name(it: Iteration, *, argument: int = 1) -> None"


def place_of(function: Callable[..., Any]) -> str:
    """File and line of a function."""
    code = inspect.unwrap(function).__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def read_signature(function: Callable[..., Any], descriptions: dict[str, str]) -> type[msgspec.Struct]:
    """The record of the function's arguments but the first. Raises InputError when it cannot be a scenario."""
    where = place_of(function)
    if not inspect.iscoroutinefunction(function):
        raise InputError("a scenario must be an async function", where=where, expected=EXAMPLE, got=function.__name__)
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].kind is parameters[0].KEYWORD_ONLY:
        raise InputError("a scenario takes the iteration first", where=where, expected=EXAMPLE)
    hints = _type_hints(function, where)
    fields = [_field(parameter, hints, descriptions, where) for parameter in parameters[1:]]
    names = [name for name, _, _ in fields]
    for name in descriptions:
        if name not in names:
            raise InputError(
                "the docstring describes an argument that is not there",
                where=where,
                expected=f"one of {', '.join(names)}" if names else "no argument",
                got=name,
                hint=nearest(name, names),
            )
    return _record(function.__name__, fields, where)


def read_references(arguments: type[msgspec.Struct]) -> dict[str, ReferenceKind]:
    """Argument to what it names, of the arguments that name something in the cloud."""
    info = types.type_info(arguments)
    fields = info.fields if isinstance(info, types.StructType) else ()
    kinds = {field.name: reference_kind(field.type) for field in fields}
    return {name: kind for name, kind in kinds.items() if kind is not None}


def _type_hints(function: Callable[..., Any], where: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except Exception as error:
        raise InputError("the types of the arguments cannot be read", where=where, got=f"{error}") from error


def _field(
    parameter: inspect.Parameter, hints: dict[str, Any], descriptions: dict[str, str], where: str
) -> tuple[str, Any, Any]:
    name = parameter.name
    if parameter.kind not in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
        raise InputError("a scenario's arguments have names", where=where, expected=EXAMPLE, got=str(parameter))
    if name not in hints:
        raise InputError("an argument has no type", where=where, expected=f"{name}: int", got=name)
    kind = hints[name]
    if name in descriptions:
        kind = Annotated[kind, Meta(description=descriptions[name])]
    default = msgspec.NODEFAULT if parameter.default is parameter.empty else parameter.default
    return name, kind, default


def _record(name: str, fields: list[tuple[str, Any, Any]], where: str) -> type[msgspec.Struct]:
    title = "".join(word.capitalize() for word in name.split("_")) + "Arguments"
    if keyword.iskeyword(title) or not title.isidentifier():
        title = "Arguments"
    try:
        record = msgspec.defstruct(title, fields, frozen=True, kw_only=True, forbid_unknown_fields=True)
        _check_type(types.type_info(record))
    except (TypeError, ValueError, NotImplementedError) as error:
        raise InputError("an argument's type or default cannot be checked", where=where, got=str(error)) from error
    return record


def _check_type(kind: types.Type) -> None:
    """Only the unit types have a plain form among the types that msgspec does not know."""
    match kind:
        case types.StructType():
            for field in kind.fields:
                _check_type(field.type)
        case types.Metadata():
            _check_type(kind.type)
        case types.UnionType():
            for option in kind.types:
                _check_type(option)
        case types.ListType() | types.VarTupleType():
            _check_type(kind.item_type)
        case types.DictType():
            _check_type(kind.key_type)
            _check_type(kind.value_type)
        case types.CustomType() if kind.cls not in UNIT_TYPES:
            raise TypeError(f"{kind.cls.__name__} cannot stand in a file that people write")
        case _:
            pass
