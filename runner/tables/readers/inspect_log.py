"""Logs of Inspect AI, as one JSON document or as `.eval`, a zip with a JSON document for each sample.

A row is a sample at an epoch, with its `messages`. Columns besides: `session` (the sample's id, with its epoch where there are
several), `id`, `epoch`, `uuid`, `model`, `task`, `input`, `target`, `metadata` and `scores` (objects: `metadata.topic`),
`error` and `limit` (why a sample ended before its time).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from cbtrun.errors import SpecError
from cbtrun.tables.archive import member_bytes, opened_archive
from cbtrun.tables.readers.json_rows import parsed
from cbtrun.tables.row import Row, Writing
from cbtrun.tables.source import Source

SAMPLE = re.compile(r"samples/.+_epoch_\d+\.json\Z")
HEADERS = ("header.json", "_journal/start.json")
"""Where an archive says which model and task it is about; the second alone in a log that was not finished."""
ATTACHED = "attachment://"
KEPT = ("uuid", "input", "target", "metadata")


def fits(value: Any) -> bool:
    """Whether a document is a log."""
    return isinstance(value, Mapping) and isinstance(value.get("eval"), Mapping) and "version" in value


def rows(value: Any, source: Source) -> Iterator[Row]:
    """A row for each sample of a log in one document."""
    samples = value.get("samples")
    if not isinstance(samples, list) or not samples:
        raise SpecError.at(str(source), "is a log of Inspect without samples (its header alone)")
    yield from _rows(samples, value, source)


def archived(source: Source, _: Writing) -> Iterator[Row]:
    """A row for each sample of an `.eval` log, by id and epoch."""
    with opened_archive(source) as archive:
        members = {one.filename: one for one in archive.infolist()}
        wanted = [name for name in members if SAMPLE.match(name)]
        if not wanted:
            raise SpecError.at(str(source), "is a log of Inspect without samples")

        def read(name: str) -> Any:
            return parsed(_text(member_bytes(archive, members[name], source), source), source)

        header: Any = next((read(name) for name in HEADERS if name in members), {})
        samples = [_needed(read(name), source) for name in wanted]
    yield from _rows(sorted(samples, key=_by_id), header, source)


def _text(content: bytes, source: Source) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError.at(str(source), f"a sample is not UTF-8 at byte {error.start}") from None


def _needed(sample: Any, source: Source) -> Mapping[str, Any]:
    """A sample without its events, which may be a hundred times as long as what was said."""
    if not isinstance(sample, Mapping):
        raise SpecError.at(str(source), "a sample is no object")
    return {name: value for name, value in sample.items() if name not in ("events", "store", "output")}


def _by_id(sample: Mapping[str, Any]) -> tuple[bool, int, str, int]:
    """Samples in the order of their ids, numbers as numbers."""
    id_, epoch = sample.get("id"), sample.get("epoch")
    text = str(id_)
    number = int(text) if text.isdecimal() and len(text) < 16 else 0
    return (not number, number, text, epoch if isinstance(epoch, int) else 1)


def _rows(samples: list[Any], header: Any, source: Source) -> Iterator[Row]:
    said = header.get("eval") if isinstance(header, Mapping) else None
    about = said if isinstance(said, Mapping) else {}
    samples = [_needed(one, source) for one in samples]
    several = len({one.get("epoch", 1) for one in samples}) > 1
    for number, sample in enumerate(samples, start=1):
        id_, epoch = sample.get("id"), sample.get("epoch", 1)
        own = number if id_ is None else id_  # an object stays one: the mapping says so, with the row
        cells = {
            "session": f"{own}-{epoch}" if several and isinstance(own, str | int) else own,
            "id": id_,
            "epoch": epoch,
            "messages": _with_attachments(sample.get("messages"), sample.get("attachments")),
            "model": about.get("model"),
            "task": about.get("task"),
            **{name: sample.get(name) for name in KEPT},
            "scores": {name: _score(one) for name, one in _mapping(sample.get("scores")).items()},
            "error": _mapping(sample.get("error")).get("message"),
            "limit": _mapping(sample.get("limit")).get("type"),
        }
        yield Row(number, cells)


def _score(one: Any) -> Any:
    return one.get("value") if isinstance(one, Mapping) else one


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _with_attachments(messages: Any, attachments: Any) -> Any:
    """Messages with the long texts that a log keeps beside them."""
    if not isinstance(attachments, Mapping) or ATTACHED not in json.dumps(messages):
        return messages
    return _resolved(messages, attachments)


def _resolved(value: Any, attachments: Mapping[str, Any]) -> Any:
    if isinstance(value, str) and value.startswith(ATTACHED):
        return attachments.get(value[len(ATTACHED) :], value)
    if isinstance(value, list):
        return [_resolved(one, attachments) for one in value]
    if isinstance(value, dict):
        return {name: _resolved(one, attachments) for name, one in value.items()}
    return value
