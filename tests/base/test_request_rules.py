"""Rules for requests: who is met, how often, and what becomes of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.request_rules import RequestRule, RequestRules, Treatment

paths = st.lists(st.sampled_from(["servers", "server", "a", "b"]), max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(paths, paths)
def test_a_path_is_met_with_all_below_it_and_nothing_beside_it(of_rule: str, of_request: str) -> None:
    wanted = [part for part in of_rule.split("/") if part]
    met = RequestRule("t", path=of_rule).concerns("GET", of_request)
    assert met == ([part for part in of_request.split("/") if part][: len(wanted)] == wanted)


@pytest.mark.parametrize(("method", "met"), [("", True), ("POST", True), ("GET", False)])
def test_only_the_method_that_is_said_is_met(method: str, met: bool) -> None:
    assert (RequestRules([RequestRule("t", True, 503, method=method)]).treat("POST", "/x?y=1") is not None) == met


@given(st.integers(0, 1_000), st.sampled_from([1.0, 10.0, 50.0, 99.0]))
def test_so_many_percent_are_met_and_the_same_ones_for_the_same_seed(seed: int, percent: float) -> None:
    rule = RequestRule("t", True, percent=percent, seed=seed)
    one, other = RequestRules([rule]), RequestRules([rule])
    met = [one.treat("GET", "/") is not None for _ in range(2_000)]
    assert met == [other.treat("GET", "/") is not None for _ in range(2_000)]
    share = percent / 100
    assert abs(sum(met) - 2_000 * share) <= 6 * (2_000 * share * (1 - share)) ** 0.5 + 1


@given(st.integers(0, 1_000))
def test_a_delay_varies_by_the_jitter_in_both_directions(seed: int) -> None:
    rules = RequestRules([RequestRule("t", delay_s=0.2, jitter_s=0.05, seed=seed)])
    delays = [found.delay_s for _ in range(300) if (found := rules.treat("GET", "/"))]
    assert len(delays) == 300
    assert 0.15 <= min(delays) < 0.16
    assert 0.24 < max(delays) <= 0.25


def test_of_several_rules_delays_add_up_and_the_first_refusal_decides() -> None:
    rules = [
        RequestRule("a", delay_s=0.1),
        RequestRule("b", True, 503),
        RequestRule("c", True, 500, delay_s=0.2),
    ]
    treatment = RequestRules(rules).treat("GET", "/")
    assert treatment is not None
    assert treatment.delay_s == pytest.approx(0.3)
    assert (treatment.abort, treatment.status) == (True, 503)
    assert RequestRules(rules[:1]).treat("GET", "/") == Treatment(0.1)
    assert RequestRules().treat("GET", "/") is None
