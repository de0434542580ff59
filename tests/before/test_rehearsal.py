"""A rehearsal runs the same file with stand-ins of each model's kind, and says so wherever its results may go."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path

import pytest

from cbtrun.before.rehearsal.run import rehearsal_keys
from cbtrun.before.rehearsal.scaling import scale
from cbtrun.before.rehearsal.study import rehearsed
from cbtrun.errors import ModelError
from cbtrun.plugins.tiny.families import stand_in_for, stand_ins
from cbtrun.registry import load_registry
from cbtrun.study.load import load_study
from cbtrun.testing.projects import StudyProject

Project = Callable[[Mapping[str, str]], StudyProject]

STUDY = """
cbtrun: 1
study: small
title: Which is kinder?
seed: 3
contains: real-people
models:
  one:     {using: openai, base_url: "https://openrouter.ai/api/v1", model: some-model, api_key_env: OPENROUTER_API_KEY, limits: {requests_per_minute: 1}}
  two:     {using: openai, base_url: "${OTHER_URL}", model: other-model}
  patient: {using: openai, base_url: "https://api.deepseek.com/v1", model: deepseek-chat, api_key_env: DEEPSEEK_API_KEY}
  rater:   {using: openai, base_url: "https://api.openai.com/v1", model: gpt-x, api_key_env: OPENAI_API_KEY}
  embedded: {using: lexical-rater}
personas:
  eval: {using: sampled, attributes: depression, count: 50}
arms:
  one: {therapist: one, system: "Be kind.", factors: {kind: one}}
  two: {therapist: two, system: "Be brief.", factors: {kind: two}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 30, repeats: 4, phq9: true}
ratings:
  ctrs: {using: rubric, rubric: ctrs, raters: [rater, embedded], repeats: 3}
analysis:
  main: {using: paired, outcome: ctrs.total, factor: kind, levels: [one, two], pair_by: persona, tests: [t]}
report: {using: html, figures: [svg]}
assumptions:
  models.one.limits.requests_per_minute: nobody says
  sessions.max_turns: nobody says
