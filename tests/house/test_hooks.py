"""Each hook is asked of the plugin that a study names, or of all, and its answer is used."""

# ruff: noqa: ARG005 - a hook has its arguments, whether it needs them or not
from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from cbtrun import hookspecs
from cbtrun.contexts import StageNote
from cbtrun.contract.check import ServerContext, ServerQuestion
from cbtrun.contract.exported import ExportContext
from cbtrun.contract.models import EngineShare
from cbtrun.contract.plans import Plan
from cbtrun.contract.records import Comparison
from cbtrun.contract.stand_in import StandIn
from cbtrun.hookspecs import hookimpl
from cbtrun.plugin import Check
from cbtrun.registry import Registry, load_file, load_registry
from cbtrun.testing.projects import StudyProject, study_project

__all__ = ["study_project"]
Make = Callable[[Mapping[str, str]], StudyProject]
CONTEXT: Any = SimpleNamespace(stage="models", name="m", options={})
STAGES = {hook: stage for stage, hook in hookspecs.stage_hooks().items()}


def offering(**hooks: Callable[..., Any]) -> Registry:
    """A registry with a plugin `mine` that has these hooks, and a rival that has none."""
    return load_registry(extra=[("mine", _plugin(**hooks)), ("rival", _plugin())])


def _plugin(**hooks: Callable[..., Any]) -> ModuleType:
    made = ModuleType("by_somebody_else")
    vars(made).update({name: hookimpl(function) for name, function in hooks.items()})
    return made


def done(hook: str) -> Any:
    """What a stage gives back whose plugin says `made by mine`, while a rival has the hook too."""
    mine = _plugin(**{hook: lambda context: ["made by mine"]})
    rival = _plugin(**{hook: lambda context: ["made by a rival"]})
    registry = load_registry(extra=[("mine", mine), ("rival", rival)])
    return registry.run(STAGES[hook], "mine", CONTEXT)


def test_every_hook_has_a_test_of_its_name() -> None:
    hooks = {name for name, hook in vars(hookspecs).items() if hasattr(hook, "cbtrun_spec")}
    assert {name for name in hooks if f"test_hook_{name}" not in globals()} == set()


# What a plugin offers ------------------------------------------------------------------------------------------


def test_hook_options_schema() -> None:
    assert offering(options_schema=lambda stage: {"title": stage}).schema("models", "mine") == {"title": "models"}


def test_hook_check_block() -> None:
    assert offering(check_block=lambda context: [context.name]).check("mine", CONTEXT) == ["m"]


def test_hook_plan_block() -> None:
    assert offering(plan_block=lambda context: Plan(3)).plan("mine", CONTEXT) == Plan(3)


def test_hook_lacking_here() -> None:
    assert offering(lacking_here=lambda context: ["a GPU"]).lacking("mine", CONTEXT) == ["a GPU"]


def test_hook_check_before_run() -> None:
    registry = offering(check_before_run=lambda context: [context.name])
    assert (registry.check_before_run("mine", CONTEXT), registry.check_before_run("rival", CONTEXT)) == (["m"], [])


def test_hook_doctor_checks() -> None:
    check = Check("stop", "memory", "1 GiB", "buy some")
    assert offering(doctor_checks=lambda context: [check]).checks("mine", CONTEXT) == [check]


def test_hook_server_question() -> None:
    registry = offering(server_question=lambda context: ServerQuestion(f"{context.url}/{context.model}"))
    asked = ServerContext("http://127.0.0.1", "m-1", "secret-key")
    assert registry.question("mine", asked) == ServerQuestion("http://127.0.0.1/m-1")
    assert registry.question("rival", asked) is None
    assert "secret-key" not in repr(asked)


def test_hook_engine_of() -> None:
    share = EngineShare("base", 0.5)
    assert offering(engine_of=lambda context: share).engine("mine", CONTEXT) == share


