import pytest

from kilonode.check.metrics import Unit
from kilonode.check.results import Interval
from kilonode.report.words import (
    bytes_words,
    cores_words,
    interval_words,
    range_words,
    rate_words,
    seconds_words,
    several,
    share_words,
    value_words,
)


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0%"), (1.0, "100%"), (0.001, "0.10 %"), (0.00875, "0.88 %"), (1e-7, "<0.001 %"), (0.99999, ">99.99 %"),
     (0.123, "12.3 %"), (None, "–")],
)  # fmt: skip
def test_a_share_is_never_rounded_to_none_or_all(share: float | None, words: str) -> None:
    assert share_words(share) == words


@pytest.mark.parametrize(
    ("per_s", "words"), [(0.0, "0/s"), (0.0123, "0.0123/s"), (5.0, "5.00/s"), (18.46, "18.5/s"), (12345.6, "12,346/s")]
)
def test_rates_have_three_digits(per_s: float, words: str) -> None:
    assert rate_words(per_s) == words


def test_sizes_are_binary() -> None:
    assert [bytes_words(value) for value in (0, 2048, 1.5 * 2**20, 25 * 2**30)] == [
        "0 B",
        "2.00 KiB",
        "1.50 MiB",
        "25.0 GiB",
    ]


def test_a_lower_limit_says_so() -> None:
    assert seconds_words(2.5, at_least=True) == "≥ 2.50 s"
    assert value_words(None, Unit.SECONDS, at_least=True) == "–"


def test_open_ends_of_intervals_say_so() -> None:
    assert interval_words(Interval(low=1.0, high=2.0), Unit.SECONDS) == "1.00 s to 2.00 s"
    assert interval_words(Interval(low=1.0, high=None), Unit.SECONDS) == "1.00 s or more"
    assert interval_words(Interval(low=None, high=2.0), Unit.SECONDS) == "2.00 s or less"
    assert interval_words(Interval(low=None, high=None), Unit.SECONDS) == interval_words(None, Unit.SECONDS) == ""


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.0325, 0.0331, "32.5–33.1 ms"), (0.98, 1.02, "980 ms–1.02 s"), (4.5, None, "4.50 s–…"), (None, 2.0, "…–2.00 s"),
     (100.0, 130.0, "1 m 40 s–2 m 10 s")],
)  # fmt: skip
def test_ranges_share_their_unit(low: float | None, high: float | None, words: str) -> None:
    assert range_words(low, high) == words


@pytest.mark.parametrize(
    ("cores", "words"),
    [(None, "–"), (0.0, "0"), (7.7e-06, "<0.001"), (0.0123, "0.0123"), (1.5, "1.50"), (-0.25, "−0.25")],
)
def test_processors_kept_busy_have_three_digits_and_no_false_ones(cores: float | None, words: str) -> None:
    assert cores_words(cores) == words


def test_one_of_something_is_not_several() -> None:
    assert [several(count, "action") for count in (0, 1, 1200)] == ["0 actions", "1 action", "1,200 actions"]
