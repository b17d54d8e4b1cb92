"""The `kilonode` command: its sub-commands, how errors are shown, and the exit codes.

Output for people goes to stderr, data to stdout. Errors say what is wrong, where, what was expected and what stands
there, then a hint; never a traceback: that of a bug is kept in a file, which the message names.
"""

import os
import sys
import traceback
from pathlib import Path
from typing import Final, NoReturn

import typer

from kilonode.base.errors import AbortError, InputError, KilonodeError, LabError
from kilonode.cli import (
    calibrate,
    check,
    cleanup,
    cloud,
    compare,
    doctor,
    fault,
    importing,
    report,
    run,
    scenarios,
    schema,
    stack,
)
from kilonode.cli.output import say
from kilonode.cli.state import state_folder

_INTERRUPTED: Final = 130
"""What the library for commands makes of Ctrl-C where nothing else listens for it."""

EXIT_CODES = """
Exit codes: 0 all criteria held · 1 a criterion failed · 2 bad input · 3 unknown: the run cannot tell · 4 aborted;
what was measured is kept · 5 Kilonode itself failed.
"""

application = typer.Typer(
    name="kilonode",
    help="A lab for cloud control planes: one experiment file, one command, a verdict that can be believed.\n\n"
    "Begin with: kilonode run experiments/thousand-nodes.yaml",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
application.command("run")(run.run)
application.command("check")(check.check)
application.command("schema")(schema.schema)
application.command("scenarios")(scenarios.scenarios)
application.command("report")(report.report)
application.command("calibrate")(calibrate.calibrate)
application.command("compare")(compare.compare)
application.command("cleanup")(cleanup.cleanup)
application.command("doctor")(doctor.doctor)
application.add_typer(cloud.commands, name="cloud")
application.add_typer(stack.commands, name="stack")
application.add_typer(fault.commands, name="fault")
application.add_typer(importing.commands, name="import")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"kilonode {version('kilonode')}")
        raise typer.Exit


@application.callback()
def options(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Print the version."),
) -> None:
    """Options before the command."""


def main() -> None:
    """Run the command line of this process and exit with its code."""
    try:
        application(prog_name="kilonode")
    except InputError as error:
        for problem in error.problems:
            say(f"error: {problem}")
        if len(error.problems) > 1:
            say(f"{len(error.problems)} problems")
        sys.exit(error.exit_code)
    except KilonodeError as error:
        if isinstance(error, LabError):
            _show_bug(error)
        else:
            say(f"error: {error}")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output went away (`kilonode … | head`): nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        _say_stopped()
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            _say_stopped()
        raise
    except Exception as error:
        if isinstance(error, PermissionError) and _is_of_state(error):
            hint = "be that user, or name another folder: KILONODE_STATE"
            say(f"error: {InputError('permission denied', where=str(error.filename), hint=hint)}")
            sys.exit(InputError.exit_code)
        _show_bug(error)
        sys.exit(LabError.exit_code)


def _is_of_state(error: PermissionError) -> bool:
    """Whether it is Kilonode's own state that another user keeps from us."""
    return isinstance(error.filename, str) and Path(error.filename).is_relative_to(state_folder())


def _say_stopped() -> NoReturn:
    say("stopped by the user")
    sys.exit(AbortError.exit_code)


def _show_bug(error: BaseException) -> None:
    """One line for people; the traceback into a file."""
    say(f"error: Kilonode itself failed: {type(error).__name__}: {error}")
    try:
        file = _write_traceback(error)
    except OSError:
        return
    say(f"  hint: this is a bug; the details are in {file}")


def _write_traceback(error: BaseException) -> Path:
    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / "last-failure.txt"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        traceback.print_exception(error, file=stream)
    return file


if __name__ == "__main__":
    main()
