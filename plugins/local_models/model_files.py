"""Where the files of a local model lie, and how it is opened: base weights, tokenizer, LoRA adapter on top."""

from __future__ import annotations

import json
import re
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import ModelError, digest, file_digest, tree_digest
from cbtrun.plugins import tiny
from cbtrun.plugins.local_models.adapter_door import SETTINGS, WEIGHTS, adapter_settings, check_adapter_files
from cbtrun.plugins.local_models.chat_format import BASE_TEMPLATE, check_template_ends
from cbtrun.plugins.local_models.gguf_model import converted, converted_here, is_gguf, weights_named
from cbtrun.plugins.local_models.model_door import check_model_folder
from cbtrun.plugins.local_models.no_foreign_code import no_foreign_code
from cbtrun.plugins.local_models.progress_bars import without_bars
from cbtrun.plugins.local_models.same_everywhere import settle_arithmetic
from cbtrun.plugins.local_models.target_layers import adapts_ends, has_tied_ends

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Problem

FORMATS = ("float32", "bfloat16", "float16")
HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
LOADING = threading.Lock()
"""transformers finds its classes when they are first asked for, and two threads that ask at once get an ImportError."""
KNOWN_WARNINGS = {
    # PEFT asks transformers under the old name.
    r"`is_gradient_checkpointing` is deprecated": FutureWarning,
    # An adapter on one of two tied layers: refused, with words of our own.
    r"Model has `tie_word_embeddings=True` and a tied layer is part of the adapter": UserWarning,
}


@dataclass(frozen=True)
class ModelFiles:
    """What `from_pretrained` is to read, and what tells its content from any other."""

    source: str
    """A folder, or a name on the Hugging Face hub."""
    revision: str | None
    """Commit, tag or branch on the hub; none for a folder."""
    digest: str | None
    """SHA-256 over weights, settings and tokenizer; none on the hub, where the commit stands for it."""
    public_name: str
    """How records name it: `cbtrun:tiny`, the hub's name, or `local`: a folder's name is a fact of the machine."""


def find_model(model: str, revision: str | None = None, *, weights: bool = True) -> ModelFiles:
    """The files of `cbtrun:tiny`, of a folder, or of a model on the hub. Raises ModelError when they are not there.

    weights: whether a folder must hold some; for random ones its settings are enough.
    """
    if is_gguf(model):
        made, content = converted(model, revision)
        check_model_folder(made)
        return ModelFiles(str(made.resolve()), None, content, "local")
    folder = model_folder(model)
    if folder is None:
        return ModelFiles(model, revision, None, model)
    if model.startswith("cbtrun:"):
        return _folder(folder, model)
    check_model_folder(folder, weights)
    return _folder(folder.resolve(), "local")


def model_folder(model: str) -> Path | None:
    """Where a model's files lie on this machine; none for a name on the hub. Raises ModelError for a place that is not."""
    if model.startswith("cbtrun:"):
        settle_arithmetic()
        embedded = tiny.embedded_folder(model)
        if embedded is None:
            raise ModelError(f"no embedded model '{model}'; there is '{tiny.MODEL_NAME}'")
        return embedded
    if is_gguf(model):
        return converted_here(model)
    try:
        folder = Path(model).expanduser()
        if folder.is_dir():
            return folder
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, a link to itself, a user that is not
        raise ModelError(f"no model folder '{model}': {error}") from error
    if folder.is_absolute() or model.startswith((".", "~")):
        raise ModelError(f"no model folder '{model}'")
    if not HUB_NAME.fullmatch(model):
        raise ModelError(f"'{model}' is neither a folder here nor a name on the hub (OWNER/NAME)")
    return None


def model_problems(context: BlockContext, *, weights: bool = True) -> list[Problem]:
    """What is wrong with the `model` of a block, before anything of it is read but its settings."""
    model = weights_named(context.options)
    try:
        folder = model_folder(model)
        if folder is not None and not model.startswith("cbtrun:"):
            check_model_folder(folder, weights)
    except ModelError as error:
        return [context.problem(str(error), "model")]
    return []


def weights_place(model: str) -> str:
    """The folder of a model, or its name on the hub; nothing is read. Raises ModelError as `model_folder`."""
    return str(model_folder(model) or model)


def _folder(folder: Path, name: str) -> ModelFiles:
    read = [path for pattern in ("*.safetensors", "*.json", "*.jinja", "*.model") for path in folder.glob(pattern)]
    written = tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(read))
    return ModelFiles(str(folder), None, _digest_of(written, str(folder)), name)


@lru_cache(maxsize=32)
def _digest_of(written: tuple[tuple[str, int, int], ...], folder: str) -> str:
    """Read once while sizes and times stay: 16 GB of weights take a minute, and every arm asks."""
    return tree_digest([Path(path) for path, _, _ in written], Path(folder))


def adapter_digest(folder: Path) -> str:
    """SHA-256 over an adapter's weights and settings."""
    return digest([[name, file_digest(folder / name)] for name in (SETTINGS, WEIGHTS)])


def torch_device(wanted: str) -> str:
    """`cpu` or `cuda`; `auto` takes CUDA where there is one. Raises ModelError for CUDA on a machine without."""
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ModelError("device: cuda was asked for, but torch sees no CUDA device here; use cpu or auto")
    return wanted


