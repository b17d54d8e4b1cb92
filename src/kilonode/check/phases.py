"""The tree of a workload's steps: in which order they begin, and where the time of a step with parts goes."""

import numpy as np

from kilonode.base.outcomes import Outcome
from kilonode.check.buckets import Buckets
from kilonode.check.latency import summarise
from kilonode.check.operations import Operations, OperationTable
from kilonode.check.results import Phase, Phases
from kilonode.check.series import mean_over_time
from kilonode.history.records import OpKind


class StepTree:
    """The steps of one workload in the order in which they begin, each before the steps nested in it."""

    def __init__(self, table: OperationTable, workload: str) -> None:
        self._table = table
        self._workload = workload
        names = table.steps_of(workload)
        begins_s = self._begins_s(names)
        known = set(names)
        self._children: dict[str, list[str]] = {}
        for name in sorted(names, key=lambda name: (begins_s[name], name)):
            self._children.setdefault(_parent(name, known), []).append(name)
        self.paths: list[str] = []
        """Every step."""
        self._walk("")

    def operations(self, step: str) -> Operations:
        """The Ops of a step; of whole iterations for an empty path."""
        return self._table.of(OpKind.STEP if step else OpKind.ITERATION, self._workload, step)

    def parts_of(self, step: str) -> list[str]:
        """The innermost steps within a step; of a whole iteration, its outermost steps."""
        return list(self._children.get("", [])) if not step else self._leaves(step)

    def phases(self, buckets: Buckets) -> tuple[Phases, ...]:
        """Of whole iterations when they have two or more steps, and of each outermost step that has parts."""
        wholes = [step for step in ["", *self._children.get("", [])] if len(self.parts_of(step)) > 1]
        return tuple(self._phases_of(whole, buckets) for whole in wholes)

    def _phases_of(self, whole: str, buckets: Buckets) -> Phases:
        parts = self.parts_of(whole)
        whole_s = float(self.operations(whole).with_outcome(Outcome.OK).service_s.sum())
        found = []
        for part in parts:
            operations = self.operations(part)
            part_s = float(operations.with_outcome(Outcome.OK).service_s.sum())
            found.append(
                Phase(
                    step=part,
                    latency=summarise(operations.sorted_service()),
                    mean_share=part_s / whole_s if whole_s > 0 else None,
                )
            )
        return Phases(
            step=whole,
            parts=tuple(found),
            start_s=buckets.start_s,
            width_s=buckets.width_s,
            mean_s={part: mean_over_time(self.operations(part), buckets) for part in parts},
        )

    def _leaves(self, step: str) -> list[str]:
        leaves = []
        for child in self._children.get(step, []):
            leaves.extend(self._leaves(child) or [child])
        return leaves

    def _walk(self, step: str) -> None:
        for child in self._children.get(step, []):
            self.paths.append(child)
            self._walk(child)

    def _begins_s(self, names: list[str]) -> dict[str, float]:
        """How long after the start of its iteration each step begins: the median."""
        iterations = self.operations("")
        order = np.argsort(iterations.iteration, kind="stable")
        numbers, started_s = iterations.iteration[order], iterations.started_s[order]
        begins_s = {}
        for name in names:
            steps = self.operations(name)
            if len(numbers) == 0:
                begins_s[name] = float(np.median(steps.started_s))
                continue
            place = np.clip(np.searchsorted(numbers, steps.iteration), 0, len(numbers) - 1)
            known = numbers[place] == steps.iteration
            offsets_s = (steps.started_s - started_s[place])[known]
            begins_s[name] = float(np.median(offsets_s)) if len(offsets_s) else 0.0
        return begins_s


def _parent(name: str, known: set[str]) -> str:
    """The nearest enclosing step that was recorded, or nothing."""
    while "." in name:
        name = name.rpartition(".")[0]
        if name in known:
            return name
    return ""
