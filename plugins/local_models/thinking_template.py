"""Whether turns can be trained on in a model's chat template: told before a corpus is paid for.

Read from the model's files alone, without transformers and without weights, so that `validate` can say it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cbtrun.plugin import BlockContext, ModelError, Problem, rendered_chat
from cbtrun.plugins.local_models.chat_format import CONSTANTS
from cbtrun.plugins.local_models.chat_marks import GENERATION
from cbtrun.plugins.local_models.model_files import model_folder

LARGEST = 2**22
"""Bytes of a settings file that is read."""
SHOWN = 60
"""Characters of a template's words that are shown."""
TURNS = ("Hello one.", "Hello two.", "Hello three.", "Hello four.")


def thinking_problems(context: BlockContext) -> list[Problem]:
    """A `base` in a folder of this machine whose template cannot be trained on for that reason."""
    base = context.study.models.get(context.options.get("base", ""))
    try:
        folder = model_folder(base.model) if base is not None and base.using in ("transformers", "vllm") else None
    except ModelError:
        return []  # told with the model's own block
    reason = untrainable(folder) if folder is not None else ""
    if not reason or base is None:
        return []
    what = (
        f"the chat template of {base.model} {reason}. Give the base a chat_template.jinja that does not, or one with "
        "{% generation %} around what the assistant says and its end token"
    )
    return [context.problem(what, "base")]


def untrainable(folder: Path) -> str:
    """Why turns in the template of a model's folder cannot be trained on; empty where nothing speaks against it.

    The rule is `chat_marks.marker`'s for templates that mark no turns: what is refused here would be refused there.
    """
    settings = _settings(folder)
    template = _template(folder, settings)
    if not template or GENERATION.search(template):
        return ""
    chat = [{"role": role, "content": words} for role, words in zip(("user", "assistant") * 2, TURNS, strict=True)]
    named = {name: _token(settings[name]) for name in ("bos_token", "eos_token", "pad_token") if settings.get(name)}
    try:
        whole = rendered_chat(template, chat, **named, **CONSTANTS, add_generation_prompt=False).text
        prompts = [
            rendered_chat(template, chat[:turn], **named, **CONSTANTS, add_generation_prompt=True).text
            for turn in (1, 3)
        ]
    except (
        Exception
    ):  # Jinja's errors are as many as templates; a template that would not end is told where it is opened
        return ""
    return _unlike(whole, prompts)


def _unlike(whole: str, prompts: list[str]) -> str:
    """What differs between a dialogue and the prompts of its two turns."""
    for prompt, words in zip(prompts, TURNS[1::2], strict=True):
        place = whole.find(words)
        if place < 0:
            return ""  # some templates want another dialogue; found with the corpus
        if not whole.startswith(prompt):
            same = next(place for place, sign in enumerate(prompt) if whole[place : place + 1] != sign)
            asked, written = prompt[same:][-SHOWN:], whole[same : place + len(words)][:SHOWN]
            return (
                f"asks for a turn in other words than it writes it in: {asked!r} in the prompt, {written!r} in the dialogue, "
                "so that a training would see other prompts than the model is asked with"
            )
        between = whole[len(prompt) : place]
        if between.strip():
            thinks = " (no thought at all)" if "think" in between else ""
            return f"writes {between!r}{thinks} before what the assistant says, and a training would teach the model to say it"
    return ""


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
