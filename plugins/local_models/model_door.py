"""What a model's folder may ask for: numbers and plain settings. One that asks to run code is refused before it is read.

transformers is told `trust_remote_code=False` as well; here the reason is found before anything runs, and named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cbtrun.plugin import ModelError

MOST_BYTES = 4 * 2**20
"""Of a file of settings; those of models are a few KiB."""
DEEPEST = 40
DATA = ("tokenizer.json", "vocab.json", "added_tokens.json", "trainer_state.json")
"""JSON that names no code and may be long."""
CODE_KEYS = {
    "auto_map": "names Python classes that come with the model",
    "trust_remote_code": "asks to run Python that comes with the model",
    "custom_pipelines": "names Python classes that come with the model",
    "custom_generate": "names Python that generates",
    "code_revision": "names a commit of Python to fetch",
    "kernel_config": "names kernels to fetch and run",
    "use_kernels": "asks to fetch kernels and run them",
    "transformers_weights": "names a file of weights",
}
ATTENTION_KEYS = re.compile(r"_?(attn|experts)_implementation(_internal)?(_autoset)?")
ATTENTION = (None, True, False, "eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention")
"""Any other name of an attention would be fetched from the hub as a kernel and run."""
EXPERTS = ("grouped_mm", "batched_mm")
FILE_KEYS = re.compile(r"(vocab|merges|tokenizer|spm|sp_model|chat_template)_file")
PLAIN_NAME = re.compile(r"[\w.-]*")
TOKENIZER_CLASS = re.compile(
    r"(?!Auto)(?=[A-Z])\w*(Tokenizer|TokenizerFast|TokenizersBackend|SentencePieceBackend|MistralCommonBackend|PythonBackend)"
)
QUANTISED = {
    *("awq", "bitsandbytes", "bitsandbytes_4bit", "bitsandbytes_8bit", "compressed-tensors", "fbgemm_fp8", "fp8"),
    *("gptq", "hqq", "modelopt", "mxfp4", "quanto", "auto-round", "aqlm", "higgs", "vptq"),
}
CODE_FILES = re.compile(r"(modeling|configuration|tokenization|processing|image_processing|feature_extraction)_\w+\.py")


def check_model_folder(folder: Path, weights: bool = True) -> None:
    """Raises ModelError, with everything that is wrong, for a model's folder that asks for more than to be read.

    weights: whether it must hold some; for random ones its settings are enough.
    """
    found = list(folder_problems(folder))
    if weights and not any(folder.glob("*.safetensors")):
        found.append("no safetensors weights in this folder; other formats can run code and are not read")
    if found:
        raise ModelError(f"{folder}: {'; '.join(found)}")


def folder_problems(folder: Path) -> Iterator[str]:
    """What a model's folder asks for and does not get, each in words."""
    if (folder / "adapter_config.json").exists():
        yield "adapter_config.json names another model to load; give the folder of the base itself"
    if (folder / "custom_generate").exists():
        yield "custom_generate/ holds Python that generates, and no model's own code is run"
    for path in sorted(folder.glob("*.py")):
        if CODE_FILES.fullmatch(path.name):
            yield f"{path.name} is Python that comes with the model, and no model's own code is run"
    for path in sorted(folder.glob("*.json")):
        yield from _file_problems(path)


def read_settings(path: Path) -> dict[str, Any]:
    """A JSON file of settings as plain values. Raises ModelError for one that is too long, too deep, or no mapping."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ModelError(f"{path.name} is longer than {MOST_BYTES // 2**20} MiB, which no file of settings is")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path.name} cannot be read: {str(error) or type(error).__name__}") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path.name} is no mapping of names to values")
    return found


def _file_problems(path: Path) -> Iterator[str]:
    if path.name.endswith(".index.json"):
        yield from _index_problems(path)
    elif path.name not in DATA:
        try:
            settings = read_settings(path)
        except ModelError as error:
            yield str(error)
            return
        yield from (f"{path.name}: {what}" for what in _value_problems(settings))


def _index_problems(path: Path) -> Iterator[str]:
    """An index says in which file each weight lies: safetensors in this folder, and nowhere else."""
    try:
        files = set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        yield f"{path.name} cannot be read as an index of weights"
        return
    if path.name == "pytorch_model.bin.index.json":
        return  # of files that are never read
    for name in sorted(map(str, files)):
        if not (PLAIN_NAME.fullmatch(name) and name.endswith(".safetensors")):
            yield f"{path.name}: '{name}' is no safetensors file of this folder"


def _value_problems(value: Any, depth: int = 0) -> Iterator[str]:
    if depth > DEEPEST:
        yield "is nested more deeply than any model's settings"
        return
    if isinstance(value, list):
        for inner in value:
            yield from _value_problems(inner, depth + 1)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if what := _setting_problem(key, inner):
                yield f"'{key}' {what}"
            else:
                yield from _value_problems(inner, depth + 1)


def _setting_problem(key: str, value: Any) -> str:
    """What is wrong with a setting by itself; empty where nothing is."""
    if key in CODE_KEYS:
        return f"{CODE_KEYS[key]}; no model's own code is run" if value not in (None, False, {}, []) else ""
    if ATTENTION_KEYS.fullmatch(key):
        odd = [
            one for one in (value.values() if isinstance(value, dict) else [value]) if one not in (*ATTENTION, *EXPERTS)
        ]
        return (
            f"is '{odd[0]}', which would be fetched and run; known: {', '.join(map(str, ATTENTION[3:]))}" if odd else ""
        )
    if key == "tokenizer_class" and value is not None:
        fits = isinstance(value, str) and TOKENIZER_CLASS.fullmatch(value)
        return "" if fits else f"is '{value}', which is no tokenizer of transformers"
    if key == "quant_method":
        return (
            ""
            if isinstance(value, str) and value in QUANTISED
            else f"is '{value}'; known: {', '.join(sorted(QUANTISED))}"
        )
    if FILE_KEYS.fullmatch(key) and value is not None:
        fits = isinstance(value, str) and PLAIN_NAME.fullmatch(value)
        return "" if fits else "names a file outside this folder"
    return ""
