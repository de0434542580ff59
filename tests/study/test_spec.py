"""A study as its file, what it extends and the command line say it; the wrong ones are under golden/spec."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cbtrun.contexts import BlockContext
from cbtrun.errors import PluginError, SpecError, StageError
from cbtrun.files.run_folder import RunFolder
from cbtrun.hookspecs import hookimpl
from cbtrun.run.study_lock import study_of_run, write_lock
from cbtrun.study.load import load_study, local_plugins
from cbtrun.study.overrides import find_path, read_study
from cbtrun.study.spec import Study
from tests.helpers.spec_plugins import GOLDEN, options, small_registry

STUDY = """\
cbtrun: 1
study: demo
models:
  gpt-4.1: {using: echo, address: "http://${HOST}/"}
  patient: {using: echo}
personas:
  eval: {using: drawn, count: 4, attributes: depression}
tune:
  tuned: {using: sft, base: gpt-4.1, seeds: [1, 2]}
arms:
  plain: {therapist: gpt-4.1, factors: {tuning: none}}
  tuned: {therapist: tuned@2, factors: {tuning: cbt}}
sessions: {using: dialogue, patient: patient, personas: eval}
ratings:
  kind.v1: {using: rubric, rubric: kindness, raters: [gpt-4.1]}
analysis:
  main: {using: paired, outcome: kind.v1.warmth, factor: tuning, levels: [cbt, none]}
assumptions:
  tune.tuned.lora.rank: The paper does not say.
