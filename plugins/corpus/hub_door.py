"""What a data set may be: tables of CSV, JSON or Parquet in its own folder. One that asks for more is refused before it is read.

The datasets library also reads formats that unpickle, and follows the card (README.md) of a data set to other folders and
other hosts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from cbtrun.plugin import StageError

FORMATS = ("csv", "tsv", "json", "jsonl", "ndjson", "parquet")
BUILDERS = ("csv", "json", "parquet")
"""What the datasets library calls the readers of these formats."""
CACHED = "cache"
"""Its reader of what was fetched before, on this machine."""
REFUSED = re.compile(
    r"\.(pkl|pickle|pt|pth|bin|joblib|dill|npy|npz|py|pyc|so|tar|zip|7z|rar|h5|hdf5|arrow|lance|eval|toml|xml)\Z",
    re.IGNORECASE,
)
CARDS = ("README.md", ".huggingface.yaml")
CONFIG_KEYS = (
    *("config_name", "data_files", "data_dir", "default", "description", "version", "drop_labels", "columns"),
    *("sep", "delimiter", "quotechar", "encoding", "names", "column_names", "header", "skiprows", "field"),
)
"""What a card may say of a configuration: where its files lie and how a CSV is written."""
MOST_FILES = 10_000
MOST_CARD_BYTES = 2**20


def folder_problems(folder: Path) -> Iterator[str]:
    """What a data set's folder holds or asks for and does not get, each in words."""
    home = folder.resolve()
    for path in islice(folder.rglob("*"), MOST_FILES):
        name = path.relative_to(folder).as_posix()
        if not path.resolve().is_relative_to(home):
            yield f"{name} is a link to a file outside the data set's folder"
        elif path.is_file() and REFUSED.search(path.name):
            yield f"{name} is of a kind that can run code or hide files; formats that are read: {', '.join(FORMATS)}"
    for name in CARDS:
        if (folder / name).is_file():
            yield from card_problems(folder / name)


def card_problems(card: Path) -> Iterator[str]:
    """What a card says that is not followed: files elsewhere, and settings that are no table's."""
    said = settings_of(card)
    if said is None:
        yield f"{card.name} cannot be read as the card of a data set"
        return
    for config in said.get("configs") or []:
        if not isinstance(config, dict):
            yield f"{card.name}: a configuration that is no mapping"
            continue
        for key in config:
            if key not in CONFIG_KEYS:
                yield f"{card.name}: '{key}' is not taken; a configuration has {', '.join(CONFIG_KEYS)}"
        places = [*_texts(config.get("data_files")), *_texts(config.get("data_dir"))]
        yield from (
            f"{card.name} names a place outside the data set: '{place}'" for place in places if not _is_inside(place)
        )


def check_builder(builder: Any, name: str, home: str) -> None:
    """Raises StageError for a data set whose reader or files are others than we read, before any of it is read.

    home: where its files must lie: `hf://datasets/NAME@`.
    """
    readers = {
        one.__module__.rpartition(".")[2] for one in type(builder).__mro__ if "packaged_modules" in one.__module__
    }
    if not readers & {*BUILDERS, CACHED}:
        raise StageError(
            f"data set '{name}' is of the format {sorted(readers)}; formats that are read: {', '.join(FORMATS)}"
        )
    for files in (builder.config.data_files or {}).values():
        for file in map(str, files):
            if not file.startswith(home):
                raise StageError(f"data set '{name}' names a file outside it: {file[:200]}")


def settings_of(card: Path) -> dict[str, Any] | None:
    """What a card says of itself; none where that is no mapping, too long, or no YAML."""
    import yaml

    try:
        if card.stat().st_size > MOST_CARD_BYTES:
            return None
        text = card.read_text(encoding="utf-8")
        if card.suffix == ".md":
            head = re.match(r"\A\s*+---[ \t]*+\r?\n(.*?)\r?\n---", text, re.DOTALL)
            text = head[1] if head else ""
        if re.search(r"(?m)[:\-\[{,]\s*[&*]\w", text):
            return None  # an anchor: a card of a few lines could grow without bounds
        said = yaml.safe_load(text) or {}
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return None
    configs = said.get("configs") if isinstance(said, dict) else None
    return said if isinstance(said, dict) and isinstance(configs, list | None) else None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (text for inner in value.values() for text in _texts(inner))
    elif isinstance(value, list):
        yield from (text for inner in value for text in _texts(inner))
    elif value is not None:
        yield str(value)


def _is_inside(place: str) -> bool:
    return (
        "://" not in place
        and "::" not in place
        and not place.startswith(("/", "~", "\\"))
        and ".." not in re.split(r"[/\\]", place)
    )
