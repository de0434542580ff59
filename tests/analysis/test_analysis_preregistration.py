"""A promise is frozen with its time, and every deviation from it is listed."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cbtrun.analysis.preregistration import (
    MadeDigests,
    Registration,
    claim_words,
    deviations,
    read_registration,
    register,
    registration_words,
    reworded,
    write_registration,
)
from cbtrun.errors import StageError
from cbtrun.study.frozen import Frozen

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
MADE = MadeDigests(personas={"eval": "ppp"}, corpus={"cbt": "ccc"})
FROZEN = Frozen(
    texts={"study.yaml": "sss"},
    files={"data.csv": "ddd", "rater.py": "rrr"},
    code={"cbtrun": "0.1.0 (SHA-256 eee)"},
    addresses={"judge": "SHA-256 fff"},
)


def _registered() -> Registration:
    return register(STUDY, RUBRICS, WHEN, MADE, FROZEN)


def _changed(**blocks: object) -> list[str]:
    """Paths of what differs when blocks of the study are others."""
    return [one.path for one in deviations(_registered(), {**STUDY, **blocks}, RUBRICS, MADE, FROZEN)]


def test_an_unchanged_study_is_as_registered() -> None:
    found = deviations(_registered(), STUDY, RUBRICS, MADE, FROZEN)
    assert found == ()
    assert registration_words(_registered(), found).startswith("Analysed as registered on 2026-03-04T05:06:07+00:00")


def test_every_deviation_is_listed_with_both_values() -> None:
    changed = {**STUDY, "analysis": {"main": {**STUDY["analysis"]["main"], "using": "independent", "tests": ["welch"]}}}
    now = MadeDigests(personas={"eval": "qqq"}, corpus={"cbt": "ccc"})
    found = deviations(_registered(), changed, {"ctrs": "bbb"}, now, FROZEN)
    assert [one.path for one in found] == [
        "analysis/main/tests",
        "analysis/main/using",
        "personas made/eval",
        "rubrics/ctrs",
    ]
    assert str(found[1]) == 'analysis/main/using: registered as "paired", now "independent"'
    assert found[0].registered == "(not there)"
    assert "4 deviations" in registration_words(_registered(), found)


def test_a_dropped_arm_a_title_and_published_values_are_deviations() -> None:
    # Titles and published values count: a title says what was asked, and agreement can be chosen afterwards.
    assert _changed(arms={}) == ["arms"]
    assert _changed(title="Other", compare_with={"x": {"outcome": "ctrs.total"}}) == ["compare_with", "title"]


def test_what_the_report_looks_like_and_what_may_be_spent_is_free() -> None:
    assert _changed(report={"using": "html", "figures": []}, limits={"usd": 5}, contains="none") == []


def test_another_headline_and_another_order_of_analyses_are_deviations() -> None:
    main = STUDY["analysis"]["main"]
    registered = register({**STUDY, "analysis": {"main": main, "second": main}}, RUBRICS, WHEN)
    swapped = {**STUDY, "analysis": {"second": main, "main": main}}
    assert [str(one) for one in deviations(registered, swapped, RUBRICS)] == [
        "order of analysis: registered as main, second, now second, main",
        'report/headline: registered as "main", now "second"',
    ]
    named = {**STUDY, "analysis": {"main": main, "second": main}, "report": {"using": "html", "headline": "second"}}
    assert [one.path for one in deviations(registered, named, RUBRICS)] == ["report/headline"]
    added = {**STUDY, "analysis": {"third": main, "main": main, "second": main}}
    assert [one.path for one in deviations(registered, added, RUBRICS)] == ["analysis/third", "report/headline"]


@pytest.mark.parametrize(
    ("now", "path"),
    [
        ({"files": {"data.csv": "xxx", "rater.py": "rrr"}}, "files/data.csv"),
        ({"files": {"data.csv": "ddd", "rater.py": "xxx"}}, "files/rater.py"),
        ({"files": {"data.csv": "ddd"}}, "files/rater.py"),
        ({"code": {"cbtrun": "0.2.0 (SHA-256 eee)"}}, "code/cbtrun"),
        ({"code": {"cbtrun": "0.1.0 (SHA-256 eee)", "watcher": "SHA-256 www"}}, "code/watcher"),
        ({"addresses": {"judge": "SHA-256 xxx"}}, "addresses/judge"),
    ],
)
def test_another_file_code_or_address_is_a_deviation(now: dict[str, dict[str, str]], path: str) -> None:
    found = deviations(_registered(), STUDY, RUBRICS, MADE, FROZEN.model_copy(update=now))
    assert [one.path for one in found] == [path]


def test_an_address_in_the_file_and_the_name_of_a_model_are_frozen_and_keys_and_prices_are_not() -> None:
    model = {"using": "openai", "model": "m", "base_url": "http://a/v1", "api_key_env": "A"}
    registered = register({**STUDY, "models": {"judge": model}}, RUBRICS, WHEN)

    def changed(**options: object) -> list[str]:
        return [
            one.path for one in deviations(registered, {**STUDY, "models": {"judge": {**model, **options}}}, RUBRICS)
        ]

    assert changed(api_key_env="B", prices={"input": 1, "output": 2}, limits={"tries": 9}) == []
    assert changed(base_url="http://b/v1") == ["models/judge/base_url"]
    assert changed(model="n") == ["models/judge/model"]


def test_other_bytes_of_the_same_words_are_told_and_are_no_deviation() -> None:
    now = FROZEN.model_copy(update={"texts": {"study.yaml": "ttt"}})
    assert deviations(_registered(), STUDY, RUBRICS, MADE, now) == ()
    assert [str(one) for one in reworded(_registered(), now)] == ['files/study.yaml: registered as "sss", now "ttt"']


def test_personas_and_corpora_made_later_are_not_deviations_and_other_ones_are() -> None:
    early = register(STUDY, RUBRICS, WHEN)
    assert deviations(early, STUDY, RUBRICS, MADE) == ()
    other = MadeDigests(personas=MADE.personas, corpus={"cbt": "xxx"})
    assert [one.path for one in deviations(_registered(), STUDY, RUBRICS, other, FROZEN)] == ["corpora made/cbt"]


def test_the_time_is_the_machines_own_claim_until_the_digest_lies_elsewhere() -> None:
    one = _registered()
    assert "this machine's own claim" in claim_words(one)
    assert one.digest in claim_words(one)
    assert "own claim" not in claim_words(one, ["https://osf.io/abcde"])
    assert "is said to lie at https://osf.io/abcde" in claim_words(one, ["https://osf.io/abcde"])


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


def test_a_registration_of_another_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "promise.json"
    path.write_text('{"format": 1, "study": "s"}')
    with pytest.raises(StageError, match=r"registered by another version of cbtrun.*register again"):
        read_registration(path)


def test_a_pipe_or_a_huge_file_is_no_registration(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(StageError, match="no plain file"):
        read_registration(tmp_path / "pipe.json")
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(30_000_000)
    with pytest.raises(StageError, match="longer than 20 MB"):
        read_registration(tmp_path / "huge.json")


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
