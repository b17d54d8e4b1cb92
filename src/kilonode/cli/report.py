"""`kilonode report RUN`: judge and report a run again, from its history."""

from typing import Annotated

import typer

from kilonode.cli.output import give_json
from kilonode.cli.state import DEFAULT_RUNS, RunsOption


def report(
    run: Annotated[str, typer.Argument(help="A run folder, its name, its run id, or latest.")] = "latest",
    runs: RunsOption = DEFAULT_RUNS,
    sql: Annotated[
        str | None,
        typer.Option(
            help="Do not report, query: SQL over the tables ops and samples. DESCRIBE ops lists the columns.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results, or the rows, as JSON on stdout.")] = False,
) -> None:
    """Judge and report a run from its history.

    Also for a run that was killed: what was flushed is judged, and the report says how much is missing. Writes
    verdict.json, junit.xml and report.html into the run's folder. The exit code is that of the verdict.
    """
    from kilonode.cli.reporting import report_run
    from kilonode.cli.running import exit_code
    from kilonode.history.archive import query
    from kilonode.run.evaluation import evaluate_run
    from kilonode.run.folder import find_run

    folder = find_run(runs, run)
    if sql is not None:
        rows = query(folder.path, sql)
        if as_json:
            give_json(rows)
        else:
            for row in rows:
                typer.echo("\t".join(str(value) for value in row))
        return
    results = evaluate_run(folder)
    report_run(folder, results)
    if as_json:
        give_json(results)
    raise typer.Exit(exit_code(folder.record(), results))