def test_hook_stages_at_once() -> None:
    registry = offering(stages_at_once=lambda context: 4)
    assert (registry.at_once("mine", CONTEXT), registry.at_once("rival", CONTEXT)) == (4, 1)


def test_hook_export_adapter(tmp_path: Path) -> None:
    context = ExportContext(tmp_path / "from", tmp_path / "to", {}, merged=False)
    registry = offering(export_adapter=lambda context: context.target)
    assert registry.export("mine", context) == tmp_path / "to"
    assert registry.export("rival", context) is None


def test_hook_rubric_folders(tmp_path: Path) -> None:
    assert offering(rubric_folders=lambda: tmp_path).rubric_folders()[-1] == tmp_path


def test_hook_plan_power() -> None:
    context: Any = SimpleNamespace(name="quality")
    assert offering(plan_power=lambda context: [context.name]).power("mine", context) == ["quality"]


def test_hook_fingerprint_files(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("one", encoding="utf-8")
    mine = load_file(
        _on_disk(
            tmp_path,
            f"""
from pathlib import Path
from cbtrun.plugin import hookimpl

@hookimpl
def fingerprint_files():
    return [Path({str(words)!r})]
""",
        )
    )
    before = load_registry(extra=[("mine", mine)]).digest("mine")
    assert load_registry(extra=[("mine", mine)]).digest("mine") == before
    words.write_text("two", encoding="utf-8")
    assert load_registry(extra=[("mine", mine)]).digest("mine") != before


def _on_disk(folder: Path, text: str) -> Path:
    path = folder / "by_somebody_else.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_hook_sentence() -> None:
    given = [_comparison(), _comparison(sentence="As I say."), _comparison(where={"arm": ("a",)})]
    registry = offering(analyse=lambda context: given, sentence=lambda comparison: f"n is {comparison.n}.")
    made = registry.run("analysis", "mine", CONTEXT)
    assert [one.sentence for one in made] == ["n is 8.", "As I say.", "Among sessions with arm a: n is 8."]


def test_without_the_hook_a_sentence_is_put_as_ours_are() -> None:
    made = offering(analyse=lambda context: [_comparison()]).run("analysis", "mine", CONTEXT)
    assert made[0].sentence == "`a` and `b` could not be compared (n = 8 pairs)."


def _comparison(sentence: str = "", where: Mapping[str, tuple[str, ...]] | None = None) -> Comparison:
    return Comparison(
        analysis="q",
        design="medians",
        outcome="ctrs.total",
        factor="arm",
        levels=("a", "b"),
        n=8,
        unit_of_analysis="pair",
        groups=(),
        estimate=None,
        where=dict(where or {}),
        sentence=sentence,
    )


# Stages --------------------------------------------------------------------------------------------------------


def test_hook_open_model() -> None:
    assert done("open_model") == ["made by mine"]


def test_hook_make_personas() -> None:
    assert done("make_personas") == ["made by mine"]


def test_hook_make_corpus() -> None:
    assert done("make_corpus") == ["made by mine"]


def test_hook_tune_model() -> None:
    assert done("tune_model") == ["made by mine"]


def test_hook_run_sessions() -> None:
    assert done("run_sessions") == ["made by mine"]


def test_hook_rate_sessions() -> None:
    assert done("rate_sessions") == ["made by mine"]


def test_hook_analyse() -> None:
    made = offering(analyse=lambda context: [_comparison(sentence="So it is.")]).run("analysis", "mine", CONTEXT)
    assert [one.sentence for one in made] == ["So it is."]


def test_hook_write_report() -> None:
    assert done("write_report") == ["made by mine"]


# Beside a study ------------------------------------------------------------------------------------------------


def test_hook_rehearsal_model() -> None:
    context: Any = SimpleNamespace(options={"using": "transformers", "model": "Qwen/Qwen3-8B", "top_p": 0.9})
    ours = load_registry().ask("rehearsal_model", context=context)
    assert ours.options == {"using": "transformers", "model": "cbtrun:tiny-qwen", "top_p": 0.9}
    stand_in = StandIn({"using": "mine"}, "mine")
    assert offering(rehearsal_model=lambda context: stand_in).ask("rehearsal_model", context=context) is stand_in


def test_hook_rehearsal_server() -> None:
    @contextmanager
    def listening() -> Iterator[str]:
        yield "http://127.0.0.1:1"

    with offering(rehearsal_server=lambda rubrics: listening()).ask("rehearsal_server", rubrics={}) as address:
        assert address == "http://127.0.0.1:1"
    with load_registry().ask("rehearsal_server", rubrics={}) as address:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)


