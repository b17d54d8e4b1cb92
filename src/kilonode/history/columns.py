"""A whole history in columns: what checkers and reports work on.

A million Ops are a few arrays of a million numbers, not a million objects. Text is coded: `kind[i]` is the place of a
word in the sorted table `kind_names`; the same for workload, step, outcome and error. Because the tables are sorted,
the same history gives the same columns however many processes wrote it (`worker` alone tells them apart).

Instants are nanoseconds since the run's zero; setup lies before it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from kilonode.history.blocks import LARGEST_BLOCK_OPS, OpBlock, Words, block_of_flat
from kilonode.history.journal import op_tuple
from kilonode.history.records import Op, Sample

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Names = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """All Ops, ordered by due, started, kind, workload, iteration, step, finished and worker."""

    kind_names: Names
    workload_names: Names
    step_names: Names
    outcome_names: Names
    error_names: Names
    kind: Int32s
    workload: Int32s
    step: Int32s
    outcome: Int32s
    error: Int32s
    iteration: Int64s
    due_ns: Int64s
    started_ns: Int64s
    finished_ns: Int64s
    resolution_ns: Int64s
    worker: Int32s

    def __len__(self) -> int:
        return len(self.due_ns)

    @classmethod
    def from_ops(cls, ops: Iterable[Op]) -> Self:
        """The columns of single Ops, in any order: for tests and for small histories."""
        by_worker: dict[int, list[str | int]] = {}
        for op in ops:
            by_worker.setdefault(op.worker, []).extend(op_tuple(op))
        width = len(op_tuple(_NO_OP))
        piece = LARGEST_BLOCK_OPS * width
        return cls.from_blocks(
            [
                (block_of_flat(flat[start : start + piece]), worker)
                for worker, flat in by_worker.items()
                for start in range(0, len(flat), piece)
            ]
        )

    @classmethod
    def from_blocks(cls, blocks: Sequence[tuple[OpBlock, int]]) -> Self:
        """The columns of the blocks of journals, each with the number of its worker, in any order."""
        kind_names, kind = _merge([block.kind for block, _ in blocks])
        workload_names, workload = _merge([block.workload for block, _ in blocks])
        step_names, step = _merge([block.step for block, _ in blocks])
        outcome_names, outcome = _merge([block.outcome for block, _ in blocks])
        error_names, error = _merge([block.error for block, _ in blocks])
        iteration = _join([block.iteration for block, _ in blocks])
        due_ns = _join([block.due_ns for block, _ in blocks])
        started_ns = _join([block.started_ns for block, _ in blocks])
        finished_ns = _join([block.finished_ns for block, _ in blocks])
        resolution_ns = _join([block.resolution_ns for block, _ in blocks])
        worker = np.repeat(
            np.array([worker for _, worker in blocks], dtype=np.int32),
            np.array([len(block) for block, _ in blocks], dtype=np.int64),
        )
        order = np.lexsort((worker, finished_ns, step, iteration, workload, kind, started_ns, due_ns))
        return cls(
            kind_names,
            workload_names,
            step_names,
            outcome_names,
            error_names,
            kind[order],
            workload[order],
            step[order],
            outcome[order],
            error[order],
            iteration[order],
            due_ns[order],
            started_ns[order],
            finished_ns[order],
            resolution_ns[order],
            worker[order],
        )

    def ops(self) -> Iterator[Op]:
        """Every Op as an object, in order: for tests and for small histories."""
        for index in range(len(self)):
            yield Op(
                self.kind_names[self.kind[index]],
                self.workload_names[self.workload[index]],
                self.step_names[self.step[index]],
                int(self.iteration[index]),
                int(self.due_ns[index]),
                int(self.started_ns[index]),
                int(self.finished_ns[index]),
                self.outcome_names[self.outcome[index]],
                self.error_names[self.error[index]],
                int(self.resolution_ns[index]),
                int(self.worker[index]),
            )


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """All Samples, ordered by instant, source and metric."""

    source_names: Names
    metric_names: Names
    source: Int32s
    metric: Int32s
    at_ns: Int64s
    value: Floats

    def __len__(self) -> int:
        return len(self.at_ns)

    @classmethod
    def from_samples(cls, samples: Sequence[Sample]) -> Self:
        """The columns of single Samples, in any order."""
        source_names, source = _code([sample.source for sample in samples])
        metric_names, metric = _code([sample.metric for sample in samples])
        at_ns = np.array([sample.at_ns for sample in samples], dtype=np.int64)
        value = np.array([sample.value for sample in samples], dtype=np.float64)
        order = np.lexsort((metric, source, at_ns))
        return cls(source_names, metric_names, source[order], metric[order], at_ns[order], value[order])

    def of(self, source: str, metric: str) -> tuple[Int64s, Floats]:
        """The instants and values of one metric of one source; empty when there are none."""
        if source not in self.source_names or metric not in self.metric_names:
            return self.at_ns[:0], self.value[:0]
        chosen = (self.source == self.source_names.index(source)) & (self.metric == self.metric_names.index(metric))
        return self.at_ns[chosen], self.value[chosen]

    def samples(self) -> Iterator[Sample]:
        """Every Sample as an object, in order."""
        for source, metric, at_ns, value in zip(
            self.source.tolist(), self.metric.tolist(), self.at_ns.tolist(), self.value.tolist(), strict=True
        ):
            yield Sample(self.source_names[source], self.metric_names[metric], at_ns, value)


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Everything a run recorded."""

    columns: Columns
    samples: Samples
    torn: bool = False
    """A writer was killed or a file is damaged: something may be missing."""
    lost_at_most_s: float = 0.0
    """About how much time of the history is missing at most, in the worst of the journals; zero when nothing is."""


_NO_OP = Op("", "", "", 0, 0, 0, 0, "")


def _merge(columns: Sequence[Words]) -> tuple[Names, Int32s]:
    """One sorted table for many columns of text, and their codes one after the other."""
    names = sorted({name for words in columns for name in words.names})
    place = {name: number for number, name in enumerate(names)}
    codes = [
        np.array([place[name] for name in words.names], dtype=np.int32)[words.codes] for words in columns if words.names
    ]
    return tuple(names), np.concatenate(codes) if codes else np.empty(0, dtype=np.int32)


def _code(column: Sequence[str]) -> tuple[Names, Int32s]:
    names = sorted(set(column))
    place = {name: number for number, name in enumerate(names)}
    return tuple(names), np.fromiter(map(place.__getitem__, column), np.int32, len(column))


def _join(columns: Sequence[Int64s]) -> Int64s:
    return np.concatenate(columns) if columns else np.empty(0, dtype=np.int64)
