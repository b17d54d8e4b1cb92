"""The docstrings of records and of their fields, for the JSON Schema and the reference.

A field is described by the string that stands below it in the source, as everywhere in this project; Python drops these
strings at run time, so they are read from the module's source. Records without source (the arguments of a scenario,
built from its signature) describe their fields by `msgspec.Meta(description=…)`.
"""

import ast
import inspect
import textwrap

from msgspec import inspect as types


def describe_record(kind: type) -> str:
    """The record's own docstring on one line, or empty."""
    return one_line(inspect.getdoc(kind) or "")


def describe_fields(kind: type) -> dict[str, str]:
    """Field name to its description on one line, fields of base records included; nameless ones are left out."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        found |= _docstrings_below_fields(base)
    for field in getattr(types.type_info(kind), "fields", ()):
        if isinstance(field.type, types.Metadata) and "description" in (field.type.extra_json_schema or {}):
            found[field.name] = one_line(str((field.type.extra_json_schema or {})["description"]))
    return found


def one_line(text: str) -> str:
    """The text with every run of white space made one space."""
    return " ".join(text.split())


def _docstrings_below_fields(kind: type) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(kind))
    except (OSError, TypeError):
        return {}
    body = ast.parse(source).body[0]
    if not isinstance(body, ast.ClassDef):
        return {}
    found: dict[str, str] = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            text = following.value if isinstance(following, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                found[statement.target.id] = one_line(text.value)
    return found
