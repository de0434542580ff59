"""Whether a model's chat template puts thinking before a turn that has none: told before a corpus is paid for.

Read from the model's files alone, without transformers and without weights, so that `validate` can say it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cbtrun.plugin import BlockContext, ChatTemplateLimit, ModelError, Problem, rendered_chat, without_thinking
from cbtrun.plugins.local_models.model_files import model_folder

LARGEST = 2**22
"""Bytes of a settings file that is read."""
TURNS = ("Hello one.", "Hello two.", "Hello three.", "Hello four.")


def thinking_problems(context: BlockContext) -> list[Problem]:
    """A `base` in a folder of this machine whose template cannot be trained on for that reason."""
    base = context.study.models.get(context.options.get("base", ""))
    try:
        folder = model_folder(base.model) if base is not None and base.using in ("transformers", "vllm") else None
    except ModelError:
        return []  # told with the model's own block
    put_in = empty_thinking(folder) if folder is not None else ""
    if not put_in or base is None:
        return []
    what = (
        f"the chat template of {base.model} writes {put_in!r} before what the assistant says in the last turn, and not in "
        "earlier ones: a training would teach the model to think nothing, and would see other prompts than the model is "
        "asked with. Give the base a chat_template.jinja that writes no thinking, or one with {% generation %} around what "
        "the assistant says and its end token"
    )
    return [context.problem(what, "base")]


def empty_thinking(folder: Path) -> str:
    """What the template in a model's folder puts between the prompt of a last turn and its words, if it is thinking."""
    settings = _settings(folder)
    template = _template(folder, settings)
    if not template or "generation" in template.replace("add_generation_prompt", ""):
        return ""
    chat = [{"role": role, "content": words} for role, words in zip(("user", "assistant") * 2, TURNS, strict=True)]
    named = {name: _token(settings[name]) for name in ("bos_token", "eos_token", "pad_token") if settings.get(name)}
    try:
        whole = rendered_chat(template, chat, **named, add_generation_prompt=False).text
        prompt = rendered_chat(template, chat[:-1], **named, add_generation_prompt=True).text
    except ChatTemplateLimit:
        return ""  # told where the model is opened
    except Exception:  # Jinja's errors are as many as templates
        return ""
    end = whole.rfind(TURNS[-1])
    if end < 0 or not whole.startswith(prompt):
        return ""
    between = whole[len(prompt) : end]
    said = without_thinking(between)
    return between if said.found and not said.text else ""


def _template(folder: Path, settings: dict[str, Any]) -> str:
    """The template that transformers takes: a file of its own, else the settings'; of several the default one."""
    file = folder / "chat_template.jinja"
    if file.is_file() and file.stat().st_size <= LARGEST:
        return file.read_text(encoding="utf-8", errors="replace")
    given = settings.get("chat_template")
    if isinstance(given, list):
        given = {one.get("name"): one.get("template") for one in given if isinstance(one, dict)}.get("default")
    return given if isinstance(given, str) else ""


def _settings(folder: Path) -> dict[str, Any]:
    file = folder / "tokenizer_config.json"
    try:
        if file.stat().st_size > LARGEST:
            return {}
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _token(given: Any) -> str:
    return str(given.get("content", "") if isinstance(given, dict) else given)
