"""`kilonode cleanup [RUN]`: remove what a run made and could not remove itself."""

import asyncio
import re
from pathlib import Path
from typing import Annotated

import typer

from kilonode.cli.output import give_json, say
from kilonode.cli.state import DEFAULT_RUNS, RunsOption

_RUN_ID = re.compile(r"[0-9a-f]{8}")


def cleanup(
    run: Annotated[
        str | None,
        typer.Argument(
            help="A run folder, its name, its run id, or latest. Without one: list what runs have left behind.",
            metavar="[RUN]",
            show_default=False,
        ),
    ] = None,
    runs: RunsOption = DEFAULT_RUNS,
    cloud: Annotated[
        str | None, typer.Option(help="The cloud to look on; by default the one that the run used.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print data as JSON on stdout.")] = False,
) -> None:
    """Remove what a run has made.

    Everything a run makes has a name that starts with kn-<run id>-; cleanup goes by that and touches nothing else. It
    can be given a run folder of this machine or, with --cloud, just a run id. It is safe to run twice.
    Exit code 3 when something is still there.
    """
    from kilonode.cli import cleaning

    if run is None:
        leftovers = asyncio.run(cleaning.look(cloud, runs))
        if as_json:
            give_json(leftovers)
        for line in cleaning.describe_leftovers(leftovers):
            say(line)
        return
    target = cleaning.target_of(run, cloud, runs) if not (cloud and _RUN_ID.fullmatch(run)) else (run, cloud, None)
    run_id, cloud_name, folder = target
    if dry_run:
        found = asyncio.run(cleaning.look(cloud_name, runs, run_id))
        if as_json:
            give_json(found)
        for line in cleaning.describe_leftovers(found):
            say(line)
        return
    report = asyncio.run(cleaning.clean_run(run_id, cloud_name, folder))
    if as_json:
        give_json(report)
    for line in cleaning.describe_report(report):
        say(line)
    if not report.complete:
        raise typer.Exit(3)


__all__ = ["Path", "cleanup"]
