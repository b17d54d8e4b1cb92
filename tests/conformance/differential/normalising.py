"""What is the same in two answers although it never is the same: identifiers, instants, addresses, hosts, links.

They become words in angle brackets that still say what they are and how they are written, so that an instant with
microseconds differs from one without, and a number in quotes from a number. All else is left as it was.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

HEADERS: Final = (
    "allow", "content-location", "content-md5", "content-range", "content-type", "etag", "link", "location",
    "openstack-api-maximum-version", "openstack-api-minimum-version", "openstack-api-version",
    "openstack-image-import-methods", "openstack-image-store-ids", "retry-after", "vary", "www-authenticate",
    "x-compute-request-id", "x-openstack-nova-api-maximum-version", "x-openstack-nova-api-minimum-version",
    "x-openstack-nova-api-version", "x-openstack-request-id", "x-subject-token",
)  # fmt: skip
"""The headers that a client may go by."""
CHANGING: Final = frozenset({
    "audit_ids", "request_id", "revision_number", "provider:segmentation_id", "hostId", "host_time", "uptime",
    "fingerprint", "public_key", "private_key", "admin_pass", "adminPass", "secret", "hypervisor_version", "etag",
    "reservation_id", "OS-EXT-SRV-ATTR:reservation_id", "OS-EXT-SRV-ATTR:hostname", "consumer_generation",
    "resource_provider_generation", "generation", "free_ram_mb", "free_disk_gb", "disk_available_least",
    "local_gb", "local_gb_used", "memory_mb", "memory_mb_used", "vcpus_used", "running_vms", "traceback",
    "cpu_info", "current_workload", "details", "schema", "direct_url", "report_count", "mac_address",
})  # fmt: skip
"""Fields whose value nobody can foretell, or that say how large a cloud is: their kind alone is compared."""
OWN_ADDRESSES: Final = frozenset({"cidr", "gateway_ip", "start", "end", "remote_ip_prefix", "prefixes", "nexthop"})
"""Fields whose addresses come from the request, or follow from it."""
_PATTERNS: Final = (
    (re.compile(r"req-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<request>"),
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<64 hex>"),
    (re.compile(r"\b[0-9a-f]{56}\b"), "<56 hex>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<32 hex>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}"), "<instant.6>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"), "<instant>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "<instant with a space>"),
    (re.compile(r"\b(?:[0-9a-f]{2}:){15}[0-9a-f]{2}\b"), "<fingerprint>"),
    (re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b"), "<mac>"),
    (re.compile(r"\br-[0-9a-z]{8}\b"), "<reservation>"),
)
_ADDRESS: Final = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b(?!/)")
_SHORT: Final = 6
"""A remembered value shorter than this is replaced only where it is the whole value."""


class Normaliser:
    """Knows the values that were remembered, by what they are."""

    def __init__(self, known: Mapping[str, str], places: Iterable[str] = ()) -> None:
        """`places` are paths that services stand below, which are left out of links without a host."""
        self._words: dict[str, str] = {}
        self._places = tuple(f"{place}/" for place in places if place)
        for name, value in known.items():
            self.remember(name, value)

    def remember(self, name: str, value: Any) -> None:
        """From now on this value is `<name>`, unless it is known by another name."""
        text = str(value)
        if text and not isinstance(value, bool) and text not in self._words:
            self._words[text] = f"<{name}>"

    def body(self, value: Any, *, ordered: bool) -> Any:
        """An answer's body with what changes replaced; lists sorted unless their order matters."""
        return self._value(value, "", ordered)

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers that matter."""
        found = {name: self.text(value) for name, value in headers.items() if name in HEADERS}
        for name in ("x-subject-token", "etag", "content-md5"):
            if name in found:
                found[name] = "<given>"
        if "vary" in found:
            found["vary"] = found["vary"].lower()
        return dict(sorted(found.items()))

    def text(self, text: str, key: str = "") -> str:
        """A text with everything that changes replaced."""
        if text in self._words:
            return self._words[text]
        place = next((place for place in self._places if text.startswith(place)), "/")
        text = text[len(place) - 1 :] if place != "/" else text
        for value in sorted(self._words, key=len, reverse=True):
            if len(value) >= _SHORT and value in text:
                text = text.replace(value, self._words[value])
        for pattern, word in _PATTERNS:
            text = pattern.sub(word, text)
        return text if key in OWN_ADDRESSES else _ADDRESS.sub("<address>", text)

    def _value(self, value: Any, key: str, ordered: bool) -> Any:
        if key in CHANGING and not isinstance(value, dict | list) and value is not None:
            return f"<{type(value).__name__}>"
        if isinstance(value, dict):
            found = {self.text(name): self._value(inner, name, ordered) for name, inner in value.items()}
            return dict(sorted(found.items()))
        if isinstance(value, list):
            items = [self._value(inner, key, ordered) for inner in value]
            return items if ordered else sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
        if isinstance(value, str):
            return self.text(value, key)
        if isinstance(value, int) and not isinstance(value, bool) and (key == "id" or str(value) in self._words):
            return "<number>" if key == "id" else value
        return value
