"""How disruptions went, for people."""

import pytest

from kilonode.check.results import DisruptionResults
from kilonode.report.tables import disruption_outcome_words


def ended(sentence: str, finish_s: float, outcome: str = "ok") -> str:
    one = DisruptionResults(
        name="d", target=sentence, due_s=10.0, start_s=10.0, finish_s=finish_s, outcome=outcome, error=""
    )
    return disruption_outcome_words(one)


@pytest.mark.parametrize(
    ("sentence", "finish_s", "words"),
    [
        ("kill api", 10.0, "took effect; nothing to heal"),
        ("restart keystone", 20.0, "done; nothing to heal"),
        ("terminate api", 11.0, "done"),
        ("terminate keystone for 10s", 21.0, "healed"),
        ("freeze scheduler", 30.0, "healed"),
    ],
)
def test_what_was_never_healed_is_not_said_to_be(sentence: str, finish_s: float, words: str) -> None:
    assert ended(sentence, finish_s) == words
