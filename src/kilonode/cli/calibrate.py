"""`kilonode calibrate RUN -o stages.yaml`: a stage profile with which the emulated cloud takes the times of a run."""

from pathlib import Path
from typing import Annotated

import typer

from kilonode.cli.output import give_json, give_text, say
from kilonode.cli.state import DEFAULT_RUNS, RunsOption


def calibrate(
    run: Annotated[str, typer.Argument(help="A run folder, its name, its run id, or latest.")] = "latest",
    runs: RunsOption = DEFAULT_RUNS,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the profile goes. Default: stdout.", show_default=False)
    ] = None,
    overhead: Annotated[
        str,
        typer.Option(
            help="Taken off each API operation: what the emulated cloud and the way to it take by themselves; "
            "500us in simulated time, about 2ms in real time."
        ),
    ] = "500us",
    as_json: Annotated[bool, typer.Option("--json", help="Print the calibration as JSON on stdout.")] = False,
) -> None:
    """Fit a twin: the delays of stages and the times of API operations, as distributions, to a run on a real cloud.

    The profile goes into an experiment as `cloud: {emulated: {stages: ./stages.yaml}}`. Each number stands with its
    samples, its interval and the quality of the fit; what could not be told apart or had too few samples is said.
    """
    from kilonode.base.errors import InputError
    from kilonode.base.files import write_atomically
    from kilonode.cli.calibrating import calibrate_run
    from kilonode.report.calibration_text import calibration_yaml
    from kilonode.run.folder import find_run

    folder = find_run(runs, run)
    calibration, source = calibrate_run(folder, overhead)
    text = calibration_yaml(calibration, source)
    if output is not None:
        try:
            write_atomically(output, text.encode())
        except OSError as error:
            raise InputError("cannot write the profile", where=str(output), got=error.strerror or str(error)) from error
        all_of_them = len(calibration.stages) + len(calibration.operations)
        say(f"{output}: {calibration.fitted} of {all_of_them} stages and operations fitted, from {folder.name}")
    elif not as_json:
        give_text(text.rstrip("\n"))
    if as_json:
        give_json(calibration)
