"""What a methods section says of the analyses: each once, in the field's words, with how errors were held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from cbtrun.plugin import Comparison, level_text
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.result_tables import item_outcomes, titles_by_outcome
from cbtrun.plugins.report.wording import contrast, effect_name, test_name

DESIGNS = {
    "paired": "comparison within personas",
    "independent": "comparison of independent groups",
    "omnibus": "comparison of several levels",
    "factorial": "factorial design",
    "mixed": "linear mixed model",
    "equivalence": "test of equivalence",
    "ordinal": "proportional-odds model",
    "known groups": "known groups",
}
"""Design -> what papers call it."""
CORRECTIONS = {"holm": "Holm", "bh": "Benjamini–Hochberg", "games-howell": "Games–Howell"}


def analyses_told(given: ReportInput) -> list[str]:
    """Sentences on every analysis, on families, intervals and what is missing; empty where nothing was compared or rated."""
    told = [
        _analysis(given, name, members) for name, members in _by_analysis(given.results.comparisons).items() if members
    ]
    told += _families(given)
    told.append(_intervals(given))
    return [
        *told,
        "A missing score was never replaced: comparisons rest on complete cases, and sessions without a value are counted and "
        "left out.",
    ]


def is_clustered(given: ReportInput) -> bool:
    """Whether an interval of a mean is clustered by persona."""
    groups = (
        group for r in given.results.ratings.values() for o in r.outcomes for gs in o.groups.values() for group in gs
    )
    return any(group.interval is not None and "clustered" in group.interval.method for group in groups)


def _by_analysis(found: Sequence[Comparison]) -> Mapping[str, list[Comparison]]:
    by_name: dict[str, list[Comparison]] = {}
    for one in found:
        by_name.setdefault(one.analysis, []).append(one)
    return by_name


def _analysis(given: ReportInput, name: str, members: Sequence[Comparison]) -> str:
    """One analysis: what it compared, by which tests, with which effect sizes, and where else it made the same comparison."""
    first, titles = members[0], titles_by_outcome(given)
    main = [one for one in members if one.outcome == first.outcome and not one.subgroup and not one.moderated]
    pairs = [one for one in main if {*one.levels} < {*first.levels}]
    what = contrast(first) + (" and every pair of them" if pairs else "")
    others = [one for one in main[1:] if one not in pairs]
    what += "".join(f", {contrast(one)}" for one in others)
    tests = _joined(dict.fromkeys(test_name(test.name) for one in main for test in one.tests))
    sizes = _joined(dict.fromkeys(effect_name(size.name) for one in main for size in one.effects))
    design = DESIGNS.get(first.design.partition("-")[0], first.design)
    return (
        f"Analysis {name} ({design}; unit of analysis: {first.unit_of_analysis}) compared "
        f"{titles.get(first.outcome, first.outcome)} for {what}"
        + (f", tested by {tests}" if tests else "")
        + (f", with {sizes} as effect size" if sizes else "")
        + "."
        + _corrected(main or members)
        + "".join(f" {more}" for more in _more(given, members))
    )


def _corrected(members: Sequence[Comparison]) -> str:
    """That the judge was corrected by people, and how; or why not."""
    told = members[0].corrected
    if told is None:
        return ""
    if told.withheld:
        return f" It was to be corrected by people and was not: {told.withheld}."
    way = (
        "Rogan and Gladen’s estimate"
        if told.method == "rogan-gladen"
        else "prediction-powered inference, its weight tuned"
    )
    drawn = {"pairs": "drawn as pairs of one persona", "sessions": "drawn one by one"}.get(told.design, "rated")
    return (
        f" The judge’s difference was corrected by {told.raters} {'person' if told.raters == 1 else 'people'} who rated "
        f"{told.sessions} sessions of {told.personas} of {told.personas_in_all} personas, {drawn} with known chances: {way}, "
        "clustered by persona, with t intervals."
    )


def _more(given: ReportInput, members: Sequence[Comparison]) -> Iterator[str]:
    """The same comparison elsewhere: on items and other outcomes, in subgroups."""
    outcomes = [*dict.fromkeys(one.outcome for one in members)]
    items = [one for one in outcomes[1:] if one in item_outcomes(given)]
    if items:
        yield f"The same comparison was made for {len(items)} item{'s' if len(items) > 1 else ''}."
    by = next((one.factor for one in members if one.moderated), "")
    if by:
        yield f"Whether it depends on {by.replace('_', ' ')} was tested before its levels were looked at."


def _families(given: ReportInput) -> Iterator[str]:
    """Over what errors were held: the study's primary family and those behind it, a block's own, a test's own pairs."""
    found = given.results.comparisons
    blocks = given.study.analyses
    across = {name for name in _by_analysis(found) if _family(given, name) == "primary"}
    lead = [one for one in found if one.analysis in across and one.correction and one.family]
    if lead:
        first = lead[0]
        count = first.family or 1
        how = CORRECTIONS.get(first.correction, first.correction)
        yield (
            f"The declared outcomes of all analyses were one family (adjusted by {how}, {count} comparison"
            f"{'s' if count != 1 else ''})" + ("." if len(lead) == count else ";")
        )
        if len(lead) > count:
            yield (
                "behind it pairs of levels, items, tests of interaction and subgroups were families of their own, each read "
                "only where what stands before it was shown."
            )
    for name in _by_analysis(found):
        sizes = [one.family for one in found if one.analysis == name and one.family]
        if name in across or not sizes or name not in blocks:
            continue
        yield f"P values of analysis {name} were adjusted over its own comparisons (up to {max(sizes)} in a family)."


def _family(given: ReportInput, name: str) -> str:
    block = given.study.analyses.get(name)
    return str(block.options.get("family", "primary")) if block else "primary"


def _intervals(given: ReportInput) -> str:
    """The level of every kind of interval that is shown."""
    others = {
        (level_text(one.interval), one.analysis)
        for one in given.results.comparisons
        if one.interval is not None and level_text(one.interval) != "95 %"
    }
    told = "Intervals are 95 % confidence intervals"
    told += "; those of means are clustered by persona" if is_clustered(given) else ""
    for level in sorted({level for level, _ in others}):
        told += f"; those of {_joined(sorted(name for at, name in others if at == level))} are {level} intervals"
    if any(one.interval_adjusted is not None and (one.family or 1) > 1 for one in given.results.comparisons):
        told += "; an interval that holds together with those of its family has its level beside it"
    return f"{told}."


def _joined(names: Iterable[str]) -> str:
    """`A`, `A and B`, `A, B and C`."""
    *others, last = [*names] or [""]
    return f"{', '.join(others)} and {last}" if others else last
