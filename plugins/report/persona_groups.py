"""Scores by who the patient is: severity, engagement, risk and what else a persona states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from cbtrun.plugin import GroupSummary, OutcomeSummary, Persona, describe, level_of
from cbtrun.plugins.report import figures
from cbtrun.plugins.report.behind import Levels, behind, link
from cbtrun.plugins.report.figure_style import Plate
from cbtrun.plugins.report.figures import Profile
from cbtrun.plugins.report.inputs import ReportInput, headline_comparison, main_grouping
from cbtrun.plugins.report.result_tables import MEAN, MISSING_COLUMN, caveats, outcome_title, outcomes
from cbtrun.plugins.report.scales import with_end
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.plugins.report.wording import number, with_interval

# Kroenke, Spitzer & Williams 2001: cut points of the PHQ-9.
SEVERITY = (
    (20, "severe (PHQ-9 20–27)"),
    (15, "moderately severe (15–19)"),
    (10, "moderate (10–14)"),
    (0, "below moderate (0–9)"),
)


def persona_table(given: ReportInput) -> Table | None:
    """n, missing, mean and SD of the headline's outcome, one row a persona group and level; none without personas."""
    outcome = headline_outcome(given)
    if outcome is None:
        return None
    rows = []
    for attribute, levels in _attributes(given).items():
        for level, ids in levels.items():
            for at, group in enumerate(_described(given, outcome, ids)):
                mean = with_interval(group.mean, group.interval)
                cells = (f"{attribute}: {level}", group.level, str(group.n), str(group.missing), mean, number(group.sd))
                shown, lost = _behind(given, outcome, ids, group.level)
                rows.append(Row(cells, sessions=shown, apart={MISSING_COLUMN: lost}, starts=at == 0))
    columns = ("Persona group", main_grouping(given).replace("_", " "), "n", "Missing", MEAN, "SD")
    title = f"{with_end(given, outcome.outcome, outcome_title(given, outcome))} by persona group"
    notes = ("These groups were not compared by a test unless an analysis declares it", *caveats(given))
    return Table("persona-groups", title, columns, tuple(rows), 2, 2, notes) if rows else None


def persona_plates(given: ReportInput) -> Iterator[Plate]:
    """Mean by persona group, one mark a level of the main grouping."""
    outcome = headline_outcome(given)
    groups = [(f"{name}: {level}", ids) for name, levels in _attributes(given).items() for level, ids in levels.items()]
    if outcome is None or not groups:
        return
    rubric = given.results.ratings[outcome.outcome.split(".")[0]].rubric
    described = [_described(given, outcome, ids) for _, ids in groups]
    profiles = [
        Profile(
            level.level,
            tuple(row[at].mean for row in described),
            tuple(row[at].interval for row in described),
            tuple(link(_behind(given, outcome, ids, level.level)[0]) for _, ids in groups),
        )
        for at, level in enumerate(described[0])
    ]
    scale = (rubric.low, rubric.high) if outcome.kind == "total" else (None, None)
    names = [
        f"{name} (n\u00a0=\u00a0{sum(one.n for one in row)})" for (name, _), row in zip(groups, described, strict=True)
    ]
    draw = partial(figures.draw_profile, names, profiles, [None] * len(names), scale)
    title = f"{outcome_title(given, outcome)} by persona group"
    yield Plate(
        "persona-groups",
        title,
        "Mean of every group with its 95 % interval; n counts the sessions of all marks in a row.",
        draw,
    )


def headline_outcome(given: ReportInput) -> OutcomeSummary | None:
    """The outcome that the report opens with, else the first there is."""
    headline = headline_comparison(given)
    wanted = headline.outcome if headline else ""
    return next((one for one in outcomes(given) if one.outcome == wanted), next(outcomes(given), None))


def _attributes(given: ReportInput) -> dict[str, dict[str, frozenset[str]]]:
    """Attribute -> level -> ids of the personas, where the sessions' personas have more than one level."""
    met = {session.persona for session in given.sessions}
    personas = [persona for id_, persona in given.personas.items() if id_ in met]
    found: dict[str, dict[str, frozenset[str]]] = {}
    for name, levels in _levels(personas).items():
        if len(levels) > 1:
            found[name] = levels
    return found


def _levels(personas: list[Persona]) -> Mapping[str, dict[str, frozenset[str]]]:
    readers: dict[str, Callable[[Persona], str]] = {  # "" where it is not known of a persona
        "severity": lambda one: "" if one.phq9 is None else next(name for least, name in SEVERITY if one.phq9 >= least),
        "engagement": lambda one: one.engagement_style or "",
        "disclosure": lambda one: one.disclosure_style or "",
        "risk": lambda one: (one.risk or "").replace("-", " "),
    }
    own = dict.fromkeys(label for one in personas for label in one.labels)
    readers |= {label: partial(_label, label) for label in own if label not in readers}
    found: dict[str, dict[str, frozenset[str]]] = {}
    for name, read in readers.items():
        order = (
            [level for _, level in SEVERITY] if name == "severity" else sorted({read(one) for one in personas} - {""})
        )
        ids = {level: frozenset(one.id for one in personas if read(one) == level) for level in order}
        found[name] = {level: members for level, members in ids.items() if members}
    return found


def _label(name: str, persona: Persona) -> str:
    return persona.labels.get(name, "")


def _behind(
    given: ReportInput, outcome: OutcomeSummary, ids: frozenset[str], level: str
) -> tuple[Levels, Levels | None]:
    """The sessions of these personas at a level with a value, and those without; none where all have one."""
    name, short = outcome.outcome.split(".", 1)
    values, grouping = given.rated[name].values.get(short, {}), main_grouping(given)
    met = [one for one in given.sessions if one.persona in ids and level_of(one, grouping) == level]
    lost = [one.id for one in met if values.get(one.id) is None]
    shown = behind(given, {grouping: level}, {one.id for one in met} - set(lost))
    return shown, behind(given, {grouping: level}, lost) if lost else None


def _described(given: ReportInput, outcome: OutcomeSummary, ids: frozenset[str]) -> list[GroupSummary]:
    """Every level of the main grouping, over the sessions with these personas."""
    name, short = outcome.outcome.split(".", 1)
    rated, grouping = given.rated[name], main_grouping(given)
    return [
        describe(
            group.level,
            rated.values.get(short, {}),
            rated.reasons.get(short, {}),
            [one for one in given.sessions if one.persona in ids and level_of(one, grouping) == group.level],
            rated.ends.get(short, (None, None)),
        )
        for group in outcome.groups.get(grouping, ())
    ]
