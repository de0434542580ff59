"""A stranger's zip, and what is a zip inside (.docx, .xlsx, .eval): opened only within bounds, and read in memory alone.

Nothing is written, so that no name of a member leads anywhere. Source of the bounds: Fifield 2019, "A better zip bomb".
"""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from xml.parsers import expat

from cbtrun.errors import SpecError
from cbtrun.tables.source import MOST_BYTES, Member, Source

MOST_MEMBERS = 20_000
MOST_INDEX_BYTES = 16 * 2**20
"""Of the list of members, which is held in memory before anything of it can be looked at."""
MOST_TIMES = 200
"""How many times its size a member may unpack to; text that people write packs 3 to 20 times."""
SMALL = 2**20
"""Bytes up to which a member may pack as well as it likes."""
ZSTANDARD = 93
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, ZSTANDARD)
"""Ways of packing that are unpacked piece by piece; the library unpacks others without a bound."""
MOST_WINDOW = 2**27
CHUNK = 2**16
LOCAL_HEADER = 30
"""Bytes before a member's name."""
NESTED = (".zip", ".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".zst")


@contextmanager
def opened_archive(source: Source) -> Iterator[zipfile.ZipFile]:
    """A zip whose members are few, small and plain. Raises SpecError for any other, and for what is no zip."""
    content = io.BytesIO(source.content) if isinstance(source, Member) else source
    try:
        _refuse_long_index(content, source)
        with zipfile.ZipFile(content) as archive:
            _refuse_unbounded(archive.infolist(), source)
            yield archive
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error) as error:
        raise SpecError.at(str(source), f"cannot be read as a zip: {str(error)[:200]}") from None
    except (RuntimeError, NotImplementedError) as error:  # the library's words for a password, and for odd versions
        raise SpecError.at(str(source), f"cannot be read: {str(error)[:200]}") from None


def member_bytes(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: Source) -> bytes:
    """A member's content, no longer than the list of members says."""
    if info.compress_type == ZSTANDARD:
        content = _by_zstandard(archive, info, source)
    else:
        with archive.open(info) as file:
            content = file.read(info.file_size + 1)
    if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
        raise SpecError.at(str(source), f"member '{info.filename[:100]}' is not what the archive says: it is damaged")
    return content


def _by_zstandard(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: Source) -> bytes:
    """A member that is packed by Zstandard, unpacked piece by piece up to its length: the library unpacks without a bound."""
    try:
        import zstandard
    except ImportError:
        missing = (
            "is packed by Zstandard, which zstandard reads and which is not installed; pip install 'cbtrun[inspect]'"
        )
        raise SpecError.at(str(source), missing) from None
    file = archive.fp
    assert file is not None  # the archive is open
    file.seek(info.header_offset)
    header = file.read(LOCAL_HEADER)
    file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), io.SEEK_CUR)
    packed = file.read(info.compress_size)
    try:
        with zstandard.ZstdDecompressor(max_window_size=MOST_WINDOW).stream_reader(packed) as reader:
            return reader.read(info.file_size + 1)
    except zstandard.ZstdError as error:
        raise SpecError.at(str(source), f"member '{info.filename[:100]}' is damaged: {error}") from None


def members_of(path: Path) -> Iterator[Member]:
    """The files of a zip of sessions, in order of their names, one in memory at a time. Hidden ones are none of them."""
    with opened_archive(path) as archive:
        wanted = sorted((one for one in archive.infolist() if not _is_beside(one)), key=lambda one: one.filename)
        if not wanted:
            raise SpecError.at(path, "no files")
        for info in wanted:
            member = Member(path, PurePosixPath(info.filename), b"")
            if member.suffix.lower() in NESTED:
                raise SpecError.at(str(member), "is an archive inside an archive; unpack it first")
            yield Member(path, member.inside, member_bytes(archive, info, path))


def check_office_file(archive: zipfile.ZipFile, source: Source, most_bytes: int = MOST_BYTES) -> None:
    """Raises SpecError where a member of an office file declares a document type, which could declare entities.

    most_bytes: of all members, unpacked; a document that is held as a tree takes ten times its length.
    """
    if sum(one.file_size for one in archive.infolist()) > most_bytes:
        raise SpecError.at(str(source), f"holds more than {most_bytes // 2**20:,} MiB")
    for info in archive.infolist():
        with archive.open(info) as file:
            if _has_doctype(iter(partial(file.read, CHUNK), b"")):
                what = f"'{info.filename[:100]}' declares a document type, which is not read"
                raise SpecError.at(str(source), what)


def _has_doctype(chunks: Iterator[bytes]) -> bool:
    """Whether a document type stands before the root element."""
    parser = expat.ParserCreate()
    found: list[str] = []
    parser.StartDoctypeDeclHandler = lambda *_: found.append("type")
    parser.StartElementHandler = lambda *_: found.append("root")
    try:
        for chunk in chunks:
            parser.Parse(chunk)
            if found:
                break
    except expat.ExpatError:
        return False  # no XML: the reader that opens it says so
    return found[:1] == ["type"]


def _refuse_long_index(content: Path | io.BytesIO, source: Source) -> None:
    """The library reads the whole list of members when it opens a zip: its length is looked at first."""
    with content.open("rb") if isinstance(content, Path) else io.BytesIO(content.getbuffer()) as file:
        found = zipfile._EndRecData(file)  # type: ignore[attr-defined] # as the library itself finds it
    if not found:
        raise zipfile.BadZipFile("it has no list of members")
    members, size = found[zipfile._ECD_ENTRIES_TOTAL], found[zipfile._ECD_SIZE]  # type: ignore[attr-defined]
    if members > MOST_MEMBERS or size > MOST_INDEX_BYTES:
        raise SpecError.at(str(source), f"has more than {MOST_MEMBERS:,} members")


def _refuse_unbounded(members: list[zipfile.ZipInfo], source: Source) -> None:
    if len(members) > MOST_MEMBERS:
        raise SpecError.at(str(source), f"has more than {MOST_MEMBERS:,} members")
    if sum(one.file_size for one in members) > MOST_BYTES:
        raise SpecError.at(str(source), f"holds more than {MOST_BYTES // 2**20:,} MiB")
    seen: set[str] = set()
    for one in members:
        name, shown = one.filename, one.filename[:100]
        if name.startswith("/") or "\\" in name or ":" in name[:2] or ".." in name.split("/"):
            raise SpecError.at(str(source), f"member '{shown}' leads out of the archive")
        if name in seen:
            raise SpecError.at(str(source), f"has two members of one name, '{shown}'")
        seen.add(name)
        if one.flag_bits & 1:
            raise SpecError.at(str(source), f"member '{shown}' has a password; unpack the archive first")
        if one.compress_type not in METHODS:
            what = f"member '{shown}' is packed in a way that is not read; pack it by deflate, as is usual"
            raise SpecError.at(str(source), what)
        if stat.S_ISLNK(one.external_attr >> 16):
            raise SpecError.at(str(source), f"member '{shown}' is a link; links are not followed")
        if one.file_size > max(SMALL, MOST_TIMES * one.compress_size):
            raise SpecError.at(str(source), f"member '{shown}' unpacks to more than {MOST_TIMES} times its size")


def _is_beside(info: zipfile.ZipInfo) -> bool:
    """A folder, a hidden file, or what macOS puts beside each file."""
    parts = PurePosixPath(info.filename).parts
    return info.is_dir() or any(part.startswith(".") or part == "__MACOSX" for part in parts)
