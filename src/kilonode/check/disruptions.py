"""Disruptions that did not happen, or were not healed: then a run cannot tell what it should.

A run that was ended early says so itself: what was cut short by that is no reason of its own.
"""

from collections.abc import Iterator

from kilonode.base.outcomes import Outcome
from kilonode.check.facts import RunFacts
from kilonode.check.operations import OperationTable
from kilonode.check.results import Reason, Verdict
from kilonode.check.stages import list_disruptions
from kilonode.history.upgrades import is_upgrade


def reasons_of_disruptions(table: OperationTable, facts: RunFacts) -> Iterator[Reason]:
    """Why the verdict is not better than unknown."""
    for one in list_disruptions(table):
        if is_upgrade(one.target):
            continue  # what becomes of those is told by `check.upgrades`
        if not one.happened and facts.abortion is None:
            text = f"The disruption “{one.target or one.name}” did not happen: {one.error}."
            yield Reason(verdict=Verdict.UNKNOWN, about="disruption", text=text)
        elif one.outcome == Outcome.SCENARIO:  # of another tool's fault: whether it took effect nobody knows
            text = f"The disruption “{one.target or one.name}” failed: {one.error}."
            yield Reason(verdict=Verdict.UNKNOWN, about="disruption", text=text)
        elif one.outcome == Outcome.WRONG_STATE:
            text = f"The disruption “{one.target or one.name}” was not healed: {one.error}."
            yield Reason(verdict=Verdict.UNKNOWN, about="disruption", text=text)
