"""A promise is frozen with its time, and every deviation from it is listed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cbtrun.analysis.preregistration import (
    Registration,
    deviations,
    read_registration,
    register,
    registration_words,
    write_registration,
)
from cbtrun.errors import StageError

WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
STUDY = {
    "study": "s",
    "title": "T",
    "seed": 1,
    "arms": {"a": {"therapist": "m", "factors": {"tuning": "cbt"}}},
    "analysis": {"main": {"using": "paired", "outcome": "ctrs.total", "levels": ["cbt", "none"]}},
    "report": {"using": "html"},
}
RUBRICS = {"ctrs": "aaa"}


def _registered() -> Registration:
    return register(STUDY, RUBRICS, WHEN, {"eval": "ppp"})


def test_an_unchanged_study_is_as_registered() -> None:
    found = deviations(_registered(), STUDY, RUBRICS, {"eval": "ppp"})
    assert found == ()
    assert registration_words(_registered(), found).startswith("Analysed as registered on 2026-03-04T05:06:07+00:00")


def test_every_deviation_is_listed_with_both_values() -> None:
    changed = {**STUDY, "analysis": {"main": {**STUDY["analysis"]["main"], "using": "independent", "tests": ["welch"]}}}
    found = deviations(_registered(), changed, {"ctrs": "bbb"}, {"eval": "qqq"})
    assert [one.path for one in found] == [
        "analysis/main/tests",
        "analysis/main/using",
        "personas made/eval",
        "rubrics/ctrs",
    ]
    assert str(found[1]) == 'analysis/main/using: registered as "paired", now "independent"'
    assert found[0].registered == "(not there)"
    assert "4 deviations" in registration_words(_registered(), found)


def test_a_dropped_arm_is_a_deviation_and_a_new_title_is_not() -> None:
    assert deviations(_registered(), {**STUDY, "title": "Other", "report": {}}, RUBRICS) == ()
    assert [one.path for one in deviations(_registered(), {**STUDY, "arms": {}}, RUBRICS)] == ["arms/a"]


def test_persona_sets_made_later_are_not_deviations() -> None:
    early = register(STUDY, RUBRICS, WHEN)
    assert deviations(early, STUDY, RUBRICS, {"eval": "ppp"}) == ()


def test_a_registration_is_written_once_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "promise.json"
    write_registration(_registered(), path)
    assert read_registration(path) == _registered()
    with pytest.raises(StageError, match="not overwritten"):
        write_registration(_registered(), path)


def test_an_edited_registration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "promise.json"
    write_registration(_registered(), path)
    path.write_text(path.read_text().replace("2026-03-04", "2026-03-01"))
    with pytest.raises(StageError, match="edited after it was registered"):
        read_registration(path)


def test_something_else_is_no_registration(tmp_path: Path) -> None:
    path = tmp_path / "promise.json"
    path.write_text("[]")
    with pytest.raises(StageError, match="not a registration"):
        read_registration(path)


def test_time_zone_and_analysis_are_required() -> None:
    with pytest.raises(StageError, match="time zone"):
        register(STUDY, RUBRICS, datetime(2026, 3, 4))
    with pytest.raises(StageError, match="no analysis"):
        register({**STUDY, "analysis": {}}, RUBRICS, WHEN)
