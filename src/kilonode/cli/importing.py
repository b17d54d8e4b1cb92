"""`kilonode import …`: results of other tools as runs."""

from pathlib import Path
from typing import Annotated

import typer

from kilonode.cli.output import give_json, say
from kilonode.cli.state import DEFAULT_RUNS, RunsOption

commands = typer.Typer(help="Make runs of results that other tools measured.", no_args_is_help=True)


@commands.callback()
def options() -> None:
    """Make runs of results that other tools measured."""


@commands.command("rally")
def rally(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Rally's result files.", show_default=False)],
    runs: RunsOption = DEFAULT_RUNS,
    name: Annotated[
        str, typer.Option(help="What the run is called. Default: as the files are.", show_default=False)
    ] = "",
    criteria: Annotated[
        list[str] | None,
        typer.Option("--criterion", help="What must hold. May be given more than once.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON on stdout.")] = False,
) -> None:
    """Make a run of Rally result files, judge it, report it.

    Takes what `rally task results` and `rally task report --json` write. All files become one run: each load in them is
    a workload, loads that are the same are repeats of each other, hooks are disruptions. The run is a folder like any
    other: kilonode report and kilonode compare take it; kilonode run does not.

    For example: kilonode import rally restart_keystone.json --criterion 'recovery_time < 30s'
    """
    from datetime import UTC, datetime

    from kilonode.cli.reporting import report_run
    from kilonode.cli.running import exit_code
    from kilonode.run.evaluation import evaluate_run
    from kilonode.run.importing.rally_runs import import_rally

    folder = import_rally(files, runs, datetime.now(UTC), name=name, criteria=criteria or ())
    say(f"imported {len(files)} {'file' if len(files) == 1 else 'files'} into {folder.path}")
    results = evaluate_run(folder)
    report_run(folder, results)
    if as_json:
        give_json(results)
    raise typer.Exit(exit_code(folder.record(), results))
