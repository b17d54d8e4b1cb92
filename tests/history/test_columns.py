import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kilonode.history.columns import Columns, Samples
from kilonode.history.records import Op, Sample

words = st.sampled_from(["", "a", "b", "boot", "boot.accepted", "é"])
small = st.integers(-3, 3)
ops = st.builds(
    Op,
    kind=words,
    workload=words,
    step=words,
    iteration=small,
    due_ns=small,
    started_ns=small,
    finished_ns=small,
    outcome=words,
    error=words,
    resolution_ns=small,
    worker=st.integers(-1, 3),
)
samples = st.lists(st.builds(Sample, source=words, metric=words, at_ns=small, value=st.floats(allow_nan=False)))


def order(op: Op) -> tuple[object, ...]:
    return (op.due_ns, op.started_ns, op.kind, op.workload, op.iteration, op.step, op.finished_ns, op.worker)


@given(st.lists(ops))
def test_columns_hold_every_op_in_order(given_ops: list[Op]) -> None:
    found = list(Columns.from_ops(given_ops).ops())
    assert sorted(found, key=repr) == sorted(given_ops, key=repr)
    assert [order(op) for op in found] == sorted(order(op) for op in given_ops)


@given(st.lists(ops))
def test_tables_of_words_are_sorted_and_hold_what_occurs(given_ops: list[Op]) -> None:
    columns = Columns.from_ops(given_ops)
    assert columns.workload_names == tuple(sorted({op.workload for op in given_ops}))
    assert columns.error_names == tuple(sorted({op.error for op in given_ops}))


@given(samples)
def test_samples_are_held_in_order(given_samples: list[Sample]) -> None:
    found = list(Samples.from_samples(given_samples).samples())
    assert sorted(found, key=repr) == sorted(given_samples, key=repr)
    assert [(sample.at_ns, sample.source, sample.metric) for sample in found] == sorted(
        (sample.at_ns, sample.source, sample.metric) for sample in given_samples
    )


def test_one_metric_of_one_source_can_be_taken_out() -> None:
    columns = Samples.from_samples([Sample("a", "x", 2, 2.0), Sample("a", "y", 1, 9.0), Sample("a", "x", 1, 1.0)])
    at_ns, value = columns.of("a", "x")
    assert (at_ns.tolist(), value.tolist()) == ([1, 2], [1.0, 2.0])
    assert len(columns.of("b", "x")[0]) == 0


def test_columns_have_the_types_that_checkers_count_on() -> None:
    columns = Columns.from_ops([Op("iteration", "w", "", 1, 2, 3, 4, "ok")])
    assert columns.kind.dtype == np.int32
    assert columns.due_ns.dtype == np.int64
    assert len(Columns.from_ops([])) == 0
