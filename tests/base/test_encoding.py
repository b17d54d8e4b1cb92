import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.encoding import (
    decode_json,
    decode_msgpack,
    encode_json,
    encode_msgpack,
    from_plain,
    schema_hook,
    to_plain,
)
from kilonode.base.units import Duration, Rate, Size
from kilonode.load.models import ConstantArrivalRate, LoadModel

durations = st.floats(min_value=0, max_value=1e9, allow_nan=False).map(Duration)
rates = st.floats(min_value=0, max_value=1e9, allow_nan=False).map(Rate)
sizes = st.integers(min_value=0, max_value=2**60).map(Size)


class Trio(msgspec.Struct, frozen=True):
    duration: Duration
    rate: Rate
    size: Size


@given(st.builds(Trio, durations, rates, sizes))
def test_units_survive_every_encoding(trio: Trio) -> None:
    assert decode_json(encode_json(trio), Trio) == trio
    assert decode_msgpack(encode_msgpack(trio), Trio) == trio
    assert from_plain(to_plain(trio), Trio) == trio


@given(st.one_of(durations, rates, sizes))
def test_the_schema_pattern_accepts_every_printed_value(value: Duration | Rate | Size) -> None:
    assert re.search(schema_hook(type(value))["pattern"], str(value))


def test_a_load_model_is_chosen_by_its_name() -> None:
    model = ConstantArrivalRate(rate=Rate(200), duration=Duration(60))
    assert decode_json(encode_json(model), LoadModel) == model
    assert to_plain(model)["rate"] == "200/s"


@pytest.mark.parametrize("wrong", [60, "60", "sixty seconds", None, [], True])
def test_a_duration_without_a_unit_is_refused_with_its_path(wrong: object) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.duration"):
        from_plain({"duration": wrong, "rate": "1/s", "size": "1B"}, Trio)


def test_a_type_without_a_plain_form_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="complex has no plain form"):
        encode_json(1j)


def test_plain_values_have_lists_where_records_have_tuples() -> None:
    assert to_plain({"a": (1, Size(2))}) == {"a": [1, "2B"]}
