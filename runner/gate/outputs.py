"""A gate's verdicts as a terminal, a CI's test report (JUnit) and its summary (Markdown) show them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from cbtrun.contract.markdown_text import markdown_table, markdown_text
from cbtrun.version import __version__

if TYPE_CHECKING:
    from cbtrun.gate.judge import Judged

NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold."""
RESEARCH = "A research measure: it says nothing of use in care."
STATES = {"passed": "passed", "failed": "FAILED", "not judged": "NOT JUDGED"}


def lines(judged: Judged) -> Iterator[str]:
    """What the terminal shows."""
    for one in judged.verdicts:
        yield f"{STATES[one.state]:<10}  {one.criterion.arm}: {one.criterion.name}"
        yield f"            {one.says}"
    yield from (f"compared despite  {one}" for one in judged.despite)
    yield f"holds for: {judged.holds_for}"
    yield f"gate: {STATES[judged.state]} ({_counts(judged)})"


def junit(judged: Judged, seconds: float) -> bytes:
    """JUnit's XML: a test case a criterion, by the schemas of Ant (windyroad) and Jenkins."""
    root, suite = _suite(
        judged.study, len(judged.verdicts), judged.count("failed"), judged.count("not judged"), seconds
    )
    properties = ET.SubElement(suite, "properties")
    told = {
        "cbtrun": __version__,
        "folder": judged.folder,
        "no_worse_than": judged.against,
        "holds_for": judged.holds_for,
    }
    for name, value in {**told, **{f"despite {one.path}": str(one) for one in judged.despite}}.items():
        ET.SubElement(properties, "property", name=_token(name), value=_xml(value))
    for one in judged.verdicts:
        case = _case(suite, one.criterion.name, f"{judged.study}.{one.criterion.arm}")
        if one.state != "passed":
            kind = "failure" if one.state == "failed" else "error"
            ET.SubElement(case, kind, type=one.criterion.kind, message=_xml(one.says)).text = _xml(one.says)
    _ends(suite, "\n".join(lines(judged)))
    return _bytes(root)


def junit_of_error(study: str, why: str, seconds: float) -> bytes:
    """JUnit's XML of a gate that could not be judged."""
    root, suite = _suite(study, 1, 0, 1, seconds)
    ET.SubElement(suite, "properties")
    case = _case(suite, "gate", study)
    ET.SubElement(case, "error", type="not judged", message=_xml(why.partition("\n")[0])).text = _xml(why)
    _ends(suite, why)
    return _bytes(root)


def markdown(judged: Judged) -> str:
    """A summary for a CI's page."""
    rows = [(STATES[one.state], one.criterion.arm, one.criterion.name, one.says) for one in judged.verdicts]
    return "\n".join(
        [
            f"## Gate of {markdown_text(judged.study)}: {STATES[judged.state]}",
            "",
            f"{_counts(judged)}.{f' Compared with {markdown_text(judged.against)}.' if judged.against else ''}",
            "",
            *markdown_table(("", "arm", "asked", "found"), rows),
            "",
            *(f"Compared despite {markdown_text(str(one))}  " for one in judged.despite),
            f"Holds for: {markdown_text(judged.holds_for)}. {RESEARCH}",
            "",
        ]
    )


def markdown_of_error(study: str, why: str) -> str:
    """A summary of a gate that could not be judged."""
    told = "\n".join(f"> {markdown_text(line)}  " for line in why.splitlines())
    return f"## Gate of {markdown_text(study)}: NOT JUDGED\n\n{told}\n"


def _counts(judged: Judged) -> str:
    parts = [(judged.count("passed"), "passed"), (judged.count("failed"), "failed"), (judged.count("not judged"), "not judged")]  # fmt: skip
    return f"{', '.join(f'{n} {word}' for n, word in parts if n)} of {len(judged.verdicts)} criteria"


def _suite(name: str, tests: int, failures: int, errors: int, seconds: float) -> tuple[ET.Element, ET.Element]:
    root = ET.Element("testsuites")
    counts = {"tests": str(tests), "failures": str(failures), "errors": str(errors), "skipped": "0"}
    named = {"id": "0", "package": "cbtrun.gate", "name": _token(name), "hostname": "localhost"}
    at = {"timestamp": datetime.now().isoformat(timespec="seconds"), "time": f"{seconds:.3f}"}
    return root, ET.SubElement(root, "testsuite", {**named, **at, **counts})


def _case(suite: ET.Element, name: str, of: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", name=_token(name), classname=_token(of), time="0")


def _ends(suite: ET.Element, said: str) -> None:
    ET.SubElement(suite, "system-out").text = _xml(said)
    ET.SubElement(suite, "system-err").text = ""


def _xml(text: str) -> str:
    return NOT_IN_XML.sub(lambda sign: f"\\x{ord(sign[0]):02x}", text)


def _token(text: str) -> str:
    """One line without spaces at its ends, as a name in XML has to be; never empty."""
    return " ".join(_xml(text).split()) or "-"


def _bytes(root: ET.Element) -> bytes:
    ET.indent(root, " ")
    found: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return found + b"\n"
