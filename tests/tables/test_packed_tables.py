"""A few kilobytes that stand for gigabytes: what a packed file unpacks to is bounded by its size."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cbtrun.errors import SpecError
from cbtrun.tables.transcript_table import read_table

pyarrow = pytest.importorskip("pyarrow")


def packed_rows(path: Path, count: int) -> Path:
    """So many rows of 2,000 characters, each the same: a few bytes of Parquet."""
    from pyarrow import parquet

    same = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * count, pyarrow.int8()), pyarrow.array(["x" * 2000]))
    parquet.write_table(pyarrow.table({"text": same}), path, compression="zstd")
    return path


def test_rows_that_unpack_to_gigabytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cbtrun.tables.source.ALWAYS_READ", 2**21)
    path = packed_rows(tmp_path / "t.parquet", 20_000)
    assert path.stat().st_size < 10_000
    with pytest.raises(SpecError, match=r"t\.parquet: unpacks to far more than a table of this size holds"):
        read_table(path)


def test_one_cell_that_unpacks_to_a_gigabyte_is_refused_by_what_the_file_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyarrow import parquet

    monkeypatch.setattr("cbtrun.tables.source.ALWAYS_READ", 2**21)
    path = tmp_path / "t.parquet"
    parquet.write_table(pyarrow.table({"text": ["x" * 2**24]}), path, compression="zstd", use_dictionary=False)
    with pytest.raises(SpecError, match="unpacks to far more"):
        read_table(path)


def test_memory_that_runs_out_is_told_as_the_file_s_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def starved(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("cbtrun.tables.readers.parquet_rows._records", starved)
    with pytest.raises(SpecError, match="unpacks to far more"):
        read_table(packed_rows(tmp_path / "t.parquet", 3))


@pytest.mark.parametrize("cut", [5, 200, -9])
def test_a_broken_parquet_file_is_told(tmp_path: Path, cut: int) -> None:
    path = packed_rows(tmp_path / "t.parquet", 3)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(SpecError, match=r"t\.parquet: not valid Parquet"):
        read_table(path)


def test_parquet_with_broken_pages_is_told(tmp_path: Path) -> None:
    from pyarrow import parquet

    path = tmp_path / "t.parquet"
    parquet.write_table(pyarrow.table({"text": [f"row {at}" for at in range(500)]}), path, compression="snappy")
    content = bytearray(path.read_bytes())
    content[8:400] = bytes(392)
    path.write_bytes(content)
    with pytest.raises(SpecError, match=r"t\.parquet: not valid Parquet"):
        read_table(path)


def test_gzip_is_unpacked_to_a_hundred_times_its_size_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cbtrun.tables.source.ALWAYS_READ", 2**20)
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"session,text\n" + b"a,x\n" * 2**20))
    with pytest.raises(SpecError, match="holds more than 1 MiB"):
        read_table(path)


def test_a_table_has_a_most_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cbtrun.tables.transcript_table.MOST_ROWS", 3)
    (tmp_path / "t.csv").write_text("session,text\n" + "a,x\n" * 4)
    with pytest.raises(SpecError, match="more than 3 rows"):
        read_table(tmp_path / "t.csv")
