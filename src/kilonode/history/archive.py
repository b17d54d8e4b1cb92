"""The compact form of a finished run's history, and SQL over it.

While a run goes on each process writes its own journal into the folder `journal`. `compact` turns them into
`history.parquet` and `samples.parquet` (sorted, zstd; text as text, so any tool that reads Parquet understands them).
`read_history` reads the Parquet files, or the journals where there are none: a killed run can be reported. `query` runs
SQL over the tables `ops` and `samples`, whose columns are the fields of the two records.
"""

# ruff: noqa: S608  (the names put into SQL are this module's own, and paths are quoted)

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np

from kilonode.base.errors import InputError
from kilonode.base.formats import refuse_newer
from kilonode.history.blocks import block_of_flat
from kilonode.history.columns import Columns, History, Names, Samples
from kilonode.history.journal import SUFFIX, op_tuple
from kilonode.history.payloads import FORMAT_VERSION, NO_WORKER
from kilonode.history.reading import JournalContents, read_journal
from kilonode.history.records import Op

JOURNAL_FOLDER: Final = "journal"
OPS_FILE: Final = "history.parquet"
SAMPLES_FILE: Final = "samples.parquet"

Supplement = Callable[[int], Sequence[Op]]
"""What journals that were cut off lack and others know: more Ops, given the last instant that is known of the run."""

_OPS_TEXTS: Final = ("kind", "workload", "step", "outcome", "error")
_OPS_NUMBERS: Final = ("iteration", "due_ns", "started_ns", "finished_ns", "resolution_ns", "worker")
_OPS_FIELDS: Final = (
    "kind", "workload", "step", "iteration", "due_ns", "started_ns", "finished_ns", "outcome", "error",
    "resolution_ns", "worker",
)  # fmt: skip
_SAMPLES_TEXTS: Final = ("source", "metric")
_SAMPLES_FIELDS: Final = ("source", "metric", "at_ns", "value")


def no_supplement(last_ns: int) -> Sequence[Op]:
    """Nobody knows more than the journals."""
    return ()


def compact(run_folder: Path, *, keep_journals: bool = True) -> History:
    """Write the Parquet files of a run from its journals, and return the history.

    Each file appears whole or not at all. Journals that are torn are kept in any case. Does nothing but read when the
    Parquet files are there already.
    """
    if _archived(run_folder):
        return read_history(run_folder)
    history = _read_journals(run_folder)
    facts = {
        "kilonode_format_version": str(FORMAT_VERSION),
        "torn": str(int(history.torn)),
        "lost_at_most_s": repr(history.lost_at_most_s),
    }
    with duckdb.connect() as connection:
        columns, samples = history.columns, history.samples
        _write(connection, samples, _SAMPLES_FIELDS, _SAMPLES_TEXTS, run_folder / SAMPLES_FILE, facts)
        _write(connection, columns, _OPS_FIELDS, _OPS_TEXTS, run_folder / OPS_FILE, facts)
    if not keep_journals and not history.torn:
        for path in _journals(run_folder):
            path.unlink()
    return history


def read_history(run_folder: Path, supplement: Supplement = no_supplement) -> History:
    """The history of a run. Raises InputError when there is none, or when a newer Kilonode wrote it.

    A compact history has nothing to be supplemented.
    """
    if not _archived(run_folder):
        return _read_journals(run_folder, supplement)
    try:
        with duckdb.connect() as connection:
            torn, lost_at_most_s = _read_facts(connection, run_folder / OPS_FILE)
            names, arrays = _read(connection, run_folder / OPS_FILE, _OPS_TEXTS, _OPS_NUMBERS)
            columns = Columns(*names, *arrays)
            names, arrays = _read(connection, run_folder / SAMPLES_FILE, _SAMPLES_TEXTS, ("at_ns", "value"))
            samples = Samples(*names, *arrays)
    except duckdb.Error as error:
        raise InputError("cannot read the history", where=str(run_folder), got=str(error)) from error
    return History(columns, samples, torn, lost_at_most_s)


def query(run_folder: Path, sql: str, supplement: Supplement = no_supplement) -> list[tuple[Any, ...]]:
    """The rows that `sql` gives over the tables `ops` and `samples` of a run. Raises InputError for a mistake in it.

    The run need not be compact: the journals of a killed run are loaded into memory.
    """
    with duckdb.connect() as connection:
        if _archived(run_folder):
            for table, file in (("ops", OPS_FILE), ("samples", SAMPLES_FILE)):
                connection.read_parquet(str(run_folder / file)).create_view(table)
        else:
            history = _read_journals(run_folder, supplement)
            _expose(connection, "ops", history.columns, _OPS_FIELDS, _OPS_TEXTS)
            _expose(connection, "samples", history.samples, _SAMPLES_FIELDS, _SAMPLES_TEXTS)
        try:
            return connection.execute(sql).fetchall()
        except duckdb.Error as error:
            raise InputError(
                "the query failed",
                where=str(run_folder),
                got=str(error),
                hint="the tables are ops and samples; DESCRIBE ops lists the columns",
            ) from error


