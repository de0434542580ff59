"""Words in the report: hostile text is disarmed, numbers read as people write them."""

from __future__ import annotations

import pytest
from markupsafe import Markup

from cbtrun.contract import records
from cbtrun.contract.records import Effect, Interval
from cbtrun.plugins.report.plain_text import plain, shortened, wrapped
from cbtrun.plugins.report.tables import Row, Table, as_csv, as_latex, as_markdown
from cbtrun.plugins.report.wording import (
    breakable,
    contrast,
    duration,
    effect,
    interval,
    number,
    probability,
    sentence,
    subgroup,
    with_interval,
)
from cbtrun.plugins.report.wording import (
    test as worded_test,
)
from tests.helpers.report_studies import made_up_study


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("nul \x00, escape \x1b[31m", "nul ␀, escape ␛[31m"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("pair \ud83d\ude00", "pair 😀"),
        ("abc\u202edef", "abc⟨U+202E⟩def"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("tab\tstays", "tab\tstays"),
        ("שלום \u200f", "שלום \u200f"),
        ("c1 \x9b, non \uffff", "c1 \ufffd, non \ufffd"),
    ],
)
def test_what_cannot_be_seen_is_made_visible(raw: str, shown: str) -> None:
    assert plain(raw) == shown


def test_plain_text_can_always_be_written() -> None:
    plain("".join(map(chr, range(0xD7F0, 0xE010)))).encode("utf-8")


def test_long_labels_are_cut_with_an_ellipsis() -> None:
    assert shortened("a label\nof many words", 10) == "a label o…"
    assert shortened("short", 10) == "short"


def test_numbers_have_a_true_minus_and_no_negative_zero() -> None:
    assert [number(-3.14), number(-0.04), number(None), number(2.0, 2)] == ["−3.1", "0.0", "–", "2.00"]


def test_intervals_stand_in_brackets() -> None:
    assert interval(Interval(low=-5.13, high=1.2, method="t")) == "[−5.1, 1.2]"
    assert interval(None) == ""


def test_a_number_without_an_interval_says_so() -> None:
    assert with_interval(3.0, None) == "3.0 [no interval]"
    assert with_interval(None, None) == "–"
    assert effect(Effect(name="auc", value=1.0)) == "AUC 1.00 [no interval]"


def test_p_values_keep_the_digits_that_matter() -> None:
    assert [probability(p) for p in (0.0004, 0.0123, 0.456, None)] == ["< 0.001", "0.012", "0.46", "–"]


def test_effects_and_tests_are_named_as_papers_name_them() -> None:
    size = Effect(name="hedges_g", value=0.611, interval=Interval(low=0.02, high=1.2, method="t"))
    assert effect(size) == "Hedges’ g 0.61 [0.02, 1.20]"
    assert effect(size.model_copy(update={"name": "dz_reliable"})).startswith("Cohen’s dz, corrected for unreliability")
    tested = records.Test(name="welch", statistic=2.314, df=37.12, p=0.026, p_adjusted=0.052)
    assert worded_test(tested) == "Welch’s t(37.1) = 2.31, p 0.026, adjusted p 0.052"


def test_contrasts_say_which_is_subtracted_and_where() -> None:
    one = made_up_study(4).results.comparisons[0]
    assert contrast(one) == "cbt − none"
    assert contrast(one.model_copy(update={"factor": "courses", "levels": ("58", "5")})) == "courses 58 − courses 5"
    assert subgroup(one.model_copy(update={"where": {"risk": ("none",)}})) == " (risk: none)"


def test_names_in_backticks_are_set_apart_and_the_rest_is_escaped() -> None:
    assert sentence("`cbt` beats <b> `none`") == "<b>cbt</b> beats &lt;b&gt; <b>none</b>"
    assert sentence("a lone ` tick") == "a lone ` tick"


@pytest.mark.parametrize(("seconds", "told"), [(3.2, "3.2 s"), (200, "3 min 20 s"), (7290, "2 h 01 min"), (None, "–")])
def test_durations_are_in_the_units_of_people(seconds: float | None, told: str) -> None:
    assert duration(seconds) == told


def test_markdown_table_escapes_its_own_signs() -> None:
    table = Table("t", "A *title*", ("Item", "n"), (Row(("a|b `c` <d>", "3")),), notes=("not validated",))
    assert as_markdown(table) == (
        "**A \\*title\\***\n\n| Item | n |\n| --- | ---: |\n| a\\|b \\`c\\` \\<d\\> | 3 |\n\nnot validated\n"
    )


def test_latex_table_is_booktabs_and_escapes() -> None:
    text = as_latex(Table("t", "50 % & more", ("Item", "n"), (Row(("a_b $x$ \\input{y}", "−3")),)))
    assert r"\caption{50 \% \& more}" in text
    assert r"a\_b \$x\$ \textbackslash{}input\{y\} & $-$3 \\" in text
    assert text.index(r"\toprule") < text.index(r"\midrule") < text.index(r"\bottomrule")


def test_csv_leaves_missing_values_empty_and_numbers_unrounded() -> None:
    assert as_csv(("a", "b"), [("x,y", None), ("z", 1 / 3)]) == 'a,b\n"x,y",\nz,0.3333333333333333\n'


def test_long_labels_take_two_lines_before_they_are_cut() -> None:
    assert wrapped("Homework", 20) == "Homework"
    assert wrapped("Focus on key cognitions or behaviours", 23) == "Focus on key cognitions\nor behaviours"
    assert wrapped("one two three four five six", 9) == "one two\nthree fo…"
    assert wrapped("", 9) == ""


def test_a_number_may_break_before_its_interval_alone() -> None:
    held = '<span class="held">{}</span>'
    assert breakable("−3.2 [−5.1, −1.3]") == f"{held.format('−3.2')} {held.format('[−5.1, −1.3]')}"
    assert breakable("< 0.001") == held.format("&lt; 0.001")


def told(text: str, sessions: dict[str, str] | None = None) -> str:
    """A sentence whose linked numbers stand in braces: `{5}` where the place says their sessions, else `{5 arm=a}`."""

    def link(number: str, sessions: dict[str, str] | None = None, stop: bool = True) -> Markup:
        which = "".join(f" {name}={level}" for name, level in (sessions or {}).items())
        return Markup("{{{}{}{}}}").format(number, " all" if sessions == {} else which, " tab" if stop else "")

    return str(sentence(text, link, sessions))


def test_a_result_in_words_has_true_minus_signs_and_every_number_linked() -> None:
    said = "`gpt-4` scored 1.5 points lower than `none` (95 % CI -2.9 to -0.1; n = 18 and 20; Hedges' g -0.61 [-1.20, -0.02])."
    assert told(said) == (
        "<b>gpt-4</b> scored {1.5} points lower than <b>none</b> (95 % CI {−2.9} to {−0.1}; n = {18} and {20}; "
        "Hedges&#39; g {−0.61} [{−1.20}, {−0.02}])."
    )


def test_a_warning_leads_to_the_sessions_that_it_counts_and_its_whole_to_all() -> None:
    said = "4 of 60 sessions (7%) have no total of gpt-4o-2024 or ICC(2,1)."
    assert told(said, {"arm": "a"}).startswith(
        "{4 arm=a tab} of {60 all} sessions ({7% arm=a}) have no total of gpt-4o-2024"
    )


def test_without_a_link_a_sentence_stays_words() -> None:
    assert sentence("n = 12, from -3 to 4") == "n = 12, from −3 to 4"
