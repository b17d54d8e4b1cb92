"""Scenarios in words: the list of all, and one explained with an example to copy."""

from collections.abc import Iterator, Sequence
from typing import Any

from kilonode.base.encoding import encode_json
from kilonode.scenarios.describe import ArgumentDescription, ScenarioDescription


def list_lines(scenarios: Sequence[ScenarioDescription]) -> Iterator[str]:
    """One line for each scenario, grouped by the first part of its name."""
    width = max((len(scenario.name) for scenario in scenarios), default=0)
    group = ""
    for scenario in scenarios:
        first = scenario.name.partition(".")[0]
        if group and first != group:
            yield ""
        group = first
        yield f"{scenario.name:<{width}}  {scenario.summary}"


def scenario_lines(scenario: ScenarioDescription) -> Iterator[str]:
    """What it does, what it takes, what it records, and how to use it."""
    yield scenario.name
    yield f"  {scenario.summary}"
    if scenario.description and scenario.description != scenario.summary:
        yield ""
        yield from (f"  {line}".rstrip() for line in scenario.description.splitlines())
    yield ""
    yield f"  services: {', '.join(scenario.services) or 'none: it needs no cloud'}"
    if scenario.steps:
        yield f"  steps:    {', '.join(scenario.steps)}"
    yield f"  source:   {scenario.source}"
    yield ""
    yield "  arguments:" if scenario.arguments else "  It takes no arguments."
    width = max((len(argument.name) for argument in scenario.arguments), default=0)
    for argument in scenario.arguments:
        yield f"    {argument.name:<{width}}  {_argument(argument)}"
    yield ""
    yield "  workloads:"
    yield f"    {scenario.name.rpartition('.')[2].replace('_', '-')}:"
    yield f"      scenario: {scenario.name}"
    required = ", ".join(f"{argument.name}: …" for argument in scenario.arguments if argument.required)
    if required:
        yield f"      args: {{{required}}}"
    yield "      load: {model: constant-vus, vus: 10, duration: 60s}"


def _argument(argument: ArgumentDescription) -> str:
    kind = f"{argument.type}, the name of one of the cloud's" if argument.reference else argument.type
    state = "required" if argument.required else f"default {_plain(argument.default)}"
    return f"{kind}, {state}. {argument.description}".rstrip(" .") + "."


def _plain(value: Any) -> str:
    return encode_json(value).decode()
