"""The report as one self-contained page, with its tables and figures as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cbtrun.plugin import Json, RunFacts, StageContext
    from cbtrun.plugins.report.inputs import Environment, ReportInput, ReportOptions
    from cbtrun.plugins.report.watched_training import WatchedTraining

OPTIONS: Json = {
    "type": "object",
    "properties": {
        "page": {
            "type": "boolean",
            "default": True,
            "description": "Whether report.html is written; without it tables and figures alone are.",
        },
        "transcripts": {
            "enum": ["auto", True, False],
            "default": "auto",
            "description": "Whether words of the sessions (turns, quotes, rationales) stand in the report. `auto` shows them "
            "for simulated sessions and hides them where they may be real people's: `contains: real-people`, or imported "
            "sessions that the study says nothing about.",
        },
        "headline": {
            "type": "string",
            "default": "",
            "description": "Name of the analysis that the report opens with. If empty the study's first one or, where that averages several "
            "tunings, the one that makes the same contrast with tuning seeds as random.",
        },
        # Without a default: it would change the digest of every study that was registered before there was a card.
        "card": {
            "type": "boolean",
            "description": "Whether card.png and card.svg are written: one picture for a slide, in the shape of 1200 x 630, with the title, the "
            "finding, the declared contrasts with n and interval, and what must be read with them. `cbtrun report RUN --card` writes it alone.",
        },
        "tables": {
            "type": "array",
            "items": {"enum": ["csv", "markdown", "latex"]},
            "uniqueItems": True,
            "default": ["csv", "markdown", "latex"],
            "description": "Formats of the files in tables/: every table as CSV (groups, comparisons and sessions tidy, with "
            "unrounded numbers), Markdown and LaTeX (booktabs).",
        },
        "figures": {
            "type": "array",
            "items": {"enum": ["svg", "pdf", "png"]},
            "uniqueItems": True,
            "default": ["svg", "pdf"],
            "description": "Formats of the files in figures/; fonts are embedded.",
        },
        "max_page_megabytes": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 10,
            "description": "Transcripts that would take more than this, compressed, go into a folder beside the page.",
        },
        "max_page_sessions": {
            "type": "integer",
            "minimum": 0,
            "default": 1000,
            "description": "With more sessions than this, transcripts go into a folder beside the page.",
        },
    },
    "additionalProperties": False,
}


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: html` under `report`."""
    return OPTIONS if stage == "report" else None


@hookimpl
def write_report(context: StageContext) -> list[Path]:
    """report.html with tables/ and figures/ in the run folder."""
    context.advance(0, None, "loading libraries")
    from cbtrun.plugins.report.diagnostics import warnings
    from cbtrun.plugins.report.write import write_all

    context.advance(0, None, "tables and figures")
    given = report_input(context)
    context.cares += [one.text for one in warnings(given)]
    return write_all(given, context.folder)


def report_input(context: StageContext) -> ReportInput:
    """Everything the report shows, taken from the run."""
    from cbtrun.plugin import labels_of, nothing_scored
    from cbtrun.plugins.report.corpora import corpus_facts, sessions_left_out
    from cbtrun.plugins.report.inputs import ReportInput, may_show_transcripts
    from cbtrun.plugins.report.labelled import labelled
    from cbtrun.plugins.report.people_agreement import people_found
    from cbtrun.plugins.report.rating_checks import shipped_norms
    from cbtrun.plugins.report.scales import on_scales
    from cbtrun.plugins.report.training import training_log

    study = context.study
    options = report_options(context.options)
    personas = [one for name in study.personas for one in context.personas(name)]
    shown = may_show_transcripts(options.transcripts, real_people=context.facts.real_people)
    given = ReportInput(
        study=study,
        results=context.inputs.results(),
        sessions=tuple(context.sessions()) if study.sessions.using else (),
        rated=context.inputs.rated(),
        personas={one.id: one for one in personas},
        failures=tuple(context.facts.failures),
        unscored=nothing_scored(context.inputs.results(), study),
        environment=run_environment(context.facts),
        training={name: training_log(context.folder / "adapters" / name) for name in study.tune_jobs},
        reinforced=reinforced_jobs(context, words=shown),
        corpora=corpus_facts(study, context.folder),
        left_out=sessions_left_out(study, context.folder),
        norms=shipped_norms(context.inputs.results()),
        requests=rating_requests(context),
        people=people_found(context.folder),
        digests=run_digests(context.folder),
        promise=context.facts.promise,
        embedded=context.facts.embedded,
        show_transcripts=shown,
        options=options,
    )
    return on_scales(labelled(given, labels_of(study, rubric_labels(context))))


