"""The rater's answer: a Pydantic model made from the rubric, its checks, and the scores that come out of it.

A score is either valid against the rubric and shown by evidence, or it is None with a reason: never a default.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, create_model
from pydantic import model_validator as validated
from pydantic_core import PydanticCustomError

from cbtrun.calls.structured import Answer, Answered, Attempt, answer_text, explain
from cbtrun.contract.records import ItemScore
from cbtrun.ratings.evidence import Lookup, TurnsSearched
from cbtrun.ratings.reasons import NOT_APPLICABLE
from cbtrun.ratings.request import lowest_answer
from cbtrun.ratings.rubric import Item

EVIDENCE_NOT_FOUND = "evidence not found"
NOT_SCORED = "not scored by the rater"
INVALID = "invalid answer"

# Keys that nobody asked for are refused by the schema that travels with a request, and passed over when they come.
_SHAPE = ConfigDict(extra="ignore", json_schema_extra={"additionalProperties": False})


def _whole(value: Any) -> Any:
    """2.0 as 2: some servers write every number with a point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _yes_no(value: Any) -> Any:
    return int(value) if isinstance(value, bool | float) and value in (0, 1) else value


def _blank_is_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


class EvidenceQuote(BaseModel):
    """Words that the rater copied from a turn."""

    model_config = _SHAPE

    turn: Annotated[int, BeforeValidator(_whole)]
    quote: str


class Entry(BaseModel):
    """What the rater says about one item; `score` and `unscored_reason` are added by the item's type."""

    model_config = _SHAPE

    rationale: str
    evidence: list[EvidenceQuote]
    absent: bool


@dataclass(frozen=True)
class AnswerForm:
    """The answer that is wanted for some items of a rubric."""

    items: tuple[Item, ...]
    model: type[Answer]
    """What Instructor validates: `{"items": {id: entry}}`. Its context is the TurnsSearched."""
    entries: Mapping[str, type[Entry]]
    """Item -> model of its entry alone."""


def answer_form(items: Sequence[Item]) -> AnswerForm:
    """The model of an answer to these items, each field required, in the order in which it is to be written."""
    entries = {item.id: _entry_model(item) for item in items}
    # An id may be a word that Pydantic keeps for itself (`copy`), so the fields are numbered and the ids are aliases.
    fields: dict[str, Any] = {f"item_{at}": (entries[item.id], Field(alias=item.id)) for at, item in enumerate(items)}
    by_item = create_model("Items", __config__=_SHAPE, **fields)
    wanted: dict[str, Any] = {"items": (by_item, ...)}
    model = create_model("RatingAnswer", __base__=Answer, __doc__="Scores of one session on a rubric.", **wanted)
    model.model_config.update(_SHAPE)
    model.model_rebuild(force=True)
    return AnswerForm(tuple(items), model, entries)


def item_scores(answered: Answered[Answer], form: AnswerForm, turns: TurnsSearched) -> tuple[ItemScore, ...]:
    """One score for each item: from the valid answer, else from the latest attempt in which the item is valid.

    An item that was valid in no attempt is unscored, with what was wrong with it in the last one.
    """
    return tuple(_item_score(item, form.entries[item.id], answered.attempts, turns) for item in form.items)


def unscored(items: Sequence[Item], reason: str) -> tuple[ItemScore, ...]:
    """Every item unscored for the same reason."""
    return tuple(ItemScore(item=item.id, score=None, reason=reason) for item in items)


def _entry_model(item: Item) -> type[Entry]:
    def check(entry: Entry, info: ValidationInfo) -> Entry:
        if not isinstance(info.context, TurnsSearched):
            raise TypeError("an answer is checked against the turns that were shown: context=TurnsSearched(...)")
        for kind, words in _problems(item, entry, info.context):
            raise PydanticCustomError(
                "evidence" if kind == EVIDENCE_NOT_FOUND else "entry", "{words}", {"words": words}
            )
        return entry

    fields: dict[str, Any] = {
        "score": (_score_type(item), ...),
        "unscored_reason": (Annotated[str | None, BeforeValidator(_blank_is_none)], ...),
    }
    checks: dict[str, Callable[..., Any]] = {"check": validated(mode="after")(check)}  # type: ignore[dict-item]
    return create_model(f"Entry_{item.id}", __base__=Entry, __validators__=checks, **fields)


