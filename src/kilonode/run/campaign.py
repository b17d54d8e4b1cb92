"""Campaigns: the points of a matrix as runs side by side, in a folder that remembers how far it came.

    runs/20260314-151617-boot-matrix/
        campaign.json            `CampaignIndex`: every point, its facts, its runs so far, its result
        20260314-151618-boot-matrix/   one run folder for each attempt at a point

The index is replaced atomically, before a point starts and after it ended, so a campaign cut at any instant goes on
where it was: points with a result are skipped, a point that was cut is done again in a new folder (the old one stays,
with what was measured). A campaign is found again by its *identity*, a digest of all its resolved experiments: the same
file with the same settings continues it, another file or another setting begins a new one.
"""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from kilonode.base.encoding import encode_json_for_people
from kilonode.base.errors import InputError
from kilonode.base.files import write_atomically
from kilonode.base.formats import decode_versioned_json
from kilonode.run.folder import make_dated_folder
from kilonode.run.reading import Point, ReadExperiment

INDEX_FILE: Final = "campaign.json"
FORMAT_VERSION: Final = 1


class PointResult(msgspec.Struct, frozen=True):
    """How one point ended."""

    verdict: str
    """valid, unknown or invalid."""
    exit_code: int
    """The exit code the run alone would have had."""
    figures: dict[str, float | None] = {}
    """The numbers to put side by side, their unit last in the name: `boots.boot latency_s_p99`. None: not known."""


class PointRecord(msgspec.Struct, frozen=True):
    """One point of the campaign as the index has it."""

    number: int
    facts: dict[str, Any]
    """Matrix path to value."""
    digest: str
    """Of the point's resolved experiment."""
    runs: tuple[str, ...] = ()
    """The names of its run folders, oldest first; the last one is what counts."""
    result: PointResult | None = None
    """None: not done yet."""


class CampaignIndex(msgspec.Struct, frozen=True):
    """What `campaign.json` says."""

    name: str
    identity: str
    axes: tuple[str, ...]
    created_utc: datetime
    points: tuple[PointRecord, ...]
    closed: bool = False
    """Every point has its result and the whole was seen to its end; the same file then begins a new campaign."""
    format_version: int = FORMAT_VERSION


class CampaignTable(msgspec.Struct, frozen=True):
    """The results side by side: one row for each point, in the order of the matrix."""

    axes: tuple[str, ...]
    figures: tuple[str, ...]
    """Every figure that any point has, in the order in which they first came."""
    rows: tuple[PointRecord, ...]


class Campaign:
    """A campaign's folder and its index."""

    def __init__(self, path: Path, index: CampaignIndex, points: tuple[Point, ...] = ()) -> None:
        self.path = path
        self.index = index
        self._points = points

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.name

    def pending(self) -> list[Point]:
        """The points without a result, in order."""
        return [point for point in self._points if self.index.points[point.number].result is None]

    def started(self, point: Point, run: str) -> None:
        """Remember that the run folder named `run`, in this campaign's folder, is an attempt at `point`."""
        record = self.index.points[point.number]
        self._replace(msgspec.structs.replace(record, runs=(*record.runs, run)))

    def ended(self, point: Point, result: PointResult) -> None:
        """Remember the result of `point`: it will not be done again."""
        self._replace(msgspec.structs.replace(self.index.points[point.number], result=result))

    def table(self) -> CampaignTable:
        """What is known so far, side by side."""
        results = [record.result for record in self.index.points if record.result is not None]
        figures = dict.fromkeys(name for result in results for name in result.figures)
        return CampaignTable(self.index.axes, tuple(figures), self.index.points)

    def exit_code(self) -> int:
        """The worst of the points: a lab failure, then bad input, aborted, invalid, unknown, valid."""
        codes = {record.result.exit_code for record in self.index.points if record.result is not None}
        return next((code for code in (5, 2, 4, 1, 3) if code in codes), 0)

    def close(self) -> None:
        """The campaign is at its end: opening the same experiment again begins a new one."""
        self.index = msgspec.structs.replace(self.index, closed=True)
        self._write()

    def _replace(self, record: PointRecord) -> None:
        points = tuple(record if known.number == record.number else known for known in self.index.points)
        self.index = msgspec.structs.replace(self.index, points=points)
        self._write()

    def _write(self) -> None:
        write_atomically(self.path / INDEX_FILE, encode_json_for_people(self.index))


RunPoint = Callable[[Point, Campaign], Awaitable[PointResult | None]]
"""Does one point in a new run folder inside the campaign's, which it reports with `campaign.started`. None: the run was
cut short by the user and has no result."""


def open_campaign(
    runs: Path, read: ReadExperiment, created: datetime, *, simulated: bool = False, fresh: bool = False
) -> Campaign:
    """The open campaign in `runs` with the same identity, to go on with; else, or if `fresh`, a new one."""
    identity = campaign_identity(read, simulated=simulated)
    if not fresh:
        for campaign in list_campaigns(runs):
            if campaign.index.identity == identity and not campaign.index.closed:
                return Campaign(campaign.path, campaign.index, read.points)
    name = read.points[0].experiment.name
    records = tuple(PointRecord(point.number, point.facts, _digest(point.text)) for point in read.points)
    path = make_dated_folder(runs, name, created)
    campaign = Campaign(path, CampaignIndex(name, identity, read.axes, created, records), read.points)
    campaign._write()
    return campaign


def read_campaign(path: Path) -> Campaign:
    """The campaign in the folder `path`, to look at. Raises InputError."""
    file = path / INDEX_FILE
    try:
        index = decode_versioned_json(
            file.read_bytes(), CampaignIndex, FORMAT_VERSION, what="this campaign", where=str(file)
        )
    except OSError as error:
        raise InputError("not a campaign folder", where=str(path), got=error.strerror or str(error)) from error
    except msgspec.DecodeError as error:
        raise InputError("a broken campaign index", where=str(file), got=str(error)) from error
    return Campaign(path, index)


def find_campaign(runs: Path, which: str) -> Campaign | None:
    """The campaign that `which` names: a path, or a folder's name in `runs`; None: it names none. Raises InputError."""
    for path in (Path(which), runs / which):
        if (path / INDEX_FILE).is_file():
            return read_campaign(path)
    return None


def list_campaigns(runs: Path) -> list[Campaign]:
    """Every readable campaign in `runs`, newest first by name."""
    campaigns: list[Campaign] = []
    for file in sorted(runs.glob(f"*/{INDEX_FILE}"), reverse=True):
        try:
            campaigns.append(read_campaign(file.parent))
        except InputError:
            continue  # a broken one must not be in the way of a new one
    return campaigns


async def run_campaign(campaign: Campaign, run_point: RunPoint) -> CampaignTable:
    """Do every pending point, one after the other, until one is cut short; the table of what is known then.

    The caller closes the campaign once the whole has been reported.
    """
    for point in campaign.pending():
        result = await run_point(point, campaign)
        if result is None:
            return campaign.table()
        campaign.ended(point, result)
    return campaign.table()


def campaign_identity(read: ReadExperiment, *, simulated: bool) -> str:
    """A digest of every resolved experiment of the file, in order, and of the clock they run on."""
    return _digest("\0".join(["simulated" if simulated else "real", *(point.text for point in read.points)]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
