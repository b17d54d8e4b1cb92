"""The emulated cloud answers as real services answered, but for what reasons.yaml explains; and the parts of that."""

from pathlib import Path
from typing import Any

import pytest

from tests.conformance.differential import recording, sequences
from tests.conformance.differential.comparing import (
    ABSENT,
    Comparison,
    Difference,
    Reason,
    compare,
    read_reasons,
    sort_out,
)
from tests.conformance.differential.normalising import Normaliser
from tests.conformance.differential.page import differential_part
from tests.conformance.differential.recording import Exchange, Recording
from tests.conformance.differential.together import compared

UUID = "0f4bdc8a-4c1b-4b62-9c33-0a5dd3e0e1a1"


@pytest.fixture(scope="module")
def comparisons() -> list[Comparison]:
    """Every service beside its recording, which takes a few seconds."""
    return compared(list(sequences.SERVICES))


def test_no_answer_differs_from_that_of_the_real_services_without_a_reason(comparisons: list[Comparison]) -> None:
    reasons = read_reasons()
    rest = [one for comparison in comparisons for one in sort_out(comparison.differences, reasons)[0]]
    assert [str(one) for one in rest] == []


def test_every_reason_is_needed(comparisons: list[Comparison]) -> None:
    reasons = read_reasons()
    needed = {number for one in comparisons for number in sort_out(one.differences, reasons)[1]}
    assert [reason for number, reason in enumerate(reasons) if number not in needed] == []


def test_the_sequences_are_many_and_many_of_them_are_bad(comparisons: list[Comparison]) -> None:
    requests = sum(comparison.requests for comparison in comparisons)
    assert requests >= 400
    assert sum(comparison.bad_requests for comparison in comparisons) * 3 >= requests


def answer(body: Any, *, status: int = 200, step: str = "a 1 GET /", ordered: bool = False) -> Exchange:
    return Exchange(step, "member", "", status, {}, body, ordered)


def differences(real: Exchange, emulated: Exchange) -> list[tuple[str, str, str]]:
    found = compare(Recording("x", {}, [real]), Recording("x", {}, [emulated]))
    return [(one.field, one.real, one.emulated) for one in found.differences]


@pytest.mark.parametrize(
    ("real", "emulated", "field", "words"),
    [
        ({"a": 1}, {"a": 2}, "body.a", ("1", "2")),
        ({"a": 1}, {"a": "1"}, "body.a", ("1", '"1"')),
        ({"a": 1}, {"a": True}, "body.a", ("1", "true")),
        ({"a": None}, {}, "body.a", ("null", ABSENT)),
        ({}, {"a": []}, "body.a", (ABSENT, "[]")),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, "body.a[].b", ("1", "2")),
        ({"a": [1]}, {"a": [1, 2]}, "body.a", ("[1]", "[1, 2]")),
    ],
)
def test_a_value_a_type_a_field_or_an_item_more_is_a_difference(
    real: Any, emulated: Any, field: str, words: tuple[str, str]
) -> None:
    assert differences(answer(real), answer(emulated)) == [(field, *words)]


def test_a_status_is_compared_and_alike_answers_do_not_differ() -> None:
    assert differences(answer({}, status=404), answer({}, status=200)) == [("status", "404", "200")]
    assert differences(answer({"a": [{"b": None}]}), answer({"a": [{"b": None}]})) == []


def test_items_are_compared_with_those_they_are_most_like_unless_their_order_matters() -> None:
    one, two = {"n": 1, "m": 1, "z": 0}, {"n": 2, "m": 2, "z": 0}
    changed = {**two, "z": 5}
    assert differences(answer([one, two]), answer([changed, one])) == [("body[].z", "0", "5")]
    assert len(differences(answer([one, two], ordered=True), answer([two, one], ordered=True))) == 4


def test_recordings_of_other_sequences_are_not_compared() -> None:
    with pytest.raises(ValueError, match="changed since"):
        compare(Recording("x", {}, [answer(1)]), Recording("x", {}, [answer(1, step="a 2 GET /")]))


