"""Any Op and any Sample, within what their fields can hold."""

from hypothesis import strategies as st

from kilonode.history.records import Op, Sample

NUMBERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=6)
SAMPLES = st.builds(Sample, source=TEXTS, metric=TEXTS, at_ns=NUMBERS, value=st.floats(allow_nan=False))


def ops_of(workers: st.SearchStrategy[int]) -> st.SearchStrategy[Op]:
    """Ops with these workers."""
    return st.builds(
        Op,
        kind=TEXTS,
        workload=TEXTS,
        step=TEXTS,
        iteration=NUMBERS,
        due_ns=NUMBERS,
        started_ns=NUMBERS,
        finished_ns=NUMBERS,
        outcome=TEXTS,
        error=TEXTS,
        resolution_ns=NUMBERS,
        worker=workers,
    )
