"""JUnit XML: every criterion a test case, so that any CI system shows a run beside its tests.

A valid criterion passes, an invalid one is a `failure`, an unknown one an `error`: it was to be judged and could not
be, and `skipped` would pass in most CI systems. Why the run as a whole is not valid (generator, history, dropped load)
is a case of its own, `run`; a load that was ended early is an error there, whatever the verdict over what was measured
until then: a job that was to run for an hour must not be green after a minute. Both common schemas (of Ant and of
Jenkins) accept the form. A criterion takes no time.
"""

import re
import xml.etree.ElementTree as ET
from typing import Final

from kilonode.check.results import CriterionResult, Reason, Results, Verdict
from kilonode.report.metadata import RunMetadata
from kilonode.report.words import criterion_note, early_end_words, value_words

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(results: Results, metadata: RunMetadata) -> bytes:
    """The results as JUnit XML."""
    others = [reason for reason in results.reasons if reason.about != "criterion"]
    failures = sum(result.verdict is Verdict.INVALID for result in results.criteria)
    failures += any(reason.verdict is Verdict.INVALID for reason in others)
    errors = sum(result.verdict is Verdict.UNKNOWN for result in results.criteria)
    early_end = early_end_words(results)
    errors += bool(others or early_end) and all(reason.verdict is Verdict.UNKNOWN for reason in others)
    counts = {
        "tests": str(len(results.criteria) + 1),
        "failures": str(failures),
        "errors": str(errors),
        "skipped": "0",
        "time": f"{results.finish_s - results.start_s:.3f}",
    }
    suites = ET.Element("testsuites")
    suite = ET.SubElement(
        suites,
        "testsuite",
        {
            "name": _clean(metadata.name),
            "package": "kilonode",
            "id": "0",
            **counts,
            "timestamp": (metadata.zero_utc or metadata.created_utc).strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": "localhost",
        },
    )
    properties = ET.SubElement(suite, "properties")
    facts = {"run_id": metadata.run_id, "seed": str(metadata.seed), "cloud": metadata.cloud, "verdict": results.verdict}
    if early_end:
        facts["ended_early"] = early_end
    for name, value in {**facts, **metadata.point}.items():
        ET.SubElement(properties, "property", {"name": _clean(name), "value": _clean(value)})
    group = f"kilonode.{_clean(metadata.name).replace('.', ' ')}"
    for result in results.criteria:
        _add_criterion(suite, group, result)
    _add_run(suite, group, others, early_end)
    ET.SubElement(suite, "system-out").text = _clean("\n".join(_details(result) for result in results.criteria))
    ET.SubElement(suite, "system-err").text = _clean("\n".join(results.generator.notes))
    ET.indent(suites)
    return bytes(ET.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def _add_criterion(suite: ET.Element, group: str, result: CriterionResult) -> None:
    case = ET.SubElement(suite, "testcase", {"name": _clean(result.criterion), "classname": group, "time": "0"})
    if result.verdict is Verdict.VALID:
        return
    measured = value_words(result.measured, result.unit, at_least=result.at_least)
    tag = "failure" if result.verdict is Verdict.INVALID else "error"
    problem = ET.SubElement(case, tag, {"message": _clean(f"measured {measured}"), "type": result.verdict})
    problem.text = _clean(_details(result))


def _details(result: CriterionResult) -> str:
    measured = value_words(result.measured, result.unit, at_least=result.at_least)
    return "; ".join(part for part in (f"{result.criterion}: measured {measured}", criterion_note(result)) if part)


def _add_run(suite: ET.Element, group: str, reasons: list[Reason], early_end: str) -> None:
    case = ET.SubElement(suite, "testcase", {"name": "run", "classname": group, "time": "0"})
    found = [(str(reason.verdict), reason.text) for reason in reasons]
    if early_end:
        found.append(("aborted", early_end))
    if found:
        tag = "failure" if any(reason.verdict is Verdict.INVALID for reason in reasons) else "error"
        kind, message = found[0]
        problem = ET.SubElement(case, tag, {"message": _clean(message), "type": kind})
        problem.text = _clean("\n".join(text for _, text in found))


def _clean(text: str) -> str:
    """Without characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