def test_what_always_changes_is_said_by_its_kind_and_the_rest_is_kept() -> None:
    normaliser = Normaliser({"server": UUID, "compute": "http://127.0.0.1:8774", "short": "ab"}, ["/compute"])
    given = {
        "id": UUID,
        "other": "1f4bdc8a-4c1b-4b62-9c33-0a5dd3e0e1a1",
        "at": "2026-01-02T03:04:05Z",
        "exactly": "2026-01-02T03:04:05.123456",
        "href": f"http://127.0.0.1:8774/v2.1/servers/{UUID}",
        "path": f"/compute/servers/{UUID}",
        "ip": "10.0.0.7",
        "cidr": "10.0.0.0/24",
        "gateway_ip": "10.0.0.1",
        "revision_number": 7,
        "hostId": None,
        "word": "cab",
        "whole": "ab",
        "count": 3,
    }
    assert normaliser.body(given, ordered=False) == {
        "id": "<server>",
        "other": "<uuid>",
        "at": "<instant>Z",
        "exactly": "<instant.6>",
        "href": "<compute>/v2.1/servers/<server>",
        "path": "/servers/<server>",
        "ip": "<address>",
        "cidr": "10.0.0.0/24",
        "gateway_ip": "10.0.0.1",
        "revision_number": "<int>",
        "hostId": None,
        "word": "cab",
        "whole": "<short>",
        "count": 3,
    }


def test_headers_that_no_client_goes_by_are_left_out_and_tokens_are_not_kept() -> None:
    headers = Normaliser({}).headers({"date": "now", "x-subject-token": "secret", "vary": "A", "location": UUID})
    assert headers == {"location": "<uuid>", "vary": "a", "x-subject-token": "<given>"}


def test_one_entry_stands_for_a_request_of_each_line_body_and_microversion() -> None:
    sequence = sequences.read(
        "x",
        b"{service: compute, about: x, steps: [{asks: [GET /a, GET /b], microversions: ['2.1', '2.2']},"
        b" {ask: POST /c/action, bodies: [{stop: null}, {}]}]}",
    )
    assert [(one.name, one.microversion) for one in sequence.steps] == [
        ("x 1.1 GET /a", "2.1"),
        ("x 1.2 GET /a", "2.2"),
        ("x 1.3 GET /b", "2.1"),
        ("x 1.4 GET /b", "2.2"),
        ("x 2.1 POST /c/action stop", ""),
        ("x 2.2 POST /c/action", ""),
    ]


def test_a_recording_is_read_as_it_was_written_one_exchange_a_line(tmp_path: Path) -> None:
    kept = Recording("x", {"x": "1"}, [answer({"a": [1, None]}), answer(None, step="a 2 GET /", ordered=True)])
    recording.write(kept, tmp_path / "x.json")
    assert recording.read(tmp_path / "x.json") == kept
    assert len((tmp_path / "x.json").read_text().splitlines()) == 4


def test_the_first_reason_that_fits_explains_and_what_none_fits_is_left() -> None:
    found = [Difference("a 1 GET /", "body.x", "1", "2"), Difference("a 1 GET /", "body.y", "1", "2")]
    reasons = [Reason("because", "body.x", real="1"), Reason("also", "body.*", emulated="3")]
    assert sort_out(found, reasons) == ([found[1]], {0: 1})


def test_the_page_counts_what_is_explained_and_what_is_not(comparisons: list[Comparison]) -> None:
    found = [Difference("a 1 GET /", "body.x", "1", "2"), Difference("a 1 GET /", "body.y", "1", "2")]
    page = differential_part([Comparison("image", 10, 4, 100, found)], [Reason("because", "body.x")])
    assert "| 10 | 4 | 100 | 98.0 % | 1 | 1 |" in page
    assert "| 1 | because |" in page
