"""Whether turns can be trained on in a model's chat template: told before a corpus is paid for.

Read from the model's files alone, without transformers and without weights, so that `validate` can say it: of a folder, and
of a model that is in the hub's cache on this machine.
"""

from __future__ import annotations

from pathlib import Path

from cbtrun.plugin import BlockContext, ModelError, Problem
from cbtrun.plugins.local_models.chat_template import added_tokens, folder_template
from cbtrun.plugins.local_models.gguf_model import weights_named
from cbtrun.plugins.local_models.hub_files import cached_folder, fetched_folder
from cbtrun.plugins.local_models.model_files import model_folder
from cbtrun.plugins.local_models.trained_turns import untrainable


def template_problems(context: BlockContext, *, fetch: bool = False) -> list[Problem]:
    """A `base` whose template cannot be trained on, as far as the files on this machine tell.

    fetch: look instead at a model of the hub whose files are not here yet.
    """
    base = context.study.models.get(context.options.get("base", ""))
    if base is None or base.using not in ("transformers", "vllm"):
        return []
    try:
        folder = folder_here(weights_named(base.options), base.options.get("revision"), fetch=fetch)
    except ModelError:
        return []  # told with the model's own block
    reason = folder_reason(folder) if folder is not None else ""
    return [context.problem(f"the chat template of {base.model} {reason}", "base")] if reason else []


def folder_here(model: str, revision: str | None, *, fetch: bool = False) -> Path | None:
    """The folder of a model on this machine, in the hub's cache if need be; none where it is not here.

    fetch: none where it is here, else that of its small files, fetched from the hub. Raises ModelError as `model_folder`.
    """
    here = model_folder(model) or cached_folder(model, revision)
    if not fetch:
        return here
    return None if here is not None else fetched_folder(model, revision)


def folder_reason(folder: Path) -> str:
    """Why turns in the template of a model's folder cannot be trained on; empty where nothing speaks against it."""
    template = folder_template(folder)
    try:
        return untrainable(template, added_tokens(folder)) if template is not None else ""
    except ModelError as error:
        return str(error)
