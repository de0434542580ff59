"""Which figures a study has: each is a plate that can be drawn at any width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from cbtrun.plugin import Comparison, OutcomeSummary, Session, level_name, level_of
from cbtrun.plugins.report import figures
from cbtrun.plugins.report.behind import behind_comparison, link, pair_link, scored
from cbtrun.plugins.report.figure_style import Plate
from cbtrun.plugins.report.figures import Contrast, Dots, Profile
from cbtrun.plugins.report.inputs import ReportInput, headline_comparison, main_grouping
from cbtrun.plugins.report.people import paired_sessions
from cbtrun.plugins.report.persona_groups import headline_outcome
from cbtrun.plugins.report.result_tables import (
    by_contrast,
    contrast_name,
    item_outcomes,
    outcome_title,
    outcomes,
    set_title,
    titles_by_outcome,
)
from cbtrun.plugins.report.scales import points_of, with_end
from cbtrun.plugins.report.wording import contrast, has_levels, interval_head


def groups_plates(given: ReportInput) -> Iterator[Plate]:
    """Totals by group, one plate a rating set: every session a dot."""
    grouping = main_grouping(given)
    for outcome in outcomes(given, ("total",)):
        rubric = given.results.ratings[outcome.outcome.split(".")[0]].rubric
        dots = [one for one, _ in group_dots(given, outcome, grouping)]
        yield Plate(
            name=f"groups-{_file_name(outcome.outcome)}",
            title=f"{outcome_title(given, outcome)} by {_by(grouping)}",
            caption="Every dot is a session; the bar below is the group’s mean with its 95 % interval.",
            draw=partial(
                figures.draw_groups,
                dots,
                f"{outcome_title(given, outcome)}, {points_of(given, outcome.outcome)}",
                scale=(rubric.low, rubric.high),
                threshold=rubric.threshold,
            ),
        )


def pairs_plates(given: ReportInput) -> Iterator[Plate]:
    """One line a pair, for the headline where it is a paired comparison."""
    headline = headline_comparison(given)
    if headline is None or len(headline.levels) != 2 or headline.design != "paired":
        return
    personas, pairs = _pairs(given, headline)
    if not pairs:
        return
    together = paired_sessions(given, headline)
    links = [pair_link(*together[one]) if one in together else None for one in personas]
    outcome = next((one for one in outcomes(given) if one.outcome == headline.outcome), None)
    levels = [group.level for group in outcome.groups.get(headline.factor, ())] if outcome else list(headline.levels)
    colours = tuple(levels.index(level) if level in levels else at for at, level in enumerate(headline.levels))
    yield Plate(
        name="pairs",
        title=f"{titles_by_outcome(given).get(headline.outcome, headline.outcome)}, persona by persona",
        caption=f"Every line is one persona (n = {len(pairs)} pairs); dashed lines fall. Thick marks are means. A pair opens "
        "both sessions side by side.",
        draw=partial(
            figures.draw_pairs,
            pairs,
            (level_name(headline.levels[0], headline.factor), level_name(headline.levels[1], headline.factor)),
            points_of(given, headline.outcome),
            colours=(colours[0], colours[1]),
            links=links,
        ),
    )


def forest_plates(given: ReportInput) -> Iterator[Plate]:
    """Differences with intervals: totals and subscales on one plate, single items on another."""
    items = item_outcomes(given)
    titles = titles_by_outcome(given)
    headline = headline_comparison(given)
    whole = [one for one in given.results.comparisons if one.outcome not in items and one.estimate is not None]
    single = [one for one in given.results.comparisons if one.outcome in items and one.estimate is not None]
    for name, title, found, decimals in (
        ("contrasts", "Declared contrasts", whole, 1),
        ("item-contrasts", "Contrasts by item", single, 2),
    ):
        found = by_contrast(found)
        rows = _forest_rows(given, found, titles, headline)
        names = {contrast_name(one, found) for one in found}
        which = f" ({contrast(found[0])})" if len(names) == 1 else ""
        about = {titles.get(one.outcome, one.outcome) for one in found}
        scales = {points_of(given, one.outcome) for one in found}
        unit = scales.pop() if len(scales) == 1 else "points"
        in_what = f" in {next(iter(about))}" if len(about) == 1 and len(names) > 1 else ""
        if rows:
            head = interval_head(one.interval for one in found).strip("[]").replace("CI", "interval")
            each = ", its level in brackets" if has_levels(one.interval for one in found) else ""
            caption = f"Dot: difference of means; bar: {head}{each}; the line at 0 is no difference."
            draw = partial(figures.draw_forest, rows, f"difference{in_what}{which}, {unit}", decimals=decimals)
            yield Plate(name, title, caption, draw)


def _forest_rows(
    given: ReportInput, found: Sequence[Comparison], titles: Mapping[str, str], headline: Comparison | None
) -> Sequence[Contrast]:
    """Rows named by what differs among them: the outcome, the contrast, or outcomes under headings of contrasts."""
    names = [contrast_name(one, found) for one in found]
    about = [with_end(given, one.outcome, titles.get(one.outcome, one.outcome)) for one in found]
    by_contrast = len(set(about)) == 1 and len(set(names)) > 1
    return [
        Contrast(
            label=names[at] if by_contrast else about[at],
            estimate=one.estimate,
            interval=one.interval,
            n=sum(group.n for group in one.groups) if one.unit_of_analysis == "rating" else one.n,
            strong=one == headline,
            link=link(behind_comparison(given, one)),
            heading=names[at]
            if not by_contrast and len(set(names)) > 1 and (at == 0 or names[at - 1] != names[at])
            else "",
        )
        for at, one in enumerate(found)
    ]


def profile_plates(given: ReportInput) -> Iterator[Plate]:
    """Item means by group, one plate a rating set, with human norms where they are known."""
    grouping = main_grouping(given)
    for name, rated in given.results.ratings.items():
        items = [outcome for outcome in rated.outcomes if outcome.kind == "item"]
        bounds = [(item.low, item.high) for item in rated.rubric.items if item.kind == "item"]
        if not items:
            continue
        same = len(set(bounds)) == 1
        norms = [given.norms[one.outcome].mean if one.outcome in given.norms else None for one in items]
        yield Plate(
            name=f"items-{_file_name(name)}",
            title=f"{set_title(given, name)} item profile",
            caption="Mean of every item with its 95 % interval; n stands in the table below."
            + (" Grey lines: human therapists." if any(norm is not None for norm in norms) else ""),
            draw=partial(
                figures.draw_profile,
                [item.title for item in items],
                _profiles(given, items, grouping),
                norms,
                bounds[0] if same else (None, None),
            ),
        )


def length_plates(given: ReportInput) -> Iterator[Plate]:
    """The headline's outcome against the number of turns, where sessions differ in length."""
    outcome = headline_outcome(given)
    if outcome is None or len({len(session.turns) for session in given.sessions}) < 3:
        return
    groups = [
        (dots, tuple(len(session.turns) for session in members))
        for dots, members in group_dots(given, outcome, main_grouping(given))
    ]
    title = f"{outcome_title(given, outcome)} by length of the session"
    caption = "Every dot is a session. A score that merely follows length would rise along the line of all dots."
    yield Plate("length", title, caption, partial(figures.draw_length, groups, points_of(given, outcome.outcome)))


