"""All that a report is made from, as one frozen value: no plugin context, no files, easy to make up in a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cbtrun.plugin import (
    AgreementReport,
    Comparison,
    Failure,
    NothingScored,
    Persona,
    Promise,
    RatedSet,
    Results,
    Served,
    Session,
    StudyView,
    headline_of,
    view_of,
)

if TYPE_CHECKING:
    from cbtrun.plugins.report.watched_training import WatchedTraining

TableFormat = Literal["csv", "markdown", "latex"]
FigureFormat = Literal["svg", "pdf", "png"]


@dataclass(frozen=True)
class ReportOptions:
    """The report's block of the study; `options_schema` describes each option."""

    page: bool = True
    transcripts: bool | Literal["auto"] = "auto"
    headline: str = ""
    card: bool = False
    tables: tuple[TableFormat, ...] = ("csv", "markdown", "latex")
    figures: tuple[FigureFormat, ...] = ("svg", "pdf")
    max_page_megabytes: float = 10.0
    max_page_sessions: int = 1000


@dataclass(frozen=True)
class StageCost:
    """What one stage used of one model."""

    stage: str
    model: str = ""
    """Name of the model in the study, where the stage talks to one."""
    seconds: float | None = None
    """Seconds spent waiting for the model's answers, over all calls: more than the clock showed where calls ran side by side."""
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    usd: float | None = None
    """US dollars as the provider reports them; none when it does not."""
    cached: int = 0
    """Of `tokens_in`, tokens that the server had in its cache."""
    batched: int = 0
    """Calls that were bought in batches."""


@dataclass(frozen=True)
class Environment:
    """Where and when the study ran: for the report alone, never for results.json."""

    versions: Mapping[str, str] = field(default_factory=dict)
    """Package -> version."""
    hardware: Mapping[str, str] = field(default_factory=dict)
    """`cpu`, `gpu`, `memory` ... in words."""
    started: str = ""
    finished: str = ""
    stages: tuple[StageCost, ...] = ()
    moved: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Stage -> arm -> calls that lost their engine and were asked again on another."""
    retries: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Stage -> whom they are counted for (an arm, empty where there is none) -> tries that failed and were made again."""
    served: tuple[Served, ...] = ()
    """Who answered, as the replies state it."""
    made_by: Mapping[str, str] = field(default_factory=dict)
    """Stage -> version of cbtrun and code that made it."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """Stage -> why it is left as other code made it."""


@dataclass(frozen=True)
class TrainingPoint:
    """One step of a tune job, each value a mean over its seeds."""

    step: int
    loss: float | None = None
    """Nats per token."""
    held_out_loss: float | None = None
    learning_rate: float | None = None
    tokens_per_second: float | None = None


@dataclass(frozen=True)
class CorpusFacts:
    """A training corpus, as the report tells of it."""

    name: str
    using: str
    author: str
    """The model that wrote it, where one did."""
    licence: str
    """Of its words, as the study states it; empty where it does not."""
    transcripts: int
    checks: Mapping[str, Any] = field(default_factory=dict)
    """corpus/NAME.checks.json; empty where it was not checked."""
    pairs: Mapping[str, Any] = field(default_factory=dict)
    """corpus/NAME.pairs.json; empty where it holds no compared turns."""


@dataclass(frozen=True)
class Norm:
    """What human therapists scored on an outcome, from the rubric or the literature."""

    mean: float
    sd: float | None = None
    n: int | None = None
    source: str = ""


@dataclass(frozen=True)
class ReportInput:
    """Everything the report shows."""

    study: StudyView
    """The resolved spec."""
    results: Results
    sessions: tuple[Session, ...]
    rated: Mapping[str, RatedSet]
    """Rating set -> ratings and the value of each outcome."""
    personas: Mapping[str, Persona] = field(default_factory=dict)
    """Persona id -> persona."""
    failures: tuple[Failure, ...] = ()
    unscored: tuple[NothingScored, ...] = ()
    """Rating sets, arms, outcomes and items without one score."""
    environment: Environment = Environment()
    training: Mapping[str, tuple[TrainingPoint, ...]] = field(default_factory=dict)
    """Tune job -> its log."""
    reinforced: Mapping[str, tuple[WatchedTraining, ...]] = field(default_factory=dict)
    """Tune job that learnt from whole sessions -> its trainings, one for each seed."""
    corpora: tuple[CorpusFacts, ...] = ()
    """What was tuned on, in the study's order."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """What of the files of imported sessions was left out: why -> how many."""
    norms: Mapping[str, Norm] = field(default_factory=dict)
    """Outcome (`ctrs.agenda`) -> human norm."""
    requests: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Rating set -> what its raters are asked, word for word: (role, text), with an invented transcript of two turns."""
    people: AgreementReport | None = None
    """How the models' ratings agree with people's; none where no people rated."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """File of the run -> SHA-256, for whoever repeats the study."""
    promise: Promise | None = None
    """The pre-registration and every deviation from it; none when nothing was registered."""
    embedded: Sequence[str] = ()
    """Models of the study that ship with cbtrun."""
    show_transcripts: bool = True
    """Whether words of the sessions may stand in the report."""
    options: ReportOptions = ReportOptions()
    labelled_outcomes: frozenset[str] = frozenset()
    """Outcomes whose title is a label that the study gives."""
    by_name: ReportInput | None = None
    """The same under the names that the study's file has, where this has labels; none where nothing has a label."""

    @property
    def named(self) -> ReportInput:
        """What files for programs are made of, and what quotes the study's file."""
        return self.by_name or self

    def __post_init__(self) -> None:
        """A plain mapping, as somebody's test may give it, is read as a study too."""
        object.__setattr__(self, "study", view_of(self.study))


def may_show_transcripts(option: bool | str, *, real_people: bool) -> bool:
    """Whether transcripts may be shown: the option if set, else only where no real person can be in them."""
    return option if isinstance(option, bool) else not real_people


def headline_comparison(given: ReportInput) -> Comparison | None:
    """The comparison that the report opens with: of the analysis named `headline`, else of the study's first one."""
    return headline_of(given.results.comparisons, given.study, given.options.headline)


def grouped_levels(given: ReportInput, grouping: str) -> tuple[str, ...]:
    """The levels of a grouping in the order in which every figure shows them, so that each keeps its colour."""
    there = next((outcome.groups for one in given.results.ratings.values() for outcome in one.outcomes), {})
    return tuple(group.level for group in there.get(grouping, ()))


def main_grouping(given: ReportInput) -> str:
    """How the report groups sessions: by the headline's factor, else by arm, else by the first factor, else not at all."""
    there = next((outcome.groups for one in given.results.ratings.values() for outcome in one.outcomes), {})
    headline = headline_comparison(given)
    wanted = [headline.factor if headline else "", "arm", *[name for name in there if name != "all"], "all"]
    return next((name for name in wanted if name in there), "all")


class InputKey:
    """A report's input as a key of a cache: what is found for it is found once, however often it is shown."""

    def __init__(self, given: ReportInput) -> None:
        self.given = given

    def __hash__(self) -> int:
        return id(self.given)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InputKey) and other.given is self.given
