"""A journal's export may come from anybody: it is read within bounds, and none of it is taken where some of it is wrong."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cbtrun.errors import StageError
from cbtrun.files.run_folder import RunFolder
from cbtrun.journal.exchange import import_journal
from cbtrun.journal.exported_file import EMPTY, FIELDS
from cbtrun.journal.journal import Journal

NEEDED = [name for name in FIELDS if name not in EMPTY]
ROW = dict(zip(NEEDED, ("a" * 64, "ratings.x", "m", "rater", 1, "Yes.", 5, 7, "stop", 0.1, 0.5, ""), strict=True))


def line(entry: Any) -> bytes:
    return json.dumps(entry).encode() + b"\n"


def export(path: Path, *lines: bytes, head: Any = None) -> Path:
    foot = {"calls": len(lines), "sha256": hashlib.sha256(b"".join(lines)).hexdigest()}
    path.write_bytes(gzip.compress(b"".join([line(head or {"cbtrun_journal": 1}), *lines, line(foot)])))
    return path


def test_a_sound_export_is_taken(tmp_path: Path) -> None:
    assert import_journal(RunFolder(tmp_path / "r"), export(tmp_path / "x.gz", line(ROW))).added == 1


@pytest.mark.parametrize(
    "change",
    [
        *(
            {"usd": -1e9},
            {"usd": 1e300},
            {"usd": True},
            {"tokens_in": -(10**15)},
            {"tokens_out": 2**63},
            {"attempt": True},
        ),
        *(
            {"seconds": -1},
            {"seconds": None},
            {"key": "zz"},
            {"key": "\u0660" * 64},
            {"stage": "x" * 2000},
            {"served": "\ud800"},
        ),
        *({"text": "\udfff"}, {"thinking": "\ud800"}, {"finish": 3}, {"text": None}),
    ],
    ids=str,
)
def test_a_value_that_no_call_has_is_told_with_its_line(tmp_path: Path, change: Mapping[str, Any]) -> None:
    path = export(tmp_path / "x.gz", line(ROW), line({**ROW, "key": "b" * 64, **change}))
    with pytest.raises(StageError, match=rf"x\.gz:3: '{next(iter(change))}' must be .*nothing was imported"):
        import_journal(RunFolder(tmp_path / "r"), path)
    with Journal(tmp_path / "r/journal.sqlite") as journal:
        assert journal.count() == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"0.5", b"NaN"),
        (b"0.5", b"-Infinity"),
        (b"0.1", b"9" * 400),
        (b": 5,", b": " + b"9" * 5000 + b","),
        (b'"Yes."', b"[" * 100_000),
    ],
    ids=["NaN", "infinite", "400 digits", "5,000 digits", "deep"],
)
def test_a_line_that_no_json_reader_should_take_is_refused(tmp_path: Path, old: bytes, new: bytes) -> None:
    with pytest.raises(StageError, match=r"x\.gz.*nothing was imported"):
        import_journal(RunFolder(tmp_path / "r"), export(tmp_path / "x.gz", line(ROW).replace(old, new)))


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "plain", "head"])
def test_a_damaged_export_is_refused_whole(tmp_path: Path, damage: str) -> None:
    rows = [line({**ROW, "key": f"{at:064x}", "text": hashlib.sha256(bytes([at])).hexdigest()}) for at in range(200)]
    path = export(tmp_path / "x.gz", *rows)
    plain = gzip.decompress(path.read_bytes())
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        for at in range(20, len(content) - 20, 97):
            content[at] ^= 0x5A
    changed = {"flipped": bytes(content), "cut": bytes(content[:-12]), "empty": b"", "plain": plain}
    path.write_bytes(changed.get(damage, gzip.compress(b"[1]\n")))
    with pytest.raises(StageError, match=r"x\.gz"):
        import_journal(RunFolder(tmp_path / "r"), path)


@pytest.mark.parametrize("one_line", [True, False])
def test_a_few_kilobytes_do_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_line: bool) -> None:
    monkeypatch.setattr("cbtrun.journal.packed_lines.ALWAYS_READ", 2**20)
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packed.compress(line({"cbtrun_journal": 1}))]
    for at in range(20):
        row = line({**ROW, "key": f"{at:064x}", "text": "a" * 2**20})
        parts.append(packed.compress(b"a" * 2**20 if one_line else row))
    path = tmp_path / "bomb.gz"
    path.write_bytes(b"".join([*parts, packed.flush()]))
    assert path.stat().st_size < 30_000
    with pytest.raises(StageError, match="it unpacks to far more than replies do"):
        import_journal(RunFolder(tmp_path / "r"), path)
    assert (tmp_path / "r/journal.sqlite").stat().st_size < 2**20
