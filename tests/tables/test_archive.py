"""A zip is read in memory, within bounds, and what leads out of it, hides in it or grows without bounds is refused."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from cbtrun.errors import SpecError
from cbtrun.tables import archive
from cbtrun.tables.row import Writing
from cbtrun.tables.transcript_table import read_table

TALK = b"T: How are you?\nC: Bad.\n"


def packed(path: Path, members: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(SpecError) as refused:
        read_table(path)
    return str(refused.value)


def test_a_zip_is_a_folder_of_sessions_with_their_names(tmp_path: Path) -> None:
    beside = {"__MACOSX/talks/._a.txt": b"\x00", "talks/.hidden.txt": TALK, "talks/": b""}
    path = packed(tmp_path / "t.zip", {"talks/high_1.txt": TALK, "talks/low_2.txt": TALK, **beside})
    table = read_table(path, Writing(file_name="{quality}_{number}"))
    assert [(row.cells["file"], row.cells["quality"]) for row in table.rows[::2]] == [
        ("talks/high_1", "high"),
        ("talks/low_2", "low"),
    ]
    assert table.rows[0].file == f"{path}/talks/high_1.txt"


def test_a_zip_of_one_table_is_that_table(tmp_path: Path) -> None:
    path = packed(tmp_path / "t.zip", {"turns.csv": b"s,who\na,T\nb,C\n"})
    assert [(row.line, dict(row.cells), row.file) for row in read_table(path).rows] == [
        (2, {"s": "a", "who": "T"}, ""),
        (3, {"s": "b", "who": "C"}, ""),
    ]


def test_a_zip_among_the_files_of_a_folder_gives_its_members(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "a.txt").write_bytes(TALK)
    packed(tmp_path / "all" / "more.zip", {"a.txt": TALK})
    assert {row.cells["file"] for row in read_table(tmp_path / "all").rows} == {"a", "more/a"}


@pytest.mark.parametrize("name", ["../a.txt", "/etc/a.txt", "x/../../a.txt", "C:/a.txt"])
def test_a_member_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    assert "leads out of the archive" in refusal(packed(tmp_path / "t.zip", {"ok.txt": TALK, name: TALK}))


@pytest.mark.parametrize("name", ["b.zip", "b.tar", "b.7z"])
def test_an_archive_in_an_archive_is_refused(tmp_path: Path, name: str) -> None:
    said = refusal(packed(tmp_path / "t.zip", {"a.txt": TALK, name: b"PK"}))
    assert f"t.zip/{name}: is an archive inside an archive" in said


def test_a_member_of_an_unknown_kind_names_itself(tmp_path: Path) -> None:
    said = refusal(packed(tmp_path / "t.zip", {"a.txt": TALK, "b.exe": b"MZ"}))
    assert "t.zip/b.exe: unknown kind of file '.exe'" in said


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("a.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    assert "is a link" in refusal(tmp_path / "t.zip")


def test_what_unpacks_to_far_more_than_its_size_is_refused(tmp_path: Path) -> None:
    assert "unpacks to more than 200 times its size" in refusal(packed(tmp_path / "t.zip", {"a.txt": b" " * 2**22}))


def test_a_zip_holds_no_more_bytes_and_members_than_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path / "t.zip", {f"{at}.txt": TALK for at in range(30)})
    monkeypatch.setattr(archive, "MOST_MEMBERS", 20)
    assert "has more than 20 members" in refusal(path)
    monkeypatch.setattr(archive, "MOST_MEMBERS", 30)
    monkeypatch.setattr(archive, "MOST_BYTES", 600)
    assert "holds more than 0 MiB" in refusal(path)


def test_a_list_of_members_too_long_to_be_read_is_refused_before_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MOST_INDEX_BYTES", 100)
    monkeypatch.setattr(archive.zipfile, "ZipFile", lambda *_: pytest.fail("the list of members was read"))
    path = tmp_path / "t.zip"
    path.write_bytes(b"PK\x05\x06" + bytes(6) + (2).to_bytes(2, "little") + (500).to_bytes(4, "little") + bytes(6))
    assert "has more than" in refusal(path)


def test_ways_of_packing_that_have_no_bound_are_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "t.zip", {"a.txt": TALK}, method=zipfile.ZIP_LZMA)
    assert "member 'a.txt' is packed in a way that is not read" in refusal(path)


def test_a_damaged_zip_says_so(tmp_path: Path) -> None:
    path = packed(tmp_path / "t.zip", {"a.txt": TALK * 50}, method=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"How", b"Who", 1))
    assert "t.zip: cannot be read as a zip: Bad CRC-32" in refusal(path)
    path.write_bytes(b"PK no")
    assert "t.zip: cannot be read as a zip" in refusal(path)
