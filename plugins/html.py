"""The report as one self-contained page, with its tables and figures as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cbtrun.context import StageContext
    from cbtrun.plugins.report.inputs import Environment, ReportInput
    from cbtrun.records import Json

OPTIONS: Json = {
    "type": "object",
    "properties": {
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
            "description": "Name of the analysis that the report opens with; the study's first analysis if empty.",
        },
        "tables": {
            "type": "array",
            "items": {"enum": ["csv", "markdown", "latex"]},
            "uniqueItems": True,
            "default": ["csv", "markdown", "latex"],
            "description": "Formats of the files in tables/: tidy CSV with unrounded numbers, and formatted tables as Markdown "
            "and LaTeX (booktabs).",
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


def fingerprint_files() -> list[Path]:
    """Files besides this one that decide what the report looks like."""
    folder = Path(__file__).parent / "report"
    return sorted(path for path in folder.rglob("*") if path.suffix in {".py", ".j2", ".css", ".js"})


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: html` under `report`."""
    return OPTIONS if stage == "report" else None


@hookimpl
def write_report(context: StageContext) -> list[Path]:
    """report.html with tables/ and figures/ in the run folder."""
    from cbtrun.plugins.report.write import write_all

    return write_all(report_input(context), context.folder)


def report_input(context: StageContext) -> ReportInput:
    """Everything the report shows, taken from the run."""
    from cbtrun.digests import digest
    from cbtrun.plugins.report.inputs import ReportInput, ReportOptions, may_show_transcripts
    from cbtrun.results import build_results, rated_set

    study = context.study
    known = {name: context.options[name] for name in OPTIONS["properties"] if name in context.options}
    options = ReportOptions(
        **{name: tuple(value) if isinstance(value, list) else value for name, value in known.items()}
    )
    sessions = context.sessions() if study.get("sessions") else []
    rated = {name: rated_set(context.rubric_of(name), context.ratings(name)) for name in study.get("ratings") or {}}
    failures = getattr(context, "all_failures", tuple)()
    lock = _lock(context.folder)
    spec_digest = (lock.get("spec") or {}).get("digest") or digest(study)
    personas = [one for name in study.get("personas") or {} for one in context.personas(name)]
    return ReportInput(
        study=study,
        results=build_results(study, spec_digest, sessions, rated, context.comparisons(), failures),
        sessions=tuple(sessions),
        rated=rated,
        personas={one.id: one for one in personas},
        failures=tuple(failures),
        environment=_environment(lock, getattr(context, "environment", None) or {}),
        embedded=bool(getattr(context, "embedded", False)),
        show_transcripts=may_show_transcripts(study, options.transcripts),
        options=options,
    )


def _lock(folder: Path) -> dict[str, Any]:
    from cbtrun.run_folder import RunFolder
    from cbtrun.run_lock import lock_of

    return lock_of(RunFolder(folder))


def _environment(lock: Mapping[str, Any], more: Mapping[str, Any]) -> Environment:
    """Versions and hardware from the lock file; times, calls and cost from the run."""
    from cbtrun.plugins.report.inputs import Environment, StageCost

    machine = lock.get("hardware") or {}
    hardware = {
        name: ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in machine.items()
        if value
    }
    versions = {"cbtrun": lock.get("cbtrun"), "python": lock.get("python"), **(lock.get("packages") or {})}
    fields = StageCost.__dataclass_fields__
    stages = [
        StageCost(stage=stage, **{name: value for name, value in cost.items() if name in fields and name != "stage"})
        for stage, cost in (more.get("stages") or {}).items()
    ]
    return Environment(
        versions={name: str(version) for name, version in versions.items() if version},
        hardware=hardware,
        started=str(lock.get("started") or ""),
        finished=str(more.get("finished") or ""),
        stages=tuple(stages),
    )
