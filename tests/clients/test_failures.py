"""Error bodies as the services really send them, and the class each belongs to."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import MESSAGE_LIMIT_CHARACTERS
from kilonode.clients.failures import classify, service_message
from kilonode.clients.transport import Response

REAL = yaml.safe_load((Path(__file__).parent / "error_bodies.yaml").read_text())


@pytest.mark.parametrize("case", REAL, ids=lambda case: f"{case['service']}-{case['status']}")
def test_a_failed_answer_has_a_class_and_the_services_own_words(case: dict[str, Any]) -> None:
    failure = classify(Response(case["status"], (), case["body"].encode()), case["service"])
    assert failure is not None
    assert (failure.outcome, failure.status) == (case["outcome"], case["status"])
    assert failure.message == f"{case['service']} {case['status']}: {case['message']}"


@pytest.mark.parametrize("status", [200, 204, 302, 399])
def test_what_is_below_400_is_no_failure(status: int) -> None:
    assert classify(Response(status)) is None


def test_a_secret_that_the_service_repeats_is_taken_out_even_where_the_message_is_cut() -> None:
    token = "gAAAAAB" + "t" * 200
    body = b'{"error": {"message": "%sCould not find token: %s."}}' % (b"x" * 200, token.encode())
    failure = classify(Response(404, (), body), "identity", (token,))
    assert failure is not None
    assert "gAAAA" not in failure.message
    assert "Could not find token: …." in failure.message


@given(st.integers(400, 599), st.one_of(st.binary(max_size=400), st.text(max_size=400).map(str.encode)))
def test_any_body_gives_one_short_line(status: int, body: bytes) -> None:
    failure = classify(Response(status, (), body), "compute")
    assert failure is not None
    assert len(failure.message) <= MESSAGE_LIMIT_CHARACTERS
    assert len(failure.message.splitlines()) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9) | st.just("message"), inner),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_searched_without_an_error(value: object) -> None:
    assert isinstance(service_message(Response(500, (), json.dumps(value).encode())), str)
