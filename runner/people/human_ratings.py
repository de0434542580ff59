"""People's ratings, read from any table by a mapping of its columns, every fault with its line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cbtrun.contract.records import ItemScore, Rating
from cbtrun.documents.schema_words import did_you_mean, known_words
from cbtrun.errors import Place, Problem, SpecError
from cbtrun.files.csv_cells import bare_cell
from cbtrun.ratings.reasons import NOT_APPLICABLE
from cbtrun.ratings.rubric import Item, Rubric, rubric_digest
from cbtrun.scores.scale import outcome_ends
from cbtrun.scores.totals import is_summed, outcome_names
from cbtrun.tables.row import AS_FOUND, Writing

if TYPE_CHECKING:
    from cbtrun.tables.row import Row, Table

MOST_PROBLEMS = 20
RATER_WORDS = ("rater", "coder", "annotator", "judge", "evaluator", "assessor", "expert", "reviewer")
OWN_COLUMNS = ("session", "rater", "item", "score", "comment", "sheet")
_NOT_APPLICABLE = ("n/a", "na", NOT_APPLICABLE)
_YES_NO = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class Mapped:
    """How a file's words become ours."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Our column (`session`, `rater`, `item`, `score`) or an item's id -> the file's column."""
    items: Mapping[str, str] = field(default_factory=dict)
    """The file's word for an item -> the item's id."""
    not_applicable: frozenset[str] = frozenset()
    """Further values that mean: not applicable."""
    codes: Mapping[str, str] = field(default_factory=dict)
    """Code of a session on the sheet -> its id."""


class HumanScore(NamedTuple):
    """One score of one person, or why there is none."""

    session: str
    rater: str
    item: str
    score: ItemScore
    place: Place


class PeopleRatings(NamedTuple):
    """What people gave."""

    ratings: list[Rating]
    """One for each session and person, sessions in the study's order, people by name."""
    sums: dict[tuple[str, str, str], float]
    """(session, person, `total` or a subscale) -> the points that the file itself has for it."""


class ScoreError(ValueError):
    """A value that is no score of its item."""


def read_ratings(
    files: Sequence[Path],
    rubric: Rubric,
    sessions: Sequence[str] | None,
    mapped: Mapped,
    set_name: str,
    writing: Writing = AS_FOUND,
) -> PeopleRatings:
    """What people gave, by items, or by totals and subscales where they have those alone.

    sessions: those of the run, in its order; None before there are any: then every session's name is taken.

    Long tables have a row for each item (columns `item` and `score`), wide ones a column for each item. A file
    without a column of raters is one person's, called as the file is. An empty cell is an item that was not scored. Raises SpecError with every fault: missing columns, unknown sessions and items,
    values that are no number or off the scale, an item scored twice.
    """
    from cbtrun.tables.transcript_table import read_table

    problems: list[Problem] = []
    found: dict[tuple[str, str], dict[str, HumanScore]] = {}
    for file in files:
        table = read_table(file, writing)
        faults = list(_column_faults(table, file, rubric, mapped))
        problems += faults
        if faults:
            continue
        for score in _scores(table, file, rubric, None if sessions is None else set(sessions), mapped, problems):
            before = found.setdefault((score.session, score.rater), {})
            if score.item in before:
                first = before[score.item].place
                where = f"line {first.line}" if first.file == str(file) else str(first)
                what = (
                    f"rater '{score.rater}' scores '{score.item}' of session '{score.session}' again; first on {where}"
                )
                problems.append(Problem(score.place, "", what))
            before.setdefault(score.item, score)
    if problems:
        raise SpecError(_shortened(problems))
    order = {session: at for at, session in enumerate(dict.fromkeys(key[0] for key in found))}
    order |= {session: at for at, session in enumerate(sessions or ())}
    keys = sorted(found, key=lambda key: (order[key[0]], key[1]))
    sums = {
        (session, rater, one.item): one.score.score
        for (session, rater), scores in found.items()
        for one in scores.values()
        if one.score.score is not None and is_summed(rubric, one.item)
    }
    return PeopleRatings([_rating(*key, found[key], rubric, set_name) for key in keys], sums)