"""


def test_a_rehearsal_runs_every_stage_and_stamps_page_tables_and_figures(
    study_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "a-real-key-that-must-not-travel")
    project = study_project({"study.yaml": STUDY})
    outcome = project.run("study.yaml", "--rehearse")
    assert outcome.code == 0, outcome.err
    folder = project.folder / "runs/small-rehearsal"
    assert not (project.folder / "runs/small").exists()

    results = json.loads((folder / "results.json").read_text())
    assert (results["study"], results["counts"]["sessions"]) == ("small-rehearsal", 2 * 6)
    assert results["title"] == "REHEARSAL: Which is kinder?"
    assert results["counts"]["ratings"] == 2 * 6 * 2 * 2
    page = (folder / "report.html").read_text()
    assert '<p class="rehearsal" role="note">REHEARSAL' in page
    assert page.count("<caption>") == page.count("<caption>REHEARSAL: ") > 3
    for table in (folder / "tables").glob("*.csv"):
        assert {row["rehearsal"] for row in csv.DictReader(table.read_text().splitlines())} == {"REHEARSAL"}, table
    for table in [*(folder / "tables").glob("*.md"), *(folder / "tables").glob("*.tex")]:
        assert "REHEARSAL: " in table.read_text(), table
    (drawn,) = (folder / "figures").glob("groups-*.svg")
    assert "REHEARSAL" in drawn.read_text()
    held = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"a-real-key-that-must-not-travel" not in held

    again = project.run("study.yaml", "--rehearse")
    assert (again.code, "Nothing to do" in again.out) == (0, True)


def test_what_is_changed_is_told_with_both_values(study_project: Project) -> None:
    project = study_project({"study.yaml": STUDY})
    ready = rehearsed(load_study(project.folder / "study.yaml", registry=load_registry()), load_registry())
    told = ready.data["rehearsal"]
    assert told["counts"]["personas/eval/count"] == "6 instead of 50"
    assert told["counts"]["sessions/max_turns"] == "6 instead of 30"
    assert sorted(told["models"]) == ["one", "patient", "rater", "two"]
    assert list(ready.data["assumptions"]) == ["sessions.max_turns"]


def test_remote_models_are_asked_at_the_mock_server_below_their_own_path(study_project: Project) -> None:
    project = study_project({"study.yaml": STUDY})
    ready = rehearsed(load_study(project.folder / "study.yaml", registry=load_registry()), load_registry())
    keys = rehearsal_keys(ready, "http://127.0.0.1:1234")
    addresses = {name: keys.address(ready.data["models"][name]["base_url"]) for name in ("one", "two", "patient")}
    assert addresses == {
        "one": "http://127.0.0.1:1234/api/v1",
        "two": "http://127.0.0.1:1234",
        "patient": "http://127.0.0.1:1234/v1",
    }


def test_a_remote_model_that_nothing_can_stand_in_for_is_never_asked_in_earnest(study_project: Project) -> None:
    plugin = (
        "from cbtrun.hookspecs import hookimpl\n\n@hookimpl\ndef options_schema(stage):\n"
        "    return {'x-remote': True, 'type': 'object'} if stage == 'models' else None\n\n"
        "@hookimpl\ndef open_model(context):\n    raise AssertionError('must not be opened')\n"
    )
    study = STUDY.replace("embedded: {using: lexical-rater}", "embedded: {using: mine}") + "plugins: [./mine.py]\n"
    project = study_project({"study.yaml": study, "mine.py": plugin})
    outcome = project.run("study.yaml", "--rehearse", "--allow-local-plugins")
    assert outcome.code == 2
    assert "nothing can stand in for models of 'mine' in a rehearsal" in outcome.err
    looked = project.run("doctor", "study.yaml", "--allow-local-plugins")
    assert "note  server of embedded: 'mine' has no option `base_url`: it was not looked at" in looked.out


def test_no_key_of_the_environment_is_known_in_a_rehearsal(
    study_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "a-real-key")
    project = study_project({"study.yaml": STUDY})
    ready = rehearsed(load_study(project.folder / "study.yaml", registry=load_registry()), load_registry())
    keys = rehearsal_keys(ready, "http://127.0.0.1:1234")
    key = keys.key("OPENROUTER_API_KEY", "http://127.0.0.1:1234")
    assert key is not None
    assert key.reveal() == "rehearsal-without-a-key"
    with pytest.raises(ModelError, match="not set"):
        keys.address("${OTHER_URL}")


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ({"most": 6}, {"n": 58}, {"n": 6}),
        ({"most": 6}, {"n": 2}, {"n": 2}),
        ({"most": 2}, {"n": [4, 5, 6]}, {"n": [4, 5]}),
        ({"most": 2}, {}, {}),
        ({"most": 2, "always": True}, {}, {"n": 2}),
        ({"as": "cpu"}, {"n": "cuda"}, {"n": "cpu"}),
        ({"drop": True}, {"n": 1}, {}),
    ],
)
def test_counts_follow_the_rule_in_the_schema(rule: dict, before: dict, after: dict) -> None:
    block = json.loads(json.dumps(before))
    changes = scale(block, {"type": "object", "properties": {"n": {"x-rehearsal": rule}}})
    assert (block, bool(changes)) == (after, before != after)


@pytest.mark.parametrize(
    ("model", "stand_in"),
    [
        ("mistralai/Mistral-7B-v0.3", "cbtrun:tiny-mistral"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "cbtrun:tiny-mistral-instruct"),
        ("Qwen/Qwen2.5-7B", "cbtrun:tiny-qwen"),
        ("/models/qwen2.5-7b-instruct/", "cbtrun:tiny-qwen-instruct"),
        ("meta-llama/Llama-3.1-8B", "cbtrun:tiny-llama"),
        ("google/gemma-3-4b-it", "cbtrun:tiny-llama-instruct"),
    ],
)
def test_a_model_has_a_stand_in_of_its_family_and_kind(model: str, stand_in: str) -> None:
    assert stand_in_for(model) == stand_in


def test_stand_ins_have_their_familys_architecture_and_compute_what_tiny_computes() -> None:
    import torch

    from cbtrun.plugins.local_models.model_files import find_model, load_base, load_tokenizer

    ids = torch.tensor([[2, 38, 73, 1271, 18, 1, 3, 691, 403, 18, 1, 4, 823, 317, 345, 464, 35, 1]])
    tiny = load_base(find_model("cbtrun:tiny"), "float32").eval()
    wanted = tiny(ids).logits
    kinds = {"mistral": "MistralForCausalLM", "qwen": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM"}
    for name in stand_ins():
        found = find_model(name)
        model = load_base(found, "float32").eval()
        assert type(model).__name__ == next(kind for family, kind in kinds.items() if family in name)
        assert torch.equal(model(ids).logits, wanted), name
        assert (load_tokenizer(found).eos_token_id, found.public_name) == (1, name)


@pytest.mark.parametrize("name", sorted(path.name for path in Path(str(files("cbtrun.specs"))).glob("*.yaml")))
def test_every_shipped_study_can_be_rehearsed(name: str) -> None:
    registry = load_registry()
    study = load_study(Path(str(files("cbtrun.specs"))) / name, registry=registry)
    ready = rehearsed(study, registry)
    assert ready.name == f"{study.name}-rehearsal"
    assert [*ready.data["arms"]] == [*study.data["arms"]]
    local = [block for block in ready.data["models"].values() if block["using"] == "transformers"]
    assert all((block["threads"], block["group"], block["device"]) == (1, 8, "cpu") for block in local)
    remote = [block for block in ready.data["models"].values() if "base_url" in block]
    assert all(block["base_url"].startswith("${CBTRUN_REHEARSAL_URL}") for block in remote)
    assert all(
        block["model"].startswith("cbtrun:")
        for block in ready.data["models"].values()
        if block["using"] == "transformers"
    )
