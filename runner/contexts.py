"""What the runner hands to a plugin's hook."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from cbtrun.contract.pace import Pace
from cbtrun.contract.records import Failure
from cbtrun.contract.study_view import StudyView, view_of
from cbtrun.errors import CbtrunError, ConsentMissing, CopiedRun, Place, Problem, StopRun, WouldAsk
from cbtrun.event_loop import run_to_end

if TYPE_CHECKING:
    from cbtrun.calls.calls import Calls, OpenModels
    from cbtrun.contract.records import Adapter, Comparison, Persona, Rating, Session, Transcript
    from cbtrun.contract.rollouts import Policy
    from cbtrun.contract.workplace import Workplace
    from cbtrun.journal.journal import Usage
    from cbtrun.journal.served import Served
    from cbtrun.people.source import PeopleSource
    from cbtrun.ratings.rubric import Rubric
    from cbtrun.results.records import Results
    from cbtrun.scores.rated_sets import RatedSet
    from cbtrun.scores.score_table import ScoreTable

Unit = TypeVar("Unit")
Result = TypeVar("Result")


TELL_SECONDS = 1.0
"""How often a stage in progress says how far it is, whether or not a unit has ended."""
_UNIT: ContextVar[int | None] = ContextVar("unit", default=None)
"""Which unit of `each` the code at work belongs to."""


@dataclass(frozen=True)
class BlockContext:
    """A block of the study, for a plugin that checks it before anything runs."""

    stage: str
    name: str
    options: Mapping[str, Any]
    """The block with defaults filled in; paths are absolute."""
    study: StudyView
    """The whole resolved study."""
    folder: Path
    """Folder of the study's file."""
    place: Callable[..., Place]
    """Where a path inside the block was written: `place("columns", "session")`."""
    place_in_study: Callable[..., Place]
    """Where a path from the top of the study was written."""

    def __post_init__(self) -> None:
        """A plain mapping, as somebody's test may give it, is read as a study too."""
        object.__setattr__(self, "study", view_of(self.study))

    def problem(self, what: str, *path: str | int) -> Problem:
        """A problem at a path inside this block."""
        parts = [self.stage, *([self.name] if self.name else []), *map(str, path)]
        return Problem(self.place(*path), "/".join(parts), what)


@dataclass(frozen=True)
class StageNote:
    """How far a stage is, for observers."""

    stage: str
    """`ratings.ctrs`, `sessions` ..."""
    state: str
    """`running`, `done`, `up to date`, `incomplete`, `failed`, or `stopped` where the run ended before the stage did."""
    done: int = 0
    total: int | None = None
    detail: str = ""
    calls: int = 0
    """Calls that this process made in the stage."""
    replayed: int = 0
    """Calls answered from the journal."""
    tokens: int = 0
    usd: float = 0.0
    retries: int = 0
    """Failed tries that were made again."""
    counted: str = ""
    """What `done` and `total` count: `turns`, `sessions`; empty for the stage's units."""
    left: float | None = None
    """Seconds that the rest will take, when the note was made; none where nobody can say yet."""
    to_come: tuple[str, ...] = ()
    """Stages that were not looked at yet, in their order."""


@dataclass(frozen=True)
class Promise:
    """A pre-registration, and whether the run kept to it."""

    words: str
    """One sentence: when it was registered, and how many deviations there are."""
    deviations: tuple[str, ...] = ()
    """Each in words; empty where all is as registered."""
    notes: tuple[str, ...] = ()
    """Sentences that belong beside it: whose word the time is, files that differ in nothing that they say."""


