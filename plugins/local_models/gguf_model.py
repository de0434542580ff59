"""A GGUF file as a model: converted once into a folder of safetensors in cbtrun's cache, which everything else then reads.

By transformers, which dequantises the architectures that it knows. The weights are those of the file, written as bfloat16; the
file's digest stands for them in keys, whatever version converted it.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from cbtrun.plugin import Json, ModelError, file_digest
from cbtrun.plugins.local_models.gguf_header import Head, read_head
from cbtrun.plugins.local_models.no_foreign_code import no_foreign_code
from cbtrun.plugins.local_models.progress_bars import without_bars

ENDING = ".gguf"
FORM = "1"
"""Of what a conversion writes: another number, and files are converted again."""
NEEDED = "a GGUF file needs the package that reads it; pip install 'cbtrun[gguf]'"
CONVERTING = threading.Lock()
GGUF_FILE: Json = {
    "type": "string",
    "pattern": r"^[^/\\]+\.[gG][gG][uU][fF]$",
    "description": "A GGUF file in that folder, or in that model of the hub; `model` may also name the file itself. It is "
    "converted once, into cbtrun's cache (`pip install 'cbtrun[gguf]'`).",
}
MORE_THAN_FILE = 1.5
"""How many times the numbers of its file a model may have: layers that share weights stand in the file once."""


def is_gguf(model: str) -> bool:
    """Whether a `model` names a GGUF file."""
    return model.lower().endswith(ENDING)


def weights_named(options: Mapping[str, Any]) -> str:
    """What a block's `model` and `gguf_file` name together: a file in a folder or in a model of the hub."""
    model, file = str(options["model"]), options.get("gguf_file")
    return f"{model.rstrip('/')}/{file}" if file else model


def lacking(options: Mapping[str, Any]) -> list[str]:
    """The package that reads a block's GGUF file, where there is one to convert and it is missing."""
    model = weights_named(options)
    if not is_gguf(model) or has_reader() or converted_here(model) is not None:
        return []
    return [NEEDED]


def has_reader() -> bool:
    """Whether the package that reads GGUF files is installed."""
    return importlib.util.find_spec("gguf") is not None


def gguf_here(model: str) -> Path | None:
    """The file on this machine; none where it is on the hub (`OWNER/NAME/FILE.gguf`). Raises ModelError for one that is not."""
    path = Path(model).expanduser()
    if path.is_file():
        return path
    if path.is_absolute() or model.startswith((".", "~")) or model.count("/") != 2 or Path(model).parent.exists():
        raise ModelError(f"no GGUF file '{model}'")
    return None


def converted_here(model: str) -> Path | None:
    """The folder of a file that was converted before; none where it was not. Its head is looked at."""
    path = gguf_here(model)
    if path is None:
        return None
    read_head(path)
    folder = _folder(_digest(path))
    return folder if folder.is_dir() else None


def converted(model: str, revision: str | None) -> tuple[Path, str]:
    """The folder of safetensors of a GGUF file, and the file's digest. Raises ModelError where it cannot be converted."""
    path = gguf_here(model) or _fetched(model, revision)
    head, digest = read_head(path), _digest(path)
    folder = _folder(digest)
    with CONVERTING:
        if not folder.is_dir():
            _convert(path, head, folder)
    return folder, digest


def _digest(path: Path) -> str:
    told = path.stat()
    return _digest_of(str(path.resolve()), told.st_size, told.st_mtime_ns)


@lru_cache(maxsize=32)
def _digest_of(path: str, _size: int, _written: int) -> str:
    return file_digest(Path(path))


def _folder(digest: str) -> Path:
    top = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return top / "cbtrun" / "gguf" / f"{digest[:32]}-{FORM}"


def _fetched(model: str, revision: str | None) -> Path:
    from huggingface_hub import hf_hub_download

    owner, name, file = model.split("/")
    try:
        return Path(hf_hub_download(f"{owner}/{name}", file, revision=revision))
    except Exception as error:  # no network, no such file, a licence
        raise ModelError(f"'{file}' of '{owner}/{name}' cannot be had from the hub: {error}") from error


def _convert(path: Path, head: Head, folder: Path) -> None:
    """Write the folder whole or not at all."""
    if not has_reader():
        raise ModelError(NEEDED)
    part = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.part")
    part.mkdir(parents=True)
    try:
        with no_foreign_code(), _without_its_bar():
            _write(path, head, part)
        part.replace(folder)
    except ModelError:
        raise
    except Exception as error:  # a stranger's file breaks transformers wherever it is first used
        raise ModelError(f"{path}: transformers cannot convert this GGUF file: {error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _without_its_bar() -> Iterator[None]:
    """Without the bar that transformers' reader of GGUF draws by itself, either."""
    import transformers.modeling_gguf_pytorch_utils

    reading: Any = transformers.modeling_gguf_pytorch_utils
    bars = reading.tqdm
    reading.tqdm = partial(bars, disable=True)
    try:
        with without_bars():
            yield
    finally:
        reading.tqdm = bars


def _write(path: Path, head: Head, part: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    if head.architecture not in GGUF_SUPPORTED_ARCHITECTURES and head.architecture.replace("-", "_") not in (
        GGUF_SUPPORTED_ARCHITECTURES
    ):
        known = ", ".join(sorted(GGUF_SUPPORTED_ARCHITECTURES))
        raise ModelError(
            f"{path}: its architecture is '{head.architecture}', which transformers does not read; read: {known}"
        )
    place: dict[str, Any] = {"gguf_file": path.name, "trust_remote_code": False}
    config = AutoConfig.from_pretrained(str(path.parent), **place)
    with torch.device("meta"):
        size = sum(
            one.numel() for one in AutoModelForCausalLM.from_config(config, trust_remote_code=False).parameters()
        )
    if size > MORE_THAN_FILE * head.weights:
        raise ModelError(f"{path}: its settings are of a model with {size:,} weights, and {head.weights:,} are in it")
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        str(path.parent), **place, dtype=torch.bfloat16, output_loading_info=True
    )
    read, told = loaded
    if lost := sorted(told["missing_keys"]):
        raise ModelError(f"{path}: these weights of the model are not in it: {', '.join(lost[:5])}")
    if hasattr(read.config, "quantization_config"):
        # What was dequantised still says that it is quantised, and would not be saved.
        del read.config.quantization_config
    plain = type(read)(read.config).to(torch.bfloat16)
    plain.load_state_dict(read.state_dict())
    plain.tie_weights()
    plain.save_pretrained(str(part))
    AutoTokenizer.from_pretrained(str(path.parent), **place).save_pretrained(str(part))