"""
Loads = Callable[..., Study]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loads:
    """Loads a study from a text, in a folder with other files."""
    monkeypatch.chdir(tmp_path)

    def from_text(text: str = STUDY, *sets: str, **files: str) -> Study:
        for name, content in {"study.yaml": text, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        return load_study("study.yaml", sets, registry=small_registry())

    return from_text


def problems(load: Loads, *arguments: str, **files: str) -> list[str]:
    """The problems of a study."""
    with pytest.raises(SpecError) as caught:
        load(*arguments, **files)
    return [str(problem) for problem in caught.value.problems]


def imports(path: str) -> str:
    """A study that imports sessions from a path."""
    return f"cbtrun: 1\nstudy: demo\nsessions: {{using: import, path: {path}}}\n"


def test_defaults_are_part_of_the_study(load: Loads) -> None:
    study = load()
    assert study.data["tune"]["tuned"]["lora"] == {"rank": 8}
    assert (study.seed, study.data["corpus"], study.block("sessions")["max_turns"]) == (0, {}, 24)


def test_a_study_without_a_title_is_called_by_its_name(load: Loads) -> None:
    assert (load().title, load(STUDY + "title: Why?\n").title) == ("demo", "Why?")


def test_a_variable_stays_unexpanded(load: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "example.org")
    assert load().options("models", "gpt-4.1")["address"] == "http://${HOST}/"


def test_references_say_what_a_block_names(load: Loads) -> None:
    study = load()
    found = {
        block: [(one.kind, one.name, one.detail) for one in study.references(*block)]
        for block in [
            ("sessions", ""),
            ("arms", "tuned"),
            ("ratings", "kind.v1"),
            ("analysis", "main"),
            ("personas", "eval"),
        ]
    }
    assert found == {
        ("sessions", ""): [("models", "patient", ""), ("personas", "eval", "")],
        ("arms", "tuned"): [("tune", "tuned", "2")],
        ("ratings", "kind.v1"): [("rubrics", "kindness", ""), ("models", "gpt-4.1", "")],
        ("analysis", "main"): [
            ("ratings", "kind.v1", "warmth"),
            ("factors", "tuning", ""),
            ("level", "cbt", "tuning"),
            ("level", "none", "tuning"),
        ],
        ("personas", "eval"): [],
    }


def test_seeds_that_are_no_list_are_one_problem(load: Loads) -> None:
    assert problems(load, STUDY.replace("[1, 2]", "3")) == ["study.yaml:9:45: tune/tuned/seeds: expected a list, got 3"]


def test_what_nobody_uses_is_no_problem(load: Loads) -> None:
    assert "spare" in load(STUDY.replace("models:\n", "models:\n  spare: {using: echo}\n")).data["models"]


def test_a_rubric_is_read_by_the_name_that_the_study_uses(load: Loads) -> None:
    study = load()
    assert study.rubrics()["kindness"].title == "Kindness in two items"


def test_a_rubric_beside_the_study_goes_by_its_path(load: Loads) -> None:
    own = (GOLDEN / "rubrics" / "kindness.yaml").read_text(encoding="utf-8").replace("kindness", "mine")
    study = load(STUDY.replace("rubric: kindness", "rubric: ./mine.yaml"), **{"mine.yaml": own})
    assert study.options("ratings", "kind.v1")["rubric"] == "./mine.yaml"
    assert study.rubrics()["./mine.yaml"].name == "mine"
    assert study.sources["mine.yaml"] == hashlib.sha256(own.encode()).hexdigest()


def test_the_digest_follows_the_meaning_and_not_the_layout(load: Loads) -> None:
    same, other = load(STUDY + "# a remark\nseed: 0\n").digest, load(STUDY, "seed=1").digest
    assert (load().digest == same, load().digest == other) == (True, False)


def test_a_file_is_absolute_for_the_plugin_and_as_written_in_the_study(load: Loads, tmp_path: Path) -> None:
    study = load(imports("in/s.csv"), **{"in/s.csv": ""})
    assert study.data["sessions"]["path"] == "in/s.csv"
    assert study.options("sessions")["path"] == str(tmp_path / "in" / "s.csv")
    assert [one.path for one in study.references("sessions")] == [tmp_path / "in" / "s.csv"]


def test_a_path_on_the_command_line_starts_from_the_current_folder(load: Loads, tmp_path: Path) -> None:
    load(imports("s.csv"), **{"s.csv": "", "specs/study.yaml": imports("s.csv")})
    study = load_study("specs/study.yaml", ["sessions.path=s.csv"], registry=small_registry())
    assert study.data["sessions"]["path"] == "../s.csv"
    assert study.options("sessions")["path"] == str(tmp_path / "s.csv")


def test_a_path_in_a_base_starts_from_the_folder_of_the_base(load: Loads, tmp_path: Path) -> None:
    study = load("extends: bases/a.yaml\nstudy: changed\n", **{"bases/a.yaml": imports("s.csv"), "bases/s.csv": ""})
    assert study.options("sessions")["path"] == str(tmp_path / "bases" / "s.csv")
    assert (study.data["sessions"]["path"], study.name) == ("bases/s.csv", "changed")


def test_mappings_merge_lists_replace_and_null_takes_out(load: Loads) -> None:
    over = (
        "extends: base.yaml\n"
        "tune: {tuned: {seeds: [3], lora: {alpha: 16}}}\n"
        "arms: {tuned: {therapist: tuned}}\n"
        "assumptions: null\n"
    )
    study = load(over, **{"base.yaml": STUDY.replace("seeds: [1, 2]", "seeds: [1, 2], lora: {rank: 4}")})
    assert study.data["tune"]["tuned"]["seeds"] == [3]
    assert study.data["tune"]["tuned"]["lora"] == {"rank": 4, "alpha": 16}
    assert study.data["assumptions"] == {}
    assert study.data["arms"]["tuned"] == {"therapist": "tuned", "factors": {"tuning": "cbt"}}


def test_a_base_may_extend_another(load: Loads) -> None:
    files = {"b/one.yaml": "extends: ../two.yaml\nseed: 1\n", "two.yaml": STUDY + "seed: 2\ntitle: two\n"}
    study = load("extends: b/one.yaml\n", **files)
    assert (study.seed, study.title, list(study.sources)[:3]) == (1, "two", ["study.yaml", "b/one.yaml", "two.yaml"])
    assert "extends" not in study.data


def test_a_file_may_not_extend_itself(load: Loads) -> None:
    assert problems(load, "extends: study.yaml\n") == [
        "study.yaml:1:10: extends: goes round in a circle: study.yaml -> study.yaml"
    ]


def test_each_value_keeps_the_place_where_it_was_written(load: Loads) -> None:
    study = load("extends: base.yaml\nseed: 3\n", "study=other", **{"base.yaml": STUDY})
    places = [str(study.place(*path)) for path in [("seed",), ("sessions", "patient"), ("study",)]]
    assert places == ["study.yaml:2:7", "base.yaml:13:38", "--set study"]


def test_a_set_value_is_typed_as_yaml(load: Loads) -> None:
    study = load(
        STUDY, "tune.tuned.learning_rate=1e-3", "arms.plain.factors.tuning='1'", "analysis.main.levels=[cbt, '1']"
    )
    assert study.data["tune"]["tuned"]["learning_rate"] == 0.001
    assert study.data["analysis"]["main"]["levels"] == ["cbt", "1"]


def test_a_set_path_goes_through_names_with_dots_and_list_indices(load: Loads) -> None:
    study = load(STUDY, "models.gpt-4.1.temperature=0", "tune.tuned.seeds.1=7", "arms.tuned.therapist=tuned@7")
    assert study.data["models"]["gpt-4.1"]["temperature"] == 0
    assert study.data["tune"]["tuned"]["seeds"] == [1, 7]


def test_a_set_path_makes_the_mappings_on_its_way(load: Loads) -> None:
    study = load(STUDY, "models.new.using=echo", "tune.tuned.lora.rank=2")
    assert (study.data["models"]["new"]["using"], study.data["tune"]["tuned"]["lora"]["rank"]) == ("echo", 2)


def test_a_set_null_takes_a_key_out(load: Loads) -> None:
    assert load(STUDY, "analysis=null", "assumptions=null").data["analysis"] == {}


def test_a_later_set_wins(load: Loads) -> None:
    assert load(STUDY, "seed=1", "seed=2").seed == 2


def test_a_set_value_may_hold_equals_signs(load: Loads) -> None:
    assert load(STUDY, "title=a=b").title == "a=b"


def test_a_missing_study_is_one_problem() -> None:
    with pytest.raises(SpecError) as caught:
        load_study("specs/none.yaml", registry=small_registry())
    assert str(caught.value) == "specs/none.yaml: no such file\n1 problem; nothing was run."


def test_problems_of_the_file_come_before_those_of_the_command_line(load: Loads) -> None:
    found = problems(load, STUDY + "sed: 3\n", "seed=-1", "title=3")
    assert [line.split(": ")[0] for line in found] == ["study.yaml:20:1", "--set seed", "--set title"]


def test_a_factor_of_imported_sessions_has_levels_that_only_the_file_tells(load: Loads) -> None:
    text = imports("s.csv").replace("s.csv}", "s.csv, factors: {quality: column}}") + (
        "models: {rater: {using: echo}}\n"
        "ratings: {kind: {using: rubric, rubric: kindness, raters: [rater]}}\n"
        "analysis: {main: {using: paired, outcome: kind.total, factor: quality, levels: [high, low]}}\n"
    )
    assert load(text, **{"s.csv": ""}).data["analysis"]["main"]["levels"] == ["high", "low"]


def test_paths_of_a_value_are_found_step_by_step() -> None:
    value = {"models": {"a.b": {"c": [1, {"d": 2}]}}}
    assert find_path(value, "models.a.b.c.1.d") == ("models", "a.b", "c", 1, "d")


@pytest.mark.parametrize("path", ["models.x", "models.a.b.c.9", "models.a.b.c.0.d", "models.a.b.c.x"])
def test_a_path_that_leads_nowhere_is_a_key_error(path: str) -> None:
    with pytest.raises(KeyError, match="no "):
        find_path({"models": {"a.b": {"c": [1]}}}, path)


def test_local_plugins_are_found_beside_the_file_that_names_them(load: Loads) -> None:
    load(
        STUDY, **{"b/base.yaml": "plugins: [./mine.py, gone.py]\n", "b/mine.py": "", "x.yaml": "extends: b/base.yaml\n"}
    )
    assert local_plugins(read_study("x.yaml")) == [Path("b/mine.py")]


def seeing(seen: list[BlockContext], error: Exception | None = None) -> object:
    """A report plugin that keeps what it is shown."""

    class Seeing:
        @hookimpl
        def options_schema(self) -> dict[str, Any]:
            return options("", folder={"type": "string", "x-names": "folder"}, depth={"default": 2})

        @hookimpl
        def check_block(self, context: BlockContext) -> None:
            seen.append(context)
            if error is not None:
                raise error

        @hookimpl
        def write_report(self, context: object) -> None: ...

    return Seeing()


def load_seen(tmp_path: Path, text: str, seen: list[BlockContext], error: Exception | None = None) -> Study:
    """A study whose report block is shown to a plugin."""
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    return load_study(tmp_path / "study.yaml", registry=small_registry(seeing=seeing(seen, error)))


def test_a_plugin_sees_its_block_with_defaults_and_absolute_paths(tmp_path: Path) -> None:
    seen: list[BlockContext] = []
    load_seen(tmp_path, "cbtrun: 1\nstudy: s\nreport: {using: seeing, folder: .}\n", seen)
    (context,) = seen
    assert context.options == {"using": "seeing", "folder": str(tmp_path), "depth": 2}
    assert (context.folder, context.study["report"]["folder"]) == (tmp_path, ".")
    assert (context.place("folder").line, context.place_in_study("study").line) == (3, 2)


def test_a_plugin_is_not_shown_a_broken_block(tmp_path: Path) -> None:
    seen: list[BlockContext] = []
    with pytest.raises(SpecError, match="unknown key 'x'"):
        load_seen(tmp_path, "cbtrun: 1\nstudy: s\nreport: {using: seeing, x: 1}\n", seen)
    assert seen == []


def test_what_a_check_raises_for_the_user_is_a_problem_of_the_block(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"study\.yaml:3:1: report: too late"):
        load_seen(tmp_path, "cbtrun: 1\nstudy: s\nreport: {using: seeing}\n", [], StageError("too late"))


def test_a_check_that_trips_over_another_broken_block_adds_nothing(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load_seen(tmp_path, "cbtrun: 1\nstudy: s\nmodels: 3\nreport: {using: seeing}\n", [], TypeError("models"))
    assert [problem.path for problem in caught.value.problems] == ["models"]


def test_a_check_that_breaks_by_itself_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        load_seen(tmp_path, "cbtrun: 1\nstudy: s\nreport: {using: seeing}\n", [], ZeroDivisionError())


def test_a_schema_that_names_an_unknown_kind_is_the_plugins_error(tmp_path: Path) -> None:
    class Odd:
        @hookimpl
        def options_schema(self) -> dict[str, Any]:
            return options("", who={"type": "string", "x-names": "animals"})

        @hookimpl
        def write_report(self, context: object) -> None: ...

    (tmp_path / "study.yaml").write_text("cbtrun: 1\nstudy: s\nreport: {using: odd, who: me}\n", encoding="utf-8")
    with pytest.raises(PluginError, match="x-names: animals"):
        load_study(tmp_path / "study.yaml", registry=small_registry(odd=Odd()))


def test_a_study_comes_back_from_its_lock_file(load: Loads, tmp_path: Path) -> None:
    study = load(imports("bases/s.csv"), "title='1e-3'", **{"bases/s.csv": ""})
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    write_lock(folder, study, small_registry(), take_over=False)
    (tmp_path / "bases" / "s.csv").unlink()
    again = study_of_run(folder, small_registry())
    assert (again.data, again.digest, again.folder) == (study.data, study.digest, study.folder)


def test_a_folder_without_a_lock_file_holds_no_study(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"study\.lock\.yaml: no such file"):
        study_of_run(RunFolder(tmp_path), small_registry())


def test_reading_a_study_changes_nothing_in_it(load: Loads) -> None:
    load()
    written = read_study("study.yaml", ["seed=4"])
    assert (written.document.value["seed"], read_study("study.yaml").document.value.get("seed")) == (4, None)