def _column(mapped: Mapped, ours: str) -> str:
    return mapped.columns.get(ours, ours)


def _is_long(table: Table, mapped: Mapped) -> bool:
    return _column(mapped, "item") in table.columns or "item" in mapped.columns


def _column_faults(table: Table, file: Path, rubric: Rubric, mapped: Mapped) -> Iterator[Problem]:
    scored = [*(item.id for item in rubric.items), *_sums(rubric)]
    known = {*OWN_COLUMNS, *scored}
    for ours in mapped.columns:
        if ours not in known:
            yield _fault(file, 1, f"--column {ours}=...: no such column of ours; ours are {known_words(sorted(known))}")
    raters = ["rater"] if _has_raters(table, mapped) or _called_like_raters(table) else []
    needed = ["session", *raters, *(("item", "score") if _is_long(table, mapped) else ())]
    for ours in needed:
        theirs = _column(mapped, ours)
        if theirs not in table.columns:
            said = f"no column '{theirs}'"
            yield _fault(
                file, 1, f"{said}; the file has: {', '.join(table.columns)}. Say which it is: --column {ours}=NAME"
            )
    if not _is_long(table, mapped) and not any(_column(mapped, id) in table.columns for id in scored):
        items = known_words(scored)
        what = f"neither a column 'item' nor a column named after an item of {rubric.name} ({items})"
        yield _fault(
            file, 1, f"{what}; the file has: {', '.join(table.columns)}. Map them: --column item=NAME, or ITEM=NAME"
        )


def _sums(rubric: Rubric) -> list[str]:
    """The outcomes that are put together from items."""
    return [name for name in outcome_names(rubric) if is_summed(rubric, name)]


def _has_raters(table: Table, mapped: Mapped) -> bool:
    return "rater" in mapped.columns or _column(mapped, "rater") in table.columns


def _called_like_raters(table: Table) -> bool:
    """Whether another column may hold the raters: then the file is not taken for one person's."""
    return any(word in column.casefold() for column in table.columns for word in RATER_WORDS)


def _scores(
    table: Table, file: Path, rubric: Rubric, sessions: set[str] | None, mapped: Mapped, problems: list[Problem]
) -> Iterator[HumanScore]:
    scored = [*(item.id for item in rubric.items), *_sums(rubric)]
    for row in table.rows:
        said = _word(row, _column(mapped, "session"))
        session = mapped.codes.get(said, said)
        rater = _word(row, _column(mapped, "rater")) if _has_raters(table, mapped) else file.stem
        if sessions is not None and session not in sessions:
            known = known_words(sorted({*mapped.codes} or sessions)[:5])
            what = (
                f"no session '{said}' in the run{did_you_mean(said, {*mapped.codes, *sessions})}; it has e.g. {known}"
            )
            if not mapped.codes and re.fullmatch(r"S\d{2,}", said):
                what += ". Codes of a sheet are read with its key"
            problems.append(_fault(file, row.line, what))
        elif not rater:
            problems.append(_fault(file, row.line, f"no name in column '{_column(mapped, 'rater')}'"))
        else:
            for id, value in _cells(row, table, scored, mapped):
                yield from _score(row, file, session, rater, id, value, rubric, mapped, problems)


def _word(row: Row, column: str) -> str:
    """A cell of words, without the apostrophe that keeps a spreadsheet from computing it."""
    value = _held(row, column)
    return "" if value is None else bare_cell(str(value)).strip()


def _held(row: Row, column: str) -> Any:
    """A cell; None for what a table of numbers has where nothing is."""
    value = row.cells.get(column)
    return None if isinstance(value, float) and math.isnan(value) else value


def _cells(row: Row, table: Table, scored: Sequence[str], mapped: Mapped) -> Iterator[tuple[str, Any]]:
    """(item, value) of a row."""
    if _is_long(table, mapped):
        said = _word(row, _column(mapped, "item"))
        yield mapped.items.get(said, said), _held(row, _column(mapped, "score"))
        return
    for id in scored:
        if _column(mapped, id) in table.columns:
            yield id, _held(row, _column(mapped, id))