def _score_type(item: Item) -> Any:
    if item.type == "text":
        return str | None
    if item.type == "category":
        return Literal[tuple(category.name for category in item.categories)] | None
    if item.type == "yes_no":
        return Annotated[Literal[0, 1] | None, BeforeValidator(_yes_no)]
    low, high = item.bounds
    bounds = Field(ge=int(low)) if high is None else Field(ge=int(low), le=int(high))
    return Annotated[Annotated[int, bounds] | None, BeforeValidator(_whole)]


def _problems(item: Item, entry: Any, turns: TurnsSearched) -> list[tuple[str, str]]:
    """Kind and words of all that is wrong with an entry whose fields are of the right types."""
    if entry.score is None:
        return [] if entry.unscored_reason else [(INVALID, "score is null without an unscored_reason")]
    if entry.unscored_reason:
        return [(INVALID, "has both a score and an unscored_reason; give one of them and null for the other")]
    if entry.absent and entry.score != lowest_answer(item):
        lowest = lowest_answer(item)
        allowed = f"only with the lowest score, {lowest}" if lowest is not None else "not with an item of words"
        return [(INVALID, f"absent is true with score {entry.score!r}; it is allowed {allowed}")]
    lookups = _lookups(entry, turns)
    if missing := [lookup.problem for lookup in lookups if lookup.problem]:
        return [(EVIDENCE_NOT_FOUND, "; ".join(missing) + "; copy the words exactly as they stand in a turn")]
    if item.type == "text" or entry.absent or any(not lookup.short for lookup in lookups):
        return []
    if lookups:
        return [(EVIDENCE_NOT_FOUND, "evidence not found: every quote is shorter than 3 words or 8 characters")]
    return [(EVIDENCE_NOT_FOUND, "evidence not found: a score needs a quote, or absent: true at the lowest score")]


def _lookups(entry: Entry, turns: TurnsSearched) -> list[Lookup]:
    return [turns.look_up(quote.turn, quote.quote) for quote in entry.evidence]


def _item_score(item: Item, model: type[Entry], attempts: Sequence[Attempt], turns: TurnsSearched) -> ItemScore:
    reasons = []
    for attempt in reversed(attempts):
        entry = _read_entry(item, model, attempt, turns)
        if not isinstance(entry, str):
            return _scored(item, entry, turns)
        reasons.append(entry)
    return ItemScore(item=item.id, score=None, reason=reasons[0])


def _read_entry(item: Item, model: type[Entry], attempt: Attempt, turns: TurnsSearched) -> Entry | str:
    """The valid entry of one attempt, or why there is none."""
    if attempt.unusable:
        return attempt.reason or INVALID
    try:
        answer = json.loads(answer_text(attempt.text))
    except (ValueError, RecursionError):
        return f"{INVALID}: not JSON"
    entries = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(entries, dict) or item.id not in entries:
        return f"{INVALID}: item missing"
    try:
        return model.model_validate_json(json.dumps(entries[item.id]), strict=True, context=turns)
    except ValidationError as error:
        if error.errors()[0]["type"] == "evidence":
            return EVIDENCE_NOT_FOUND
        return f"{INVALID}: {explain(error)}"


def _scored(item: Item, entry: Any, turns: TurnsSearched) -> ItemScore:
    lookups = _lookups(entry, turns)
    notes = [lookup.note for lookup in lookups if lookup.note]
    reason = _reason(item, entry)
    if reason is not None:
        notes.append(f"the rater's reason: {entry.unscored_reason}")
    return ItemScore(
        item=item.id,
        score=_points(item, entry.score),
        reason=reason,
        rationale=entry.rationale,
        evidence=tuple(lookup.quote for lookup in lookups if lookup.quote),
        absent=entry.absent and entry.score is not None,
        label=entry.score if isinstance(entry.score, str) else None,
        notes=tuple(notes),
    )


def _points(item: Item, score: int | str | None) -> float | None:
    if score is None or item.type == "text":
        return None
    if item.type == "category":
        return next(category.points for category in item.categories if category.name == score)
    return float(score)


def _reason(item: Item, entry: Any) -> str | None:
    if entry.score is not None:
        return None
    says = str(entry.unscored_reason).strip().casefold()
    return NOT_APPLICABLE if item.not_applicable and says.startswith(NOT_APPLICABLE) else NOT_SCORED
