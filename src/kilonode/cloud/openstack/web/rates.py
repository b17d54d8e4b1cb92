"""How often a caller may ask: one bucket of tokens for each, filled at the rate of the limit. Nothing waits here."""

import math
from typing import Final

from kilonode.cloud.limits import RateLimit
from kilonode.cloud.openstack.web.access import Caller
from kilonode.cloud.openstack.web.faults import Fault

CALLERS_KEPT: Final = 10_000
"""Of those that asked last; who asked before them begins anew."""
WORDS: Final = "This request was rate-limited."


class Rates:
    """The buckets of all callers, for all limits."""

    def __init__(self, limits: tuple[RateLimit, ...]) -> None:
        self._buckets: tuple[tuple[RateLimit, dict[str, tuple[float, float]]], ...] = tuple(
            (limit, {}) for limit in limits
        )

    def check(self, caller: Caller, address: str, now_s: float) -> None:
        """Count one request. Raises Fault 429 with the time to wait when it is one too many."""
        for limit, buckets in self._buckets:
            key = _key(limit, caller, address)
            tokens, at_s = buckets.pop(key, (float(limit.burst), now_s))
            tokens = min(float(limit.burst), tokens + (now_s - at_s) * limit.requests_per_s)
            wait_s = 0.0 if tokens >= 1 else (1 - tokens) / limit.requests_per_s
            buckets[key] = (tokens - (wait_s == 0), now_s)
            if len(buckets) > CALLERS_KEPT:
                del buckets[next(iter(buckets))]
            if wait_s:
                raise Fault(429, WORDS, headers=(("retry-after", str(math.ceil(wait_s))),))


def _key(limit: RateLimit, caller: Caller, address: str) -> str:
    if limit.each == "project" and caller.project_id:
        return f"project {caller.project_id}"
    if limit.each != "address" and caller.user_id:
        return f"user {caller.user_id}"
    return f"address {address}"
