"""The frame of every page: one self-contained file that opens offline, in light and dark, on screen and on paper.

Style, scripts and data are inside; a content security policy forbids every request, and every script but ours (by its
hash), so that a message from outside that slipped through the escaping still could not run.
"""

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Final

from kilonode.report.markup import Markup, element, trusted

_STYLES: Final = ("uplot.min.css", "report.css", "tables.css")
_SCRIPTS: Final = ("uplot.min.js", "charts.js", "report.js")
_LICENCE: Final = "uplot.LICENSE"


def page(title: str, top: Sequence[Markup], sections: Sequence[Markup], footer: Markup, data: Markup) -> str:
    """A whole page. `top` stands above the sections: header and navigation; `data` is what the charts show."""
    scripts = [_asset(name) for name in _SCRIPTS]
    body = element(
        "body",
        *top,
        element(
            "noscript",
            element("p", "The pictures need JavaScript. Every number stands in the tables.", class_="reason note"),
        ),
        element("main", *sections),
        footer,
        element("script", data, type="application/json", id="data"),
        [element("script", script) for script in scripts],
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(scripts)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        trusted(f"<!-- Charts are drawn with uPlot.\n{_asset(_LICENCE)}-->"),
        [element("style", _asset(name)) for name in _STYLES],
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def theme_button() -> Markup:
    """The button that switches between light and dark."""
    return element("button", "Theme", type="button", id="theme", aria_label="Switch between light and dark")


def _policy(scripts: list[Markup]) -> str:
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes)
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed}; base-uri 'none'; form-action 'none'"


def _asset(name: str) -> Markup:
    return trusted(files("kilonode.report").joinpath("assets", name).read_text(encoding="utf-8"))
