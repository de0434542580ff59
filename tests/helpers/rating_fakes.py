"""A small rubric, sessions, and a rater that says what a test tells it to."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cbtrun.contexts import StageContext
from cbtrun.contract.models import Reply, Request
from cbtrun.contract.records import Rating, Session, Turn
from cbtrun.plugins.raters import rubric as rubric_plugin
from cbtrun.ratings.rubric import Category, Item, Rubric, Subscale, Total
from cbtrun.scores.making import make_scores
from cbtrun.scores.rated_sets import RatedSet
from cbtrun.scores.rated_sets import rated_set as scored_set
from cbtrun.scores.score_table import ScoreTable
from cbtrun.scores.totals import Aggregate

RUBRIC = Rubric(
    name="small",
    title="A small rubric",
    version="1.0",
    source="invented",
    licence="ours",
    validation="none",
    total=Total(low=0, high=12),
    subscales={"part": Subscale(title="First part")},
    items=(
        Item(id="agenda", name="Agenda", asks="Is there one?", high=6, anchors={0: "No.", 6: "Yes."}, subscale="part"),
        Item(id="homework", name="Homework", asks="Is some set?", high=6, anchors={0: "No.", 6: "Yes."}),
    ),
)
EVERY_TYPE = Rubric(
    name="mixed",
    title="One item of each type",
    version="1.0",
    source="invented",
    licence="ours",
    validation="none",
    items=(
        Item(id="scale", name="Scale", asks="How much?", high=6),
        Item(id="yes-no", name="Yes or no", asks="Did they?", type="yes_no", not_applicable="When there is no risk."),
        Item(
            id="copy",
            name="Category",
            asks="Which?",
            type="category",
            categories=(
                Category(name="none", means="Nothing.", points=0),
                Category(name="some", means="A bit.", points=2),
            ),
        ),
        Item(id="times", name="Count", asks="How often?", type="count"),
        Item(id="words", name="Text", asks="Say it.", type="text"),
    ),
)
TURNS = (
    ("therapist", "What shall we put on our agenda today?"),
    ("patient", "My sleep \u2014 I don\u2019t know what to do about it\u2026 nothing helps."),
    ("therapist", "Let us look at your sleep diary from last week."),
    ("patient", "Okay."),
    ("therapist", "For next week, would you keep the diary again?"),
)


def a_session(turns: Sequence[tuple[str, str]] = TURNS, **changes: Any) -> Session:
    """A session of these turns."""
    fields: dict[str, Any] = {"id": "s1", "draw": "draw-1", "ended": "max_turns"} | changes
    return Session(turns=tuple(Turn.model_construct(speaker=who, text=text) for who, text in turns), **fields)


def entry(score: Any = 4, quote: str = "on our agenda today", turn: int = 1, **changes: Any) -> dict[str, Any]:
    """What a rater says about one item."""
    fields = {"rationale": "Seen.", "evidence": [{"turn": turn, "quote": quote}], "absent": False}
    return fields | {"score": score, "unscored_reason": None} | changes


def absent(score: Any = 0, **changes: Any) -> dict[str, Any]:
    """An entry for a behaviour that does not occur."""
    return entry(score, evidence=[], absent=True) | changes


def answer(**entries: Any) -> str:
    """The answer's text; an id with a hyphen is written with two underscores."""
    return json.dumps({"items": {name.replace("__", "-"): value for name, value in entries.items()}})


@dataclass
class ScriptedRater:
    """Answers with the next of its texts, replies or errors, or what a function makes of the request."""

    script: list[str | Reply | Exception] | Callable[[Request], str]
    requests: list[Request] = field(default_factory=list)

    async def reply(self, request: Request) -> Reply:
        """The next of the script."""
        self.requests.append(request)
        said = self.script(request) if callable(self.script) else self.script.pop(0)
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, Reply) else Reply(said)


class FakeModels:
    """Opens the raters by name."""

    def __init__(self, raters: dict[str, ScriptedRater]) -> None:
        self.raters = raters

    @asynccontextmanager
    async def use(self, name: str) -> Any:
        """The rater of that name."""
        yield self.raters[name]


@dataclass
class FakeInputs:
    """Sessions and one rubric."""

    given: Sequence[Session]
    of: Rubric

    def sessions(self) -> list[Session]:
        """The sessions."""
        return list(self.given)

    def rubric(self, _: str) -> Rubric:
        """The rubric, whatever its name."""
        return self.of


def stage(
    sessions: Sequence[Session],
    raters: dict[str, ScriptedRater],
    rubric: Rubric = RUBRIC,
    seed: int = 7,
    **options: Any,
) -> StageContext:
    """A rating stage as the runner would make it, with the plugin's defaults filled in."""
    properties = rubric_plugin.OPTIONS["properties"]
    defaults = {name: one["default"] for name, one in properties.items() if "default" in one}
    return StageContext(
        stage="ratings",
        name="small",
        options=defaults | {"rubric": "small", "raters": list(raters)} | options,
        study={},
        seed=seed,
        folder=None,  # type: ignore[arg-type]  # the plugin writes no file
        inputs=FakeInputs(sessions, rubric),  # type: ignore[arg-type]
        models=FakeModels(raters),  # type: ignore[arg-type]
        tell=lambda *_: None,
    )


def score_table(
    ratings: Sequence[Rating], rubric: Rubric = RUBRIC, aggregate: Aggregate = "mean", name: str = "s"
) -> ScoreTable:
    """The scores of ratings, as a run keeps them."""
    return ScoreTable(rubric, aggregate, make_scores(name, ratings, rubric, aggregate))


def rated_set(ratings: Sequence[Rating], rubric: Rubric = RUBRIC, aggregate: Aggregate = "mean") -> RatedSet:
    """A rating set with the value of each outcome."""
    return scored_set(ratings, score_table(ratings, rubric, aggregate))
