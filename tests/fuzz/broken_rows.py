"""Files of sessions, transcripts and ratings with something wrong in them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.mutations import broken_bytes, broken_document, document_text
from tests.fuzz.project import SPEC_FILES, STUDY, write
from tests.helpers.imported_study import TRANSCRIPTS

ROWS: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(TRANSCRIPTS)))
SPOKEN = "\n".join(f"{row['speaker']}: {row['text']}" for row in ROWS)
CUES = "\n\n".join(
    f"{at}\n00:00:{at:02},000 --> 00:00:{at + 1:02},000\n{row['speaker']}: {row['text']}"
    for at, row in enumerate(ROWS, 1)
)
SHORT = STUDY[: STUDY.index("analysis:")]
"""The study as far as it reads its rows."""


def break_rows(folder: Path, chance: Random) -> list[tuple[str, ...]]:
    """Write a study whose transcripts are broken, in one of the formats."""
    write(folder, SPEC_FILES)
    ending = chance.choice(
        ("csv", "csv", "tsv", "json", "jsonl", "jsonl", "txt", "srt", "parquet", "csv.gz", "jsonl.gz")
    )
    content = _content(ending, chance)
    (folder / f"t.{ending}").write_bytes(content)
    study = SHORT.replace("t.csv", f"t.{ending}")
    if ending in ("txt", "srt"):
        study = study.replace("session: session, ", "").replace("  factors: {quality: quality}\n", "")
    write(folder, {"study.yaml": study})
    return [chance.choice((("validate", "study.yaml"), ("study.yaml",)))]


def _content(ending: str, chance: Random) -> bytes:
    plain = ending.removesuffix(".gz")
    if plain == "parquet":
        return broken_bytes(_parquet(), chance)
    by_value = chance.random() < 0.6 and plain in ("csv", "tsv", "json", "jsonl")
    rows = broken_document(ROWS, chance) if by_value else ROWS
    text = _text(plain, rows)
    content = text.encode("utf-8", "surrogatepass")
    if ending != plain:
        packed = gzip.compress(content if by_value else broken_bytes(content, chance), mtime=0)
        return packed if by_value or chance.random() < 0.5 else broken_bytes(packed, chance)
    return content if by_value else broken_bytes(content, chance)


def _text(ending: str, rows: Any) -> str:
    if ending == "json":
        return document_text(rows)
    if ending == "jsonl":
        return "".join(f"{document_text(row)}\n" for row in rows) if isinstance(rows, list) else document_text(rows)
    if ending in ("txt", "srt"):
        return SPOKEN if ending == "txt" else CUES
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t" if ending == "tsv" else ",", lineterminator="\n")
    writer.writerow(ROWS[0])
    for row in rows if isinstance(rows, list) else [rows]:
        cells = list(row.values()) if isinstance(row, dict) else row if isinstance(row, list) else [row]
        writer.writerow([cell if isinstance(cell, str) else json.dumps(cell) for cell in cells])
    return out.getvalue()


def _parquet() -> bytes:
    import pyarrow
    import pyarrow.parquet

    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), out)
    return out.getvalue()