def test_hook_draw_power(tmp_path: Path) -> None:
    registry = offering(draw_power=lambda tests, wanted, folder: [folder / "mine.svg"])
    assert registry.ask("draw_power", tests=[], wanted=None, folder=tmp_path) == [tmp_path / "mine.svg"]


def test_hook_draw_frontier(tmp_path: Path) -> None:
    registry = offering(draw_frontier=lambda frontier, folder: [folder / "designs.svg"])
    assert registry.ask("draw_frontier", frontier=None, folder=tmp_path) == [tmp_path / "designs.svg"]


def test_hook_compare_runs(tmp_path: Path) -> None:
    registry = offering(compare_runs=lambda first, second, form: f"{first.name} and {second.name} as {form}")
    assert registry.ask("compare_runs", first=tmp_path / "a", second=tmp_path / "b", form="text") == "a and b as text"


def test_hook_view_runs(tmp_path: Path) -> None:
    server = object()
    assert offering(view_runs=lambda runs, port: server).ask("view_runs", runs=[tmp_path], port=0) is server


# Watching ------------------------------------------------------------------------------------------------------


def _told(observer: str) -> list[str]:
    heard: list[str] = []
    offering(**{observer: lambda note: heard.append(note.stage)}).tell(observer, StageNote("sessions", "running"))
    return heard


def test_hook_stage_started() -> None:
    assert _told("stage_started") == ["sessions"]


def test_hook_stage_advanced() -> None:
    assert _told("stage_advanced") == ["sessions"]


def test_hook_stage_finished() -> None:
    assert _told("stage_finished") == ["sessions"]


def test_hook_run_stopping() -> None:
    stopped: list[bool] = []
    offering(run_stopping=lambda: stopped.append(True)).stop()
    assert stopped == [True]


# An analysis by somebody else ----------------------------------------------------------------------------------

STUDY = """\
cbtrun: 1
study: medians
title: Do two therapists differ in their median?
seed: 1
plugins: [./medians.py]
models:
  careful: {using: careful-control}
  harmful: {using: harmful-control}
  patient: {using: scripted-patient}
  rater: {using: lexical-rater}
personas: {eval: {using: sampled, attributes: depression, count: 4}}
arms:
  careful: {therapist: careful, factors: {who: careful}}
  harmful: {therapist: harmful, factors: {who: harmful}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 8}
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [rater]}}
report: {using: html}
analysis:
  typical: {using: medians, outcome: ctrs.total, factor: who, levels: [careful, harmful], items: false}
"""
MEDIANS = """\
from statistics import median

from cbtrun.plugin import (
    PAIRS, Comparison, Kind, analyse_block, block_schema, common_fields, counts_text, group_of, hookimpl,
    planned_test, power_in_pairs, rows_at, two_levels_options,
)


@hookimpl
def options_schema(stage):
    return block_schema(["factor", "levels"], two_levels_options()) if stage == "analysis" else None


@hookimpl
def plan_power(context):
    return [planned_test(context, Kind("", "sign", "dz", PAIRS, context.personas), power_in_pairs)]


@hookimpl
def analyse(context):
    return analyse_block(context, lambda table, seed: [medians(context, table)], sentence)


def medians(context, table):
    first, second = (rows_at(table, context.options["factor"], level) for level in context.options["levels"])
    gap = median(row.value for row in first) - median(row.value for row in second)
    return Comparison(
        **common_fields(context.name, "medians", table), factor=context.options["factor"],
        levels=tuple(context.options["levels"]), n=len(first), unit_of_analysis="pair", estimate=gap,
        groups=tuple(
            group_of(level, rows, [row.value for row in rows])
            for level, rows in zip(context.options["levels"], (first, second))
        ),
    )


@hookimpl
def sentence(comparison):
    return f"The medians are {comparison.estimate:.1f} points apart ({counts_text(comparison)})."
"""


