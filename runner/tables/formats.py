"""Which reader opens a file, and what its format is called: the one list of all formats that are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from cbtrun.errors import SpecError
from cbtrun.tables.readers import (
    amazon_transcribe,
    csv_rows,
    elan,
    excel_sheet,
    inspect_log,
    json_rows,
    parquet_rows,
    spoken_lines,
    subtitles,
    whisper_json,
    word_document,
)
from cbtrun.tables.row import AS_FOUND, Reader, Row, Writing
from cbtrun.tables.source import Source, ending


@dataclass(frozen=True)
class Format:
    """One format of files."""

    name: str
    """As people call it: `CSV`, `WebVTT`."""
    endings: tuple[str, ...]
    rows: Reader
    is_talk: bool = False
    """Whether each file is one session."""
    extra: str = ""
    """Which extra of cbtrun installs what reads it."""


@dataclass(frozen=True)
class JsonShape:
    """One kind of JSON document that is no list of records."""

    name: str
    fits: Callable[[Any], bool]
    """Whether a document is of this kind."""
    rows: Callable[[Any, Source], Iterator[Row]]
    is_talk: bool = False


class Opened(NamedTuple):
    """A file whose format is known."""

    name: str
    is_talk: bool
    rows: Iterator[Row]
    """Read as they are taken."""


FORMATS = (
    Format("CSV", (".csv",), csv_rows.rows),
    Format("TSV", (".tsv", ".tab"), csv_rows.rows),
    Format("JSON", (".json",), json_rows.rows),
    Format("JSON lines", (".jsonl", ".ndjson"), json_rows.lines),
    Format("Parquet", (".parquet",), parquet_rows.rows, extra="data"),
    Format("Excel", (".xlsx", ".xlsm"), excel_sheet.rows, extra="excel"),
    Format("text with speakers", (".txt", ".text", ".md"), spoken_lines.rows, is_talk=True),
    Format("Word", (".docx",), word_document.rows, is_talk=True, extra="word"),
    Format("SubRip", (".srt",), subtitles.rows, is_talk=True),
    Format("WebVTT", (".vtt",), subtitles.rows, is_talk=True),
    Format("ELAN", (".eaf",), elan.rows, is_talk=True),
    Format("log of Inspect AI", (".eval",), inspect_log.archived),
)
"""All but Parquet, Excel, Word and Inspect's may be packed by gzip (`.jsonl.gz`); all may lie in a zip."""
SHAPES = (
    JsonShape("log of Inspect AI (JSON)", inspect_log.fits, inspect_log.rows),
    JsonShape("Amazon Transcribe", amazon_transcribe.fits, amazon_transcribe.rows, is_talk=True),
    JsonShape("Whisper, WhisperX or pyannote", whisper_json.fits, whisper_json.rows, is_talk=True),
)
"""Looked for in this order in a JSON document, unless the study says where its records are."""
READERS: dict[str, Format] = {one: format for format in FORMATS for one in format.endings}
"""Ending of a file -> its format."""


def opened(source: Source, writing: Writing = AS_FOUND) -> Opened:
    """A file's format and its rows. Raises SpecError for an ending that no format has."""
    format = READERS.get(ending(source))
    if format is None:
        what = f"unknown kind of file '{source.suffix}'; known: {', '.join(sorted([*READERS, '.zip']))}"
        raise SpecError.at(str(source), f"{what}. A pattern names some files of a folder: `path: sessions/*.txt`")
    if format.rows is not json_rows.rows or writing.records:
        return Opened(format.name, format.is_talk, format.rows(source, writing))
    document = json_rows.document(source, writing)
    shape = next((one for one in SHAPES if one.fits(document)), None)
    if shape:
        return Opened(shape.name, shape.is_talk, shape.rows(document, source))
    records = json_rows.lines(source, writing) if document is None else json_rows.records(document, source, writing)
    return Opened(format.name, format.is_talk, records)
