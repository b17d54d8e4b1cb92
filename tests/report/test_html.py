import json
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pytest

from kilonode.check.deaths import Death
from kilonode.check.evaluation import evaluate
from kilonode.check.results import Reason, Verdict
from kilonode.history.columns import Columns, History, Samples
from kilonode.history.records import OpKind
from kilonode.report.html import report_html
from kilonode.report.markup import Markup, element, in_script, join
from tests.check.histories import open_workload, run
from tests.report.runs import EARLY_END, HOSTILE, metadata, results

EMPTY = {"meta", "br", "hr", "col", "input", "link"}


class Page(HTMLParser):
    """What is in a page: elements that are open, ids, text of cells, scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.described: list[str] = []
        self.urls: list[str] = []
        self.scripts: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append(tag)
        assert not [name for name in attributes if name.startswith("on")]
        if attributes.get("id"):
            self.ids.append(str(attributes["id"]))
        if "aria-describedby" in attributes:
            self.described.append(str(attributes["aria-describedby"]))
        self.urls.extend(str(attributes[name]) for name in ("src", "href", "action") if name in attributes)
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.scripts if self.open and self.open[-1] == "script" else self.text).append(data)


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(report_html(results(), metadata()))


def test_the_page_is_well_formed_and_its_ids_are_unique(page: Page) -> None:
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert set(page.described) <= set(page.ids)


def test_the_page_points_nowhere_outside_itself(page: Page) -> None:
    assert all(url.startswith("#") for url in page.urls)
    assert {url[1:] for url in page.urls} <= set(page.ids)
    assert not {"link", "img", "iframe", "object", "embed", "base"} & set(page.tags)


def test_every_chart_has_its_place_and_its_data(page: Page) -> None:
    data = json.loads(next(script for script in page.scripts if script.startswith('{"charts"')))
    names = [chart["id"] for chart in data["charts"]]
    assert len(names) > 10
    assert set(names) <= set(page.ids)
    assert data["disruptions"] == [[3.0, 5.0, "kill one scheduler: api-1"]]


def test_everything_an_engineer_looks_for_is_in_the_text(page: Page) -> None:
    text = " ".join(page.text)
    for wanted in (
        "invalid", "2 of 4 criteria held", "boots.boot p(99) < 5s", "p(99) needs 100 samples, there are 30",
        "Latency over time", "Throughput", "Errors over time", "Distribution", "By percentile", "Parts of boot",
        "resolution 50.0 ms", "503 from backend-7", "Generator", "Setup and cleanup", "Environment", "1.00 GiB",
        "A small run", "a comment", "seed 7", "kill one scheduler",
    ):  # fmt: skip
        assert wanted in text, wanted


def test_what_a_probe_asks_stands_in_its_section() -> None:
    found = results()
    facts = msgspec.structs.replace(found.workloads[0].facts, scenario="probe", endpoint="compute", connections="new")
    probe = msgspec.structs.replace(found.workloads[0], facts=facts)
    text = report_html(msgspec.structs.replace(found, workloads=(probe,)), metadata())
    assert "probe</code> of compute, new connections · " in text
    assert "one workload" in text and "1 workloads" not in text


def test_processes_that_died_stand_there_with_when_how_and_beside_what() -> None:
    death = Death(
        process="compute-002", seen_s=12.5, resolution_s=0.5, words="nobody starts it again", disruption="kill x"
    )
    page = Page(report_html(msgspec.structs.replace(results(), deaths=(death,)), metadata()))
    assert "deaths" in page.ids
    assert "#deaths" in page.urls
    assert {"compute-002", "12.5 s", "500 ms", "nobody starts it again", "kill x"} <= set(page.text)
    assert "deaths" not in Page(report_html(results(), metadata())).ids


def test_words_from_outside_are_only_ever_text() -> None:
    hostile = metadata(
        name=HOSTILE,
        experiment=HOSTILE,
        cloud=HOSTILE,
        point={HOSTILE: HOSTILE},
        environment={HOSTILE: {HOSTILE: HOSTILE}},
    )
    found = results(error=HOSTILE)
    reason = Reason(verdict=Verdict.UNKNOWN, about="load", text=HOSTILE)
    workload = msgspec.structs.replace(
        found.workloads[0], facts=msgspec.structs.replace(found.workloads[0].facts, name=HOSTILE, scenario=HOSTILE)
    )
    disruption = msgspec.structs.replace(found.disruptions[0], name=HOSTILE, target=HOSTILE, error=HOSTILE)
    death = Death(process=HOSTILE, seen_s=1.0, resolution_s=0.5, words=HOSTILE, disruption=HOSTILE)
    found = msgspec.structs.replace(found, deaths=(death,))
    found = msgspec.structs.replace(
        found, reasons=(reason,), workloads=(workload, found.workloads[1]), disruptions=(disruption,)
    )
    text = report_html(found, hostile)
    page, plain = Page(text), Page(report_html(results(), metadata()))
    assert page.tags.count("script") == plain.tags.count("script")
    assert "img" not in page.tags
    assert "<img" not in text
    assert "<script>alert" not in text
    data = json.loads(next(script for script in page.scripts if script.startswith('{"charts"')))
    assert data["disruptions"][0][2] == f"{HOSTILE}: {HOSTILE}"


def test_a_policy_forbids_requests_and_every_other_script(page: Page) -> None:
    text = report_html(results(), metadata())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert "default-src &#x27;none&#x27;" in policy[1]
    assert policy[1].count("sha256-") == 3
    assert "unsafe-inline" not in policy[1].partition("script-src")[2]


def test_the_licence_of_the_charts_is_in_the_page() -> None:
    assert "Leon Sorokin" in report_html(results(), metadata())


def test_an_early_end_stands_beside_the_verdict_with_when_and_why() -> None:
    page = report_html(msgspec.structs.replace(results(), verdict=Verdict.VALID, abortion=EARLY_END), metadata())
    assert '<p class="word">valid, ended early</p>' in page
    assert "The load was ended early, at 4.25 s of 10.0 s: the user (Ctrl-C)." in page


@pytest.mark.parametrize("verdict", list(Verdict))
def test_the_verdict_stands_at_the_top_in_words(verdict: Verdict) -> None:
    text = report_html(msgspec.structs.replace(results(), verdict=verdict), metadata())
    assert text.index(f'class="banner {verdict}"') < text.index('id="overview"')


def test_a_run_without_anything_can_be_reported() -> None:
    nothing = History(Columns.from_ops([]), Samples.from_samples([]))
    page = Page(report_html(evaluate(nothing, run(open_workload())), metadata(experiment="", environment={})))
    assert page.open == []
    assert "made no iteration" in " ".join(page.text)


def many(operations: int, workloads: int) -> History:
    """A long history with latencies all over the place and every kind of message."""
    random = np.random.default_rng(3)
    names = tuple(sorted(f"w{n:02d}" for n in range(workloads)))
    outcomes = ("http_5xx", "ok", "timeout")
    due_ns = np.sort(random.integers(0, 3600 * 10**9, operations))
    took_ns = (1e9 * random.lognormal(-3, 1.5, operations)).astype(np.int64)
    zeros = np.zeros(operations, dtype=np.int32)
    columns = Columns(
        (OpKind.ITERATION,),
        names,
        ("",),
        outcomes,
        tuple(sorted(f"message {chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(500))),
        zeros,
        random.integers(0, workloads, operations).astype(np.int32),
        zeros,
        random.choice([0, 1, 2], operations, p=[0.05, 0.94, 0.01]).astype(np.int32),
        random.integers(0, 500, operations).astype(np.int32),
        np.arange(operations),
        due_ns,
        due_ns + 10**6,
        due_ns + 10**6 + took_ns,
        np.zeros(operations, dtype=np.int64),
        zeros,
    )
    return History(columns, Samples.from_samples([]))


@pytest.mark.parametrize("workloads", [1, 12])
def test_the_page_of_a_long_run_stays_below_three_megabytes(workloads: int, tmp_path: Path) -> None:
    facts = run(*[open_workload(f"w{n:02d}", rate=28.0, end=3600.0) for n in range(workloads)])
    text = report_html(evaluate(many(200_000, workloads), facts), metadata())
    assert len(text.encode()) < 3_000_000


def test_text_is_escaped_and_markup_is_not() -> None:
    assert (
        element("td", "a < b", class_="x", title='"', hidden=True, skip=None)
        == '<td class="x" title="&quot;" hidden>a &lt; b</td>'
    )
    assert element("br") == "<br>"
    assert join("<", element("b", ["&", Markup("&amp;")])) == "&lt;<b>&amp;&amp;</b>"
    assert "<" not in in_script("</script>")
    assert json.loads(in_script('"\u2028</"')) == "\u2028</"
