"""Cards say what is known and what nobody stated, claim nothing that a run does not have, and hold names as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cbtrun.cards.corpus_card import corpus_card, corpus_facts
from cbtrun.cards.model_card import Tuned, model_card
from cbtrun.cli.reference import card_pages
from cbtrun.contract.markdown_text import markdown_code, markdown_text
from cbtrun.contract.records import Adapter, Message, Transcript
from cbtrun.files.run_folder import RunFolder, write_records
from cbtrun.registry import load_registry
from cbtrun.study.load import load_study
from cbtrun.study.spec import Study
from cbtrun.testing.projects import StudyProject
from tests.helpers.places import ROOT
from tests.helpers.two_controls import two_controls

Make = Callable[[dict[str, str]], StudyProject]
HOSTILE = "<script>x</script> | `y` [z](http://evil) ![](e) @all"
STUDY = """
cbtrun: 1
study: tuned
seed: 1
title: "{title}"
models:
  author: {{using: grammar}}
  tiny: {{using: transformers, model: "cbtrun:tiny"}}
personas: {{train: {{using: sampled, attributes: depression, count: 2}}}}
corpus: {{cbt: {{using: written-course, author: author, personas: train, course: depression-20, register: cbt{licence}}}}}
tune: {{tiny-cbt: {{using: sft, base: tiny, corpus: cbt, max_steps: 2, seeds: [1, 2]}}}}
report: {{using: html, page: false, tables: [], figures: []}}
"""


def study_of(folder: Path, title: str = "Does it help?", licence: str = "") -> Study:
    (folder / "study.yaml").write_text(STUDY.format(title=title, licence=licence), encoding="utf-8")
    return load_study(folder / "study.yaml", registry=load_registry())


def tuned(folder: Path, study: Study, **more: object) -> Tuned:
    run = RunFolder(folder / "run")
    write_records(run.path / "corpus/cbt.jsonl", [Transcript(id="t", persona="p", messages=(Message(role="patient", content="My secret cat"), Message(role="therapist", content="I see"))) ])  # fmt: skip
    facts = corpus_facts(run, study, "cbt")
    adapter = Adapter(name="tiny-cbt@1", base="tiny", folder="adapters/tiny-cbt/seed-1", digest="0" * 64, seed=1)
    values = {"merged": False, "corpus": facts, "people": "", "licence": "", **more}
    return Tuned(run, study, adapter, run.path / adapter.folder, **values)  # type: ignore[arg-type]


def front_of(card: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(card.split("---\n")[1])
    return found


def test_a_model_card_says_what_nobody_stated_and_claims_no_figure(tmp_path: Path) -> None:
    card = model_card(tuned(tmp_path, study_of(tmp_path)))
    assert front_of(card) == {
        "base_model": "cbtrun:tiny",
        "base_model_relation": "adapter",
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["cbtrun", "research", "not-for-care", "lora"],
    }
    assert "- **Base**: apache-2.0" in card
    assert "- **Data it was tuned on**: not stated" in card
    assert "- **The tuned weights**: not stated" in card
    assert "Nothing: no session of it was rated." in card
    assert "**Not for care.**" in card
    assert "Its base is a toy" in card
    assert "- **Other seeds of the same job**: 2" in card
    assert "ctrs" not in card
    assert "secret" not in card


def test_licences_and_real_people_are_told_where_they_are_known(tmp_path: Path) -> None:
    study = study_of(tmp_path, licence=", licence: CC-BY-NC-4.0")
    card = model_card(tuned(tmp_path, study, merged=True, licence="MIT", people="corpus.cbt reads 'x'"))
    assert front_of(card)["license"] == "mit"
    assert front_of(card)["base_model_relation"] == "finetune"
    assert "- **Data it was tuned on**: CC-BY-NC-4.0" in card
    assert "**It may say words of real people**" in card
    assert front_of(model_card(tuned(tmp_path, study, licence="My own terms")))["license"] == "other"


def test_the_licence_of_a_base_in_a_folder_is_what_its_own_card_says(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    study.data["models"]["tiny"]["model"] = "./base"
    (tmp_path / "base").mkdir()
    (tmp_path / "base/README.md").write_text("---\nlicense: 'llama3'\n---\n# x\n", encoding="utf-8")
    card = model_card(tuned(tmp_path, study))
    assert "- **Base**: llama3" in card
    assert front_of(card)["base_model"] == "base"
    assert str(tmp_path) not in card


def test_names_of_strangers_are_text_in_a_card(tmp_path: Path) -> None:
    study = study_of(tmp_path, title=HOSTILE, licence=f", licence: '{HOSTILE}'")
    made = tuned(tmp_path, study, people=HOSTILE, licence=HOSTILE)
    assert made.corpus is not None
    for card in (model_card(made), corpus_card(made.corpus)):
        body = card.split("---\n", 2)[2]
        for sign in ("<script", "[z](", "![](", " `y`", "http://"):
            assert sign not in body, sign
        assert yaml.safe_load(card.split("---\n")[1])


def test_text_is_shown_as_it_is() -> None:
    assert markdown_text("1.0, a-b (c): d") == "1.0, a-b (c): d"
    assert markdown_text("- x\n# y") == "\\- x \\# y"
    assert markdown_text("1. x") == "1\\. x"
    assert markdown_text("www.evil.org a_b") == "www\\.evil.org a\\_b"
    assert markdown_code("a`b|c") == "`abc`"


@pytest.mark.parametrize("name", sorted(card_pages()))
def test_the_cards_of_what_ships_are_fresh(name: str) -> None:
    assert (ROOT / "docs/reference" / name).read_text(encoding="utf-8") == card_pages()[name], (
        "run: cbtrun schema --write"
    )


def test_no_card_is_of_what_ships_no_more() -> None:
    assert {f"cards/{one.name}" for one in (ROOT / "docs/reference/cards").iterdir()} == {*card_pages()}


def test_cards_by_name_by_file_and_of_a_run(study_project: Make) -> None:
    project = study_project({"study.yaml": two_controls("two")})
    project.write(
        "mine.yaml", (ROOT / "rubrics/safety.yaml").read_text(encoding="utf-8").replace("name: safety", "name: mine")
    )
    assert "# Rubric `mine`" in project.run("card", "rubric", "mine.yaml").out
    assert "# Persona attributes `depression`" in project.run("card", "personas", "depression").out
    assert project.run("study.yaml", "-q").code == 0
    of_run = project.run("card", "personas", "eval", "--run", "two")
    assert "2 patients for simulated sessions." in of_run.out
    assert "- **attributes**: depression" in of_run.out
    for words, told in (
        (("corpus", "x"), "which run is the corpus of?"),
        (("corpus", "x", "--run", "two"), "no corpus 'x'; there is: none"),
        (("model", "x", "--run", "two"), "no adapter 'x'; there are: none"),
        (("rubric", "ctr"), "did you mean 'ctrs'?"),
        (("personas", "study.yaml"), "no attributes of personas"),
    ):
        refused = project.run("card", *words)
        assert (refused.code, told in refused.err) == (2, True), refused.err


@pytest.mark.slow
def test_an_exported_adapter_has_a_card_with_the_figures_of_its_run(study_project: Make, tmp_path: Path) -> None:
    from tests.helpers.tiny_models import make_model
    from tests.helpers.tune_study import talk

    make_model(tmp_path / "base", spread=0.05)
    text = """
