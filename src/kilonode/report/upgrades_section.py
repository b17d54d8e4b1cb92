"""The section of the report about upgrades: each with its four assertions, their numbers, and its steps."""

from kilonode.base.units import format_seconds
from kilonode.check.results import Results
from kilonode.check.upgrades.records import ASSERTIONS, Assertion, StepDone, Upgrade
from kilonode.report.markup import Child, Markup, element
from kilonode.report.sections import section
from kilonode.report.tables import number, table, verdict_mark
from kilonode.report.upgrade_words import VERDICTS, course_words, step_words, title_words


def upgrades_section(results: Results) -> Markup | None:
    """What can be asserted of every upgrade, and why; None when nothing was upgraded."""
    if results.upgrades is None:
        return None
    parts: list[Child] = []
    for upgrade in results.upgrades.upgrades:
        parts += _upgrade(upgrade)
    return section("upgrades", "Upgrades", *parts)


def _upgrade(upgrade: Upgrade) -> list[Child]:
    course = course_words(upgrade)
    assertion_heads = [("", False), ("assertion", False), ("meaning", False), ("evidence", False)]
    step_heads = [("process", False), ("step", False), ("began at", True), ("took", True), ("", False)]
    title = title_words(upgrade)
    return [
        element("h3", title),
        element("p", f"{course[:1].upper()}{course[1:]}.", class_="lead"),
        table(assertion_heads, [_assertion(one) for one in upgrade.assertions], f"Assertions: {title}", "criteria"),
        table(step_heads, [_step(one) for one in upgrade.steps], f"Steps: {title}", "criteria")
        if upgrade.steps
        else None,
    ]


def _assertion(one: Assertion) -> Markup:
    return element(
        "tbody",
        element(
            "tr",
            element("td", verdict_mark(VERDICTS[one.held])),
            element("th", one.name, element("small", f" {one.held}"), scope="row"),
            element("td", ASSERTIONS[one.name], class_="words"),
            element("td", one.text, class_="words"),
        ),
    )


def _step(one: StepDone) -> Markup:
    took_s = one.finish_s - one.start_s
    return element(
        "tbody",
        element(
            "tr",
            element("th", one.what, scope="row"),
            element("td", one.action),
            number(format_seconds(one.start_s), one.start_s),
            number(format_seconds(took_s), took_s),
            element("td", step_words(one), class_="words"),
        ),
    )
