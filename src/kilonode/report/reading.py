"""How to read the report: what its words and numbers mean, for somebody who sees it for the first time."""

from typing import Final

from kilonode.report.markup import Markup, element, join
from kilonode.report.sections import section

_TERMS: Final = """
Latency: from the instant an operation was due to its end. Service time: from its start. In an open model one is
due by the schedule, whatever the cloud does, so a stall cannot hide.

Percentiles: by nearest rank: the smallest measured value that so many percent of the samples do not exceed. Samples are
operations that went well; those that timed out or were cut off count as “at least so long”. Below a percentile stands
its 95 % confidence interval by order statistics, which assumes nothing about the distribution; “…” is an end that takes
more samples. A dash: too few samples for any number.

≥: the true value is this or more: operations below it timed out, or were cut off by the end of the run.

Close: the bound lies within the interval. The criterion held, or did not, but a repetition might find otherwise.

Unknown: the run cannot tell: no samples or too few, a generator that was the bottleneck, a torn history.

Errors: refused, reset, timeout, TLS, protocol, 4xx, 5xx, quota, wrong state, or a mistake of the scenario, a share of
the operations that finished. Operations that were dropped (never started) or cut off are counted apart.

Polled: the end of an operation was found by asking again and again: it truly ended up to the time stated before it was
seen.
"""


def reading_section() -> Markup:
    """Each term and what it means."""
    terms = [paragraph.replace("\n", " ").strip().partition(": ") for paragraph in _TERMS.strip().split("\n\n")]
    items = [join(element("dt", term), element("dd", f"{words[:1].upper()}{words[1:]}")) for term, _, words in terms]
    return section("reading", "How to read this", element("dl", *items, class_="reading"))
