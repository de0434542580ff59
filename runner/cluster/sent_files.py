"""Files that travel to a machine of the cluster as bytes: named by their digest, checked, and gone with their process."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cbtrun.contract.digests import digest
from cbtrun.errors import ModelError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
MOST_FILES = 100
PREFIX = "cbtrun-node-"


def files_digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over names and contents."""
    return digest([[name, hashlib.sha256(files[name]).hexdigest()] for name in sorted(files)])


def files_in(folder: Path, names: Sequence[str] = ()) -> dict[str, bytes]:
    """The files of a folder, by name. names: those of them that travel; none stands for all."""
    paths = [folder / name for name in names] or sorted(folder.iterdir())
    return {path.name: path.read_bytes() for path in paths if path.is_file()}


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder. Raises ModelError for a name that is more than a name."""
    if len(files) > MOST_FILES:
        raise ModelError(f"{len(files)} files were sent at once; at most {MOST_FILES} are taken")
    for name in files:
        if not NAME.fullmatch(name):
            raise ModelError(f"a file was sent under the name {name[:60]!r}, which is not taken")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, content in files.items():
        (folder / name).write_bytes(content)


class SentFiles:
    """The folder of one process, with a folder in it for each set of files that was sent."""

    def __init__(self, above: Path | None = None) -> None:
        self._above = above or Path(tempfile.gettempdir())
        _remove_left_behind(self._above)
        # The number of the process is in the name, so that who comes later knows whose it was.
        self._folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=self._above))
        self._named: dict[str, Path] = {}

    def hold(self, name: str, wanted: str, files: Mapping[str, bytes]) -> None:
        """Write files under a name, once it is clear that they have this digest. Raises ModelError for any others."""
        found = files_digest(files)
        if found != wanted:
            raise ModelError(f"files were sent as {wanted[:12]}, and what came is {found[:12]}")
        folder = self._folder / wanted
        if not folder.is_dir():
            making = Path(tempfile.mkdtemp(dir=self._folder))
            write_files(making, files)
            making.rename(folder)
        self._named[name] = folder

    def folder_of(self, name: str) -> str:
        """The folder of files that were sent. Raises ModelError where there is none."""
        if name not in self._named:
            raise ModelError(f"no files {name[:24]} were sent to this machine")
        return str(self._named[name])

    def work_folder(self) -> Path:
        """A new folder that is gone with the process."""
        return Path(tempfile.mkdtemp(prefix="work-", dir=self._folder))

    def remove(self) -> None:
        """Take everything away."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _remove_left_behind(above: Path) -> None:
    """Take away what processes left that were killed: it may hold people's words."""
    for folder in above.glob(f"{PREFIX}*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        with suppress(OSError):
            if owner.isdigit() and folder.stat().st_uid == os.getuid() and not Path(f"/proc/{owner}").exists():
                shutil.rmtree(folder, ignore_errors=True)
