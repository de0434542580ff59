"""A base whose chat template cannot be trained on is refused by `validate`, with what is wrong; others are not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.plugins import tiny
from cbtrun.plugins.local_models import thinking_template
from cbtrun.plugins.local_models.thinking_template import folder_reason
from cbtrun.testing.projects import StudyProject

PLAIN = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
THINKS = PLAIN.replace(
    "{{ m['content'] }}",
    "{% if loop.last and m['role'] == 'assistant' %}<think>\n\n</think>\n\n{% endif %}{{ m['content'] }}",
)
OTHERWISE = PLAIN.replace("<|assistant|>{% endif %}", "<|assistant|><think>\n{% endif %}")
ENDLESS = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] }}{% endfor %}"
LOSES = PLAIN.replace("{{ m['content'] }}", "{% if loop.last %}{{ m['content'] }}{% endif %}")
STUDY = """
cbtrun: 1
study: s
contains: none
models: {base: {using: transformers, model: "./model"}}
corpus: {c: {using: files, path: c.jsonl, columns: {transcript: id, messages: messages}, speakers: {assistant: therapist, user: patient}}}
tune: {x: {using: sft, base: base, corpus: c}}
"""
ROW = '{"id": "1", "messages": [{"role": "user", "content": "Low."}, {"role": "assistant", "content": "Why?"}]}'
ENDS = "the chat template of {} ends no turn with an end-of-turn token of its tokenizer, so that the model would never stop"


@pytest.mark.parametrize(
    ("template", "found"),
    [
        (THINKS, ""),
        (OTHERWISE, ""),
        (PLAIN, ""),
        (THINKS.replace("{{ m['content'] }}", "{% generation %}{{ m['content'] }}{% endgeneration %}"), ""),
        (PLAIN.replace("<|end|>", ""), ""),  # the next role's mark ends a turn, as in GLM's
        (LOSES, "loses a message"),
        ("{{ broken", "cannot render this dialogue"),
        ("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "too many steps"),
    ],
    ids=[
        "empty thinking",
        "a prompt that thinks",
        "plain",
        "marked",
        "no mark of its own",
        "loses",
        "broken",
        "endless",
    ],
)
@pytest.mark.parametrize("where", ["a file", "the settings", "named ones"])
def test_what_cannot_be_trained_on_is_found_wherever_the_template_stands(
    tmp_path: Path, template: str, found: str, where: str
) -> None:
    if where == "a file":
        (tmp_path / "chat_template.jinja").write_text(template)
    else:
        named = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": template}]
        given = template if where == "the settings" else named
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": given}))
    assert found in folder_reason(tmp_path)
    assert bool(found) == bool(folder_reason(tmp_path))


def _project(study_project: Callable[[Mapping[str, str]], StudyProject], template: str) -> StudyProject:
    project = study_project({"study.yaml": STUDY, "c.jsonl": ROW})
    shutil.copytree(tiny.embedded_folder("cbtrun:tiny") or "", project.folder / "model")
    (project.folder / "model" / "chat_template.jinja").write_text(template)
    return project


def test_validate_says_so_before_the_corpus_is_paid_for(
    study_project: Callable[[Mapping[str, str]], StudyProject],
) -> None:
    outcome = _project(study_project, ENDLESS).run("validate", "study.yaml")
    assert outcome.code == 2
    assert f"tune/x/base: {ENDS.format('./model')}" in outcome.err


def test_a_run_looks_at_a_hub_model_that_is_not_here_before_any_work(
    study_project: Callable[[Mapping[str, str]], StudyProject], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = _project(study_project, ENDLESS)
    monkeypatch.setattr(thinking_template, "cached_folder", lambda _model, _revision: None)
    monkeypatch.setattr(thinking_template, "fetched_folder", lambda _model, _revision: project.folder / "model")
    change = ("--set", "models.base.model=owner/name")
    assert project.run("validate", "study.yaml", *change).code == 0
    outcome = project.run("study.yaml", *change)
    assert outcome.code == 2
    assert f"tune/x/base: {ENDS.format('owner/name')}" in outcome.err
    assert "nothing was run" in outcome.err
    assert not (project.folder / "runs").exists()


def test_validate_looks_at_a_hub_model_in_the_cache(
    study_project: Callable[[Mapping[str, str]], StudyProject], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = _project(study_project, ENDLESS)
    monkeypatch.setattr(thinking_template, "cached_folder", lambda _model, _revision: project.folder / "model")
    outcome = project.run("validate", "study.yaml", "--set", "models.base.model=owner/name")
    assert outcome.code == 2
    assert f"tune/x/base: {ENDS.format('owner/name')}" in outcome.err
