"""What becomes of requests on purpose in front of a service: which are met, and whether they are held back or refused.

Pure: whoever stands in front (the api of an emulated cloud, a gate before any other service) asks it about each request
and does what it says. Chance comes from the seed of the rule. A rule is a document, so that it can be handed over.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import msgspec

from kilonode.base.encoding import encode_json
from kilonode.base.randomness import Randomness

RULE_SUFFIX: Final = ".rule"
RULES_FOLDER: Final = "request-rules"
"""In the state folder of an emulated cloud: one file for each rule, which is there as long as the rule holds."""
SEEN_FOLDER: Final = "request-rules.seen"
"""Beside it: one file for each process that goes by the rules, with those that it goes by now."""


class RequestRule(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which requests are met, and what becomes of them."""

    token: str
    """Its own."""
    abort: bool = False
    """They are refused, after the delay if there is one."""
    status: int | None = None
    """The answer's; None: the connection is reset."""
    delay_s: float = 0.0
    jitter_s: float = 0.0
    """The delay varies by as much in both directions, evenly."""
    percent: float = 100.0
    method: str = ""
    """Empty: any."""
    path: str = ""
    """Only this path and what is below it; empty: any."""
    region: str = ""
    """Only at the site of this region; empty: at all."""
    seed: int = 0

    def concerns(self, method: str, path: str) -> bool:
        """Whether it is about such requests. The path is without its query."""
        if self.method and method != self.method:
            return False
        return not self.path or path == self.path or path.startswith(self.path.rstrip("/") + "/")


class Seen(msgspec.Struct, frozen=True):
    """The rules that a process goes by."""

    pid: int
    tokens: tuple[str, ...]


class Treatment(msgspec.Struct, frozen=True):
    """What becomes of one request."""

    delay_s: float = 0.0
    abort: bool = False
    status: int | None = None


class RequestRules:
    """Rules that hold together: delays add up, the first that refuses decides how."""

    def __init__(self, rules: Sequence[RequestRule] = ()) -> None:
        self.rules = tuple(rules)
        self._streams = [Randomness(rule.seed, "requests", rule.token).stream() for rule in self.rules]

    def treat(self, method: str, path: str) -> Treatment | None:
        """What becomes of a request; None: nothing. `path` may have a query."""
        path = path.partition("?")[0]
        delay_s, refusing = 0.0, None
        met = False
        for rule, stream in zip(self.rules, self._streams, strict=True):
            if not rule.concerns(method, path) or stream.random() * 100 >= rule.percent:
                continue
            met = True
            delay_s += max(0.0, rule.delay_s + stream.uniform(-rule.jitter_s, rule.jitter_s))
            if rule.abort and refusing is None:
                refusing = rule
        if not met:
            return None
        return Treatment(delay_s, refusing is not None, refusing.status if refusing else None)


def refusal_phrase(status: int) -> str:
    """What the status is called in an answer that refuses on purpose."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # nobody has registered it
        return "Refused"


def refusal_body(status: int) -> bytes:
    """The body of such an answer, as JSON."""
    return encode_json(
        {
            "error": {
                "code": status,
                "title": refusal_phrase(status),
                "message": "The request was refused on purpose.",
            }
        }
    )
