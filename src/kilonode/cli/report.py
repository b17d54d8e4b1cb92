"""`kilonode report RUN`: judge and report a run again, from its history; or a campaign, from its runs."""

from typing import Annotated

import typer

from kilonode.cli.output import give_json
from kilonode.cli.state import DEFAULT_RUNS, RunsOption


def report(
    run: Annotated[str, typer.Argument(help="A run or campaign folder, its name, a run id, or latest.")] = "latest",
    runs: RunsOption = DEFAULT_RUNS,
    sql: Annotated[
        str | None,
        typer.Option(
            help="Do not report, query: SQL over the tables ops and samples. DESCRIBE ops lists the columns.",
            show_default=False,
        ),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            help="A run of the same load without disruptions, which recovery is measured against. Default: what came "
            "before the disruptions.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results, or the rows, as JSON on stdout.")] = False,
) -> None:
    """Judge and report a run from its history.

    Also for a run that was killed: what was flushed is judged, and the report says how much is missing. Writes
    verdict.json, junit.xml and report.html into the run's folder. The exit code is that of the verdict.

    Of a campaign, also one that is not finished: the points that are done side by side, what hurts first, and its
    report.html; the exit code is that of the worst point.
    """
    from kilonode.base.errors import InputError
    from kilonode.cli.campaigning import campaign_document, report_campaign
    from kilonode.cli.reporting import report_run
    from kilonode.cli.running import exit_code
    from kilonode.history.archive import query
    from kilonode.run.campaign import find_campaign
    from kilonode.run.evaluation import evaluate_run
    from kilonode.run.folder import find_run
    from kilonode.run.untold import untold_disruptions

    campaign = find_campaign(runs, run)
    if campaign is not None:
        if sql is not None:
            raise InputError("a campaign has no history of its own", where=run, hint="name one of its runs")
        numbers = report_campaign(campaign)
        if as_json:
            give_json(campaign_document(campaign, numbers))
        raise typer.Exit(campaign.exit_code())
    folder = find_run(runs, run)
    if sql is not None:
        rows = query(folder.path, sql, untold_disruptions(folder))
        if as_json:
            give_json(rows)
        else:
            for row in rows:
                typer.echo("\t".join(str(value) for value in row))
        return
    results = evaluate_run(folder, find_run(runs, control) if control is not None else None)
    report_run(folder, results)
    if as_json:
        give_json(results)
    raise typer.Exit(exit_code(folder.record(), results))
