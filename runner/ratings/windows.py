"""One rating from the ratings of a long session's windows.

Each window was rated on its own; the rule for an item depends on its type and is told in the score's notes. An item
that is unscored in one window is unscored in the session: half a session is not the session.
"""

from __future__ import annotations

from collections.abc import Sequence

from cbtrun.contract.records import ItemScore
from cbtrun.ratings.request import Window
from cbtrun.ratings.rubric import Item

RULES = {
    "scale": "mean of the windows, weighted by their turns",
    "yes_no": "yes if yes in any window",
    "count": "sum of the windows",
}


def joined_scores(
    items: Sequence[Item], windows: Sequence[Window], scores: Sequence[Sequence[ItemScore]]
) -> tuple[ItemScore, ...]:
    """One score for each item. scores: for each window one score for each item, in the items' order."""
    if len(windows) == 1:
        return tuple(scores[0])
    return tuple(_joined(item, windows, [by_item[at] for by_item in scores]) for at, item in enumerate(items))


def window_flags(windows: Sequence[Window]) -> tuple[str, ...]:
    """One flag that names the windows of a session that was rated in several."""
    if len(windows) == 1:
        return ()
    sizes = ", ".join(f"{window.turns[0].number}-{window.turns[-1].number}" for window in windows)
    return (f"windows: rated in {len(windows)} parts, turns {sizes}",)


def _joined(item: Item, windows: Sequence[Window], scores: Sequence[ItemScore]) -> ItemScore:
    found = ItemScore(
        item=item.id,
        score=None,
        rationale="\n".join(f"[{window}] {score.rationale}" for window, score in zip(windows, scores, strict=True)),
        evidence=tuple(quote for score in scores for quote in score.evidence),
        absent=all(score.absent for score in scores),
        notes=tuple(f"{window}: {note}" for window, score in zip(windows, scores, strict=True) for note in score.notes),
    )
    if item.type not in RULES:
        return found.model_copy(update={"reason": f"session rated in parts: no rule joins items of type {item.type}"})
    points = [score.score for score in scores if score.score is not None]
    if len(points) < len(scores):
        first = next(score.reason for score in scores if score.score is None)
        return found.model_copy(update={"reason": first})
    note = f"windows: {', '.join(f'{value:g}' for value in points)} ({RULES[item.type]})"
    return found.model_copy(update={"score": _points(item, windows, points), "notes": (*found.notes, note)})


def _points(item: Item, windows: Sequence[Window], points: Sequence[float]) -> float:
    if item.type == "scale":
        weights = [len(window.turns) for window in windows]
        return sum(weight * value for weight, value in zip(weights, points, strict=True)) / sum(weights)
    return max(points) if item.type == "yes_no" else sum(points)
