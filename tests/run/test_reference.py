"""docs/experiment-file.md against the records: the tables of keys are generated, the examples are read."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from kilonode.base.descriptions import describe_fields, describe_record
from kilonode.base.encoding import to_plain
from kilonode.base.expectations import describe_type
from kilonode.run.experiment import Experiment
from kilonode.run.printing import print_plain
from kilonode.run.reading import read_text
from tests.run.golden import check_golden

PAGE = Path("docs/experiment-file.md")
BEGIN = "<!-- generated from the records by tests/run/test_reference.py; KILONODE_GOLDEN=write makes it anew -->\n"
END = "<!-- end of what is generated -->\n"


def test_every_key_is_in_the_reference_as_the_records_have_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    check_golden(PAGE, f"{before}{BEGIN}\n{tables()}\n{END}{after}")


@pytest.mark.parametrize("page", [PAGE, Path("docs/run.md")], ids=["experiment-file", "run"])
def test_every_example_of_the_page_is_good(page: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    examples = [block for block in blocks if block.startswith("name:")]
    assert examples
    for example in examples:
        assert read_text(example, Path("experiments/example.yaml")).points


def tables() -> str:
    """A section for each record, in the order in which the experiment reaches them."""
    info = inspect.type_info(Experiment)
    assert isinstance(info, inspect.StructType)
    records: dict[type, inspect.StructType] = {}
    gather(info, records)
    return "\n".join(section(record) for record in records.values())


def gather(kind: Any, found: dict[type, inspect.StructType]) -> None:
    """All records inside a type, each once, outer ones first."""
    if isinstance(kind, inspect.StructType):
        if kind.cls in found:
            return
        found[kind.cls] = kind
        for field in kind.fields:
            gather(field.type, found)
    for part in (
        *getattr(kind, "types", ()),
        *(getattr(kind, name, None) for name in ("type", "item_type", "value_type")),
    ):
        if isinstance(part, inspect.Type):
            gather(part, found)


def section(record: inspect.StructType) -> str:
    """The table of one record."""
    lines = [
        f"### {title(record)}",
        "",
        describe_record(record.cls),
        "",
        "| key | takes | default | meaning |",
        "|---|---|---|---|",
    ]
    if record.tag_field:
        lines.append(f"| `{record.tag_field}` | `{record.tag}` | must be given | |")
    descriptions = describe_fields(record.cls)
    for field in record.fields:
        assert descriptions.get(field.name), f"{record.cls.__name__}.{field.name} has no description"
        cells = [
            f"`{field.encode_name}`",
            takes(field.type),
            default(field),
            descriptions[field.name].replace("|", "\\|"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def title(record: inspect.StructType) -> str:
    """`constant-vus` for load models, else the record's name in words."""
    if record.tag:
        return f"load: {record.tag}"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", record.cls.__name__).lower().replace("open stack", "openstack")


def takes(kind: inspect.Type) -> str:
    """What a field takes, short, with a link to the record it takes."""
    match kind:
        case inspect.Metadata():
            known = (kind.extra or {}).get("known", ())
            return ", ".join(f"`{word}`" for word in known) + ", or a file" if known else takes(kind.type)
        case inspect.StructType():
            return f"[{title(kind)}](#{title(kind).replace(': ', '-').replace(' ', '-')})"
        case inspect.UnionType():
            options = [option for option in kind.types if not isinstance(option, inspect.NoneType)]
            if all(isinstance(option, inspect.StructType) and option.tag for option in options):
                return "a load model, by its `model`"
            words = describe_type(kind)
            return (
                words if words == "text, a number, true or false" else " or ".join(takes(option) for option in options)
            )
        case inspect.DictType():
            return f"names, each with: {takes(kind.value_type)}"
        case inspect.VarTupleType():
            return f"a list of: {takes(kind.item_type)}"
        case inspect.CustomType():
            return f"a {kind.cls.__name__.lower()}"
        case inspect.LiteralType():
            return ", ".join(f"`{value}`" for value in kind.values)
        case _:
            return describe_type(kind)


def default(field: inspect.Field) -> str:
    """The default as it would be written."""
    if field.required:
        return "must be given"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    plain = to_plain(value)
    if plain is None or plain in ({}, [], (), ""):
        return "none"
    written = print_plain({"x": list(plain) if isinstance(plain, tuple) else plain})
    return f"`{' '.join(written.removeprefix('x:').split()).removeprefix('- ')}`"