@dataclass(frozen=True)
class RunFacts:
    """What belongs in a report and never in results: where and when the study ran, and what it took."""

    lock: Mapping[str, Any] = field(default_factory=dict)
    """study.lock.yaml: versions, hardware, time of start, digests."""
    usage: Sequence[Usage] = ()
    """Calls, tokens, cost and time by stage and model, over all runs."""
    failures: Sequence[Failure] = ()
    """Units of all stages that could not be finished in this run."""
    retries: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Stage -> arm (empty where there is none) -> failed tries that were made again, over all runs."""
    moved: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Stage -> arm (empty where there is none) -> calls that lost their engine and were asked again on another, over all runs."""
    served: Sequence[Served] = ()
    """Who answered, as the replies state it, by model, fingerprint and arm, over all runs."""
    embedded: Sequence[str] = ()
    """Models of the study that ship with cbtrun."""
    promise: Promise | None = None
    """The pre-registration; none where nothing was registered."""
    real_people: bool = False
    """Whether the sessions may hold words of real people."""
    made_by: Mapping[str, str] = field(default_factory=dict)
    """Stage -> version of cbtrun that made it, with the first digits of the digest over the code that decided it."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """Stage -> why it is left as other code made it."""


class StageInputs(Protocol):
    """What earlier stages have written, read from the run folder; `Inputs` is how a run does it."""

    def personas(self, name: str) -> Sequence[Persona]:
        """The personas of a set; each is read anew when it is looked at."""

    def corpus(self, name: str) -> list[Transcript]:
        """The transcripts of a corpus."""

    def adapters(self, name: str) -> list[Adapter]:
        """The adapters of a tune job."""

    def sessions(self) -> Sequence[Session]:
        """Every session; each is read anew when it is looked at."""

    def ratings(self, name: str) -> Sequence[Rating]:
        """The ratings of a set; each is read anew when it is looked at."""

    def comparisons(self) -> list[Comparison]:
        """The answers of every analysis that was made."""

    def scores(self, name: str) -> ScoreTable:
        """Every score of a rating set."""

    def people(self, name: str, ratings: str) -> PeopleSource:
        """What some people gave, by the rubric of a rating set."""

    def rated(self) -> dict[str, RatedSet]:
        """Every rating set that was made, with one value for each session and outcome."""

    def results(self) -> Results:
        """What the study found, as results.json has it."""

    def rubric(self, name: str) -> Rubric:
        """A rubric by the name or path that the study uses."""


@dataclass
class StageContext:
    """A stage at work: its options, what it reads, the models it may talk to, and how it reports."""

    stage: str
    """Block of the study: `personas`, `sessions`, `ratings` ..."""
    name: str
    """Name of the block; empty for `sessions` and `report`."""
    options: Mapping[str, Any]
    """The block with defaults filled in; paths are absolute."""
    study: StudyView
    """The whole resolved study."""
    seed: int
    """Derived from the study's seed and the stage's name."""
    folder: Path
    """Where the stage may write: the job's own folder for `tune`, the run folder otherwise."""
    inputs: StageInputs
    models: OpenModels
    tell: Callable[[int, int | None, str], None]
    """Called with units done, units in all and a detail for the progress display."""
    workplace: Workplace | None = None
    """Machines that a training may go to; none where it is done here."""
    concurrency: int = 256
    """Units that may be under way at once."""
    failures: list[Failure] = field(default_factory=list)
    """Units of this stage that could not be finished; `each` adds to it."""
    left_out: dict[str, int] = field(default_factory=dict)
    """What of its files the stage did not take: why -> how many; told on its last line."""
    forgotten: frozenset[str] = frozenset()
    """Ids of those whose words were taken out of the run: nobody plays them any more."""
    facts: RunFacts = field(default_factory=lambda: RunFacts())
    """What the run came to so far, for the report."""
    cares: list[str] = field(default_factory=list)
    """What a report asks its reader to take with care, a sentence each; their number is told at the end of a run."""
    served: Callable[[], float] = lambda: 0.0
    """Seconds that servers took for the stage's calls so far, added up."""
    pace: Pace | None = None
    """How the units of `each` come on; none before."""
    judges: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Rating set by whose raters the stage rates by itself -> its options, as the set's own stage would get them."""

    def __post_init__(self) -> None:
        """A plain mapping, as somebody's test may give it, is read as a study too."""
        self.study = view_of(self.study)

    def personas(self, name: str) -> Sequence[Persona]:
        """The personas of a set, without those who were forgotten. Each is read anew when it is looked at."""
        everybody = self.inputs.personas(name)
        return [one for one in everybody if one.id not in self.forgotten] if self.forgotten else everybody

    def corpus(self, name: str) -> list[Transcript]:
        """The transcripts of a corpus."""
        return self.inputs.corpus(name)

    def adapters(self, name: str) -> list[Adapter]:
        """The adapters of a tune job, one for each seed."""
        return self.inputs.adapters(name)

    def sessions(self) -> Sequence[Session]:
        """Every session of the study, in the study's order. Each is read anew when it is looked at."""
        return self.inputs.sessions()

    def ratings(self, name: str) -> Sequence[Rating]:
        """The ratings of a set."""
        return self.inputs.ratings(name)

    def scores(self, name: str) -> ScoreTable:
        """The scores of a set: one for each session and outcome, or the reason why there is none."""
        return self.inputs.scores(name)

    def people(self, name: str, ratings: str) -> PeopleSource:
        """What people of the study's `people:` gave, by the rubric of a rating set."""
        return self.inputs.people(name, ratings)

    def comparisons(self) -> list[Comparison]:
        """The answers of every analysis, in the study's order."""
        return self.inputs.comparisons()

    def rated(self) -> dict[str, RatedSet]:
        """Every rating set with one value for each session and outcome."""
        return self.inputs.rated()

    def results(self) -> Results:
        """What the study found, as results.json has it."""
        return self.inputs.results()

    def rubric(self, name: str) -> Rubric:
        """A rubric by its name or path."""
        return self.inputs.rubric(name)

    def rubric_of(self, ratings: str) -> Rubric:
        """The rubric of a rating set."""
        return self.rubric(self.study.rating_sets[ratings].rubric)

    def model(self, name: str) -> AbstractAsyncContextManager[Calls]:
        """A model, or the model of a tune job (`name` or `name@seed`), open for as long as the block lasts."""
        return self.models.use(name)

    def policy(self, policy: Policy) -> AbstractAsyncContextManager[Calls]:
        """A model with an adapter that the stage itself is making, open for as long as the block lasts.

        Its replies are kept under the adapter's digest like anybody's.
        """
        return self.models.policy(self.name, policy)

    def advance(self, done: int, total: int | None = None, detail: str = "") -> None:
        """Show how far the stage is."""
        self.tell(done, total, detail)

    def begin(self) -> None:
        """Say that a unit of `each` begins its first step now, where it waited for something before."""
        if self.pace is not None and (unit := _UNIT.get()) is not None:
            self.pace.begin(unit)

    def step(self) -> None:
        """Say that a unit of `each` has made one of its steps."""
        if self.pace is not None and (unit := _UNIT.get()) is not None:
            self.pace.step(unit)

    def fail(self, unit: str, reason: str) -> None:
        """Note a unit that could not be finished."""
        stage = f"{self.stage}.{self.name}" if self.name else self.stage
        self.failures.append(Failure(stage=stage, unit=unit, reason=reason))

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine to its end, from a hook."""
        return run_to_end(work)

    async def each(
        self,
        units: Sequence[Unit],
        work: Callable[[Unit], Awaitable[Result]],
        name: Callable[[Unit], str] = str,
        steps: int = 1,
        counted: str = "",
    ) -> list[Result | None]:
        """Work on all units side by side; results in the order of the units.

        steps: most steps of a unit, which take about as long as each other; its work calls `step` after each. counted:
        what they are called on the progress line, such as turns.
        A unit that raises CbtrunError becomes a failure and gives None; StopRun, and what is not CbtrunError, ends all.
        """
        results: list[Result | None] = [None] * len(units)
        broken: dict[int, Failure] = {}
        waiting = iter(enumerate(units))
        at_once = min(self.concurrency, len(units))
        pace = self.pace = Pace(len(units), at_once, steps, counted, self.served)
        self.advance(pace.done, pace.total)

        async def one_after_another() -> None:
            for index, unit in waiting:
                _UNIT.set(index)
                pace.begin(index)
                try:
                    results[index] = await work(unit)
                except (StopRun, ConsentMissing, CopiedRun, WouldAsk):
                    raise
                except CbtrunError as error:
                    stage = f"{self.stage}.{self.name}" if self.name else self.stage
                    broken[index] = Failure(stage=stage, unit=name(unit), reason=str(error))
                pace.end(index)
                self.advance(pace.done, pace.total)

        work_on_all = _together([one_after_another() for _ in range(at_once)])
        await _while_telling(work_on_all, lambda: self.advance(pace.done, pace.total))
        self.failures.extend(broken[index] for index in sorted(broken))
        return results


async def _while_telling(work: Coroutine[Any, Any, Result], tell: Callable[[], None]) -> Result:
    """The result of the work, during which `tell` is called again and again: units take minutes and end together."""
    import asyncio

    async def tell_again() -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            tell()

    telling = asyncio.ensure_future(tell_again())
    try:
        return await work
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def _together(work: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """All results in order; the first error cancels the rest and is raised as it is."""
    import asyncio

    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
