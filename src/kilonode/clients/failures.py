"""Which class a failed answer belongs to, and what the service said about it.

Every OpenStack service wraps its error message in its own way; the shapes are listed in docs/clients.md. Only answers
are classified here; failures below HTTP carry their class from the transport. Messages are one trimmed line.
"""

import re
from html import unescape
from http import HTTPStatus
from typing import Any, Final

import msgspec

from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.transport import Response

_LOOKED_AT_BYTES: Final = 16_384
"""No error message begins later than this in a body."""
_DEEPEST: Final = 4
"""How many wrappers around a message are opened."""

_MESSAGE_KEYS: Final = ("message", "detail", "faultstring", "error_message")
"""The keys under which services put their words, best first."""
_GENERAL_KEYS: Final = ("description", "explanation", "title")
"""The keys of words about the kind of error, looked at when there are no better ones."""
_QUOTA_WORDS: Final = re.compile(
    r"quota|over ?limit|limit ?exceeded|exceeds? (the )?(allowed )?(limit|maximum)|maximum (number|size|ports) "
    r"|too many requests|rate[- ]limit",
    re.IGNORECASE,
)
_QUOTA_STATUSES: Final = frozenset({403, 409, 413})
"""The statuses that mean quota when the message says so. Neutron answers 409 (OverQuota), Nova 403, Cinder and Glance
413, Keystone 403."""
_NOT_TEXT: Final = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.IGNORECASE | re.DOTALL)
_TITLE: Final = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def classify(response: Response, service: str = "", secrets: tuple[str, ...] = ()) -> OperationError | None:
    """The failure that an answer means, or None when its status is below 400.

    `service` (`compute`, …) begins the message; empty leaves it out. `secrets` are taken out of it: services may repeat
    what they were sent.
    """
    status = response.status
    if status < 400:
        return None
    words = scrub(service_message(response), secrets) or reason(status)
    message = f"{service} {status}: {words}" if service else f"{status}: {words}"
    if status == 429 or (status in _QUOTA_STATUSES and _QUOTA_WORDS.search(words + _error_type(response.body))):
        outcome = Outcome.QUOTA
    else:
        outcome = Outcome.HTTP_5XX if status >= 500 else Outcome.HTTP_4XX
    return OperationError(outcome, message, status=status)


def service_message(response: Response) -> str:
    """The service's own words, found in JSON, HTML or plain text; empty when it said nothing."""
    body = response.body[:_LOOKED_AT_BYTES].lstrip()
    if body[:1] in (b"{", b"["):
        try:
            return _words(msgspec.json.decode(response.body), _DEEPEST)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass  # cut short, or not JSON after all: its text is better than nothing
    text = body.decode("utf-8", "replace")
    if body[:1] == b"<":
        title = _TITLE.search(text)
        text = _NOT_TEXT.sub(" ", text).strip() or (title[1] if title else "")
        text = unescape(text)
    return " ".join(text.split())


def scrub(message: str, secrets: tuple[str, ...]) -> str:
    """The message with every secret in it replaced."""
    for secret in secrets:
        if secret and secret in message:
            message = message.replace(secret, "…")
    return message


def reason(status: int) -> str:
    """The standard phrase of a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"


def _words(value: Any, depth: int) -> str:
    """The first message in a decoded error body, through at most `depth` wrappers."""
    if isinstance(value, str):
        if value.startswith("{") and depth:  # older Ironic: JSON inside a JSON string
            try:
                return _words(msgspec.json.decode(value), depth - 1) or value
            except msgspec.DecodeError:
                return value
        return value
    if depth == 0:
        return ""
    if isinstance(value, list):
        return next((found for item in value if (found := _words(item, depth - 1))), "")
    if isinstance(value, dict):
        wrapped = [item for item in value.values() if isinstance(item, dict | list) or len(value) == 1]
        candidates = [value.get(key) for key in _MESSAGE_KEYS] + wrapped + [value.get(key) for key in _GENERAL_KEYS]
        return next((found for item in candidates if (found := _words(item, depth - 1))), "")
    return ""


def _error_type(body: bytes) -> str:
    """Neutron's `type`, which names quota even where its message is translated."""
    return " OverQuota" if b'"OverQuota"' in body[:_LOOKED_AT_BYTES] else ""