def _archived(run_folder: Path) -> bool:
    # The file of the Ops is written last: where it is, the other one is whole too.
    return (run_folder / OPS_FILE).exists()


def _journals(run_folder: Path) -> list[Path]:
    return sorted((run_folder / JOURNAL_FOLDER).glob(f"*{SUFFIX}"))


def _read_journals(run_folder: Path, supplement: Supplement = no_supplement) -> History:
    journals: list[JournalContents] = [read_journal(path) for path in _journals(run_folder)]
    if not journals:
        raise InputError(
            "this run has no history",
            where=str(run_folder),
            expected=f"{OPS_FILE}, or {JOURNAL_FOLDER}/*{SUFFIX}",
            hint="it ended before its load began, or this is not the folder of a run",
        )
    blocks = [(block, contents.header.worker) for contents in journals if contents.header for block in contents.blocks]
    known_ns = [int(block.finished_ns.max()) for block, _ in blocks]
    known_ns += [sample.at_ns for contents in journals for sample in contents.samples]
    more = supplement(max(known_ns, default=0))
    if more:
        blocks.append((block_of_flat([value for op in more for value in op_tuple(op)]), NO_WORKER))
    return History(
        Columns.from_blocks(blocks),
        Samples.from_samples([sample for contents in journals for sample in contents.samples]),
        any(contents.torn for contents in journals),
        max(contents.lost_at_most_s for contents in journals),
    )


def _expose(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Columns | Samples,
    fields: Sequence[str],
    texts: Sequence[str],
) -> None:
    """Make the view `table` over the arrays of `columns`, with text as enumerations (no string is copied per row)."""
    connection.register(f"{table}_coded", {field: getattr(columns, field) for field in fields})
    expressions = []
    for field in fields:
        if field not in texts:
            expressions.append(field)
        elif names := getattr(columns, f"{field}_names"):
            _make_enumeration(connection, f"{table}_{field}", names)
            expressions.append(f"enum_range(NULL::{table}_{field})[{field} + 1] AS {field}")
        else:
            expressions.append(f"''::VARCHAR AS {field}")  # no rows, and an enumeration cannot be empty
    connection.execute(f"CREATE VIEW {table} AS SELECT {', '.join(expressions)} FROM {table}_coded")


def _make_enumeration(connection: duckdb.DuckDBPyConnection, name: str, words: Names) -> None:
    connection.register(f"{name}_names", {"place": np.arange(len(words)), "word": np.array(words, dtype=object)})
    connection.execute(f"CREATE TYPE {name} AS ENUM (SELECT word FROM {name}_names ORDER BY place)")


def _write(
    connection: duckdb.DuckDBPyConnection,
    columns: Columns | Samples,
    fields: Sequence[str],
    texts: Sequence[str],
    path: Path,
    facts: dict[str, str],
) -> None:
    table = path.stem
    _expose(connection, table, columns, fields, texts)
    temporary = path.with_name(f".{path.name}.new")
    metadata = ", ".join(f"{key}: '{value}'" for key, value in facts.items())
    try:
        connection.execute(
            f"COPY {table} TO {_quoted(temporary)} (FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{metadata}}})"
        )
        temporary.replace(path)
    except (duckdb.Error, OSError) as error:
        temporary.unlink(missing_ok=True)
        raise InputError("cannot write the history", where=str(path), got=str(error)) from error


def _read(
    connection: duckdb.DuckDBPyConnection, path: Path, texts: Sequence[str], numbers: Sequence[str]
) -> tuple[list[Any], list[Any]]:
    """The sorted tables of words of the text columns; then the arrays: codes of the text columns, and the numbers."""
    source = _quoted(path)
    tables: list[Names] = []
    expressions = []
    for field in texts:
        words = connection.execute(f"SELECT DISTINCT {field} FROM {source} ORDER BY {field}").fetchall()
        tables.append(tuple(word for (word,) in words))
        if words:
            _make_enumeration(connection, f"{path.stem}_{field}", tables[-1])
            expressions.append(f"enum_code({field}::{path.stem}_{field})::INTEGER AS {field}")
        else:
            expressions.append(f"0::INTEGER AS {field}")
    found = connection.execute(f"SELECT {', '.join([*expressions, *numbers])} FROM {source}").fetchnumpy()
    return tables, [found[field] for field in [*texts, *numbers]]


def _read_facts(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[bool, float]:
    rows = connection.execute(f"SELECT key, value FROM parquet_kv_metadata({_quoted(path)})").fetchall()
    facts = {bytes(key).decode(): bytes(value).decode() for key, value in rows}
    version = int(facts.get("kilonode_format_version", "0"))
    refuse_newer(version, FORMAT_VERSION, what="this history", where=str(path))
    return facts.get("torn") == "1", float(facts.get("lost_at_most_s", "0"))


def _quoted(path: Path) -> str:
    text = str(path).replace("'", "''")
    return f"'{text}'"
