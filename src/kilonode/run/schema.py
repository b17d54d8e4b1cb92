"""The JSON Schema (draft 2020-12) of experiment files, for completion and checking in editors.

It is made from the same records and scenario signatures as the reader's own checks, with their docstrings as
descriptions, so it cannot fall behind them. It is a little more permissive than the reader: it cannot see whether a
`${name}` has a value of the right type, nor whether a criterion names a workload that is there; and a scenario that is
not of the library is allowed, since it may come from a file of the user's own.
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import inspect

from kilonode.base.errors import LabError
from kilonode.base.json_schema import DIALECT, SchemaBuilder, unit_definitions
from kilonode.run.experiment import Cloud, Experiment, Workload
from kilonode.scenarios import registry
from kilonode.scenarios.declaration import Scenario

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
    builder = SchemaBuilder(or_else={"$ref": "#/$defs/parameter"})
    root = builder.record(Experiment)
    workload = builder.definitions[Workload.__name__]
    workload["anyOf"] = [{"required": workload.pop("required")}, {"required": ["probe"]}]
    workload["properties"]["scenario"] |= _scenario_names(known)
    if known:
        workload["allOf"] = [_arguments_rule(builder, scenario) for scenario in known]
    builder.definitions[Cloud.__name__] |= _EXACTLY_ONE_KEY
    definitions = {"parameter": PARAMETER, **unit_definitions(), **dict(sorted(builder.definitions.items()))}
    title = {"$schema": DIALECT, "$id": IDENTIFIER, "title": "Kilonode experiment"}
    return title | builder.definitions[root["$ref"].rpartition("/")[2]] | title | {"$defs": definitions}


def _scenario_names(scenarios: Sequence[Scenario]) -> dict[str, Any]:
    """Known names one by one, or a name whose first word is not one of the library's."""
    known = [{"const": scenario.name, "description": scenario.summary} for scenario in scenarios]
    groups = sorted({scenario.name.partition(".")[0] for scenario in scenarios if "." in scenario.name})
    foreign = rf"^(?!({'|'.join(groups)})\.)." if groups else "."
    own = {"type": "string", "pattern": foreign, "description": "A scenario of your own."}
    return {"anyOf": [*known, own, {"$ref": "#/$defs/parameter"}]}


def _arguments_rule(builder: SchemaBuilder, scenario: Scenario) -> dict[str, Any]:
    """If the scenario is this one, its arguments are these."""
    info = inspect.type_info(scenario.arguments)
    if not isinstance(info, inspect.StructType):
        raise LabError(f"the arguments of {scenario.name} are no record")
    then: dict[str, Any] = {"properties": {"args": builder.object(info, f"Arguments of {scenario.name}.")}}
    if any(field.required for field in info.fields):
        then["required"] = ["args"]
    return {"if": {"properties": {"scenario": {"const": scenario.name}}, "required": ["scenario"]}, "then": then}
