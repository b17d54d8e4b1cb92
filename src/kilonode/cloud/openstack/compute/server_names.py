"""Which servers have a name that a list asks for, without looking at each server of a large cloud.

As in Nova the filter is a regular expression that is found anywhere in the name. What people ask for is nearly always
plain text, perhaps with `^` and `$` around it: that is answered by comparing strings, or by one look into the index.
"""

import re
from collections.abc import Callable, Collection
from typing import Final

from kilonode.cloud.openstack.compute.model import SERVER
from kilonode.control.index import Index
from kilonode.control.mirror import Mirror

_PLAIN: Final = re.compile(r"(\^?)([\w :/@,-]+)(\$?)")
"""Text that stands for itself in a regular expression."""


def keys_by_name(mirror: Mirror, pattern: re.Pattern[str]) -> Collection[str]:
    """The keys of all servers in whose name the pattern is found."""
    names = _servers_by_name(mirror)
    plain = _PLAIN.fullmatch(pattern.pattern)
    if plain is not None and plain[1] and plain[3]:
        return names.keys(plain[2])
    found = name_test(pattern)
    return {key for name in names.values() if found(str(name)) for key in names.keys(name)}


def name_test(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    """Whether the pattern is found in a name, which has no space at its ends."""
    plain = _PLAIN.fullmatch(pattern.pattern)
    if plain is None:
        return lambda name: pattern.search(name) is not None
    text = plain[2]
    if plain[1]:
        return text.__eq__ if plain[3] else lambda name: name.startswith(text)
    return (lambda name: name.endswith(text)) if plain[3] else lambda name: text in name


def _servers_by_name(mirror: Mirror) -> Index:
    return mirror.index(SERVER, "name", lambda server: server.name)
