"""`kilonode check FILE`: every mistake in an experiment file at once, without running anything."""

from pathlib import Path
from typing import Annotated

import typer

from kilonode.cli.output import give_json, say

ExperimentArgument = Annotated[Path, typer.Argument(help="The experiment file.", metavar="FILE", show_default=False)]
SetOption = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change a value of the file: --set workloads.api.load.rate=300/s. May be given more than once.",
        default_factory=list,
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print data as JSON on stdout.")]


def check(
    file: ExperimentArgument,
    sets: SetOption,
    cloud: Annotated[
        bool, typer.Option("--cloud", help="Also log in to the cloud and see whether it has what the file needs.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check an experiment file.

    Reports every mistake at once, each with its line and column, what was expected, what stands there and the nearest
    right name. With --cloud also whether the cloud named by `openstack:` has the flavors, images and services.
    """
    from kilonode.run.reading import read_experiment

    read = read_experiment(file, sets)
    if cloud:
        import asyncio

        from kilonode.cli.cloud_check import check_cloud

        for line in asyncio.run(check_cloud(read)):
            say(line)
    points = len(read.points)
    if as_json:
        give_json([point.experiment for point in read.points])
        return
    first = read.points[0].experiment
    runs = "1 run" if points == 1 else f"{points} runs, one for each combination of {', '.join(read.axes)}"
    say(f"{file}: good: {first.name!r}, {len(first.workloads)} workloads, {len(first.criteria)} criteria, {runs}")
