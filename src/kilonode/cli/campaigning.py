"""A campaign's results side by side: which figures each run contributes, and the table of them for people."""

from collections.abc import Iterator
from typing import Any, Final

from kilonode.base.units import format_seconds
from kilonode.check.results import Results
from kilonode.run.campaign import CampaignTable

SHOWN_PERCENTILES: Final = (50.0, 95.0, 99.0)
UNKNOWN: Final = "unknown"


def figures_of(results: Results | None) -> dict[str, float | None]:
    """The numbers of one run that are worth putting beside those of its neighbours; None: not known."""
    figures: dict[str, float | None] = {}
    for workload in results.workloads if results is not None else ():
        for step in workload.steps:
            if "." in step.step:
                continue
            name = f"{workload.facts.name}.{step.step}" if step.step else workload.facts.name
            figures[f"{name} throughput_per_s"] = step.throughput_per_s
            for percentile in step.latency.percentiles:
                if percentile.percent in SHOWN_PERCENTILES:
                    figures[f"{name} latency_s_p{percentile.percent:g}"] = percentile.value_s
            figures[f"{name} error_rate"] = step.error_rate
    return figures


def describe_table(table: CampaignTable) -> Iterator[str]:
    """One block for each point: its facts, its verdict, its figures under each other, so that any width is enough."""
    done = [row for row in table.rows if row.result is not None]
    if not done:
        return
    heads = [", ".join(f"{path}={_plain(value)}" for path, value in row.facts.items()) for row in done]
    names = [name for name in table.figures if "." not in name.split(" ")[0] or "latency_s" in name]
    width = max(len("verdict"), *(len(name) for name in names)) if names else len("verdict")
    cells = [[str(row.result.verdict) if row.result else "" for row in done]]
    cells += [[_figure(name, row.result.figures.get(name) if row.result else None) for row in done] for name in names]
    widths = [max(len(f"[{place + 1}]"), *(len(line[place]) for line in cells)) for place in range(len(done))]
    yield ""
    for place, head in enumerate(heads):
        yield f"[{place + 1}] {head}  ({done[place].runs[-1] if done[place].runs else ''})"
    yield ""
    yield " " * width + "  " + "  ".join(f"[{place + 1}]".rjust(size) for place, size in enumerate(widths))
    for name, line in zip(["verdict", *names], cells, strict=True):
        values = "  ".join(cell.rjust(size) for cell, size in zip(line, widths, strict=True))
        yield f"{name:<{width}}  {values}"


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return UNKNOWN
    if "latency_s" in name:
        return format_seconds(value)
    if name.endswith("error_rate"):
        return f"{value:.2%}"
    return f"{value:.4g}/s"


def _plain(value: Any) -> str:
    return str(value)
