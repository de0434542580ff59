"""The report says what models were tuned on, under what licence, and what the checks left out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from cbtrun.plugins.report.corpora import corpora_table, corpus_facts
from tests.helpers.report_studies import made_up_study

STUDY = {
    "corpus": {
        "cbt": {"using": "written-course", "author": "gpt", "licence": "OpenAI terms of use"},
        "pairs": {"using": "compared-turns", "therapist": "tiny"},
        "unmade": {"using": "files"},
    }
}
CHECKS = {
    "failed": 2,
    "checks": {
        "near duplicate": {"failed": 2, "examples": [{"transcript": "b", "what": "says nearly the same as 'a'"}]}
    },
}


def run_folder(folder: Path) -> Path:
    (folder / "corpus").mkdir()
    (folder / "corpus" / "cbt.jsonl").write_text("{}\n" * 3)
    (folder / "corpus" / "cbt.checks.json").write_text(json.dumps(CHECKS))
    (folder / "corpus" / "pairs.jsonl").write_text("{}\n" * 5)
    (folder / "corpus" / "pairs.pairs.json").write_text(json.dumps({"openings": 8, "pairs": 5, "rated alike": 3}))
    return folder


def test_each_corpus_has_its_author_licence_and_counts(tmp_path: Path) -> None:
    given = replace(made_up_study(), corpora=corpus_facts(STUDY, run_folder(tmp_path)))
    table = corpora_table(given)
    assert table is not None
    assert [row.cells for row in table.rows] == [
        ("cbt", "written-course", "gpt", "OpenAI terms of use", "3", "2"),
        ("pairs", "compared-turns", "tiny", "not stated", "5", "not checked"),
    ]
    assert table.rows[0].detail == "Near duplicate: 2 (such as b: says nearly the same as 'a')."
    assert table.rows[1].detail == "Of 8 openings, 5 gave a pair, rated alike 3."


def test_no_words_of_a_transcript_are_shown_where_they_may_be_real_peoples(tmp_path: Path) -> None:
    given = replace(made_up_study(), corpora=corpus_facts(STUDY, run_folder(tmp_path)), show_transcripts=False)
    table = corpora_table(given)
    assert table is not None
    assert table.rows[0].detail == "Near duplicate: 2."


def test_a_study_that_tunes_nothing_has_no_such_table() -> None:
    assert corpora_table(made_up_study()) is None
