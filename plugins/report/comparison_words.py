"""Two runs side by side, in words for a terminal: what differs in the results first, then in the study, then in the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cbtrun.plugin import level_text
from cbtrun.plugins.report.run_comparison import Difference, RunComparison, SharedGroup
from cbtrun.plugins.report.wording import number, probability

LONGEST = 60
"""Characters of a value that are shown."""
AROUND = 24
"""Characters shown before and after the first place where two long texts differ."""
TOLD_FIRST = (
    "using",
    "model",
    "base_url",
    "therapist",
    "patient",
    "system",
    "rubric",
    "raters",
    "outcome",
    "factor",
    "levels",
)
"""Keys by which a block is known."""
MOST_KEYS = 4
"""Settings of a block that stands in one run alone which are shown."""
MOST_LINES = 12
"""Differences of the environment that are told."""
NOTHING_SHARED = "The runs have no outcome and group in common"


def comparison_text(found: RunComparison) -> str:
    """The comparison for a terminal."""
    lines = [f"A: {found.first.folder}", f"B: {found.second.folder}", "", *_results(found), "", *_study(found)]
    if found.environment:
        told = [f"  {line}" for row in found.environment for line in _plain(row)]
        lines += ["", "Environment", *told[:MOST_LINES]]
        lines += [f"  and {len(told) - MOST_LINES} more"] if len(told) > MOST_LINES else []
    else:
        lines += ["", "Environment: the same"]
    return "\n".join(lines) + "\n"


def comparison_json(found: RunComparison) -> str:
    """The comparison for programs, as one JSON object."""
    told = {
        "first": str(found.first.folder),
        "second": str(found.second.folder),
        "same_results": found.same_results,
        "shared_groups": [_values(one) for one in found.groups],
        "study": [{"path": one.path, "first": one.first, "second": one.second} for one in found.study],
        "environment": [{"path": one.path, "first": one.first, "second": one.second} for one in found.environment],
    }
    return json.dumps(told, ensure_ascii=False, default=str)


def _values(one: SharedGroup) -> dict[str, Any]:
    """A group of both runs by its numbers."""
    span = one.interval
    return {
        "outcome": one.outcome,
        "grouping": one.grouping,
        "level": one.level,
        "first": {"mean": one.first.mean, "n": one.first.n, "missing": one.first.missing},
        "second": {"mean": one.second.mean, "n": one.second.n, "missing": one.second.missing},
        "shared": one.n_shared,
        "difference": one.difference,
        "interval": [span.low, span.high] if span else None,
        "p": one.test.p if one.test else None,
    }


def _results(found: RunComparison) -> Iterator[str]:
    if found.same_results:
        yield "Results: the same, number by number"
        return
    if not found.groups:
        yield f"Results: {NOTHING_SHARED[0].lower()}{NOTHING_SHARED[1:]}"
        for name, run in (("A", found.first), ("B", found.second)):
            outcomes = [
                one.outcome for rated in run.results.ratings.values() for one in rated.outcomes if one.kind == "total"
            ]
            yield f"  {name} has {', '.join(run.labels.item(one, one) for one in outcomes) or 'no ratings'}"
        return
    parts = {
        "Results that differ": [one for one in found.groups if _differs(one)],
        "Results in which no difference was shown": [
            one for one in found.groups if not _differs(one) and not _alike(one)
        ],
    }
    alike = [one for one in found.groups if _alike(one)]
    for title, groups in parts.items():
        if groups:
            yield title
            yield from (f"  {line}" for line in _told_once(sorted(groups, key=_rank)))
    if alike:
        yield f"The same in both: {', '.join(_name(one) for one in alike)}"


def _told_once(groups: Sequence[SharedGroup]) -> Iterator[str]:
    """A sentence for each group; an arm and the level that is this arm alone are one."""
    names: dict[str, list[str]] = {}
    for one in groups:
        rest = group_sentence(one).removeprefix(_name(one))
        names.setdefault(f"{one.outcome_title}\n{rest}", []).append(one.group_title)
    for key, levels in names.items():
        outcome, _, rest = key.partition("\n")
        yield f"{outcome}, {' = '.join(levels)}{rest}"


def _differs(one: SharedGroup) -> bool:
    """Whether the interval of the difference leaves no difference out."""
    return one.interval is not None and bool(one.difference) and not one.interval.low <= 0 <= one.interval.high


def _alike(one: SharedGroup) -> bool:
    return one.first == one.second and one.difference == 0


def _rank(one: SharedGroup) -> tuple[float, float]:
    return (one.test.p if one.test and one.test.p is not None else 2.0, -abs(one.difference or 0.0))


def group_sentence(one: SharedGroup) -> str:
    """`ctrs.total, arm cbt: 0.9 points higher in B (95 % CI −1.2 to 3.0; 17 shared personas; p 0.31); A 37.1 (n = 18) ...`."""
    sides = "; ".join(
        f"{name} {number(side.mean)} (n = {side.n})" for name, side in (("A", one.first), ("B", one.second))
    )
    if one.difference is None:
        return f"{_name(one)}: {sides}; no personas in common, so not tested"
    span = one.interval
    level = f"{level_text(span)} CI {number(span.low)} to {number(span.high)}; " if span else "no interval; "
    tested = f"; p {probability(one.test.p)}" if one.test else ""
    shared = f"{one.n_shared} shared persona{'s' * (one.n_shared != 1)}"
    return f"{_name(one)}: {_how(one.difference, one.scale)} ({level}{shared}{tested}); {sides}"


def _how(difference: float, scale: str) -> str:
    points = number(abs(difference))
    if not float(points):
        return "the same mean"
    unit = f"{scale} points" if scale else f"point{'s' * (points != '1.0')}"
    return f"{points} {unit} {'higher' if difference > 0 else 'lower'} in B"


def _name(one: SharedGroup) -> str:
    return f"{one.outcome_title}, {one.group_title}"


def _study(found: RunComparison) -> Iterator[str]:
    """What the files of the studies say otherwise, block by block; defaults of a block that differs as a whole are folded."""
    if not found.study:
        yield "Study: the same"
        return
    yield "Study"
    blocks: dict[str, list[Difference]] = {}
    for row in found.study:
        blocks.setdefault(_block(row.path, found), []).append(row)
    for block, rows in blocks.items():
        sides = _at(found.first.study, block), _at(found.second.study, block)
        yield from (f"  {line}" for line in _block_lines(block, sides, rows))


def _block(path: str, found: RunComparison) -> str:
    """The block that a path lies in: `models.rater`, `sessions`."""
    parts = path.split(".")
    named = all(
        isinstance(side.get(parts[0]), Mapping) and "using" not in side[parts[0]]
        for side in (found.first.study, found.second.study)
        if parts[0] in side
    )
    return ".".join(parts[: 2 if named else 1])


def _block_lines(block: str, sides: tuple[Any, Any], rows: Sequence[Difference]) -> Iterator[str]:
    first, second = sides
    if first is None or second is None:
        there, where = (first, "A") if second is None else (second, "B")
        yield f"{block}: only in {where}: {_in_short(there)}"
        return
    if _using(first) != _using(second):
        yield f"{block}: A {_in_short(first)}"
        yield f"{' ' * len(block)}  B {_in_short(second)}"
        return
    lone = [row for row in rows if (row.first is None) != (row.second is None) and not (row.first or row.second)]
    for row in rows:
        if row not in lone:
            yield from _plain(row)
    if lone:
        names = ", ".join(row.path.removeprefix(f"{block}.") for row in lone)
        yield f"{block}: settings without a value that one run's file alone has: {names}"


def _using(block: Any) -> Any:
    return block.get("using") if isinstance(block, Mapping) else None


def _in_short(block: Any) -> str:
    """A block by what it is known by, its other settings counted."""
    if not isinstance(block, Mapping):
        return told(block)
    there = {key: value for key, value in block.items() if value not in (None, False, "", [], {})}
    order = sorted(there, key=lambda key: TOLD_FIRST.index(key) if key in TOLD_FIRST else len(TOLD_FIRST))
    shown = [f"{key} {told(there[key])}" for key in order[:MOST_KEYS]]
    more = len(block) - len(shown)
    return ", ".join(shown) + (f", and {more} more setting{'s' * (more != 1)}" if more else "")


def _plain(row: Difference) -> Iterator[str]:
    """`sessions.max_turns: A 20, B 14`."""
    first, second = row.first, row.second
    if isinstance(first, str) and isinstance(second, str) and max(len(first), len(second)) > LONGEST:
        at = next(
            (place for place, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
            min(len(first), len(second)),
        )
        yield f"{row.path}: texts of {len(first):,} and {len(second):,} characters, from character {at + 1:,} on: A {_around(first, at)}, B {_around(second, at)}"
        return
    yield f"{row.path}: A {told(first)}, B {told(second)}"


def _around(text: str, at: int) -> str:
    start, end = max(0, at - AROUND), at + AROUND
    return f"“{'…' * (start > 0)}{' '.join(text[start:end].split())}{'…' * (end < len(text))}”"


def told(value: Any) -> str:
    """A value in words: no brackets, quotes or `None` of a programming language."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        text = ", ".join(f"{key} {told(inner)}" for key, inner in value.items()) or "nothing"
    elif isinstance(value, list | tuple):
        text = ", ".join(map(told, value)) or "nothing"
    else:
        text = " ".join(str(value).split()) or "an empty text"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _at(study: Any, path: str) -> Any:
    for part in path.split("."):
        study = study.get(part) if isinstance(study, Mapping) else None
    return study
