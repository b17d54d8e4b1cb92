"""docs/conformance.md: what of Tempest passes, and every test that does not, with the reason.

The figures of each service are kept beside this module in `results/`, so one service can be run again by itself.
Reasons are written by people, in reasons.yaml; what has none is shown as unexplained.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import msgspec

from tests.conformance.tempest.running import SERVICES, Outcome

PAGE: Final = Path(__file__).parents[3] / "docs" / "conformance.md"
RESULTS: Final = Path(__file__).with_name("results")
REASONS: Final = Path(__file__).with_name("reasons.yaml")
UNEXPLAINED: Final = "**unexplained**"
_BEGIN: Final = "<!-- tempest: written by make conformance -->"
_END: Final = "<!-- tempest: end -->"


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why tests do not pass."""

    reason: str
    tests: str = "*"
    """A pattern with `*` for their names."""
    words: str = ""
    """Part of what Tempest says of them."""
    guest: bool = False
    """Whether they can run only where somebody can log in to a server."""

    def explains(self, outcome: Outcome) -> bool:
        """Whether it is about this one."""
        return fnmatchcase(outcome.test, self.tests) and self.words in outcome.words


class ServiceResult(msgspec.Struct, frozen=True):
    """One service's last run."""

    service: str
    tempest: str
    passed: int
    not_passed: tuple[Outcome, ...]


def keep(service: str, tempest: str, outcomes: Iterable[Outcome]) -> None:
    """Write down what became of a service's tests."""
    found = list(outcomes)
    rest = tuple(
        Outcome(outcome.test, outcome.outcome, outcome.words) for outcome in found if outcome.outcome != "passed"
    )
    result = ServiceResult(service, tempest, len(found) - len(rest), rest)
    text = msgspec.json.format(msgspec.json.encode(result), indent=1)
    (RESULTS / f"{service}.json").write_bytes(text + b"\n")


def write_page() -> None:
    """Write the page anew from the results and reasons; what stands outside of the marks is kept."""
    reasons = msgspec.yaml.decode(REASONS.read_bytes(), type=list[Reason])
    kept = [RESULTS / f"{service}.json" for service in SERVICES]
    results = [msgspec.json.decode(path.read_bytes(), type=ServiceResult) for path in kept if path.exists()]
    text = PAGE.read_text()
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    PAGE.write_text(f"{before}{_BEGIN}\n{tempest_part(results, reasons)}{_END}{after}")


def tempest_part(results: list[ServiceResult], reasons: list[Reason]) -> str:
    """The part of the page about Tempest."""
    lines = [
        "",
        "| service | selected | passed | failed | skipped | of selected | of those that need no guest | Tempest |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        failed = sum(outcome.outcome == "failed" for outcome in result.not_passed)
        skipped = len(result.not_passed) - failed
        selected = result.passed + len(result.not_passed)
        known = (next((one for one in reasons if one.explains(outcome)), None) for outcome in result.not_passed)
        without_guest = selected - sum(reason is not None and reason.guest for reason in known)
        shares = f"{_share(result.passed, selected)} | {_share(result.passed, without_guest)}"
        lines.append(
            f"| {result.service} | {selected} | {result.passed} | {failed} | {skipped} | {shares} | {result.tempest} |"
        )
    for result in results:
        for outcome, title in (("failed", "Failed"), ("skipped", "Skipped")):
            some = [one for one in result.not_passed if one.outcome == outcome]
            if some:
                lines += ["", f"### {title}: {result.service}", "", *_grouped(some, reasons)]
    return "\n".join([*lines, "", ""])


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "unknown"


def _grouped(outcomes: list[Outcome], reasons: list[Reason]) -> list[str]:
    """The tests under the reason they share; those without one last."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        known = next((reason.reason for reason in reasons if reason.explains(outcome)), UNEXPLAINED)
        groups.setdefault(known, []).append(outcome)
    lines: list[str] = []
    for known in sorted(groups, key=lambda text: (text == UNEXPLAINED, text)):
        lines.append(f"- {known}")
        for outcome in groups[known]:
            name = outcome.test.removeprefix("tempest.api.")
            words = f": {outcome.words.replace('|', '/')}" if known == UNEXPLAINED and outcome.words else ""
            lines.append(f"  - `{name}`{words}")
    return lines
