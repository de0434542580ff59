"""A template that puts empty thinking before a last turn is refused by `validate`, with what it writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.plugins.local_models.thinking_template import untrainable
from cbtrun.testing.projects import StudyProject

PLAIN = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
THINKS = PLAIN.replace(
    "{{ m['content'] }}",
    "{% if loop.last and m['role'] == 'assistant' %}<think>\n\n</think>\n\n{% endif %}{{ m['content'] }}",
)
OTHERWISE = PLAIN.replace("<|assistant|>{% endif %}", "<|assistant|><think>\n{% endif %}")
STUDY = """
cbtrun: 1
study: s
contains: none
models: {base: {using: transformers, model: "./model"}}
corpus: {c: {using: files, path: c.jsonl, columns: {transcript: id, messages: messages}, speakers: {assistant: therapist, user: patient}}}
tune: {x: {using: sft, base: base, corpus: c}}
"""


@pytest.mark.parametrize(
    ("template", "found"),
    [
        (THINKS, r"writes '<think>\n\n</think>\n\n' (no thought at all) before"),
        (OTHERWISE, r"asks for a turn in other words than it writes it in: '<think>\n' in the prompt"),
        (PLAIN, ""),
        (THINKS.replace("{{ m['content'] }}", "{% generation %}{{ m['content'] }}{% endgeneration %}"), ""),
        ("{{ broken", ""),
    ],
    ids=["empty thinking", "a prompt that thinks", "plain", "marked", "broken"],
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
    assert found in untrainable(tmp_path)
    assert bool(found) == bool(untrainable(tmp_path))


def test_validate_says_so_before_the_corpus_is_paid_for(
    study_project: Callable[[Mapping[str, str]], StudyProject],
) -> None:
    import shutil

    from cbtrun.plugins import tiny

    project = study_project({"study.yaml": STUDY, "c.jsonl": ""})
    shutil.copytree(tiny.embedded_folder("cbtrun:tiny") or "", project.folder / "model")
    (project.folder / "model" / "chat_template.jinja").write_text(THINKS)
    outcome = project.run("validate", "study.yaml")
    assert outcome.code == 2
    assert (
        "tune/x/base: the chat template of ./model writes '<think>\\n\\n</think>\\n\\n' (no thought at all) before"
        in outcome.err
    )
