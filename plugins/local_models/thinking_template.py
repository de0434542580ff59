"""Whether turns can be trained on in a model's chat template: told before a corpus is paid for.

Read from the model's files alone, without transformers and without weights, so that `validate` can say it: of a folder, and
of a model that is in the hub's cache on this machine.
"""

from __future__ import annotations

from pathlib import Path

from cbtrun.plugin import BlockContext, ModelError, Problem
from cbtrun.plugins.local_models.chat_template import added_tokens, folder_template
from cbtrun.plugins.local_models.hub_files import cached_folder
from cbtrun.plugins.local_models.model_files import model_folder
from cbtrun.plugins.local_models.trained_turns import untrainable


def template_problems(context: BlockContext) -> list[Problem]:
    """A `base` whose template cannot be trained on, as far as the files on this machine tell."""
    base = context.study.models.get(context.options.get("base", ""))
    if base is None or base.using not in ("transformers", "vllm"):
        return []
    try:
        folder = model_folder(base.model) or cached_folder(base.model, base.options.get("revision"))
    except ModelError:
        return []  # told with the model's own block
    reason = folder_reason(folder) if folder is not None else ""
    return [context.problem(f"the chat template of {base.model} {reason}", "base")] if reason else []


def folder_reason(folder: Path) -> str:
    """Why turns in the template of a model's folder cannot be trained on; empty where nothing speaks against it."""
    template = folder_template(folder)
    try:
        return untrainable(template, added_tokens(folder)) if template is not None else ""
    except ModelError as error:
        return str(error)
