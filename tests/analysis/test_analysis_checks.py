"""What each design refuses before any work: levels, tests and studies that do not fit it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cbtrun.contexts import BlockContext
from cbtrun.errors import Place
from cbtrun.plugins.analyses import factorial, independent, mixed, omnibus, ordinal, paired

PLUGINS = {
    "independent": independent,
    "paired": paired,
    "omnibus": omnibus,
    "ordinal": ordinal,
    "factorial": factorial,
    "mixed": mixed,
}


def _block(using: str, options: Mapping[str, Any], study: Mapping[str, Any]) -> BlockContext:
    def place(*_: str | int) -> Place:
        return Place("study.yaml", 9)

    return BlockContext(
        stage="analysis",
        name="main",
        options={"using": using, **options},
        study=study,
        folder=Path(),
        place=place,
        place_in_study=place,
    )


SIMULATED = {
    "sessions": {"using": "dialogue", "personas": "eval"},
    "arms": {"a": {"factors": {"tuning": "cbt"}}, "b": {"factors": {"tuning": "none"}}},
}
IMPORTED = {
    "sessions": {"using": "import", "columns": {"session": "id"}, "factors": {"quality": "q"}, "labels": {"topic": "t"}}
}


def _wrong(using: str, options: Mapping[str, Any], study: Mapping[str, Any]) -> str:
    problems = PLUGINS[using].check_block(context=_block(using, options, study))
    return "\n".join(map(str, problems))


def test_independent_on_arms_that_share_personas_is_refused_before_work() -> None:
    said = _wrong("independent", {"factor": "tuning", "levels": ["cbt", "none"]}, SIMULATED)
    assert "`independent` does not fit" in said
    assert "use `using: paired`" in said


def test_paired_on_imported_sessions_without_personas_is_refused_before_work() -> None:
    said = _wrong("paired", {"factor": "quality", "levels": ["high", "low"]}, IMPORTED)
    assert "no persona to pair by" in said
    assert "`using: independent`" in said


@pytest.mark.parametrize("using", ["paired", "mixed", "omnibus"])
def test_designs_that_fit_have_no_problem(using: str) -> None:
    assert _wrong(using, {"factor": "tuning", "levels": ["cbt", "none"]}, SIMULATED) == ""


def test_unknown_names_in_where_and_by_are_reported_with_what_is_known() -> None:
    said = _wrong(
        "independent", {"factor": "quality", "levels": ["a", "b"], "where": {"topik": "x"}, "by": "sex"}, IMPORTED
    )
    assert "analysis/main/where/topik: unknown factor or label 'topik'; known: arm, patient" in said
    assert "analysis/main/by: unknown factor or label 'sex'" in said


def test_a_between_test_within_personas_is_refused_with_those_that_fit() -> None:
    options = {"factor": "tuning", "levels": ["cbt", "none", "x"], "tests": ["kruskal-wallis"], "pairwise": "tukey"}
    said = _wrong("omnibus", options, SIMULATED)
    assert "`kruskal-wallis` does not fit levels that are compared `within-personas`; use rm-anova or friedman" in said
    assert "`tukey` does not fit" in said


def test_ordinal_on_a_total_is_refused() -> None:
    options = {"outcome": "mini.total", "factor": "tuning", "levels": ["cbt", "none"]}
    assert "`ordinal` does not fit a total" in _wrong("ordinal", options, SIMULATED)


def test_factorial_needs_an_arm_in_every_cell() -> None:
    arms = {
        "a": {"factors": {"t": "1", "f": "1"}},
        "b": {"factors": {"t": "2", "f": "1"}},
        "c": {"factors": {"t": "2", "f": "2"}},
    }
    study = {**SIMULATED, "arms": arms}
    said = _wrong("factorial", {"factors": ["t", "f"], "levels": {"t": ["1", "2"], "f": ["1", "2"]}}, study)
    assert said.count("no arm has") == 1
    assert "t '1', f '2'" in said
