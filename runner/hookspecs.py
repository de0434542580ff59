"""The contract between the runner and its plugins, at a glance.

A plugin is a module (or any object) registered under a name; `using: NAME` in a study picks it. The runner calls
only that plugin's hook for a stage; hooks of other plugins stay silent unless they are wrappers. Stage hooks are
synchronous: work that waits for models goes through `context.each`, which runs coroutines side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

from cbtrun.contract.stage_kinds import PLUGGED

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from http.server import HTTPServer

    from cbtrun.contexts import BlockContext, StageContext, StageNote
    from cbtrun.contract.check import Check, ServerContext, ServerQuestion
    from cbtrun.contract.exported import ExportContext
    from cbtrun.contract.models import EngineShare, Model, ModelContext
    from cbtrun.contract.plans import Plan, PlanContext
    from cbtrun.contract.records import Adapter, Comparison, Json, Persona, Rating, Session, Transcript
    from cbtrun.contract.stand_in import StandIn
    from cbtrun.errors import Problem
    from cbtrun.power.design_search import Frontier
    from cbtrun.power.planned import PlannedTest, PowerContext
    from cbtrun.power.words import Wanted
    from cbtrun.ratings.rubric import Rubric

hookspec = pluggy.HookspecMarker("cbtrun")
hookimpl = pluggy.HookimplMarker("cbtrun")


# What a plugin offers ------------------------------------------------------------------------------------------


@hookspec(firstresult=True)
def options_schema(stage: str) -> Json | None:
    """JSON Schema of this plugin's options in a block of `stage` (`models`, `personas`, `corpus` ...), without `using`.

    Marks (contract/marks.py) say what JSON Schema cannot: `"x-names": "models"` on a string says that it names a model, which
    is checked and orders the stages; `"x-words": False` that a file holds no words of real people. On a model's whole schema
    `"x-remote": True` says that it sends what it is told to another machine, `"x-weights": True` that it loads weights here.
    """


@hookspec(firstresult=True)
def check_block(context: BlockContext) -> list[Problem] | None:
    """What is wrong with a block beyond its schema: checked before anything runs, cheap, no network."""


@hookspec(firstresult=True)
def plan_block(context: PlanContext) -> Plan | None:
    """What a block would take (units, calls, tokens), from the study alone: no model, no network."""


@hookspec(firstresult=True)
def lacking_here(context: BlockContext) -> list[str] | None:
    """What a block needs that this machine lacks, such as a GPU or an extra: cheap, no network.

    `validate` passes all the same, since the study may run elsewhere; `plan` warns; `run` stops before any work.
    """


@hookspec(firstresult=True)
def check_before_run(context: BlockContext) -> list[Problem] | None:
    """What is wrong with a block that only the network can tell, such as settings of a model on the hub.

    Asked by `run` (and `doctor --online`) alone, before any work; what cannot be told is left out.
    """


@hookspec(firstresult=True)
def doctor_checks(context: BlockContext) -> list[Check] | None:
    """What `cbtrun doctor` says of a block: memory that its work needs and that is there, for one. Cheap, no network."""


@hookspec(firstresult=True)
def server_question(context: ServerContext) -> ServerQuestion | None:
    """How a server is asked whether it has a model, at no cost; without the hook its `/models` as OpenAI has it."""


@hookspec(firstresult=True)
def engine_of(context: ModelContext) -> EngineShare | None:
    """The engine that must be open for a model, if it has one: sessions are ordered so that each opens once."""


@hookspec(firstresult=True)
def stages_at_once(context: BlockContext) -> int | None:
    """How many blocks like this one may run side by side on this machine, each in a thread; without the hook, one.

    Asked of `tune` blocks. A plugin that gives more than one ends its work in `run_stopping`.
    """


@hookspec(firstresult=True)
def export_adapter(context: ExportContext) -> Path | None:
    """Write an adapter that the plugin has tuned for use elsewhere; give the folder."""


@hookspec
def rubric_folders() -> Path:
    """A folder of rubric YAML files that studies may name."""


@hookspec(firstresult=True)
def plan_power(context: PowerContext) -> list[PlannedTest] | None:
    """What an analysis can find with the units that its study will have, one for each kind of comparison that it makes."""


@hookspec(firstresult=True)
def sentence(comparison: Comparison) -> str | None:
    """A result of an analysis in one sentence, with n and interval; without the hook as two levels, or several, are put.

    What the claim holds for, which sessions were kept and what is missing the runner says. `analyse_block` takes the same function.
    """


@hookspec(firstresult=True)
def fingerprint_files() -> Sequence[Path] | None:
    """Files and folders that decide what the plugin makes, beside the code that it imports and the data beside that."""


# Stages, in the usual order ------------------------------------------------------------------------------------


@hookspec(firstresult=True)
def open_model(context: ModelContext) -> Model:
    """Open the model of a block under `models`. Called once for each stage that talks to it, closed after."""


@hookspec(firstresult=True)
def make_personas(context: StageContext) -> Sequence[Persona]:
    """The personas of one set."""


@hookspec(firstresult=True)
def make_corpus(context: StageContext) -> list[Transcript]:
    """The training transcripts of one corpus."""


@hookspec(firstresult=True)
def tune_model(context: StageContext) -> list[Adapter]:
    """Train one adapter for each seed of the job; write them under `context.folder`."""


@hookspec(firstresult=True)
def run_sessions(context: StageContext) -> list[Session]:
    """All sessions of the study: arms x personas x repeats, or imported ones."""


@hookspec(firstresult=True)
def rate_sessions(context: StageContext) -> list[Rating]:
    """One rating for each session, rater and repeat of one rating set."""


@hookspec(firstresult=True)
def analyse(context: StageContext) -> list[Comparison]:
    """The answers to one declared question, one for each outcome."""


@hookspec(firstresult=True)
def write_report(context: StageContext) -> list[Path]:
    """Write what people read; give the files, the one to open first."""


# Beside a study: asked of every plugin, the first answer counts ---------------------------------------------------


@hookspec(firstresult=True)
def rehearsal_model(context: ModelContext) -> StandIn | None:
    """What stands in, in a rehearsal, for a model that loads weights (`x-weights`)."""


@hookspec(firstresult=True)
def rehearsal_server(rubrics: Mapping[str, Rubric]) -> AbstractContextManager[str] | None:
    """A server on this machine that stands in for remote models: entered it listens and gives its address."""


@hookspec(firstresult=True)
def draw_power(tests: Sequence[PlannedTest], wanted: Wanted, folder: Path) -> list[Path] | None:
    """Write curves of power into a folder; give the files."""


@hookspec(firstresult=True)
def draw_frontier(frontier: Frontier, folder: Path) -> list[Path] | None:
    """Write the designs of a D study, cost against what they find, into a folder; give the files."""


@hookspec(firstresult=True)
def compare_runs(first: Path, second: Path, form: str) -> str | None:
    """What differs between two finished runs: words where `form` is "text", a JSON object where it is "json"."""


@hookspec(firstresult=True)
def view_runs(runs: Sequence[Path], port: int) -> HTTPServer | None:
    """A server that shows finished runs in a browser, not yet serving. Listens on 127.0.0.1 alone; port 0 takes a free one."""


# Watching ------------------------------------------------------------------------------------------------------


@hookspec
def stage_started(note: StageNote) -> None:
    """A stage begins."""


@hookspec
def stage_advanced(note: StageNote) -> None:
    """A stage has finished units since the last note; called often, so be quick."""


@hookspec
def stage_finished(note: StageNote) -> None:
    """A stage is done, skipped because it was already done, or stopped."""


@hookspec
def run_stopping() -> None:
    """The run ends before its time: end what works in other threads and processes, whose stages are waited for."""


def stage_hooks() -> dict[str, str]:
    """Block of the study -> the hook that does it."""
    return {block: kind.hook for block, kind in PLUGGED.items()}


__all__: Sequence[str] = ("hookimpl", "hookspec", "stage_hooks")