def reinforced_jobs(context: StageContext, *, words: bool) -> dict[str, tuple[WatchedTraining, ...]]:
    """Tune job that learnt from whole sessions -> its trainings. words: whether sessions of its steps may be shown."""
    from cbtrun.plugins.report.watched_training import watched_trainings

    folder = context.folder / "adapters"
    found = {name: watched_trainings(folder / name, words=words) for name in context.study.tune_jobs}
    return {name: trainings for name, trainings in found.items() if trainings}


def rubric_labels(context: StageContext) -> dict[str, dict[str, str]]:
    """Rating set -> item -> label, of the rubrics that give some."""
    sets = {name: context.rubric_of(name) for name, one in context.study.rating_sets.items() if one.rubric}
    return {name: {item.id: item.label for item in rubric.items if item.label} for name, rubric in sets.items()}


def run_digests(folder: Path) -> dict[str, str]:
    """What somebody who repeats the study compares: the files that are the same to the byte."""
    from cbtrun.plugin import file_digest

    names = ("results.json", "sessions.jsonl")
    return {name: file_digest(folder / name) for name in names if (folder / name).is_file()}


def report_options(block: Mapping[str, Any]) -> ReportOptions:
    """The options of a report block; those it leaves out have their defaults."""
    from cbtrun.plugins.report.inputs import ReportOptions

    given: dict[str, Any] = {name: block[name] for name in OPTIONS["properties"] if name in block}
    given |= {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    return ReportOptions(**given)


def rating_requests(context: StageContext) -> dict[str, tuple[tuple[str, str], ...]]:
    """Rating set -> the messages that its raters get, with an invented transcript; of sets made by `rubric` alone."""
    from cbtrun.plugin import rendered_example

    sets = {name: one for name, one in context.study.rating_sets.items() if one.using == "rubric"}
    return {
        name: tuple(
            (message.role, message.content)
            for message in rendered_example(context.rubric_of(name), ask=one.options.get("ask", "all"))
        )
        for name, one in sets.items()
    }


def run_environment(facts: RunFacts) -> Environment:
    """Versions and hardware from the lock file; calls, tokens, cost, time and retries by stage over all runs."""
    from cbtrun.plugins.report.inputs import Environment, StageCost

    lock = facts.lock
    hardware = {
        name.replace("_gib", ", GiB"): ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in (lock.get("hardware") or {}).items()
        if value
    }
    versions = {"cbtrun": lock.get("cbtrun"), "python": lock.get("python"), **(lock.get("packages") or {})}
    return Environment(
        versions={name: str(version) for name, version in versions.items() if version},
        hardware=hardware,
        started=str(lock.get("started") or ""),
        finished=str(lock.get("finished") or ""),
        stages=tuple(
            StageCost(
                stage=one.stage,
                model=one.model,
                seconds=one.seconds,
                calls=one.calls,
                tokens_in=one.tokens_in,
                tokens_out=one.tokens_out,
                usd=one.usd or None,
                cached=one.cached,
                batched=one.batched,
            )
            for one in facts.usage
        ),
        retries=facts.retries,
        moved=facts.moved,
        served=tuple(facts.served),
        made_by=facts.made_by,
        kept=facts.kept,
    )
