"""Two runs in words: results first, no Python, defaults folded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from cbtrun.contract import records
from cbtrun.plugin import GroupSummary, Interval
from cbtrun.plugins.report.comparison_words import comparison_json, comparison_text, told
from cbtrun.plugins.report.run_comparison import Difference, RunComparison, SharedGroup, compare_runs, differences
from cbtrun.plugins.report.run_files import RunFiles
from cbtrun.results.records import results_bytes
from tests.helpers.report_studies import made_up_study


def summary(mean: float, n: int = 8) -> GroupSummary:
    return GroupSummary(level="x", n=n, missing=0, mean=mean, sd=1.0, median=mean, personas=n)


def group(level: str, change: float | None, span: tuple[float, float] | None = None, **given: Any) -> SharedGroup:
    interval = Interval(low=span[0], high=span[1], level=0.95, method="t") if span else None
    test = records.Test(name="t", statistic=1.0, df=7, p=given.get("p", 0.5)) if change is not None else None
    sides = summary(30.0), summary(30.0 + (change or 0.0))
    return SharedGroup(
        "ctrs.total", given.get("grouping", "arm"), level, *sides, 8 if test else 0, change, interval, test
    )


def compared(first: dict[str, Any], second: dict[str, Any], *groups: SharedGroup) -> RunComparison:
    results = made_up_study(3, seed=1).results
    runs = [
        RunFiles(Path(name), results, {"resolved": study}) for name, study in (("runs/a", first), ("runs/b", second))
    ]
    return RunComparison(runs[0], runs[1], tuple(differences(first, second)), (), groups, same_results=False)


LOCAL = {
    "using": "transformers",
    "model": "cbtrun:tiny",
    "dtype": "float32",
    "device": "auto",
    "adapter": None,
    "batch": 8,
}


def test_results_that_differ_come_first_and_those_most_sure() -> None:
    text = comparison_text(
        compared(
            {"seed": 1},
            {"seed": 2},
            group("low", -0.2, (-1.0, 0.6)),
            group("some", 2.0, (0.5, 3.5), p=0.02),
            group("sure", 3.0, (2.0, 4.0), p=0.001),
            group("sure", 3.0, (2.0, 4.0), p=0.001, grouping="tuning"),
            group("apart", None),
        )
    )
    lines = text.splitlines()
    assert lines[:2] == ["A: runs/a", "B: runs/b"]
    assert lines[3] == "Results that differ"
    assert lines[4] == (
        "  ctrs.total, arm sure = tuning sure: 3.0 points higher in B (95 % CI 2.0 to 4.0; 8 shared personas; p 0.001); "
        "A 30.0 (n = 8); B 33.0 (n = 8)"
    )
    assert lines[5].startswith("  ctrs.total, arm some: 2.0 points higher in B")
    assert lines[6] == "Results in which no difference was shown"
    assert lines[7].startswith("  ctrs.total, arm low: 0.2 points lower in B")
    assert "no personas in common, so not tested" in lines[8]
    assert text.index("Results") < text.index("\nStudy\n") < text.index("\nEnvironment")
    assert "  seed: A 1, B 2" in lines


def test_runs_without_a_shared_outcome_say_so_and_what_each_has() -> None:
    text = comparison_text(compared({}, {}))
    assert "Results: the runs have no outcome and group in common\n  A has " in text


def test_blocks_that_differ_as_a_whole_are_one_line_a_side() -> None:
    server = {
        "using": "openai",
        "model": "big",
        "base_url": "https://x.test/v1",
        "limits": {"concurrency": 64},
        "seed": True,
    }
    first = {"models": {"rater": LOCAL, "same": LOCAL}, "sessions": {"using": "dialogue", "max_turns": 20, "stop": []}}
    second = {
        "models": {"rater": server, "same": LOCAL, "more": LOCAL},
        "sessions": {"using": "dialogue", "max_turns": 14, "stop": [], "reminder": None},
    }
    text = comparison_text(compared(first, second))
    assert (
        "  models.rater: A using transformers, model cbtrun:tiny, dtype float32, device auto, and 2 more settings\n"
        in text
    )
    assert (
        "                B using openai, model big, base_url https://x.test/v1, limits concurrency 64, and 1 more setting\n"
        in text
    )
    assert "  models.more: only in B: using transformers, model cbtrun:tiny" in text
    assert "  sessions.max_turns: A 20, B 14\n" in text
    assert "models.same" not in text
    assert not set("{}'[]") & set(text)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing"), (True, "yes"), (["a", 1], "a, 1"), ({"rank": 8, "on": False}, "rank 8, on no"), ([], "nothing"),
        ("", "an empty text"), ("x" * 80, "x" * 59 + "…"),
    ],
)  # fmt: skip
def test_values_are_told_in_words(value: Any, words: str) -> None:
    assert told(value) == words


def test_long_texts_are_shown_where_they_begin_to_differ() -> None:
    before = "You are a therapist who works with cognitive behavioural therapy. " * 3
    text = comparison_text(
        compared(
            {"arms": {"one": {"system": before + "Be kind."}}}, {"arms": {"one": {"system": before + "Be brief."}}}
        )
    )
    assert "arms.one.system: texts of 206 and 207 characters, from character 202 on: A “…" in text
    assert "Be kind.”, B “…" in text


def test_the_environment_is_capped() -> None:
    found = replace(compared({}, {}), environment=tuple(Difference(f"package{at}", "1", "2") for at in range(30)))
    assert comparison_text(found).endswith("  package11: A 1, B 2\n  and 18 more\n")


def test_programs_get_the_numbers() -> None:
    answer = json.loads(comparison_json(compared({"seed": 1}, {"seed": 2}, group("x", 1.0, (0.5, 1.5)))))
    assert answer["shared_groups"][0]["difference"] == 1.0
    assert answer["study"] == [{"path": "seed", "first": 1, "second": 2}]


def test_outcomes_and_groups_stand_under_their_labels_with_the_end_of_the_scale(tmp_path: Path) -> None:
    """What one run calls otherwise is told by both names; programs get the names of the file."""
    given = made_up_study(4, transcripts=False)
    folders = []
    for name, label in (("a", "Tuned"), ("b", "Tuned on CBT")):
        folder = tmp_path / name
        folder.mkdir()
        factors = {"tuning": {"label": "Training", "levels": {"cbt": label, "none": "As it came"}}}
        sets = {"ctrs": {**given.study["ratings"]["ctrs"], "item_labels": {"total": "CTRS sum"}}}
        study = {**given.study, "factors": factors, "ratings": sets}
        (folder / "study.lock.yaml").write_text(yaml.safe_dump({"resolved": study}), encoding="utf-8")
        results = given.results.model_copy(update={"seed": 0 if name == "a" else 1})
        (folder / "results.json").write_bytes(results_bytes(results))
        folders.append(folder)
    found = compare_runs(*folders)
    told = {(one.outcome_title, one.group_title, one.scale) for one in found.groups}
    assert ("CTRS sum", "Training Tuned (in B Tuned on CBT)", "of 66") in told
    assert ("CTRS sum", "Training As it came", "of 66") in told
    assert json.loads(comparison_json(found))["shared_groups"][0]["outcome"] == "ctrs.total"
    differs = replace(found.groups[0], difference=1.5, n_shared=4)
    assert "CTRS sum, arm untuned: 1.5 of 66 points higher in B (" in comparison_text(
        replace(found, groups=(differs,), same_results=False)
    )
