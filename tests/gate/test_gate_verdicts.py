"""Verdicts of numbers: what is missing counts against, few patients pass nothing, and names of strangers are no markup."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field, replace

import pytest

from cbtrun.gate.asked import Asked, Criterion
from cbtrun.gate.judge import Judged
from cbtrun.gate.judged_run import Value
from cbtrun.gate.outputs import junit, junit_of_error, lines, markdown, markdown_of_error
from cbtrun.gate.verdicts import Verdict, verdicts

LEAST = Criterion("min", "ctrs.total", "a", 40.0, (0.0, 66.0))
NO_WORSE = Criterion("no-worse", "ctrs.total", "a", 3.0, (0.0, 66.0), against="a")


@dataclass(frozen=True)
class Held:
    """A run of numbers: patient -> points, or why there are none."""

    points: dict[str, float | str]
    lowest: dict[str, float] = field(default_factory=dict)

    def values(self, _outcome: str, _arm: str) -> list[Value]:
        return [
            Value(who, f"s/{who}", None, found, self.lowest.get(who))
            if isinstance(found, str)
            else Value(who, f"s/{who}", found, words=f"{who}{id(self)}")
            for who, found in self.points.items()
        ]

    @property
    def units(self) -> dict[str, str]:
        return dict.fromkeys(self.points, "")


def of(criterion: Criterion, run: Held, other: Held | None = None, asked: Asked | None = None) -> Verdict:
    return next(iter(verdicts([criterion], asked or Asked(), run, other)))  # type: ignore[arg-type]


def patients(*points: float | str) -> dict[str, float | str]:
    return {f"p{at}": one for at, one in enumerate(points)}


def test_the_limit_is_judged_and_not_the_mean_unless_that_is_asked_for() -> None:
    run = Held(patients(38.0, 41.0, 44.0, 45.0))  # mean 42, lower limit 35
    assert of(LEAST, run).state == "failed"
    by_mean = of(LEAST, run, asked=Asked(by="mean"))
    assert by_mean.state == "passed"
    assert "judged by the mean alone" in by_mean.says
    assert "lower limit 35.37" in by_mean.says


def test_one_patient_is_not_judged() -> None:
    found = of(LEAST, Held(patients(60.0)))
    assert found.state == "not judged"
    assert of(LEAST, Held({})).state == "not judged"
    assert of(NO_WORSE, Held(patients(60.0)), Held(patients(60.5))).state == "not judged"


def test_what_is_missing_counts_as_the_worst_that_it_could_be_or_is_told() -> None:
    scored = [55.0, 56.0, 57.0, 58.0] * 3
    assert of(LEAST, Held(patients(*scored))).state == "passed"
    gaps = Held(patients(*scored, "not rated", "the session failed", "not rated"))
    against = of(LEAST, gaps)
    assert against.state == "failed"
    assert "3 of 15 sessions have no score (2 not rated, 1 the session failed): counted as the lowest" in against.says
    assert against.missing == 3
    left_out = of(LEAST, gaps, asked=Asked(missing="told"))
    assert left_out.state == "passed"
    assert "left out, as --missing told says" in left_out.says
    known = Held(gaps.points, {f"p{at}": 54.0 for at in (12, 13, 14)})  # one item was unscored, the others are known
    assert of(LEAST, known).state == "passed"
    endless = replace(LEAST, ends=(None, None))
    assert of(endless, gaps).state == "not judged"


def test_for_what_is_better_low_the_highest_counts() -> None:
    most = Criterion("max", "limits.total", "a", 2.0, (0.0, 18.0))
    run = Held(patients(*[0.0, 1.0] * 10))
    assert of(most, run).state == "passed"
    assert of(most, Held(run.points | {"late": "not rated"})).state == "failed"


def test_pairs_see_what_two_groups_do_not() -> None:
    before = [20.0, 30.0, 40.0, 50.0, 60.0, 25.0, 35.0, 45.0]
    change = [0.0, -1.0, 1.0, 0.5, -0.5, 0.0, 1.0, -1.0]
    now = [one + by for one, by in zip(before, change, strict=True)]
    paired = of(NO_WORSE, Held(patients(*now)), Held(patients(*before)))
    assert paired.state == "passed"
    assert "paired by patient" in paired.says
    strangers = Held({f"q{at}": one for at, one in enumerate(before)})
    assert of(NO_WORSE, Held(patients(*now)), strangers).state == "failed"


def test_lower_is_better_turns_the_difference_round() -> None:
    turned = replace(NO_WORSE, lower_is_better=True)
    now, before = Held(patients(10.0, 11.0, 12.0, 13.0)), Held(patients(1.0, 2.5, 3.0, 4.0))
    assert of(NO_WORSE, now, before).state == "passed"
    worse = of(turned, now, before)
    assert worse.state == "failed"
    assert "lower counts as better" in worse.says
    assert worse.estimate == pytest.approx(-8.875)


def test_a_session_that_got_lost_is_held_against_the_new_model() -> None:
    before = [40.0, 41.0, 42.0, 43.0, 44.0]
    lost: list[float | str] = [one + by for one, by in zip(before, (1.0, 0.0, 2.0, 1.0), strict=False)]
    now = Held(patients(*lost, "the session failed"))
    assert of(NO_WORSE, now, Held(patients(*before))).state == "failed"
    assert of(NO_WORSE, now, Held(patients(*before)), Asked(missing="told")).state == "passed"


HOSTILE = '<b>\x1b[2J\ud800&"]]> | `rm` [x](http://evil) @all ![](http://e) $x$ <!--'


def hostile() -> Judged:
    verdict = Verdict(replace(LEAST, arm=HOSTILE, outcome=HOSTILE), "failed", HOSTILE)
    return Judged(HOSTILE, HOSTILE, HOSTILE, (verdict,), (), HOSTILE)


def test_names_that_a_stranger_gave_are_text_in_xml() -> None:
    for made in (junit(hostile(), 1.0), junit_of_error(HOSTILE, HOSTILE, 1.0)):
        suite = ET.fromstring(made).find("testsuite")
        assert suite is not None
        assert "<b>" in (suite.get("name") or "")
        assert {one.tag for one in suite.iter()} <= {"testsuite", "properties", "property", "testcase", "failure", "error", "system-out", "system-err"}  # fmt: skip
        assert b"\x1b" not in made


def test_names_that_a_stranger_gave_are_text_in_markdown() -> None:
    for made in (markdown(hostile()), markdown_of_error(HOSTILE, HOSTILE)):
        assert "<b>" not in made
        assert "&lt;b&gt;" in made
        for sign in ("`rm`", "[x](", "![](", " | `", " @all", "$x$", "\x1b"):
            assert sign not in made, sign
        made.encode("utf-8", "strict")
    assert sum(line.count("|") - line.count("\\|") for line in markdown(hostile()).splitlines()) == 3 * 5


def test_codes_say_failed_before_not_judged() -> None:
    passed, failed, unknown = (Verdict(LEAST, state, "x") for state in ("passed", "failed", "not judged"))
    codes = [replace(hostile(), verdicts=each).code for each in ((passed,), (passed, unknown), (passed, unknown, failed))]  # fmt: skip
    assert codes == [0, 3, 5]
    assert "gate: NOT JUDGED (1 passed, 1 not judged of 2 criteria)" in [*lines(replace(hostile(), verdicts=(passed, unknown)))]  # fmt: skip
