"""`thinking:` in the words of a model's chat template: what it knows is found from the variables that it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import ModelError, opened_thinking, template_variables
from cbtrun.plugins.local_models.chat_template import ChatTemplate, folder_template
from cbtrun.plugins.local_models.gguf_model import weights_named
from cbtrun.plugins.local_models.thinking_template import folder_here
from cbtrun.plugins.local_models.trained_turns import SWITCHES

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Problem

EFFORTS = ("reasoning_effort", "reasoning_strength", "thinking_effort")
"""Variables that take a word for how much: gpt-oss, Qwen 3.8 and others."""
HIGHEST = ("high", "xhigh", "max")
"""What a template calls its most, in the order in which it is tried."""
BUDGETS = ("thinking_budget", "reasoning_budget")
"""Variables that take a number of tokens: Seed-OSS."""
FLAGS = {"low": "low_effort", "medium": "medium_effort"}
"""Variables of Nemotron 3 for one level each; without them it thinks as much as it likes."""


def thinking_variables(template: ChatTemplate, wanted: str | int | None) -> dict[str, Any]:
    """The template's variables for a setting. Raises ModelError, with the true reason, where it has none for it."""
    if wanted is None:
        return {}
    asks = template_variables(template.source)
    switches = [name for name in SWITCHES if name in asks]
    if wanted == "off":
        return _off(template, switches, asks)
    chosen: dict[str, Any] = dict.fromkeys(switches, True)
    efforts = [name for name in EFFORTS if name in asks]
    if isinstance(wanted, int):
        chosen |= {name: wanted for name in BUDGETS if name in asks}
    elif wanted != "on":
        chosen |= _level(template.with_variables(chosen), wanted, efforts, asks)
    if not chosen and not efforts and not _thinks(template):
        raise ModelError("has nothing to do with thinking: this model does not think, or cannot be told to")
    return chosen


def _off(template: ChatTemplate, switches: Sequence[str], asks: frozenset[str]) -> dict[str, Any]:
    chosen = dict.fromkeys(switches, False)
    effort = next((name for name in EFFORTS if name in asks), "")
    if opening := _opening(template.with_variables(chosen)):
        raise ModelError(f"has every turn begin with {opening.strip()!r} and no variable that switches it off")
    if switches:
        return chosen
    if effort:
        raise ModelError(f"knows how much the model thinks (`{effort}`) but not how to switch it off; the least is low")
    if _thinks(template):
        raise ModelError("knows of thoughts (</think>) and has no variable that switches them off")
    return {}


def _level(template: ChatTemplate, wanted: str, efforts: Sequence[str], asks: frozenset[str]) -> dict[str, Any]:
    """A level as a word that the template takes, or as a flag of its own."""
    for word in HIGHEST if wanted == "high" else (wanted,):
        chosen = dict.fromkeys(efforts, word)
        if efforts and _renders(template.with_variables({**dict(template.variables), **chosen})):
            return chosen
    flags = {level: name for level, name in FLAGS.items() if name in asks}
    if wanted in flags:
        return {flags[wanted]: True}
    if wanted == "high" and flags:
        return {}
    known = ["off", "on", *flags, *(["high"] if flags else [])]
    raise ModelError(f"has no level '{wanted}' of thinking; it knows {', '.join(known)}")


def _renders(template: ChatTemplate) -> bool:
    try:
        template.rendered([{"role": "user", "content": "Hello."}], add_generation_prompt=True)
    except Exception:  # Jinja's errors are as many as templates
        return False
    return True


def _opening(template: ChatTemplate) -> str:
    """The mark of thinking that a prompt ends with; empty where it ends with none."""
    try:
        asked = template.rendered([{"role": "user", "content": "Hello."}], add_generation_prompt=True).text
    except Exception:  # told where the model is opened
        return ""
    return opened_thinking(asked)


def _thinks(template: ChatTemplate) -> bool:
    """Whether a template writes or takes out thoughts."""
    return any(mark in template.source for mark in ("</think>", "[/THINK]", "<|channel|>", "</seed:think>"))


def thinking_problems(context: BlockContext, *, fetch: bool = False) -> list[Problem]:
    """A setting that the model's template cannot follow, as far as the files on this machine tell.

    fetch: look instead at a model of the hub whose files are not here yet.
    """
    wanted = context.options.get("thinking")
    if wanted is None:
        return []
    try:
        folder = folder_here(weights_named(context.options), context.options.get("revision"), fetch=fetch)
    except ModelError:
        return []  # told of the model itself
    why = setting_problem(folder, wanted) if folder is not None else ""
    return [context.problem(f"the chat template of {context.options['model']} {why}", "thinking")] if why else []


def setting_problem(folder: Path, wanted: str | int) -> str:
    """Why a model's template cannot follow a setting; empty where nothing speaks against it."""
    template = folder_template(folder)
    try:
        thinking_variables(template or ChatTemplate(""), wanted)
    except ModelError as error:
        return str(error)
    return ""
