"""A stranger's package: unpacked within bounds into a folder of its own, its files held against the list of digests."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cbtrun.errors import SpecError
from cbtrun.packaging.parts import JOURNAL, STUDY
from cbtrun.packaging.strange_names import LONGEST_NAME, odd_names
from cbtrun.packaging.write import ABOUT, FORMAT, MANIFEST
from cbtrun.tables.archive import NESTED, member_bytes, opened_archive

LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
MOST_ABOUT, MOST_LISTED = 2**20, 2**23
"""Bytes of `package.json` and of the list of digests."""


class _About(BaseModel):
    """`package.json`."""

    model_config = ConfigDict(extra="ignore", strict=True)

    cbtrun_package: int
    cbtrun: str = Field(max_length=80)
    study: str = Field(max_length=200)
    spec: str = Field(max_length=LONGEST_NAME)
    set: list[str] = Field(default=[], max_length=1000)
    shipped: list[str] = Field(default=[], max_length=1000)
    plugins: list[str] = Field(default=[], max_length=100)
    left_out: list[str] = Field(default=[], max_length=1000)


@dataclass(frozen=True)
class Opened:
    """A package in a folder."""

    folder: Path
    about: _About
    faults: tuple[str, ...]
    """What is not as its list of digests says, in words."""

    @property
    def spec(self) -> Path:
        """The study's file."""
        return self.folder / self.about.spec


def open_package(path: Path, into: Path) -> Opened:
    """Unpack a package. Raises SpecError for what is none, and for members that lead out or unpack to more than they may."""
    found: dict[str, str] = {}
    listed: dict[str, str] = {}
    with opened_archive(path) as archive:
        _refuse_members(path, archive)
        names = {one.filename for one in archive.infolist()}
        if MANIFEST not in names or ABOUT not in names:
            raise SpecError.at(path, f"no package of cbtrun: it has no {MANIFEST if MANIFEST not in names else ABOUT}")
        for info in archive.infolist():
            if info.is_dir():
                continue
            content = member_bytes(archive, info, path)
            if info.filename == MANIFEST:
                listed = _listed(path, content)
            else:
                found[info.filename] = sha256(content).hexdigest()
            target = into / info.filename
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                file.write(content)
    about = _read_about(path, into / ABOUT)
    if about.spec not in found:
        raise SpecError.at(path, f"no package of cbtrun: its study's file '{about.spec[:80]}' is not in it")
    return Opened(into, about, tuple(_faults(found, listed)))


def _refuse_members(path: Path, archive: zipfile.ZipFile) -> None:
    """Names that a disk could take for others, archives in it, and lists that are far too long."""
    files = [one for one in archive.infolist() if not one.is_dir()]
    for name, why in odd_names(one.filename for one in files):
        raise SpecError.at(path, f"member {name[:80]!r} {why}")
    for one in files:
        nested = one.filename.lower().endswith((*NESTED, ".gz"))
        if nested and one.filename != JOURNAL and not one.filename.startswith(f"{STUDY}/"):
            raise SpecError.at(path, f"member '{one.filename[:80]}' is an archive inside an archive")
        most = {ABOUT: MOST_ABOUT, MANIFEST: MOST_LISTED}.get(one.filename)
        if most is not None and one.file_size > most:
            raise SpecError.at(
                path, f"member '{one.filename}' is longer than {most // 2**20} MiB, which cbtrun did not write"
            )


def _listed(path: Path, content: bytes) -> dict[str, str]:
    found = {}
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        told = LINE.fullmatch(line)
        if told is None:
            raise SpecError.at(path, f"{MANIFEST}:{number}: no digest and name of a file")
        if told[2] in found:
            raise SpecError.at(path, f"{MANIFEST}:{number}: lists '{told[2][:80]}' twice")
        found[told[2]] = told[1]
    return found


def _read_about(path: Path, file: Path) -> _About:
    try:
        content: Any = json.loads(file.read_bytes())
        about = _About.model_validate(content)
    except (ValueError, RecursionError, ValidationError) as error:
        raise SpecError.at(path, f"{ABOUT} is not as cbtrun writes it: {str(error).splitlines()[0][:120]}") from None
    if about.cbtrun_package > FORMAT:
        raise SpecError.at(
            path, f"was made by cbtrun {about.cbtrun}, in format {about.cbtrun_package}; this one reads {FORMAT}"
        )
    return about


def _faults(found: dict[str, str], listed: dict[str, str]) -> list[str]:
    changed = [f"{name}: changed since the package was made (its digest is not the listed one)" for name in sorted(found) if name in listed and found[name] != listed[name]]  # fmt: skip
    gone = [f"{name}: listed, and not in the package" for name in sorted(set(listed) - set(found))]
    added = [f"{name}: in the package, and not listed" for name in sorted(set(found) - set(listed))]
    return [*changed, *gone, *added]
