"""The documents of a run: `verdict.json`, `junit.xml` and `report.html`, each replaced atomically.

`verdict.json` is `VerdictDocument`: the whole tree of results with what is known about the run. Its format has a
version; docs/report.md says what may change within one.
"""

from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.encoding import encode_json
from kilonode.base.errors import InputError
from kilonode.base.files import write_atomically
from kilonode.base.formats import decode_versioned_json
from kilonode.check.results import FORMAT_VERSION, Results
from kilonode.report.html import report_html
from kilonode.report.junit import junit_xml
from kilonode.report.metadata import RunMetadata

VERDICT_FILE: Final = "verdict.json"
JUNIT_FILE: Final = "junit.xml"
REPORT_FILE: Final = "report.html"


class VerdictDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What `verdict.json` says."""

    format_version: int = FORMAT_VERSION
    run: RunMetadata
    results: Results


def write_report(folder: Path, results: Results, metadata: RunMetadata) -> Path:
    """Write all documents into a run's folder; the path of the HTML report. Raises InputError when it cannot."""
    _write(folder / VERDICT_FILE, encode_json(VerdictDocument(run=metadata, results=results)) + b"\n")
    _write(folder / JUNIT_FILE, junit_xml(results, metadata))
    _write(folder / REPORT_FILE, report_html(results, metadata).encode())
    return folder / REPORT_FILE


def read_verdict(folder: Path) -> VerdictDocument:
    """What `verdict.json` in a run's folder says. Raises InputError when it is missing, broken or too new."""
    path = folder / VERDICT_FILE
    try:
        data = path.read_bytes()
        return decode_versioned_json(
            data,
            VerdictDocument,
            FORMAT_VERSION,
            what="this verdict",
            where=str(path),
            hint="make it anew from the run's history: kilonode report",
        )
    except OSError as error:
        raise InputError("no verdict here", where=str(path), got=error.strerror or str(error)) from error
    except msgspec.DecodeError as error:
        raise InputError("a broken verdict", where=str(path), got=str(error)) from error


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, data)
    except OSError as error:
        raise InputError("cannot write the report", where=str(path), got=error.strerror or str(error)) from error
