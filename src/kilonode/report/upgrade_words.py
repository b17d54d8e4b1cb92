"""Words for what upgrades came to, the same in a terminal and on a page."""

from typing import Final

from kilonode.base.outcomes import Outcome
from kilonode.base.units import format_seconds
from kilonode.check.results import Verdict
from kilonode.check.upgrades.records import Held, StepDone, Upgrade

VERDICTS: Final = {Held.HELD: Verdict.VALID, Held.UNKNOWN: Verdict.UNKNOWN, Held.FAILED: Verdict.INVALID}
"""As what an assertion is drawn."""


def title_words(upgrade: Upgrade) -> str:
    """Which upgrade: its sentence, and its own name where it has one."""
    return f"{upgrade.sentence} ({upgrade.name})" if upgrade.name else upgrade.sentence


def course_words(upgrade: Upgrade) -> str:
    """When it was, how long it took, and what became of it."""
    if upgrade.outcome == Outcome.DROPPED:
        return f"it did not begin: {upgrade.error}"
    took = f"from {format_seconds(upgrade.start_s)} on, {format_seconds(upgrade.finish_s - upgrade.start_s)}"
    became = "done" if upgrade.outcome == Outcome.OK else upgrade.error
    return f"{took}; observed until {format_seconds(upgrade.observed_s)}; {became}"


def step_words(step: StepDone) -> str:
    """What became of a step: nothing to say when all went well."""
    return "" if step.outcome == Outcome.OK else step.error or step.outcome


def end_words(outcome: str) -> str:
    """How an upgrade ended."""
    return {Outcome.OK: "done", Outcome.WRONG_STATE: "failed", Outcome.CANCELLED: "cut short by the load's end"}.get(
        Outcome(outcome), "did not happen"
    )
