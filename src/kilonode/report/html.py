"""report.html."""

from kilonode.check.results import Results
from kilonode.report.metadata import RunMetadata


def report_html(results: Results, metadata: RunMetadata) -> str:
    """One self-contained file."""
    del metadata
    return f"<!doctype html><title>{results.verdict}</title>"
