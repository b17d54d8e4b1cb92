"""Notes what the load asks the cloud to change, so that afterwards it can be held against what there is.

Off by default: a run that wants no such check pays nothing. Of a request's body only words that tell resources apart
are kept, never a whole body: it may hold a password.
"""

from pathlib import Path
from typing import Any, Final

import msgspec

from kilonode.base.outcomes import Outcome
from kilonode.clients.transport import Response
from kilonode.history.asked import SUFFIX, Asked, AskedWriter

REFERENCES: Final = ("flavorRef", "network_id", "subnet_id", "volumeId", "volume_id", "server_id", "port_id")
"""The keys of requests whose values tie a resource to others."""
_LONGEST_ANSWER_BYTES: Final = 1 << 20


class AskedNotebook:
    """The observer of one worker's connections. What is seen before `open` and after `close` is not noted."""

    def __init__(self) -> None:
        self._writer: AskedWriter | None = None
        self._zero_ns = 0

    def open(self, journal: Path, run_id: str, zero_ns: int) -> None:
        """Begin to note, in a file beside the journal. Raises InputError."""
        self._zero_ns = zero_ns
        self._writer = AskedWriter(journal.with_suffix(SUFFIX), run_id)

    def flush(self) -> None:
        """What was noted so far survives a kill."""
        if self._writer is not None:
            self._writer.flush()

    def close(self, *, complete: bool = True) -> None:
        """Note nothing more."""
        if self._writer is not None:
            self._writer.close(complete=complete)
            self._writer = None

    def __call__(
        self,
        service: str,
        method: str,
        path: str,
        content: object,
        response: Response | None,
        outcome: Outcome,
        resent: bool,
        sent_ns: int,
        answered_ns: int,
    ) -> None:
        """See `kilonode.clients.openstack.observing.ChangeObserver`."""
        if self._writer is None:
            return
        word, inner = _opened(content)
        self._writer.add(
            Asked(
                service=service,
                method=method,
                path=path,
                word=word,
                name=str(inner.get("name") or ""),
                refers={key: inner[key] for key in REFERENCES if isinstance(inner.get(key), str)},
                identity=_identity(response, word) if method == "POST" and response is not None else "",
                sent_ns=sent_ns - self._zero_ns,
                answered_ns=answered_ns - self._zero_ns,
                status=response.status if response is not None else 0,
                outcome=outcome.value,
                resent=resent,
            )
        )


def _opened(content: object) -> tuple[str, dict[str, Any]]:
    """The word that a body is wrapped in, and what is inside; a bare body has no word."""
    if not isinstance(content, dict) or not content:
        return "", {}
    word, inner = next(iter(content.items()))
    if isinstance(inner, dict):
        return str(word), inner
    return ("", content) if "name" in content else (str(word), {})


def _identity(response: Response, word: str) -> str:
    """The id of what was made; empty when the answer does not say."""
    if not 200 <= response.status < 300 or not 0 < len(response.body) <= _LONGEST_ANSWER_BYTES:
        return ""
    try:
        answer = msgspec.json.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    made = answer.get(word, answer) if isinstance(answer, dict) else None
    if not isinstance(made, dict):
        return ""
    return str(made.get("id") or "")
