"""The part of docs/conformance.md about real services: how much was compared, what differs and why. Judges nothing."""

from pathlib import Path
from typing import Final

from tests.conformance.differential.comparing import Comparison, Reason, sort_out
from tests.conformance.differential.recording import path_of, read

PAGE: Final = Path(__file__).parents[3] / "docs" / "conformance.md"
_BEGIN: Final = "<!-- beside real services: written by make differential -->"
_END: Final = "<!-- beside real services: end -->"


def write_page(comparisons: list[Comparison], reasons: list[Reason]) -> None:
    """Write the part anew; what stands outside of the marks is kept."""
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    PAGE.write_text(f"{before}{_BEGIN}\n{differential_part(comparisons, reasons)}{_END}{after}")


def differential_part(comparisons: list[Comparison], reasons: list[Reason]) -> str:
    """The tables."""
    lines = [
        "",
        "| service | real | requests | of them refused | fields compared | as the real service | differ, explained | differ, unexplained |",  # noqa: E501
        "|---|---|---|---|---|---|---|---|",
    ]
    counted: dict[int, int] = {}
    for comparison in comparisons:
        rest, used = sort_out(comparison.differences, reasons)
        for number, count in used.items():
            counted[number] = counted.get(number, 0) + count
        real = ", ".join(f"{name} {version}" for name, version in read(path_of(comparison.service)).versions.items())
        differ = len(comparison.differences)
        same = 100 * (1 - differ / comparison.fields)
        lines.append(
            f"| {comparison.service} | {real} | {comparison.requests} | {comparison.bad_requests} "
            f"| {comparison.fields:,} | {same:.1f} % | {differ - len(rest)} | {len(rest)} |"
        )
    lines += ["", "| differences | why they remain |", "|---|---|"]
    by_text: dict[str, int] = {}
    for number, count in counted.items():
        by_text[reasons[number].reason] = by_text.get(reasons[number].reason, 0) + count
    lines += [f"| {count} | {text} |" for text, count in sorted(by_text.items(), key=lambda item: (-item[1], item[0]))]
    return "\n".join([*lines, "", ""])
