import re
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest

from kilonode.base.errors import InputError
from kilonode.check.results import Verdict
from kilonode.report.documents import read_verdict, write_report
from kilonode.report.junit import junit_xml
from tests.report.runs import EARLY_END, HOSTILE, metadata, results


def test_all_documents_are_written_and_the_verdict_reads_back(tmp_path: Path) -> None:
    found = results()
    page = write_report(tmp_path, found, metadata())
    assert page == tmp_path / "report.html"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["junit.xml", "report.html", "verdict.json"]
    document = read_verdict(tmp_path)
    assert document.results == found
    assert document.run == metadata()


def test_a_verdict_of_a_newer_format_is_refused_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "verdict.json").write_text('{"format_version": 99, "run": 1}')
    with pytest.raises(InputError, match="newer Kilonode") as caught:
        read_verdict(tmp_path)
    assert "kilonode report" in caught.value.problem.hint


@pytest.mark.parametrize("content", [None, "{", "[]", "{}"])
def test_a_missing_or_broken_verdict_is_an_input_error(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "verdict.json").write_text(content)
    with pytest.raises(InputError, match="verdict"):
        read_verdict(tmp_path)


def test_a_report_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write the report"):
        write_report(tmp_path / "missing", results(), metadata())


def parsed(**more: object) -> ET.Element:
    found = msgspec.structs.replace(results(), **more)
    suite = ET.fromstring(junit_xml(found, metadata())).find("testsuite")  # noqa: S314 (our own text)
    assert suite is not None
    return suite


def test_every_criterion_is_a_test_case() -> None:
    suite = parsed()
    ends = {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}
    assert ends == {
        "mix p(99) < 1s": [],
        "mix error_rate < 0.1%": ["failure"],
        "boots.boot p(99) < 5s": ["error"],
        "mix throughput > 9/s": [],
        "run": [],
    }
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5", "failures": "1", "errors": "1", "skipped": "0",
    }  # fmt: skip


def test_a_run_that_cannot_be_trusted_is_an_error_of_its_own() -> None:
    reason = msgspec.structs.replace(results().reasons[0], verdict=Verdict.UNKNOWN, about="generator", text="it lagged")
    suite = parsed(reasons=(reason,), criteria=())
    error = suite.find("testcase/error")
    assert error is not None
    assert error.get("message") == "it lagged"
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")


def test_a_run_that_was_ended_early_is_an_error_of_the_case_run_also_when_all_that_was_measured_is_valid() -> None:
    suite = parsed(reasons=(), criteria=(), verdict=Verdict.VALID, abortion=EARLY_END)
    error = suite.find("testcase[@name='run']/error")
    assert error is not None
    assert error.get("type") == "aborted"
    assert error.get("message") == "ended early, at 4.25 s of 10.0 s: the user (Ctrl-C)"
    assert (suite.get("failures"), suite.get("errors")) == ("0", "1")
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert properties["ended_early"] == error.get("message")
    assert properties["verdict"] == "valid"


def test_an_early_end_beside_other_reasons_is_counted_once() -> None:
    reason = msgspec.structs.replace(results().reasons[0], verdict=Verdict.INVALID, about="load", text="dropped")
    suite = parsed(reasons=(reason,), criteria=(), abortion=EARLY_END)
    failure = suite.find("testcase[@name='run']/failure")
    assert failure is not None
    assert (failure.text or "").splitlines() == ["dropped", "ended early, at 4.25 s of 10.0 s: the user (Ctrl-C)"]
    assert (suite.get("failures"), suite.get("errors")) == ("1", "0")


def test_verdict_json_says_beside_the_verdict_when_and_why_the_load_ended_early(tmp_path: Path) -> None:
    write_report(tmp_path, msgspec.structs.replace(results(), abortion=EARLY_END), metadata())
    document = msgspec.json.decode((tmp_path / "verdict.json").read_bytes())["results"]
    assert list(document)[:3] == ["format_version", "verdict", "abortion"]
    assert document["abortion"] == {"at_s": 4.25, "reason": "the user (Ctrl-C)", "criterion": ""}


def test_the_form_is_that_of_the_common_schemas() -> None:
    suite = parsed()
    order = [child.tag for child in suite]
    assert order == ["properties", *["testcase"] * 5, "system-out", "system-err"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", ""))
    assert float(suite.get("time", "")) > 0
    for case in suite.iter("testcase"):
        assert set(case.attrib) == {"name", "classname", "time"}
        assert len(case) <= 1
        assert all(set(child.attrib) == {"message", "type"} for child in case)


def test_words_from_outside_cannot_break_the_xml() -> None:
    data = junit_xml(results(), metadata(name=f"{HOSTILE}\x00\x1b[31m\ud800"))
    suite = ET.fromstring(data).find("testsuite")  # noqa: S314 (our own text)
    assert suite is not None
    assert suite.get("name") == f"{HOSTILE}\ufffd\ufffd[31m\ufffd"
