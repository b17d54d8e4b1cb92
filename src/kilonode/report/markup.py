"""HTML as a tree of calls, escaped by construction: text is escaped, markup is not, and only this module makes markup.

    element("td", "p99 < 5s", class_="number")        <td class="number">p99 &lt; 5s</td>

Everything that came from outside (names, messages, files) passes through here as text.
"""

import html
from collections.abc import Iterable
from typing import Final

Attribute = str | int | float | bool | None
"""None and False leave the attribute out; True gives it without a value."""

_EMPTY: Final = frozenset({"meta", "br", "hr", "col", "input", "link"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | Markup | None | Iterable["Child"]


def element(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """One element. Attribute names: `class_` is `class`, and `data_value` is `data-value`."""
    start = name + "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _EMPTY:
        return Markup(f"<{start}>")
    return Markup(f"<{start}>{''.join(_flatten(children))}</{name}>")


def join(*children: Child) -> Markup:
    """Children one after the other."""
    return Markup("".join(_flatten(children)))


def trusted(text: str) -> Markup:
    """Markup of our own making: assets of this package, never anything from outside."""
    return Markup(text)


def in_script(text: str) -> Markup:
    """Text that can stand inside a script element: `<` is written so that no element can end or begin in it."""
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def _flatten(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if isinstance(child, Markup):
            yield child
        elif isinstance(child, str):
            yield html.escape(child, quote=False)
        elif child is not None:
            yield from _flatten(child)


def _attribute(key: str, value: Attribute) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'
