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
    except NotImplementedError as error:  # a way of packing that this Python has not
        raise SpecError.at(str(source), f"is packed in a way that cannot be read here: {error}") from None
    except RuntimeError as error:  # the library's word for a member with a password
        raise SpecError.at(str(source), f"cannot be read: {str(error)[:200]}") from None


def member_bytes(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: Source) -> bytes:
    """A member's content, no longer than the list of members says."""
    with archive.open(info) as file:
        content = file.read(info.file_size + 1)
    if len(content) != info.file_size:
        raise SpecError.at(str(source), f"member '{info.filename[:100]}' is not as long as the archive says")
    return content


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


def refuse_doctype(archive: zipfile.ZipFile, source: Source) -> None:
    """Raises SpecError where an XML member of an office file declares a document type: it could declare entities."""
    for info in archive.infolist():
        if info.filename.lower().endswith((".xml", ".rels", ".vml")):
            with archive.open(info) as file:
                if _has_doctype(iter(lambda file=file: file.read(65536), b"")):  # type: ignore[misc]
                    raise SpecError.at(
                        str(source), f"'{info.filename[:100]}' declares a document type, which is not read"
                    )


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
        if stat.S_ISLNK(one.external_attr >> 16):
            raise SpecError.at(str(source), f"member '{shown}' is a link; links are not followed")
        if one.file_size > max(SMALL, MOST_TIMES * one.compress_size):
            raise SpecError.at(str(source), f"member '{shown}' unpacks to more than {MOST_TIMES} times its size")


def _is_beside(info: zipfile.ZipInfo) -> bool:
    """A folder, a hidden file, or what macOS puts beside each file."""
    parts = PurePosixPath(info.filename).parts
    return info.is_dir() or any(part.startswith(".") or part == "__MACOSX" for part in parts)
