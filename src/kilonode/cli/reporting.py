"""Writing a run's reports, and saying at the end what came out."""

import sys
from importlib.metadata import version
from pathlib import Path

import msgspec

from kilonode.base.errors import InputError
from kilonode.check.results import Results
from kilonode.cli.output import say
from kilonode.report.campaign_words import flat_facts
from kilonode.report.documents import write_report
from kilonode.report.metadata import RunMetadata
from kilonode.report.terminal import open_console, print_summary
from kilonode.run.folder import RunFolder


def report_run(folder: RunFolder, results: Results) -> Path:
    """Write verdict.json, junit.xml and report.html, and print the summary for people; the report's path."""
    metadata = metadata_of(folder)
    path = write_report(folder.path, results, metadata)
    print_summary(open_console(sys.stderr), results, metadata)
    say(f"report: {path}")
    return path


def metadata_of(folder: RunFolder) -> RunMetadata:
    """What the run's folder knows of it. Raises InputError."""
    record = folder.record()
    return RunMetadata(
        run_id=record.run_id,
        name=record.name,
        seed=record.seed,
        state=str(record.state),
        created_utc=record.created_utc,
        zero_utc=record.zero_utc,
        finished_utc=record.finished_utc,
        cloud=record.cloud,
        emulated=record.emulated,
        simulated=record.simulated,
        campaign=record.campaign,
        point={path: str(value) for path, value in flat_facts(record.facts)},
        left_behind=record.left_behind,
        experiment=_text(folder.experiment_file),
        environment=_environment(folder.environment_file),
        kilonode_version=version("kilonode"),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError("the run's experiment is gone", where=str(path), got=error.strerror or str(error)) from error


def _environment(path: Path) -> dict[str, object]:
    """The environment, or nothing for a run that was killed before it was written."""
    try:
        environment: dict[str, object] = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    except (OSError, msgspec.DecodeError):
        return {}
    return environment
