"""Notes what the load asks the cloud to change, so that afterwards it can be held against what there is.

Off by default: a run that wants no such check pays nothing. Of a request's body only words that tell resources apart
are kept, never a whole body: it may hold a password.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from kilonode.base.outcomes import Outcome
from kilonode.clients.transport import Response
from kilonode.history.asked import SUFFIX, TAKEN, Asked, AskedWriter

REFERENCES: Final = ("flavorRef", "network_id", "subnet_id", "volumeId", "volume_id", "server_id", "port_id")
"""The keys of requests whose values tie a resource to others."""
_LONGEST_ANSWER_BYTES: Final = 1 << 20
_MAKES_IMAGE: Final = "createImage"
_YES: Final = frozenset({"1", "t", "true", "on", "y", "yes"})
"""What a service takes for true."""


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
                refers=_references(inner),
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


def _references(inner: dict[str, Any]) -> dict[str, str]:
    """The ids in a request that tie the resource to others."""
    refers = {key: value for key in REFERENCES if isinstance(value := inner.get(key), str)}
    if taken := ",".join(_taken(inner)):
        refers[TAKEN] = taken
    return refers


def _taken(inner: dict[str, Any]) -> Iterator[str]:
    """The volumes, there already, that are to go with the server that they are attached to."""
    devices = inner.get("block_device_mapping_v2")
    for device in (inner, *(devices if isinstance(devices, list) else ())):
        if isinstance(device, dict) and str(device.get(TAKEN)).lower() in _YES:
            volume = device.get("volumeId" if device is inner else "uuid")
            if isinstance(volume, str) and device.get("source_type", "volume") == "volume":
                yield volume


def _identity(response: Response, word: str) -> str:
    """The id of what was made; empty when the answer does not say."""
    if not 200 <= response.status < 300 or len(response.body) > _LONGEST_ANSWER_BYTES:
        return ""
    if not response.body:
        # An image of a server, before microversion 2.45.
        return (response.header("location") or "").rpartition("/")[2] if word == _MAKES_IMAGE else ""
    try:
        answer = msgspec.json.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    made = answer.get(word, answer) if isinstance(answer, dict) else None
    if not isinstance(made, dict):
        return ""
    return str(made.get("image_id" if word == _MAKES_IMAGE else "id") or "")
