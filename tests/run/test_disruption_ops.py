"""What became of a fault, as an Op: since when it may have been felt, and until when."""

import pytest

from kilonode.faults.injecting import Disrupted
from kilonode.run.disruption_ops import op_of

SECOND_NS = 1_000_000_000


def instants(done: Disrupted) -> tuple[float, float, float, str]:
    op = op_of("d", 0, done, 100 * SECOND_NS)
    return (op.due_ns / SECOND_NS, op.started_ns / SECOND_NS, op.finished_ns / SECOND_NS, op.outcome)


def done(sentence: str, *, healed_s: float | None = None, lasting: bool = False) -> Disrupted:
    """Due after 10 s, begun a tenth of a second later, seen after 20 s."""
    healed_ns = None if healed_s is None else round(healed_s * SECOND_NS)
    return Disrupted(sentence, 10 * SECOND_NS, round(10.1 * SECOND_NS), 20 * SECOND_NS, 0, healed_ns, lasting)


@pytest.mark.parametrize("sentence", ["restart keystone", "reboot node a", "reset node a"])
def test_what_is_over_when_it_is_done_lasts_from_its_beginning_to_its_end(sentence: str) -> None:
    assert instants(done(sentence)) == (10, 10.1, 20, "ok")


def test_what_is_begun_at_the_very_first_instant_is_felt_from_there() -> None:
    restarted = Disrupted("restart keystone", 0, told_ns=0, took_effect_ns=20 * SECOND_NS)
    assert instants(restarted) == (0, 0, 20, "ok")


def test_what_ends_in_good_order_is_felt_from_its_beginning_and_lasts_as_long_as_was_said_from_its_end() -> None:
    terminated = done("terminate keystone for 5s", healed_s=25, lasting=True)
    assert instants(terminated) == (10, 10.1, 25, "ok")
    assert instants(done("terminate keystone for 9s", healed_s=25, lasting=True))[3] == "cancelled"


def test_what_is_there_at_once_is_felt_from_when_it_was_seen() -> None:
    assert instants(done("isolate api for 5s", healed_s=25, lasting=True)) == (10, 20, 25, "ok")
    assert instants(done("kill api")) == (10, 20, 20, "ok")
