"""What is said of Tempest's tests: one outcome for each that was selected, and a reason for each that did not pass."""

import msgspec

from tests.conformance.tempest.page import REASONS, RESULTS, UNEXPLAINED, Reason, ServiceResult, tempest_part
from tests.conformance.tempest.running import SERVICES, Outcome, outcomes


def result(test: str, status: str, words: str = "") -> dict[str, str]:
    return {"id": test, "status": status, "words": words}


def test_every_selected_test_has_one_outcome_also_when_its_class_or_its_worker_ended() -> None:
    selected = ["tempest.api.x.A.one[id-1]", "tempest.api.x.A.two[id-2]", "tempest.api.x.B.one", "tempest.api.x.C.one"]
    found = outcomes(
        selected,
        [
            result("tempest.api.x.A.one[id-1]", "success"),
            result("tempest.api.x.A.two[id-2]", "fail", "Traceback:\n  x\ntempest.lib.exceptions.NotFound: gone\n"),
            result("tempest.api.x.B.one", "exists"),
            result("setUpClass (tempest.api.x.B)", "skip", "not here"),
        ],
    )
    assert [(one.test.removeprefix("tempest.api.x."), one.outcome, one.words) for one in found] == [
        ("A.one", "passed", ""),
        ("A.two", "failed", "tempest.lib.exceptions.NotFound: gone"),
        ("B.one", "skipped", "not here"),
        ("C.one", "failed", "the test never ran: its worker ended before it"),
    ]


def test_a_test_without_a_reason_is_shown_as_unexplained_with_its_words() -> None:
    not_passed = (
        Outcome("tempest.api.x.A.one", "skipped", "off"),
        Outcome("tempest.api.x.A.two", "failed", "broken"),
        Outcome("tempest.api.x.A.three", "skipped", "no login"),
    )
    reasons = [Reason("It is off on purpose.", words="off"), Reason("There is no guest.", words="login", guest=True)]
    page = tempest_part([ServiceResult("x", "1", 8, not_passed)], reasons)
    assert "| x | 11 | 8 | 1 | 2 | 72.7 % | 80.0 % | 1 |" in page
    assert "- It is off on purpose.\n  - `x.A.one`" in page
    assert f"- {UNEXPLAINED}\n  - `x.A.two`: broken" in page


def test_the_reasons_and_the_kept_results_can_be_read() -> None:
    assert all(one.reason for one in msgspec.yaml.decode(REASONS.read_bytes(), type=list[Reason]))
    for path in RESULTS.glob("*.json"):
        kept = msgspec.json.decode(path.read_bytes(), type=ServiceResult)
        assert kept.service in SERVICES
        assert path.stem == kept.service
