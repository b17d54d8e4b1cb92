"""The section of the report about what there is after the run, held against what was asked for."""

from kilonode.check.results import Results
from kilonode.report.consistency_words import MEANINGS, breach_count_words, circumstance_words, summary_words
from kilonode.report.markup import Markup, element
from kilonode.report.sections import section
from kilonode.report.tables import number, table


def consistency_section(results: Results) -> Markup | None:
    """How many findings of each kind there are, and each by its name; None when nobody looked."""
    consistency = results.consistency
    if consistency is None:
        return None
    counts = [
        element(
            "tbody",
            element(
                "tr",
                element("th", one.breach, scope="row"),
                number(breach_count_words(one), one.count),
                element("td", MEANINGS[one.breach], class_="words"),
                element("td", one.note, class_="words"),
            ),
        )
        for one in consistency.counts
    ]
    findings = [
        element(
            "tbody",
            element(
                "tr",
                element("td", one.breach),
                element("td", one.kind),
                element("th", one.name or one.id, scope="row", title=one.id),
                element("td", one.text, class_="words"),
                element("td", circumstance_words(one.circumstance), class_="words"),
            ),
        )
        for one in consistency.findings
    ]
    count_heads = [("finding", False), ("number", True), ("meaning", False), ("", False)]
    finding_heads = [("finding", False), ("what", False), ("name", False), ("", False), ("asked last", False)]
    summary = summary_words(consistency)
    return section(
        "consistency",
        "Consistency",
        element("p", f"{summary[:1].upper()}{summary[1:]}.", class_="lead"),
        [element("p", f"Not looked at: {one}", class_="reason unknown") for one in consistency.unseen],
        table(count_heads, counts, "Findings by kind", "criteria"),
        table(finding_heads, findings, "Findings", "criteria") if findings else None,
    )
