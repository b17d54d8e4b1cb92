"""`kilonode compare RUN RUN…`: runs side by side, the first of them the baseline."""

from pathlib import Path
from typing import Annotated, Final

import typer

from kilonode.cli.output import give_json, say
from kilonode.cli.state import DEFAULT_RUNS, RunsOption

MOST_RUNS: Final = 8


def compare(
    runs_given: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN RUN…", help="Run folders, their names, run ids, or latest; the first is the baseline."
        ),
    ],
    runs: RunsOption = DEFAULT_RUNS,
    within: Annotated[
        str | None,
        typer.Option(
            help="Judge: the median and the p95 of every step must be within this of the baseline's, such as 15%.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where the page goes. Default: compare.html in the last run's folder."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON on stdout.")] = False,
) -> None:
    """Compare runs, step by step, with the first one.

    Medians and 95th percentiles with intervals, throughput, errors, what differs in experiment and environment; a table
    here, a page with the distributions drawn over each other. With --within the exit code is 0 when every step is
    within the bound, 1 when one is not, 3 when it cannot be known; without it, 0.
    """
    import sys

    from kilonode.base.errors import InputError
    from kilonode.base.files import write_atomically
    from kilonode.check.compare import compare as compare_runs
    from kilonode.cli.comparing import read_run, share_of_text
    from kilonode.cli.running import EXIT_CODES
    from kilonode.report.comparison_page import comparison_document, comparison_html
    from kilonode.report.comparison_terminal import print_comparison
    from kilonode.report.terminal import open_console
    from kilonode.run.folder import find_run

    if not 2 <= len(runs_given) <= MOST_RUNS:
        raise InputError("a comparison needs some runs", expected=f"2 to {MOST_RUNS} of them", got=str(len(runs_given)))
    bound = None if within is None else share_of_text(within, where="--within")
    folders = [find_run(runs, which) for which in runs_given]
    comparison = compare_runs([read_run(folder) for folder in folders], bound)
    path = output or folders[-1].path / "compare.html"
    try:
        write_atomically(path, comparison_html(comparison).encode())
    except OSError as error:
        raise InputError("cannot write the page", where=str(path), got=error.strerror or str(error)) from error
    print_comparison(open_console(sys.stderr), comparison)
    say(f"page: {path}")
    if as_json:
        give_json(comparison_document(comparison))
    raise typer.Exit(0 if comparison.verdict is None else EXIT_CODES[comparison.verdict])
