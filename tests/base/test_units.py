import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.base.units import Duration, Rate, Size, format_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("60s", 60.0),
        ("1m30s", 90.0),
        ("1h 5min", 3900.0),
        ("2 days", 172_800.0),
        ("1.5h", 5400.0),
        ("0s", 0.0),
        ("7ns", 7e-9),
        ("3 µs", 3e-6),
        ("1e-3s", 0.001),
    ],
)
def test_durations_read_as_people_write_them(text: str, seconds: float) -> None:
    assert Duration.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "60", "s", "-5s", "5 parsecs", "1m1m", "1s 5", "5s!", "infs", "nan s", "1e999s"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Duration.parse(text)
    assert caught.value.problem.expected
    assert repr(text) in caught.value.problem.got


def test_a_mistyped_unit_gets_the_nearest_one_as_hint() -> None:
    with pytest.raises(InputError, match="did you mean 'seconds'"):
        Duration.parse("5 secnods")


@given(st.floats(min_value=0, max_value=1e9, allow_nan=False))
def test_a_printed_duration_reads_back_as_the_same_number(seconds: float) -> None:
    assert Duration.parse(str(Duration(seconds))) == seconds


@given(st.floats(min_value=0, max_value=1e9, allow_nan=False))
def test_a_printed_rate_reads_back_as_the_same_number(per_second: float) -> None:
    assert Rate.parse(str(Rate(per_second))) == per_second


@given(st.integers(min_value=0, max_value=2**60))
def test_a_printed_size_reads_back_as_the_same_number(count: int) -> None:
    assert Size.parse(str(Size(count))) == count


def test_rates_may_be_per_any_unit_of_time() -> None:
    assert (Rate.parse("200/s"), Rate.parse("30/min"), Rate.parse("1 / h")) == (200.0, 0.5, 1 / 3600)


@pytest.mark.parametrize("text", ["200", "/s", "200/", "200/s/s", "-1/s", "5/GB"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Rate.parse(text)


def test_sizes_know_powers_of_1000_from_powers_of_1024() -> None:
    assert (Size.parse("64MiB"), Size.parse("64MB"), Size.parse("1.5kB")) == (64 * 2**20, 64 * 10**6, 1500)


@pytest.mark.parametrize("text", ["64", "64Mb", "0.3B", "-1B", "1e400TB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Size.parse(text)


@pytest.mark.parametrize("parse", [Duration.parse, Rate.parse, Size.parse])
@given(text=st.text())
def test_no_text_breaks_a_parser_otherwise_than_by_an_input_error(parse: object, text: str) -> None:
    try:
        value = parse(text)  # type: ignore[operator]
    except InputError:
        return
    assert value >= 0
    assert math.isfinite(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.0004123, "412 µs"),
        (0.04567, "45.7 ms"),
        (3.0701, "3.07 s"),
        (99.97, "1 m 40 s"),
        (250.0, "4 m 10 s"),
        (5000.0, "1 h 23 m 20 s"),
        (math.nan, "unknown"),
        (-0.5, "-500 ms"),
    ],
)
def test_people_read_three_digits_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
