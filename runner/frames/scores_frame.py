"""Rows of the frames of ratings and scores. What nobody could score has its row too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby, takewhile
from typing import Any

from cbtrun.contract.records import ItemScore, Rating
from cbtrun.frames.run_records import RunRecords
from cbtrun.ratings.reasons import NOT_APPLICABLE
from cbtrun.ratings.rubric_facts import RubricFacts, rubric_facts
from cbtrun.scores.score import Score

Row = dict[str, Any]
NOT_RATED = "not rated"
"""What results.json counts a session under that has no rating."""


def rating_rows(run: RunRecords) -> Iterator[Row]:
    """A row an item of each rating, set by set."""
    for name in run.rated_sets():
        for rating in run.ratings(name):
            yield from (_of_item(rating, one) for one in rating.scores)


def _of_item(rating: Rating, one: ItemScore) -> Row:
    return {
        "session": rating.session,
        "set": rating.set,
        "rater": rating.rater,
        "repeat": rating.repeat,
        "item": one.item,
        "outcome": f"{rating.set}.{one.item}",
        "state": _state(
            one.score if one.label is None else 0.0, one.reason
        ),  # words of an item of type text are its score
        "reason": one.reason,
        "score": one.score,
        "answer": one.label,
        "absent": one.absent,
        "rationale": one.rationale,
        "evidence": [quote.text for quote in one.evidence],
        "evidence_turns": [quote.turn for quote in one.evidence],
        "notes": one.notes,
        "flags": rating.flags,
        "rubric": rating.rubric,
        "rubric_version": rating.rubric_version,
    }


def _state(value: float | None, reason: str | None) -> str:
    if value is not None:
        return "scored"
    return NOT_APPLICABLE if reason == NOT_APPLICABLE else "missing"


def score_rows(run: RunRecords) -> Iterator[Row]:
    """A row a session and outcome, set by set, outcome by outcome; at the end of each outcome the sessions without a rating."""
    for name in run.rated_sets():
        yield from _of_set(run, name)


def _of_set(run: RunRecords, name: str) -> Iterator[Row]:
    scores = run.scores(name)
    rated = {one.session for one in takewhile(lambda one: one.outcome == scores[0].outcome, scores)}
    unrated = {id: _why_unrated(run, name, id) for id in run.session_ids if id not in rated}
    described = _described(run, name)
    for outcome, group in groupby(scores, lambda one: one.outcome):
        told = described.pop(outcome, {})
        yield from ({**told, **_of_score(one)} for one in group)
        yield from _without(name, outcome, told, unrated)
    for outcome, told in described.items():  # of a set that has not one rating
        yield from _without(name, outcome, told, unrated)


def _of_score(one: Score) -> Row:
    return {
        "session": one.session,
        "outcome": f"{one.set}.{one.outcome}",
        "set": one.set,
        "item": one.outcome,
        "state": _state(one.value, one.reason),
        "reason": one.reason,
        "value": one.value,
        "ratings": len(one.singles),
        "prorated": one.prorated,
        "lowest": one.lowest,
        "highest": one.highest,
    }


def _without(name: str, outcome: str, told: Row, unrated: Mapping[str, str]) -> Iterator[Row]:
    """A row a session that has no rating."""
    names = {"outcome": f"{name}.{outcome}", "set": name, "item": outcome}
    for session, why in unrated.items():
        yield {**told, **names, "session": session, "state": "missing", "reason": why, "ratings": 0}


def _why_unrated(run: RunRecords, name: str, session: str) -> str:
    """`not rated`, with what went wrong where a unit of the rating stage that names the session failed."""
    of_stage = [one for one in run.failures if one.stage == f"ratings.{name}"]
    why = [one.reason for one in of_stage if one.unit == session or one.unit.startswith(f"{session}, ") or not one.unit]
    return f"{NOT_RATED}: {'; '.join(dict.fromkeys(why))}" if why else NOT_RATED


def _described(run: RunRecords, name: str) -> dict[str, Row]:
    """Outcome -> its kind, label, scale and weight, as far as results.json and the rubric tell."""
    facts = _facts(run, name)
    if facts is None:
        return {}
    rubric = run.rubrics.get(name)
    weights = {item.id: float(item.weight) for item in rubric.items if item.counts} if rubric else {}
    found: dict[str, Row] = {}
    if facts.has_total:
        found["total"] = {"kind": "total", "label": "Total", "scale_low": facts.low, "scale_high": facts.high}
    for one in facts.items:
        ends = {"scale_low": one.low, "scale_high": one.high}
        found[one.id] = {"kind": one.kind, "label": one.title, **ends, "weight": weights.get(one.id)}
    for outcome, told in found.items():
        told["label"] = run.labels.item(f"{name}.{outcome}", told["label"])
    return found


def _facts(run: RunRecords, name: str) -> RubricFacts | None:
    if run.results is not None and name in run.results.ratings:
        return run.results.ratings[name].rubric
    return rubric_facts(run.rubrics[name]) if name in run.rubrics else None
