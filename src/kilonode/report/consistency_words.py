"""What there is after a run against what was asked for, in words: shared by the terminal and the page."""

from typing import Final

from kilonode.check.circumstances import Circumstance
from kilonode.check.consistency import Breach, BreachCount, ConsistencyResults, Finding
from kilonode.report.words import UNKNOWN, count_words, outcome_words, printable, seconds_words

MEANINGS: Final[dict[Breach, str]] = {
    Breach.LOST: "creation acknowledged, not deleted, not there",
    Breach.RESURRECTED: "deletion acknowledged, and there",
    Breach.DUPLICATED: "there twice",
    Breach.STUCK: "in a state that should have ended by itself",
    Breach.LEAKED: "belongs to nothing, or is miscounted",
    Breach.OVERBOOKED: "given more than there is",
    Breach.STRAYED: "not in the state or flavor asked for last",
}


def summary_words(results: ConsistencyResults) -> str:
    """What was asked and what was found, in one line."""
    rest = "at rest" if results.settled else "not at rest"
    words = (
        f"{count_words(results.created)} creations and {count_words(results.deleted)} deletions acknowledged, "
        f"{count_words(results.uncertain)} requests uncertain; {count_words(results.there)} resources, "
        f"{rest} after {seconds_words(results.settling_s)}"
    )
    return f"{words}, {count_words(results.failed)} of them failed" if results.failed else words


def breach_count_words(count: BreachCount) -> str:
    """How many, as far as it is known."""
    if count.count is None:
        return UNKNOWN
    return f"{'≥ ' if count.note else ''}{count_words(count.count)}"


def finding_words(finding: Finding) -> str:
    """One finding, with the resource's name and id."""
    name = f"{finding.name} " if finding.name else ""
    words = "; ".join(part for part in (finding.text, circumstance_words(finding.circumstance)) if part)
    return printable(f"{finding.breach}: {finding.kind} {name}({finding.id}): {words}")


def circumstance_words(one: Circumstance | None) -> str:
    """What was asked last, when, how it was answered, and beside which disruption."""
    if one is None:
        return ""
    answered = f"answered {one.answer} at {seconds_words(one.answered_s)}"
    if not one.answer.isdecimal():
        answered = f"not answered ({outcome_words(one.answer)})"
    words = f"{one.request} asked at {seconds_words(one.asked_s)}, {answered}"
    if one.effect_s is None or one.over_s is None:
        return words
    if one.effect_s > one.answered_s:
        return f"{words}; {seconds_words(one.effect_s - one.answered_s)} later “{one.disruption}” took effect"
    if one.over_s < one.asked_s:
        past = "had taken effect" if one.over_s == one.effect_s else "was over"
        return f"{words}; “{one.disruption}” {past} {seconds_words(one.asked_s - one.over_s)} before"
    return f"{words}, while “{one.disruption}” was in effect"
