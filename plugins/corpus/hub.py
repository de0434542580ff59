"""`hub`: a corpus from a data set on the Hugging Face hub, at a pinned revision, or from its files on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.errors import SpecError, StageError
from cbtrun.hookspecs import hookimpl
from cbtrun.plugins.corpus.checks.corpus import checked
from cbtrun.plugins.corpus.checks.options import checks_schema
from cbtrun.plugins.corpus.mapping import column_problems, mapped, mapping_schema
from cbtrun.plugins.transcripts.transcript_table import Row, Table

if TYPE_CHECKING:
    from cbtrun.context import StageContext
    from cbtrun.records import Json, Transcript


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: hub` under `corpus`."""
    if stage != "corpus":
        return None
    return {
        "type": "object",
        "required": ["name", "revision", "columns", "speakers"],
        "additionalProperties": False,
        "properties": {
            "name": {
                "type": "string",
                "minLength": 1,
                "x-words": True,
                "description": "The data set: OWNER/NAME on the hub.",
            },
            "revision": {
                "type": "string",
                "pattern": "^[0-9a-f]{40}$",
                "description": "Commit of the data set, 40 hex digits: a branch's content would change.",
            },
            "config": {"type": "string", "description": "Configuration of the data set, where it has several."},
            "split": {
                "type": "string",
                "default": "train",
                "description": "Split, as datasets writes it: train[:100].",
            },
            "path": {
                "type": "string",
                "x-names": "folder",
                "description": "Folder with the data set's files, read instead of the hub.",
            },
            "cache": {
                "type": "string",
                "description": "Folder that keeps what was fetched; the libraries' own without it.",
            },
            **mapping_schema(),
            "checks": checks_schema(rewrite=False),
        },
    }


@hookimpl
def make_corpus(context: StageContext) -> list[Transcript]:
    """Every transcript of the split that passes its checks, in the data set's order."""
    options = context.options
    table = _table(options)
    if wrong := column_problems(table, options["columns"]):
        raise StageError(f"data set '{options['name']}': {'; '.join(wrong.values())}")
    transcripts, problems = mapped(table, options, Path(options["name"]))
    if problems:
        raise SpecError(problems)
    return checked(context, transcripts, options["checks"])


def _table(options: Mapping[str, Any]) -> Table:
    """The rows of the split. Raises StageError when they cannot be had. Runs no code of the data set."""
    from datasets import disable_progress_bars, load_dataset

    disable_progress_bars()
    source = options.get("path") or options["name"]
    pinned = {} if options.get("path") else {"revision": options["revision"]}
    try:
        found = load_dataset(
            source, options.get("config"), split=options["split"], cache_dir=options.get("cache"), **pinned
        )
    except Exception as error:  # the library raises its own, requests' and the file system's
        raise StageError(_why(options, error)) from error
    return Table(tuple(found.column_names), tuple(Row(number, row) for number, row in enumerate(found, start=1)))


def _why(options: Mapping[str, Any], error: Exception) -> str:
    import os

    at = f"data set '{options['name']}' at {options['revision'][:12]}"
    if any(os.environ.get(name, "") not in ("", "0") for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")):
        return (
            f"{at} is not in the cache, and HF_HUB_OFFLINE forbids to fetch it: fetch it once without, or give its "
            "files with `path`"
        )
    return f"{at} cannot be read: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
