"""How an operation can end: one small vocabulary for clients, load, history, checkers and reports."""

from enum import StrEnum


class Outcome(StrEnum):
    """The class of an operation's end. Every value but OK is a failure of the cloud, except the last three."""

    OK = "ok"
    REFUSED = "refused"
    """No connection: refused, unreachable, or the name did not resolve."""
    RESET = "reset"
    """The connection broke before the whole answer came."""
    TIMEOUT = "timeout"
    TLS = "tls"
    """The certificate was not trusted or the handshake failed."""
    PROTOCOL = "protocol"
    """An answer that is not HTTP, or whose body is not what the API promises."""
    HTTP_4XX = "http_4xx"
    HTTP_5XX = "http_5xx"
    QUOTA = "quota"
    """The service refused for want of quota or by a rate limit (403 and 413 that say so, 429)."""
    WRONG_STATE = "wrong_state"
    """The resource ended in ERROR or in another state than the one waited for."""
    SCENARIO = "scenario"
    """The scenario itself raised: a mistake in it, or an assertion of its own."""
    DROPPED = "dropped"
    """Due but never started, because the generator had no free virtual user: the load's fault, not the cloud's."""
    CANCELLED = "cancelled"
    """Cut off by the end of the run; its duration is censored: it would have taken at least this long."""
    EXHAUSTED = "exhausted"
    """The machine that made the load had no file descriptor, local port or memory for the connection: its own failure,
    not the cloud's, which was never asked."""


NOT_OF_THE_CLOUD: frozenset[str] = frozenset({Outcome.DROPPED, Outcome.CANCELLED, Outcome.EXHAUSTED})
"""The outcomes that are neither a success nor an error of the cloud under test."""
FAILURES: frozenset[str] = frozenset(set(Outcome) - {Outcome.OK} - NOT_OF_THE_CLOUD)
"""The outcomes that count as errors of the cloud under test."""
