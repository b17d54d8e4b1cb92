"""`kilonode check FILE`: every mistake in an experiment file or a stage profile at once, without running anything."""

from pathlib import Path
from typing import Annotated

import typer

from kilonode.base.errors import InputError
from kilonode.cli.output import give_json, say

ExperimentArgument = Annotated[
    Path,
    typer.Argument(help="The experiment file.", metavar="FILE", show_default=False),
]
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
    file: Annotated[
        Path, typer.Argument(help="An experiment file or a stage profile.", metavar="FILE", show_default=False)
    ],
    sets: SetOption,
    cloud: Annotated[
        bool, typer.Option("--cloud", help="Also log in to the cloud and see whether it has what the file needs.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check an experiment file, or a stage profile of emulated clouds: which of them a file is, its content says.

    Reports every mistake at once, each with its line and column, what was expected, what stands there and the nearest
    right name. Of an experiment also those of the stage profile that it names, and disruptions that nothing here can do
    or that would find nothing on its emulated cloud; with --cloud also whether the cloud
    named by `openstack:` has the flavors, images and services.
    """
    import asyncio

    from kilonode.cli.disruption_checks import foresee
    from kilonode.cli.stage_checks import check_named_profiles, describe_profile, read_if_stages
    from kilonode.run.reading import read_experiment

    profile = read_if_stages(file)
    if profile is not None:
        if sets or cloud:
            option = "--set" if sets else "--cloud"
            raise InputError(f"{option} is for experiments", where=str(file), got="a stage profile")
        if as_json:
            give_json(profile)
        else:
            say(f"{file}: good: a stage profile; {describe_profile(profile)}")
        return
    read = read_experiment(file, sets)
    check_named_profiles([point.experiment for point in read.points])
    for point in read.points:
        with point.placing():
            asyncio.run(foresee(point.experiment))
    if cloud:
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
