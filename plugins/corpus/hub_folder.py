"""A data set's folder on this machine: which of its files a split means, read by the same readers as any other file.

As on the hub, the card's `configs` say which files are which split; without them the words train, test and validation in the
names of files and folders do, and where no name has one, all files are `train`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cbtrun.plugin import SpecError, StageError, Table, Writing, read_table
from cbtrun.plugin import TableRow as Row
from cbtrun.plugins.corpus.hub_door import CARDS, FORMATS, MOST_FILES, settings_of

SPLITS = {
    "train": ("train", "training"),
    "test": ("test", "testing", "eval", "evaluation"),
    "validation": ("validation", "valid", "dev", "val"),
}
"""Split -> words that mean it, alone or between marks and digits: `data/train-00000-of-00002.parquet`."""
OF_FILES = ("config_name", "data_files", "data_dir", "default", "description", "version", "drop_labels")
WRITTEN = {"sep": "delimiter", "delimiter": "delimiter", "encoding": "encoding", "field": "records"}
"""What a card says of how files are written -> our word for it."""
PART = re.compile(r"\A(?P<split>[\w.-]+)(?:\[(?P<from>-?\d+%?)?:(?P<to>-?\d+%?)?\])?\Z")


def local_table(folder: Path, options: Mapping[str, Any]) -> Table:
    """The rows of a split in the order of its files. Raises StageError for a split that there is not, SpecError for a file."""
    config = _config(folder, options.get("config"))
    splits = _splits(folder, config)
    rows: list[Row] = []
    for part in options["split"].split("+"):
        wanted = PART.match(part.strip())
        if wanted is None:
            raise StageError(f"split '{part.strip()}': written as NAME, NAME[:100], NAME[10:20] or NAME[:10%]")
        if wanted["split"] not in splits:
            known = ", ".join(sorted(splits)) or "none"
            raise StageError(f"no split '{wanted['split']}' in {folder}; splits: {known}")
        found = list(_rows(splits[wanted["split"]], config))
        rows += found[_place(wanted["from"], len(found), 0) : _place(wanted["to"], len(found), len(found))]
    if not rows:
        raise SpecError.at(folder, "the split holds no rows")
    return Table(tuple(dict.fromkeys(column for row in rows for column in row.cells)), tuple(rows))


def has_parquet(folder: Path) -> bool:
    """Whether reading the folder may need pyarrow."""
    return any(file.suffix.lower() == ".parquet" for file in _files(folder))


def _place(said: str | None, count: int, default: int) -> int:
    if said is None:
        return default
    return round(int(said[:-1]) * count / 100) if said.endswith("%") else int(said)


def _rows(files: Sequence[Path], config: Mapping[str, Any]) -> Iterator[Row]:
    """All rows with their files; a transcript may go on in the next one."""
    said = {ours: str(config[theirs]) for theirs, ours in WRITTEN.items() if theirs in config}
    if said.get("records"):
        said["records"] += "[]"
    for file in files:
        yield from (replace(row, file=str(file)) for row in read_table(file, Writing(**said)).rows)


def _config(folder: Path, name: str | None) -> Mapping[str, Any]:
    """The card's configuration of a name, its only one, or its default; empty without any. Raises StageError."""
    cards = [folder / card for card in CARDS if (folder / card).is_file()]
    configs = [one for card in cards for one in (settings_of(card) or {}).get("configs") or []]
    named = {str(one.get("config_name", "default")): one for one in configs}
    if name is None:
        usual = [key for key, one in named.items() if one.get("default") or key == "default"] or list(named)
        if len(usual) > 1:
            raise StageError(f"{folder} has several configurations: {', '.join(named)}; say which with `config`")
        name = usual[0] if usual else None
    if name is not None and name not in named:
        raise StageError(f"no configuration '{name}' in {folder}; it has: {', '.join(named) or 'none'}")
    config: Mapping[str, Any] = named[name] if name is not None else {}
    if strange := [key for key in config if key not in (*OF_FILES, *WRITTEN)]:
        what = f"its card says '{strange[0]}' of how the files are written, which is not followed for a folder"
        raise StageError(f"{folder}: {what}; read its files by `using: files`")
    return config


def _splits(folder: Path, config: Mapping[str, Any]) -> dict[str, list[Path]]:
    home = folder / str(config.get("data_dir") or "")
    said = config.get("data_files")
    if said is None:
        return _by_name(home)
    if isinstance(said, list) and all(isinstance(one, dict) for one in said):
        patterns = {str(one.get("split", "train")): one.get("path") for one in said}
    else:
        patterns = said if isinstance(said, dict) else {"train": said}
    files = _files(home)
    found = {name: list(_matching(home, files, listed)) for name, listed in patterns.items()}
    return {name: held for name, held in found.items() if held}


def _matching(home: Path, files: Sequence[Path], patterns: Any) -> Iterator[Path]:
    for pattern in patterns if isinstance(patterns, list) else [patterns]:
        text = str(pattern).removeprefix("./")
        shape = re.escape(text).replace(r"\*\*/", "(?:.*/)?").replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
        yield from (
            one for one in files if re.fullmatch(shape.replace(r"\?", "[^/]"), one.relative_to(home).as_posix())
        )


def _by_name(home: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    files = _files(home)
    for file in files:
        parts = re.split(r"[^a-z]+", file.relative_to(home).as_posix().casefold())
        split = next((name for name, words in SPLITS.items() if {*words} & {*parts}), None)
        if split:
            found.setdefault(split, []).append(file)
    return found or ({"train": files} if files else {})


def _files(home: Path) -> list[Path]:
    """The tables below a folder, in order of their names; hidden ones are none of them."""
    files = []
    for path in sorted(home.rglob("*"))[:MOST_FILES]:
        hidden = any(part[0] in "._" for part in path.relative_to(home).parts)
        kind = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower().removeprefix(".")
        if path.is_file() and not hidden and kind in FORMATS and path.name != "dataset_infos.json":
            files.append(path)
    return files
