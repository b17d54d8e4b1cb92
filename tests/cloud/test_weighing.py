"""Weights of the scheduler as the command line says them, and how long services may be silent."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.cloud.context import Weights
from kilonode.cloud.plan import UpSettings, plan
from kilonode.cloud.weighing import read_weights, with_weights
from tests.cloud.compute.harness import running

NAMES = Weights.__struct_fields__


@given(st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1000, allow_nan=False), min_size=1))
def test_what_is_written_is_read(wanted: dict[str, float]) -> None:
    assert read_weights(",".join(f"{name}={value!r}" for name, value in wanted.items())) == wanted


@pytest.mark.parametrize(
    "text", ["", "cpu", "cpu=", "cpu=much", "cpx=1", "cpu=1,cpu=2", "cpu=nan", "cpu=inf", "build_failure=-1"]
)
def test_what_is_no_weight_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        read_weights(text)


def test_weights_that_are_not_named_stay_as_they_were() -> None:
    assert with_weights(Weights(cpu=3.0, disk=2.0), {"cpu": -1.0}) == Weights(cpu=-1.0, disk=2.0)


def test_a_cloud_that_comes_up_again_keeps_weights_and_times() -> None:
    first = plan(UpSettings(Path("x"), weights={"cpu": -1.0}, service_down_time_s=20.0, heartbeat_s=4.0), None)
    again = plan(UpSettings(Path("x")), first)
    assert (again.settings.weights.cpu, again.settings.service_down_time_s, again.settings.heartbeat_s) == (-1, 20, 4)


@pytest.mark.parametrize("wanted", [{"heartbeat_s": 60.0}, {"service_down_time_s": 5.0}, {"heartbeat_s": 0.0}])
def test_services_that_would_always_be_down_are_refused(wanted: dict[str, float]) -> None:
    with pytest.raises(InputError):
        plan(
            UpSettings(
                Path("x"), heartbeat_s=wanted.get("heartbeat_s"), service_down_time_s=wanted.get("service_down_time_s")
            ),
            None,
        )


@pytest.mark.parametrize(("weight", "nodes_used"), [(1.0, 3), (-1.0, 1)])
async def test_negative_weights_pack_where_positive_ones_spread(weight: float, nodes_used: int) -> None:
    weights = Weights(cpu=weight, memory=weight, disk=weight)
    async with running(nodes=3, weights=weights) as compute:
        servers = [await compute.rest(await compute.boot(f"s{number}")) for number in range(3)]
        assert len({server.node for server in servers if server}) == nodes_used