@pytest.fixture
def medians(study_project: Make) -> StudyProject:
    """A study with an analysis by somebody else."""
    return study_project({"study.yaml": STUDY, "medians.py": MEDIANS})


def test_an_analysis_by_somebody_else_is_planned_with_power_like_ours(medians: StudyProject) -> None:
    planned = medians.run("plan", "study.yaml", "--allow-local-plugins")
    assert planned.code == 0, planned.err
    assert "no power is planned" not in planned.out
    asked = medians.run("power", "study.yaml", "--allow-local-plugins", "--to", "curves")
    assert asked.code == 0, asked.err
    assert "sign" in (medians.folder / "curves/power.csv").read_text()


def test_an_analysis_by_somebody_else_has_its_sentence_in_results_and_report(medians: StudyProject) -> None:
    outcome = medians.run("run", "study.yaml", "--allow-local-plugins")
    assert outcome.code == 0, outcome.err
    (found,) = json.loads(medians.read("runs/medians/results.json"))["comparisons"]
    scope = "As this one rater sees it, among these simulated patients"
    assert re.fullmatch(rf"{scope}: the medians are \d+\.\d points apart \(n = 4 pairs\)\.", found["sentence"])
    shown = re.sub("<[^>]*>", "", medians.read("runs/medians/report.html"))
    assert re.sub(r"points apart", "of 66 points apart", found["sentence"]) in shown


def test_an_analysis_that_says_nothing_of_power_is_named(medians: StudyProject) -> None:
    silent = MEDIANS.replace("@hookimpl\ndef plan_power", "def plan_power")
    medians.write("medians.py", silent)
    outcome = medians.run("plan", "study.yaml", "--allow-local-plugins")
    assert "typical: no power is planned for `using: medians`" in outcome.out


def test_the_doctor_asks_every_kind_of_tune_job_for_its_memory(
    study_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cbtrun.plugins.tuning import tune_memory

    shape = tune_memory.Shape(32, 4096, 14336, 32, 8, 128, 128_256, tied=False)
    monkeypatch.setattr(tune_memory, "gpu_memory", lambda: [2.0])
    monkeypatch.setattr(tune_memory, "shape_of", lambda source: shape)
    study = STUDY.partition("arms:")[0].replace("plugins: [./medians.py]\n", "")
    columns = "{transcript: id, speaker: who, text: said, rejected: other}"
    study += (
        "corpus: {c: {using: files, path: turns.jsonl, speakers: {t: therapist, p: patient}, "
        f"columns: {columns}}}}}\n"
        "tune: {p: {using: preference, base: base, corpus: c}, s: {using: sft, base: base, corpus: c}}\n"
    )
    study = study.replace("  careful:", "  base: {using: transformers, model: org/llama-8b}\n  careful:", 1)
    row = "".join(json.dumps({"id": "1", "who": who, "said": "Go on.", "other": "Stop."}) + "\n" for who in ("p", "t"))
    project = study_project({"study.yaml": study + "contains: none\n", "turns.jsonl": row})
    outcome = project.run("doctor", "study.yaml")
    stopped = re.findall(r"^stop +GPU for tune\.(\w): 1 GPU, 2 GiB; needs about", outcome.out, re.MULTILINE)
    assert stopped == ["p", "s"], outcome.out + outcome.err