cbtrun: 1
study: tuned
seed: 1
contains: none
models:
  tiny: {using: transformers, model: ./base, threads: 1}
  patient: {using: scripted-patient}
  rater: {using: lexical-rater}
personas: {eval: {using: sampled, attributes: depression, count: 3}}
corpus: {talk: {using: files, path: talk.jsonl, columns: {transcript: id, messages: said}, speakers: {T: therapist, P: patient}, checks: {near_duplicates: 0}}}
tune: {good: {using: sft, base: tiny, corpus: talk, max_steps: 2, batch_size: 2, threads: 1, device: cpu}}
arms: {tuned: {therapist: good, factors: {tuning: talk}}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 2, max_tokens: {therapist: 8}}
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [rater]}}
report: {using: html, page: false, tables: [], figures: []}
"""
    project = study_project({"study.yaml": text, "talk.jsonl": talk()})
    assert project.run("study.yaml", "-q").code in (0, 3)
    made = project.run("export", "tuned", "good")
    assert made.code == 0, made.err
    card = project.read("runs/tuned/exports/good/README.md")
    assert front_of(card)["base_model"] == "base"
    row = next(line for line in card.splitlines() if line.startswith("| tuned | ctrs.total |"))
    assert row.count("|") == 8
    assert "| max\\_steps | 2 |" in card
    merged = project.run("export", "tuned", "good", "--merge", "--to", "merged")
    assert merged.code == 0, merged.err
    assert "Writing model shards" not in merged.err
    assert "merged into its base" in project.read("merged/README.md")
    packaged = project.run("package", "tuned", "--adapters")
    assert packaged.code == 0, packaged.err
    from tests.helpers.tampered import tampered

    name = "run/adapters/good/seed-1/adapter_model.safetensors"
    other = tampered(project.folder / "tuned.zip", tmp_path / "other.zip", {name: lambda old: old[:-1] + bytes([old[-1] ^ 1])})  # fmt: skip
    checked = project.run("verify", str(other))
    assert checked.code == 3
    assert "DIFFERS  run/adapters/good/seed-1" in checked.out
    assert "the journal's replies are those of good with digest" in checked.out