def load_tokenizer(files: ModelFiles) -> Any:
    """The model's tokenizer, with a padding token and, for a base model that has none, our plain chat template.

    Raises ModelError when it has neither a template nor an end token, or a template that would not end. Tune jobs side by side call it at the same time.
    """
    with LOADING:
        from transformers import AutoTokenizer

        tokenizer = _from_pretrained(AutoTokenizer, files, trust_remote_code=False)
    if not tokenizer.chat_template:
        if tokenizer.eos_token is None:
            raise ModelError(f"{files.public_name}: its tokenizer has no chat template and no end token for ours")
        tokenizer.chat_template = BASE_TEMPLATE
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    check_template_ends(tokenizer)
    return tokenizer


def load_base(files: ModelFiles, dtype: str, attention: str | None = None, quantisation: Any = None) -> Any:
    """The causal language model on the CPU, or quantised on this process's GPU.

    Never runs code that comes with the weights.
    """
    import torch
    from transformers import AutoModelForCausalLM

    options: dict[str, Any] = {"attn_implementation": attention} if attention else {}
    if quantisation is not None:
        options |= {"quantization_config": quantisation, "device_map": {"": torch.cuda.current_device()}}
    return _from_pretrained(
        AutoModelForCausalLM,
        files,
        dtype=getattr(torch, dtype),
        use_safetensors=True,
        trust_remote_code=False,
        **options,
    )


def own_number_format(files: ModelFiles) -> str:
    """The number format of a model's weights, by its settings. Raises ModelError for one that is not loaded here."""
    from transformers import AutoConfig

    config = _from_pretrained(AutoConfig, files, trust_remote_code=False)
    found = str(getattr(config, "dtype", None) or "float32").removeprefix("torch.")
    if found not in FORMATS:
        raise ModelError(f"model '{files.source}' has numbers of the format {found}; known: {', '.join(FORMATS)}")
    return found


def generation_ends(files: ModelFiles) -> frozenset[int]:
    """Tokens that end a reply by the model's own settings of generation; empty where it has none."""
    from transformers import GenerationConfig

    try:
        found = _from_pretrained(GenerationConfig, files).eos_token_id
    except ModelError:
        return frozenset()
    return frozenset(found if isinstance(found, list) else [found] if found is not None else [])


def with_adapter(model: Any, folder: Path) -> Any:
    """The model with a LoRA adapter merged into its weights."""
    given = _door(folder)  # before the model is looked at
    tied = has_tied_ends(model)
    tuned = _adapted(model, folder, given, trainable=False)
    if tied and adapts_ends(tuned):
        raise ModelError(
            f"the adapter in {folder} adapts the embedding or the output layer of a base in which both are one (tied): "
            "merged it would be another model than was trained"
        )
    return tuned.merge_and_unload()


def with_trainable_adapter(model: Any, folder: Path) -> Any:
    """The model with a LoRA adapter on it that a training goes on with."""
    return _adapted(model, folder, _door(folder), trainable=True)


def _door(folder: Path) -> Mapping[str, Any]:
    """The settings of an adapter. Raises ModelError for files that are no LoRA adapter of ours."""
    check_adapter_files(folder)
    return adapter_settings(folder)


def _adapted(model: Any, folder: Path, given: Mapping[str, Any], *, trainable: bool) -> Any:
    from peft import LoraConfig, PeftModel

    try:
        # PEFT gets our reading of the settings, and does not look at the file.
        settings = LoraConfig(**given)
        with without_known_warnings():
            return PeftModel.from_pretrained(
                model, str(folder), config=settings, use_safetensors=True, is_trainable=trainable
            )
    except (OSError, ValueError, RuntimeError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"the adapter in {folder} does not fit its base: {error}") from error


def normalise_settings(folder: Path, base: str) -> None:
    """Write an adapter's settings with sorted keys and lists, and the base by its public name.

    PEFT keeps sets in no fixed order and the base as a path of this machine; neither may decide a digest.
    """
    path = folder / SETTINGS
    settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = base
    for key in ("target_modules", "modules_to_save", "exclude_modules"):
        if isinstance(settings.get(key), list):
            settings[key] = sorted(settings[key])
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


@contextmanager
def without_known_warnings() -> Iterator[None]:
    """Leave out what the libraries say to each other and no user can act on."""
    with warnings.catch_warnings():
        for message, kind in KNOWN_WARNINGS.items():
            warnings.filterwarnings("ignore", message, kind)
        yield


def _from_pretrained(kind: Any, files: ModelFiles, **options: Any) -> Any:
    """An object of transformers from a model's files. What is wrong with those is a ModelError, however it is raised."""
    revision: Mapping[str, Any] = {"revision": files.revision} if files.revision else {}
    try:
        with without_bars(), no_foreign_code():
            return kind.from_pretrained(files.source, **revision, **options)
    except Exception as error:  # a stranger's settings break transformers wherever they are first used
        at = f" at revision {files.revision}" if files.revision else ""
        raise ModelError(f"model '{files.source}'{at} cannot be opened: {error}") from error
