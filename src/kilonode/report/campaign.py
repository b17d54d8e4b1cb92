"""A campaign's report: one page in its folder, and the summary in a terminal."""

from pathlib import Path
from typing import Final

from kilonode.base.errors import InputError
from kilonode.base.files import write_atomically
from kilonode.check.scaling import CampaignResults
from kilonode.report.campaign_page import campaign_html
from kilonode.report.campaign_words import CampaignMetadata

REPORT_FILE: Final = "report.html"


def write_campaign_report(folder: Path, results: CampaignResults, metadata: CampaignMetadata) -> Path:
    """Write `report.html` into the campaign's folder; its path. Raises InputError when it cannot."""
    path = folder / REPORT_FILE
    try:
        write_atomically(path, campaign_html(results, metadata).encode())
    except OSError as error:
        raise InputError("cannot write the report", where=str(path), got=error.strerror or str(error)) from error
    return path
