"""`kilonode scenarios [NAME]`: the scenario library, and what each scenario takes."""

from pathlib import Path
from typing import Annotated

import typer

from kilonode.cli.output import give_json


def scenarios(
    name: Annotated[
        str | None, typer.Argument(help="Explain this scenario: what it does, its arguments.", show_default=False)
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option("--file", help="Also load your own scenarios from this Python file.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print data as JSON on stdout.")] = False,
) -> None:
    """List the scenarios, or explain one.

    A scenario is what one iteration of a workload does. Your own come from a file (`scenarios: [mine.py]` in the
    experiment, --file here) or from an installed package with an entry point in the group kilonode.scenarios.
    """
    from kilonode.cli.scenario_words import list_lines, scenario_lines
    from kilonode.scenarios.describe import describe
    from kilonode.scenarios.registry import all_scenarios, find, load_file

    for file in files or ():
        load_file(file)
    if name is None:
        listed = [describe(one) for one in all_scenarios()]
        if as_json:
            give_json(listed)
        else:
            for line in list_lines(listed):
                typer.echo(line)
        return
    described = describe(find(name))
    if as_json:
        give_json(described)
    else:
        for line in scenario_lines(described):
            typer.echo(line)
