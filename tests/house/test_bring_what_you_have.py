"""Each line of docs/bring-what-you-have.md reads the small file that it names, and all of them hold the same talk."""

from __future__ import annotations

import re
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import yaml

from cbtrun.plugins.corpus.mapping import column_problems, mapped
from cbtrun.plugins.transcripts.mapping_schema import mapping_problems, table_of
from cbtrun.plugins.transcripts.session_rows import read_sessions

ROOT = Path(__file__).parents[2]
FORMATS = ROOT / "tests/fixtures/formats"
PAGE = (ROOT / "docs/bring-what-you-have.md").read_text(encoding="utf-8")
LINES = re.findall(r"^\| .+ \| `(path: .+)` \|$", PAGE, re.MULTILINE)
BY_EXTRA = {".parquet": "pyarrow", ".xlsx": "openpyxl", ".docx": "docx"}
TALK = [("patient", "I cannot sleep."), ("therapist", "What keeps you awake?")]


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_page_reads_its_file(line: str) -> None:
    options: dict[str, Any] = {"factors": {}, "labels": {}, "where": {}} | yaml.safe_load("{" + line + "}")
    for ending, package in BY_EXTRA.items():
        if options["path"].endswith(ending):
            pytest.importorskip(package)
    with chdir(FORMATS):
        table = table_of(options)
    if {"question", "rejected"} & {*options["columns"]}:
        assert column_problems(table, options) == {}
        found = mapped(table, options | {"system": ""}, Path(options["path"]))
        assert found.problems == []
        assert [(one.role, one.content) for one in found.transcripts[0].messages] == TALK
        assert (found.transcripts[0].rejected == "Cheer up.") == ("rejected" in options["columns"])
        return
    assert mapping_problems(table, options["columns"], "session", options["speakers"]) == {}
    sessions, problems = read_sessions(table, options, Path(options["path"]))
    assert problems == []
    assert [(turn.speaker, turn.text) for turn in sessions[0].turns][: len(TALK)] == TALK


def test_every_small_file_stands_on_the_page() -> None:
    named = " ".join(LINES)
    files = [one.name for one in FORMATS.iterdir()]
    assert [name for name in files if f"path: {name}" not in named] == []
    assert len(LINES) == 39
