"""One score: what a session's ratings come to on one outcome, and the single ratings behind it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from cbtrun.contract.records import Record, without_empty


class SingleScore(Record):
    """What one rating gave on the outcome."""

    rater: str
    """Name of the rater model in the study, or a human rater's id."""
    repeat: Annotated[int, Field(ge=1)] = 1
    """Which repeat by the same rater, from 1."""
    wording: str = ""
    """Which of the set's `wordings`; not written in a set that has none."""
    value: float | None
    """Points on the rubric; none when an item that it needs is unscored."""
    reason: str | None = None
    """Why there is no value; none when there is one."""
    prorated: float | None = None
    """Were the unscored items as far up their scales as the scored ones; none where that cannot be said."""
    lowest: float | None = None
    """Were the unscored items at their lowest; none for an item without a score."""
    highest: float | None = None
    """Were the unscored items at their highest; none for an item without a score, and where there is no upper bound."""

    @model_serializer(mode="wrap")
    def _without_no_wording(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_empty(dump(self), "wording")


class Score(Record):
    """A session's value on one outcome of a rating set, or why it has none. Missing is not zero."""

    session: str
    """Id of the rated session."""
    set: str
    """Name of the rating set in the study."""
    outcome: str
    """`total`, a subscale's name or an item's id."""
    value: float | None
    """Points on the rubric, over raters and repeats as `aggregate` of the set says; none if any rating has none."""
    reason: str | None = None
    """Why there is no value; none when there is one."""
    prorated: float | None = None
    """A sensitivity analysis, never the result: were unscored items as far up their scales as the scored ones."""
    lowest: float | None = None
    """A sensitivity analysis: the lowest that unscored items leave open."""
    highest: float | None = None
    """A sensitivity analysis: the highest that unscored items leave open; none where there is no upper bound."""
    singles: tuple[SingleScore, ...] = ()
    """The single ratings behind it, in their order."""
