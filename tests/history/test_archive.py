from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.history.archive import compact, query, read_history
from kilonode.history.journal import JournalHeader, JournalWriter
from kilonode.history.records import Op, Sample
from tests.history.strategies import SAMPLES, ops_of

OPS = ops_of(st.integers(-1, 3))


def make_run(folder: Path, written: list[Op], measured: list[Sample] | None = None, *, complete: bool = True) -> Path:
    """A run folder with one journal for each worker."""
    (folder / "journal").mkdir()
    for worker in sorted({op.worker for op in written} | {0}):
        header = JournalHeader(
            run_id="r", name=f"worker-{worker}", worker=worker, zero_ns=0, zero_utc=datetime(2030, 1, 1, tzinfo=UTC)
        )
        writer = JournalWriter(folder / "journal" / f"worker-{worker}.journal", header)
        for op in written:
            if op.worker == worker:
                writer.add_op(op)
        for sample in measured or [] if worker == 0 else []:
            writer.add_sample(sample)
        writer.close(complete=complete)
    return folder


def op(number: int, **fields: object) -> Op:
    return Op("iteration", "load", "", number, number, number, number + 10, "ok", **fields)  # type: ignore[arg-type]


@settings(max_examples=25)
@given(st.lists(OPS, max_size=30), st.lists(SAMPLES, max_size=10))
def test_the_archive_is_the_journals(written: list[Op], measured: list[Sample]) -> None:
    with TemporaryDirectory() as folder:
        run = make_run(Path(folder), written, measured)
        before = read_history(run)
        compact(run)
        after = read_history(run)
    assert list(after.columns.ops()) == list(before.columns.ops())
    assert list(after.samples.samples()) == list(before.samples.samples())
    assert after.columns.error_names == before.columns.error_names
    assert sorted(before.columns.ops(), key=repr) == sorted(written, key=repr)


def test_the_archive_remembers_what_was_lost(tmp_path: Path) -> None:
    run = make_run(tmp_path, [op(1)], complete=False)
    compact(run, keep_journals=False)
    history = read_history(run)
    assert (history.torn, history.lost_at_most_s) == (True, 1.0)
    assert list((run / "journal").glob("*.journal"))  # what is torn is kept


def test_whole_journals_may_go_once_the_archive_stands(tmp_path: Path) -> None:
    run = make_run(tmp_path, [op(1), op(2)])
    compact(run, keep_journals=False)
    assert not list((run / "journal").glob("*.journal"))
    assert len(read_history(run).columns) == 2
    assert len(compact(run).columns) == 2  # again: nothing to do


def test_sql_sees_the_records_before_and_after_the_archive(tmp_path: Path) -> None:
    run = make_run(tmp_path, [op(1), op(2), op(3, worker=1)], [Sample("generator-0", "cpu_fraction", 5, 0.5)])
    sql = "SELECT workload, outcome, worker, count(*), max(finished_ns - due_ns) FROM ops GROUP BY ALL ORDER BY worker"
    expected = [("load", "ok", 0, 2, 10), ("load", "ok", 1, 1, 10)]
    assert query(run, sql) == expected
    assert query(run, "SELECT value FROM samples WHERE metric = 'cpu_fraction'") == [(0.5,)]
    compact(run)
    assert query(run, sql) == expected
    assert query(run, "SELECT source, at_ns, value FROM samples") == [("generator-0", 5, 0.5)]


def test_the_archive_has_text_as_text_for_any_tool(tmp_path: Path) -> None:
    compact(make_run(tmp_path, [op(1)]))
    with duckdb.connect() as connection:
        rows = connection.execute(f"DESCRIBE SELECT * FROM '{tmp_path / 'history.parquet'}'").fetchall()  # noqa: S608
    assert [(name, kind) for name, kind, *_ in rows][:4] == [
        ("kind", "VARCHAR"),
        ("workload", "VARCHAR"),
        ("step", "VARCHAR"),
        ("iteration", "BIGINT"),
    ]


def test_a_run_without_a_history_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no history"):
        read_history(tmp_path)


def test_a_mistake_in_the_query_is_an_input_error(tmp_path: Path) -> None:
    run = make_run(tmp_path, [op(1)])
    with pytest.raises(InputError, match="the query failed"):
        query(run, "SELECT nothing FROM ops")


def test_an_archive_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path, [op(1)])
    compact(run)
    path = run / "history.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT * FROM '{path}') TO '{tmp_path / 'new'}' "  # noqa: S608
            "(FORMAT parquet, KV_METADATA {kilonode_format_version: '99'})"
        )
    (tmp_path / "new").replace(path)
    with pytest.raises(InputError, match="newer Kilonode"):
        read_history(run)