def _score(
    row: Row,
    file: Path,
    session: str,
    rater: str,
    id: str,
    value: Any,
    rubric: Rubric,
    mapped: Mapped,
    problems: list[Problem],
) -> Iterator[HumanScore]:
    items = {item.id: item for item in rubric.items}
    if id not in items and id not in _sums(rubric):
        what = f"the rubric has no item '{id}'{did_you_mean(id, items)}; it has: {known_words(list(items))}"
        problems.append(_fault(file, row.line, f"{what}. Map it: --item {id}=ITEM"))
        return
    try:
        said = "" if value is None else str(value).strip()
        score = item_score(items[id], said, mapped.not_applicable) if id in items else _sum_score(rubric, id, said)
    except ScoreError as error:
        problems.append(_fault(file, row.line, f"{id} of session '{session}' by '{rater}': {error}"))
        return
    if score is not None:
        yield HumanScore(session, rater, id, score, Place(str(file), row.line))


def item_score(item: Item, said: str, not_applicable: frozenset[str] = frozenset()) -> ItemScore | None:
    """The score that a cell holds; none for an empty cell. Raises ScoreError for what is no score of the item."""
    if not said:
        return None
    if said in not_applicable or said.casefold() in _NOT_APPLICABLE:
        return ItemScore(item=item.id, score=None, reason=NOT_APPLICABLE)
    if item.type == "text":
        return ItemScore(item=item.id, score=None, label=said)
    if item.type == "category":
        return _category_score(item, said)
    points = _YES_NO.get(said.casefold()) if item.type == "yes_no" else None
    points = _number(said) if points is None else points
    low, high = item.bounds
    if points < low or (high is not None and points > high):
        scale = f"{low:g} to {high:g}" if high is not None else f"from {low:g}"
        raise ScoreError(
            f"{said} is off the scale ({scale}); if it means 'not applicable', say --not-applicable {said}"
        )
    return ItemScore(item=item.id, score=points)


def _sum_score(rubric: Rubric, id: str, said: str) -> ItemScore | None:
    """A total or subscale as a person gave it; none for an empty cell."""
    if not said:
        return None
    points = _number(said)
    low, high = outcome_ends(rubric, id)
    if (low is not None and points < low) or (high is not None and points > high):
        raise ScoreError(
            f"{said} is off the scale ({low:g} to {high:g})" if high is not None else f"{said} is off the scale"
        )
    return ItemScore(item=id, score=points)


def _category_score(item: Item, said: str) -> ItemScore:
    for category in item.categories:
        if said in (category.name, f"{category.points:g}"):
            return ItemScore(item=item.id, score=category.points, label=category.name)
    raise ScoreError(f"'{said}' is none of {known_words([category.name for category in item.categories])}")


def _number(said: str) -> float:
    try:
        value = float(said.replace(",", ".", 1))
    except ValueError:
        raise ScoreError(f"'{said}' is not a number") from None
    if not math.isfinite(value):
        raise ScoreError(f"'{said}' is not a number")
    return value


def _rating(session: str, rater: str, scores: Mapping[str, HumanScore], rubric: Rubric, set_name: str) -> Rating:
    blank = "left empty"
    return Rating(
        session=session,
        set=set_name,
        rubric=rubric.name,
        rubric_version=rubric.version,
        rubric_digest=rubric_digest(rubric),
        rater=rater,
        scores=tuple(
            scores[item.id].score if item.id in scores else ItemScore(item=item.id, score=None, reason=blank)
            for item in rubric.items
        ),
        flags=("human",),
    )


def _fault(file: Path, line: int, what: str) -> Problem:
    return Problem(Place(str(file), line), "", what)


def _shortened(problems: Sequence[Problem]) -> list[Problem]:
    """At most so many, in the files' order; the last line says how many more there are."""
    if len(problems) <= MOST_PROBLEMS:
        return list(problems)
    rest = problems[MOST_PROBLEMS:]
    return [*problems[:MOST_PROBLEMS], Problem(rest[0].place, "", f"and {len(rest)} more from here on")]
