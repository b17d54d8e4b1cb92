"""`kilonode run FILE`: do an experiment, give the verdict and the report."""

from typing import Annotated

import typer

from kilonode.cli.check import ExperimentArgument, SetOption
from kilonode.cli.state import DEFAULT_RUNS, RunsOption


def run(
    file: ExperimentArgument,
    sets: SetOption,
    simulated: Annotated[
        bool,
        typer.Option(
            "--simulated",
            help="On a virtual clock, in one process, without sockets: an hour in seconds, the same result each time.",
        ),
    ] = False,
    runs: RunsOption = DEFAULT_RUNS,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=256, help="How many processes make the load. Default: as the file says, or by itself."),
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="With a matrix: begin a new campaign, even if one is unfinished."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say which disruptions would be done to what, and when; nothing is run."),
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Plain lines instead of the live view.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON on stdout.")] = False,
) -> None:
    """Run an experiment: bring up its cloud, set up, load, clean up, judge, report.

    Everything goes into a folder of its own under runs/: the resolved experiment, the environment, the raw history, the
    verdict and report.html. With a matrix: every point is a run of one campaign; a campaign that was stopped goes on
    where it was.

    Ctrl-C once: stop starting, let what runs finish, clean up, report what there is. Twice: stop at once; kilonode
    cleanup removes the rest.
    """
    if dry_run:
        from kilonode.cli.disruption_checks import show_foreseen

        show_foreseen(file, sets, as_json=as_json)
        return
    from kilonode.cli.running import Wishes, run_file

    wishes = Wishes(simulated=simulated, runs=runs, workers=workers, fresh=fresh, plain=plain, as_json=as_json)
    raise typer.Exit(run_file(file, sets, wishes))
