"""Setup, cleanup and disruptions: what the history says about the run around its load."""

import numpy as np

from kilonode.base.outcomes import FAILURES
from kilonode.check.operations import Key, OperationTable
from kilonode.check.results import ActionResults, DisruptionResults, StageResults
from kilonode.history.records import OpKind
from kilonode.history.upgrades import part_of_upgrade


def summarise_stages(table: OperationTable) -> tuple[StageResults, ...]:
    """Every stage of setup, then of cleanup, each in the order in which they began."""
    stages = []
    for kind in (OpKind.SETUP, OpKind.CLEANUP):
        actions: dict[str, list[Key]] = {}
        for key in table.keys_of_kind(kind):
            actions.setdefault(key.workload, []).append(key)
        found = [_summarise_stage(table, kind, stage, keys) for stage, keys in actions.items()]
        stages.extend(sorted(found, key=lambda stage: (stage.start_s, stage.stage)))
    return tuple(stages)


def _summarise_stage(table: OperationTable, kind: OpKind, stage: str, keys: list[Key]) -> StageResults:
    groups = [table.of(kind, key.workload, key.step) for key in keys]
    actions, failures = [], []
    for key, operations in zip(keys, groups, strict=True):
        failed = operations.with_outcome(*FAILURES)
        service_s = operations.service_s
        actions.append(
            ActionResults(
                action=key.step,
                count=len(operations),
                failed=len(failed),
                mean_s=float(service_s.mean()),
                max_s=float(service_s.max()),
            )
        )
        if len(failed):
            first = int(np.argmin(failed.finished_s))
            failures.append((float(failed.finished_s[first]), failed.error_names[failed.error[first]]))
    return StageResults(
        part=str(kind),
        stage=stage,
        start_s=min(float(operations.started_s.min()) for operations in groups),
        finish_s=max(float(operations.finished_s.max()) for operations in groups),
        count=sum(action.count for action in actions),
        failed=sum(action.failed for action in actions),
        error=min(failures)[1] if failures else "",
        actions=tuple(actions),
    )


def list_disruptions(table: OperationTable) -> tuple[DisruptionResults, ...]:
    """Every fault and whole upgrade, in the order in which they took effect."""
    operations = [
        (key, table.of(OpKind.DISRUPTION, key.workload, key.step))
        for key in table.keys_of_kind(OpKind.DISRUPTION)
        if part_of_upgrade(key.step) is None
    ]
    found = [
        DisruptionResults(
            name=key.workload,
            target=key.step,
            due_s=due_s,
            start_s=start_s,
            finish_s=finish_s,
            outcome=some.outcome_names[outcome],
            error=some.error_names[error],
        )
        for key, some in operations
        for due_s, start_s, finish_s, outcome, error in zip(
            some.due_s.tolist(),
            some.started_s.tolist(),
            some.finished_s.tolist(),
            some.outcome.tolist(),
            some.error.tolist(),
            strict=True,
        )
    ]
    return tuple(sorted(found, key=lambda disruption: (disruption.start_s, disruption.name, disruption.target)))