def group_dots(given: ReportInput, outcome: OutcomeSummary, grouping: str) -> list[tuple[Dots, list[Session]]]:
    """The sessions of every level that have a value, as dots."""
    name, short = outcome.outcome.split(".", 1)
    values = given.rated[name].values.get(short, {})
    found = []
    for at, group in enumerate(outcome.groups.get(grouping, ())):
        members = [
            one for one in given.sessions if level_of(one, grouping) == group.level and values.get(one.id) is not None
        ]
        points = tuple(value for one in members if (value := values[one.id]) is not None)
        ids, shown = tuple(one.id for one in members), scored(given, outcome.outcome, {grouping: group.level})
        dots = Dots(group.level, ids, points, group.mean, group.interval, colour=at, link=link(shown))
        found.append((dots, members))
    return found


def _profiles(given: ReportInput, items: Sequence[OutcomeSummary], grouping: str) -> list[Profile]:
    levels = [group.level for group in items[0].groups.get(grouping, ())]
    by_level = [[item.groups[grouping][at] for item in items] for at in range(len(levels))]
    return [
        Profile(
            level,
            tuple(one.mean for one in groups),
            tuple(one.interval for one in groups),
            tuple(link(scored(given, item.outcome, {grouping: level})) for item in items),
        )
        for level, groups in zip(levels, by_level, strict=True)
    ]


def _pairs(given: ReportInput, comparison: Comparison) -> tuple[list[str], list[tuple[float, float]]]:
    """The personas with values at both levels, and of each its mean values (first level, second level)."""
    name, short = comparison.outcome.split(".", 1)
    values = given.rated[name].values.get(short, {}) if name in given.rated else {}
    sides: tuple[dict[str, list[float]], dict[str, list[float]]] = ({}, {})
    for session in given.sessions:
        value, level = values.get(session.id), level_of(session, comparison.factor)
        if value is not None and session.persona and level in comparison.levels:
            sides[comparison.levels.index(level)].setdefault(session.persona, []).append(value)
    both = sorted(sides[0].keys() & sides[1].keys())
    return both, [(sum(a) / len(a), sum(b) / len(b)) for a, b in ((sides[0][one], sides[1][one]) for one in both)]


def _by(grouping: str) -> str:
    return {"all": "session"}.get(grouping, grouping.replace("_", " "))


def _file_name(outcome: str) -> str:
    return "".join(sign if sign.isalnum() else "-" for sign in outcome)
